#include "services/jobmanager/poll_read.h"

#include "services/common/base/clock.h"
#include "services/common/model/job_spec.h"
#include "services/common/model/spec_text.h"

#define WAIT_MS_MAX 60000

void queue_name_read(struct wire *wire, const struct wire_place *place, const char **out)
{
    const char *problem = wire_text(wire, place, SPEC_NAME_MAX, out) ? spec_name_problem(*out) : NULL;
    if (problem)
        wire_fault(wire, place, FAULT_FORMAT, "%s", problem);
}

static void want_read(struct wire *wire, const struct wire_place *place, void *object)
{
    struct work_reading *reading = object;
    struct work_operation *operation = &reading->body->operation;
    struct wire key = *wire;
    key.walk.at = place->key;
    struct queue_want want = {0};
    queue_name_read(&key, place, &want.queue);
    if (!wire_i64(wire, place, 0, WORK_WANT_MAX, &want.tasks) || want.tasks == 0)
        return;
    reading->wants = arena_grow(wire->arena, reading->wants, operation->want_count, &reading->want_capacity,
                                sizeof(*reading->wants));
    wire->no_memory |= !reading->wants;
    if (!reading->wants)
        return;
    reading->wants[operation->want_count++] = want;
    reading->body->want_tasks += want.tasks;
}

static void wants_read(struct wire *wire, const struct wire_place *place, void *object)
{
    wire_members(wire, place, WORK_QUEUES_MAX, want_read, object);
}

static void token_read(struct wire *wire, const struct wire_place *place, void *object)
{
    struct work_reading *reading = object;
    struct work_operation *operation = &reading->body->operation;
    int64_t token;
    if (!wire_i64(wire, place, 1, INT64_MAX, &token))
        return;
    reading->held =
        arena_grow(wire->arena, reading->held, operation->held_count, &reading->held_capacity, sizeof(*reading->held));
    wire->no_memory |= !reading->held;
    if (reading->held)
        reading->held[operation->held_count++] = token;
}

static void held_read(struct wire *wire, const struct wire_place *place, void *object)
{
    struct work_reading *reading = object;
    size_t count;
    reading->body->operation.says_held = true;
    reading->body->operation.arrived_ms = clock_boot_ms();
    wire_array(wire, place, WORK_HELD_MAX, token_read, object, &count);
}

static void instances_read(struct wire *wire, const struct wire_place *place, void *object)
{
    struct work_reading *reading = object;
    observations_read(wire, place, &reading->observations);
}

static void wait_read(struct wire *wire, const struct wire_place *place, void *object)
{
    struct work_reading *reading = object;
    wire_i64(wire, place, 0, WAIT_MS_MAX, &reading->body->wait_ms);
}

static void want_services_read(struct wire *wire, const struct wire_place *place, void *object)
{
    struct work_reading *reading = object;
    int64_t count;
    if (wire_i64(wire, place, 0, WORK_WANT_MAX, &count))
        reading->body->operation.want_services = (int)count;
}

static void draining_read(struct wire *wire, const struct wire_place *place, void *object)
{
    struct work_reading *reading = object;
    wire_boolean(wire, place, &reading->body->operation.draining);
}

#define POLL_FIELDS                                                                                                   \
    {"wait_ms", WIRE_CUSTOM, false, 0, 0, 0, wait_read}, {"want", WIRE_CUSTOM, false, 0, 0, 0, wants_read},           \
        {"want_services", WIRE_CUSTOM, false, 0, 0, 0, want_services_read},                                           \
        {"held", WIRE_CUSTOM, false, 0, 0, 0, held_read}, {"instances", WIRE_CUSTOM, false, 0, 0, 0, instances_read}, \
    {                                                                                                                 \
        "draining", WIRE_CUSTOM, false, 0, 0, 0, draining_read                                                        \
    }

static const struct wire_field poll_fields[] = {
    {"incarnation", WIRE_I64, true, offsetof(struct work_reading, incarnation), 1, INT32_MAX, NULL},
    POLL_FIELDS,
};
// Within a report the incarnation was said outside; it may be said again.
static const struct wire_field poll_member_fields[] = {
    {"incarnation", WIRE_I64, false, offsetof(struct work_reading, poll_incarnation), 1, INT32_MAX, NULL},
    POLL_FIELDS,
};

void poll_member_read(struct wire *wire, const struct wire_place *place, void *object)
{
    struct work_reading *reading = object;
    reading->body->operation.polls = true;
    wire_object(wire, place, poll_member_fields, ARRAY_LEN(poll_member_fields), reading);
}

void work_reading_finish(struct work_reading *reading)
{
    struct work_operation *operation = &reading->body->operation;
    operation->incarnation = (int)reading->incarnation;
    operation->observations = reading->observations.items;
    operation->observation_count = reading->observations.count;
    operation->wants = reading->wants;
    operation->held = reading->held;
}

int poll_read(const char *text, size_t length, struct arena *arena, struct work_body *out, struct faults *faults,
              struct err *err)
{
    *out = (struct work_body){.operation.polls = true};
    struct work_reading reading = {.body = out};
    struct json_limits limits = {.bytes_max = POLL_BODY_LIMIT_BYTES, .heap_bytes_max = SIZE_MAX};
    if (wire_read(text, length, &limits, poll_fields, ARRAY_LEN(poll_fields), &reading, arena, faults, err) < 0)
        return -1;
    work_reading_finish(&reading);
    return 0;
}
