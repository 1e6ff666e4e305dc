// POST /v1/workers: a new incarnation of a worker, and its first lease.
#include "services/jobmanager/api/handlers.h"

#include "services/common/base/arena.h"
#include "services/common/model/job_spec.h"
#include "services/common/store/workers.h"
#include "services/jobmanager/answer.h"
#include "services/jobmanager/api/body.h"
#include "services/jobmanager/call.h"

#include <string.h>

#define NAME_BYTES_MAX 255
#define LIST_MAX 64
#define LABELS_BYTES_MAX 32768

struct register_call {
    struct call call;
    struct worker_registration registration;
    struct arena *arena;
};

struct register_reading {
    struct worker_registration *registration;
    struct arena *arena;
    const char *runtimes[LIST_MAX], *queues[LIST_MAX];
    int64_t slots;
    const char *name, *host, *boot;
    int64_t former_worker, former_incarnation;
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
    wire_array(wire, place, LIST_MAX, runtime_read, object, &reading->registration->runtime_count);
    if (!reading->registration->runtime_count)
        wire_fault(wire, place, FAULT_RANGE, "must name at least one runtime");
}

static void queue_read(struct wire *wire, const struct wire_place *place, void *object)
{
    struct register_reading *reading = object;
    const char *name = "";
    if (wire_text(wire, place, SPEC_NAME_MAX, &name) && !*name)
        wire_fault(wire, place, FAULT_RANGE, "must not be empty");
    reading->queues[place->index] = name;
}

static void queues_read(struct wire *wire, const struct wire_place *place, void *object)
{
    struct register_reading *reading = object;
    wire_array(wire, place, LIST_MAX, queue_read, object, &reading->registration->queue_count);
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
    registration->runtimes = list_keep(call->arena, reading.runtimes, registration->runtime_count);
    registration->queues = list_keep(call->arena, reading.queues, registration->queue_count);
    if (!registration->runtimes || !registration->queues || !registration->labels)
        return err_set(err, ERR_NO_MEMORY, "no memory for a registration");
    return 0;
}

// ---- the call

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
