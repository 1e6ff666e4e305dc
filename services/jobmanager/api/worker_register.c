// POST /v1/workers: a new incarnation of a worker, and its first lease.
#include "services/jobmanager/api/handlers.h"

#include "services/common/base/arena.h"
#include "services/common/base/id.h"
#include "services/common/model/job_spec.h"
#include "services/common/store/workers.h"
#include "services/jobmanager/answer.h"
#include "services/jobmanager/api/body.h"
#include "services/jobmanager/call.h"
#include "services/jobmanager/poll_read.h"
#include "services/jobmanager/work_write.h"

#include <string.h>

#define NAME_BYTES_MAX 255
#define RUNTIMES_MAX 64
#define LABELS_BYTES_MAX 32768
#define TROUBLE_BYTES_MAX 1000
#define FOUND_MAX 1024
#define HELD_MAX 10000

struct register_call {
    struct call call;
    struct worker_registration registration;
    struct arena *arena;
};

struct register_reading {
    struct worker_registration *registration;
    struct arena *arena;
    const char *runtimes[RUNTIMES_MAX], *queues[WORK_QUEUES_MAX];
    int64_t slots;
    const char *name, *host, *boot;
    int64_t former_worker, former_incarnation, registrations;
    const char *owner, *engine, *trouble;
    int64_t *held;
    struct worker_adoptable *adoptable;
};

// ---- the body

static void runtime_read(struct wire *wire, const struct wire_place *place, void *object)
{
    struct register_reading *reading = object;
    const char *name = "";
    if (wire_text(wire, place, SPEC_NAME_MAX, &name) && !*name)
        wire_fault(wire, place, FAULT_RANGE, "must not be empty");
    reading->runtimes[place->index] = name;
}

static void runtimes_read(struct wire *wire, const struct wire_place *place, void *object)
{
    struct register_reading *reading = object;
    wire_array(wire, place, RUNTIMES_MAX, runtime_read, object, &reading->registration->runtime_count);
    if (!reading->registration->runtime_count)
        wire_fault(wire, place, FAULT_RANGE, "must name at least one runtime");
}

static void queue_read(struct wire *wire, const struct wire_place *place, void *object)
{
    struct register_reading *reading = object;
    const char *name = "";
    queue_name_read(wire, place, &name);
    reading->queues[place->index] = name;
}

static void queues_read(struct wire *wire, const struct wire_place *place, void *object)
{
    struct register_reading *reading = object;
    wire_array(wire, place, WORK_QUEUES_MAX, queue_read, object, &reading->registration->queue_count);
}

static void label_read(struct wire *wire, const struct wire_place *place, void *object)
{
    const char *value;
    UNUSED(object);
    wire_text(wire, place, SPEC_LABEL_VALUE_MAX, &value);
}

static void labels_read(struct wire *wire, const struct wire_place *place, void *object)
{
    struct register_reading *reading = object;
    struct wire ahead = *wire;
    const char *json;
    size_t length;
    wire_members(&ahead, place, SPEC_LABELS_MAX, label_read, NULL);
    if (wire_raw(wire, place, LABELS_BYTES_MAX, &json, &length))
        reading->registration->labels = arena_copy(wire->arena, json, length);
}

#define FOUND_AT(member) offsetof(struct found_reading, member)
struct found_reading {
    int64_t job, epoch;
    const char *service;
};

static const struct wire_field found_fields[] = {
    {"job", WIRE_JOB, true, FOUND_AT(job), 0, 0, NULL},
    {"service", WIRE_TEXT, true, FOUND_AT(service), 0, SPEC_NAME_MAX, NULL},
    {"epoch", WIRE_I64, true, FOUND_AT(epoch), 1, INT32_MAX, NULL},
};

static void found_read(struct wire *wire, const struct wire_place *place, void *object)
{
    struct register_reading *reading = object;
    struct found_reading found = {.service = ""};
    wire_object(wire, place, found_fields, ARRAY_LEN(found_fields), &found);
    reading->registration->found[place->index] =
        (struct worker_found){.job = found.job, .service = found.service, .epoch = (int)found.epoch};
}

static void all_found_read(struct wire *wire, const struct wire_place *place, void *object)
{
    struct register_reading *reading = object;
    reading->registration->found = arena_alloc_zero(reading->arena, FOUND_MAX, sizeof(struct worker_found));
    if (reading->registration->found)
        wire_array(wire, place, FOUND_MAX, found_read, object, &reading->registration->found_count);
    else
        wire->no_memory = true;
}

static void token_read(struct wire *wire, const struct wire_place *place, void *object)
{
    struct register_reading *reading = object;
    wire_i64(wire, place, 1, INT64_MAX, &reading->held[place->index]);
}

static void held_read(struct wire *wire, const struct wire_place *place, void *object)
{
    struct register_reading *reading = object;
    reading->held = arena_alloc_zero(reading->arena, HELD_MAX, sizeof(*reading->held));
    if (reading->held)
        wire_array(wire, place, HELD_MAX, token_read, object, &reading->registration->held_count);
    else
        wire->no_memory = true;
}

static void adoptable_read(struct wire *wire, const struct wire_place *place, void *object)
{
    static const struct wire_field fields[] = {
        {"token", WIRE_I64, true, offsetof(struct worker_adoptable, token), 1, INT64_MAX, NULL},
        {"task", WIRE_I64, true, offsetof(struct worker_adoptable, task), 0, INT64_MAX, NULL},
    };
    struct register_reading *reading = object;
    wire_object(wire, place, fields, ARRAY_LEN(fields), &reading->adoptable[place->index]);
}

static void all_adoptable_read(struct wire *wire, const struct wire_place *place, void *object)
{
    struct register_reading *reading = object;
    reading->adoptable = arena_alloc_zero(reading->arena, HELD_MAX, sizeof(*reading->adoptable));
    if (reading->adoptable)
        wire_array(wire, place, HELD_MAX, adoptable_read, object, &reading->registration->adoptable_count);
    else
        wire->no_memory = true;
}

#define AT(member) offsetof(struct register_reading, member)
static const struct wire_field register_fields[] = {
    {"name", WIRE_TEXT, true, AT(name), 0, NAME_BYTES_MAX, NULL},
    {"host", WIRE_TEXT, true, AT(host), 0, NAME_BYTES_MAX, NULL},
    {"boot", WIRE_TEXT, true, AT(boot), 0, NAME_BYTES_MAX, NULL},
    {"runtimes", WIRE_CUSTOM, true, 0, 0, 0, runtimes_read},
    {"slots", WIRE_I64, true, AT(slots), 0, 1000000, NULL},
    {"queues", WIRE_CUSTOM, true, 0, 0, 0, queues_read},
    {"labels", WIRE_CUSTOM, false, 0, 0, 0, labels_read},
    {"former_worker", WIRE_I64, false, AT(former_worker), 1, INT64_MAX, NULL},
    {"former_incarnation", WIRE_I64, false, AT(former_incarnation), 1, INT32_MAX, NULL},
    {"owner", WIRE_TEXT, false, AT(owner), 0, OWNER_SIZE - 1, NULL},
    {"registrations", WIRE_I64, false, AT(registrations), 0, INT64_MAX, NULL},
    {"engine", WIRE_TEXT, false, AT(engine), 0, ENGINE_SIZE - 1, NULL},
    {"trouble", WIRE_CUT, false, AT(trouble), 0, TROUBLE_BYTES_MAX, NULL},
    {"found", WIRE_CUSTOM, false, 0, 0, 0, all_found_read},
    {"held", WIRE_CUSTOM, false, 0, 0, 0, held_read},
    {"adoptable", WIRE_CUSTOM, false, 0, 0, 0, all_adoptable_read},
};

static const char *const *list_keep(struct arena *arena, const char *const *list, size_t count)
{
    const char **kept = arena_alloc_zero(arena, MAX(count, (size_t)1), sizeof(*kept));
    if (kept)
        memcpy(kept, list, count * sizeof(*kept));
    return kept;
}

static int registration_read(struct register_call *call, struct http_request *request, struct faults *faults,
                             struct err *err)
{
    struct worker_registration *registration = &call->registration;
    struct register_reading reading = {.registration = registration, .arena = call->arena};
    registration->labels = "{}";
    if (http_request_query_only(request, (const char *const[]){NULL}, err) < 0 ||
        body_read(request, register_fields, ARRAY_LEN(register_fields), &reading, call->arena, faults, err) < 0)
        return -1;
    if (!*reading.name) {
        faults_add(faults, FAULT_RANGE, "/name", "must not be empty");
        return err_set(err, ERR_INVALID, "the body has 1 fault");
    }
    registration->name = reading.name;
    registration->host = reading.host;
    registration->boot = reading.boot;
    registration->slots = (int)reading.slots;
    registration->former_worker = reading.former_worker;
    registration->former_incarnation = (int)reading.former_incarnation;
    registration->owner = reading.owner && *reading.owner ? reading.owner : NULL;
    registration->registrations = reading.registrations;
    registration->engine = reading.engine && *reading.engine ? reading.engine : NULL;
    registration->trouble = reading.trouble && *reading.trouble ? reading.trouble : NULL;
    registration->held = reading.held;
    registration->adoptable = reading.adoptable;
    registration->arena = call->arena;
    registration->runtimes = list_keep(call->arena, reading.runtimes, registration->runtime_count);
    registration->queues = list_keep(call->arena, reading.queues, registration->queue_count);
    if (!registration->runtimes || !registration->queues || !registration->labels)
        return err_set(err, ERR_NO_MEMORY, "no memory for a registration");
    return 0;
}

// ---- the call

static void add_kept(struct strbuf *out, const struct worker_registration *registration)
{
    bool first = true;
    strbuf_add_text(out, ",\"kept\":[");
    for (size_t i = 0; i < registration->found_count; i++) {
        const struct worker_found *found = &registration->found[i];
        char job[ID_TEXT_SIZE];
        if (!found->kept)
            continue;
        id_format('j', found->job, job);
        strbuf_add_format(out, "%s{\"job\":\"%s\",\"service\":", first ? "" : ",", job);
        strbuf_add_json(out, found->service, strlen(found->service));
        strbuf_add_format(out, ",\"epoch\":%d}", found->epoch);
        first = false;
    }
    strbuf_add_char(out, ']');
}

static int register_run(struct call *call, struct db *db, struct http_reply *reply, struct err *err)
{
    struct register_call *registers = CONTAINER_OF(call, struct register_call, call);
    const struct settings *settings = call->app->settings;
    struct worker_registered registered = {0};
    int outcome =
        workers_register(db, &registers->registration, settings->worker_lease_ms, &registered, &call->wakes, err);
    if (outcome < 0)
        return -1;
    if (outcome == REGISTER_NAME_TAKEN) {
        answer_problem(call->request, reply, 409, "name_taken",
                       "another worker has this name, and its lease is not over");
        http_reply_retry_after(reply, registered.retry_ms);
        return 0;
    }
    AUTO_STRBUF struct strbuf body = STRBUF_INIT;
    strbuf_add_format(&body,
                      "{\"worker\":%lld,\"incarnation\":%d,\"lease_ms\":%lld,\"poll_ms\":%lld,\"fence_ms\":%lld,",
                      (long long)registered.worker, registered.incarnation, (long long)settings->worker_lease_ms,
                      (long long)settings->poll_ms, (long long)settings->fence_ms);
    strbuf_add_text(&body, "\"deployment\":");
    strbuf_add_json(&body, registered.deployment, strlen(registered.deployment));
    add_kept(&body, &registers->registration);
    registered_adopted_write(&body, registered.adopted, registered.adopted_count);
    strbuf_add_char(&body, '}');
    answer_json(call->request, reply, 201, &body);
    return 0;
}

static void register_free(void *context)
{
    struct register_call *registers = context;
    arena_free(registers->arena);
    call_free(registers);
}

enum http_handled worker_register(void *app, struct http_request *request, struct http_reply *reply)
{
    AUTO_FAULTS struct faults faults = FAULTS_INIT;
    struct err err;
    struct register_call *registers = call_new_with(app, request, sizeof(*registers), register_free, reply);
    if (!registers)
        return HTTP_REPLY;
    registers->arena = arena_new(0);
    if (!registers->arena)
        err_set(&err, ERR_NO_MEMORY, "no memory for a registration");
    if (!registers->arena || registration_read(registers, request, &faults, &err) < 0)
        return answer_error(request, reply, &err, &faults);
    return call_start(&registers->call, register_run, reply);
}
