// Workers, the services of all jobs, and how the installation is.
#include "services/jobmanager/api/handlers.h"

#include "services/common/base/id.h"
#include "services/common/store/control.h"
#include "services/common/store/doctor.h"
#include "services/common/store/read.h"
#include "services/jobmanager/answer.h"
#include "services/jobmanager/api/body.h"
#include "services/jobmanager/arguments.h"
#include "services/jobmanager/call.h"

static const char *const no_query[] = {NULL};

struct fleet_call {
    struct call call;
    int64_t worker;
    const char *cursor;
    int limit;
    bool drain;
    int64_t job; // the canary of a drill
    const char *job_text;
    bool force;
};

static int reply_with(struct call *call, int outcome, struct strbuf *body, struct http_reply *reply, struct err *err)
{
    return outcome < 0 ? -1 : answer_tagged(call->request, reply, body, err);
}

static int services_run(struct call *call, struct db *db, struct http_reply *reply, struct err *err)
{
    struct fleet_call *fleet = CONTAINER_OF(call, struct fleet_call, call);
    AUTO_STRBUF struct strbuf body = STRBUF_INIT;
    return reply_with(call, read_live_services(db, fleet->cursor, fleet->limit, &body, err), &body, reply, err);
}

// Calls that list a page.
static enum http_handled page_start(void *app, struct http_request *request, int64_t limit, call_fn run,
                                    struct http_reply *reply)
{
    static const char *const allowed[] = {"limit", "cursor", NULL};
    struct err err;
    struct fleet_call *fleet = call_new(app, request, sizeof(*fleet), reply);
    if (!fleet)
        return HTTP_REPLY;
    fleet->cursor = http_request_query(request, "cursor");
    if (http_request_query_only(request, allowed, &err) < 0 ||
        query_i64(request, "limit", 1, READ_LIMIT_MAX, &limit, &err) < 0)
        return answer_error(request, reply, &err, NULL);
    fleet->limit = (int)limit;
    return call_start(&fleet->call, run, reply);
}

enum http_handled services_list(void *app, struct http_request *request, struct http_reply *reply)
{
    return page_start(app, request, 100, services_run, reply);
}

// Calls without arguments.
static enum http_handled plain_start(void *app, struct http_request *request, call_fn run, struct http_reply *reply)
{
    struct err err;
    struct fleet_call *fleet = call_new(app, request, sizeof(*fleet), reply);
    if (!fleet)
        return HTTP_REPLY;
    if (http_request_query_only(request, no_query, &err) < 0)
        return answer_error(request, reply, &err, NULL);
    return call_start(&fleet->call, run, reply);
}

static int leaks_run(struct call *call, struct db *db, struct http_reply *reply, struct err *err)
{
    struct fleet_call *fleet = CONTAINER_OF(call, struct fleet_call, call);
    AUTO_STRBUF struct strbuf body = STRBUF_INIT;
    int outcome = read_leaks(db, call->app->settings->leak_after_ms, fleet->cursor, fleet->limit, &body, err);
    return reply_with(call, outcome, &body, reply, err);
}

enum http_handled leaks_list(void *app, struct http_request *request, struct http_reply *reply)
{
    return page_start(app, request, READ_LIMIT_MAX, leaks_run, reply);
}

static int doctor_run(struct call *call, struct db *db, struct http_reply *reply, struct err *err)
{
    AUTO_STRBUF struct strbuf body = STRBUF_INIT;
    return reply_with(call, doctor_read(db, &body, err), &body, reply, err);
}

enum http_handled doctor_show(void *app, struct http_request *request, struct http_reply *reply)
{
    return plain_start(app, request, doctor_run, reply);
}

static int workers_run(struct call *call, struct db *db, struct http_reply *reply, struct err *err)
{
    struct fleet_call *fleet = CONTAINER_OF(call, struct fleet_call, call);
    AUTO_STRBUF struct strbuf body = STRBUF_INIT;
    return reply_with(call, read_workers(db, fleet->cursor, fleet->limit, &body, err), &body, reply, err);
}

enum http_handled workers_list(void *app, struct http_request *request, struct http_reply *reply)
{
    return page_start(app, request, READ_LIMIT_MAX, workers_run, reply);
}

// Calls about one worker.
static enum http_handled worker_start(void *app, struct http_request *request, call_fn run, struct http_reply *reply)
{
    struct err err;
    struct fleet_call *fleet = call_new(app, request, sizeof(*fleet), reply);
    if (!fleet)
        return HTTP_REPLY;
    if (path_worker(request, &fleet->worker, &err) < 0 || http_request_query_only(request, no_query, &err) < 0)
        return answer_error(request, reply, &err, NULL);
    return call_start(&fleet->call, run, reply);
}

static int worker_run(struct call *call, struct db *db, struct http_reply *reply, struct err *err)
{
    struct fleet_call *fleet = CONTAINER_OF(call, struct fleet_call, call);
    AUTO_STRBUF struct strbuf body = STRBUF_INIT;
    return reply_with(call, read_worker(db, fleet->worker, &body, err), &body, reply, err);
}

enum http_handled worker_show(void *app, struct http_request *request, struct http_reply *reply)
{
    return worker_start(app, request, worker_run, reply);
}

static int why_run(struct call *call, struct db *db, struct http_reply *reply, struct err *err)
{
    struct fleet_call *fleet = CONTAINER_OF(call, struct fleet_call, call);
    AUTO_STRBUF struct strbuf body = STRBUF_INIT;
    return reply_with(call, read_why_worker(db, fleet->worker, &body, err), &body, reply, err);
}

enum http_handled worker_why(void *app, struct http_request *request, struct http_reply *reply)
{
    return worker_start(app, request, why_run, reply);
}

static int drain_run(struct call *call, struct db *db, struct http_reply *reply, struct err *err)
{
    struct fleet_call *fleet = CONTAINER_OF(call, struct fleet_call, call);
    AUTO_STRBUF struct strbuf body = STRBUF_INIT;
    if (control_drain(db, fleet->worker, fleet->drain, &call->wakes, err) < 0)
        return -1;
    return reply_with(call, read_worker(db, fleet->worker, &body, err), &body, reply, err);
}

static const struct wire_field drain_fields[] = {
    {"drain", WIRE_BOOLEAN, false, offsetof(struct fleet_call, drain), 0, 0, NULL},
};

// A body of a call about one worker.
static int worker_body_read(const struct http_request *request, const struct wire_field *fields, size_t count,
                            struct fleet_call *fleet, struct faults *faults, struct err *err)
{
    AUTO_ARENA struct arena *arena = arena_new(0);
    if (!arena)
        return err_set(err, ERR_NO_MEMORY, "no memory for a body");
    if (path_worker(request, &fleet->worker, err) < 0 || http_request_query_only(request, no_query, err) < 0 ||
        body_read(request, fields, count, fleet, arena, faults, err) < 0)
        return -1;
    if (fleet->job_text && id_parse('j', fleet->job_text, &fleet->job) < 0) {
        faults_add(faults, FAULT_RANGE, "/job", "must be the id of a job");
        return err_set(err, ERR_INVALID, "the body has 1 fault");
    }
    fleet->job_text = NULL; // of the arena
    return 0;
}

enum http_handled worker_drain(void *app, struct http_request *request, struct http_reply *reply)
{
    AUTO_FAULTS struct faults faults = FAULTS_INIT;
    struct err err;
    struct fleet_call *fleet = call_new(app, request, sizeof(*fleet), reply);
    if (!fleet)
        return HTTP_REPLY;
    fleet->drain = true;
    if (worker_body_read(request, drain_fields, ARRAY_LEN(drain_fields), fleet, &faults, &err) < 0)
        return answer_error(request, reply, &err, &faults);
    return call_start(&fleet->call, drain_run, reply);
}

static int drill_run(struct call *call, struct db *db, struct http_reply *reply, struct err *err)
{
    struct fleet_call *fleet = CONTAINER_OF(call, struct fleet_call, call);
    AUTO_STRBUF struct strbuf body = STRBUF_INIT;
    if (control_drill(db, fleet->worker, fleet->job, fleet->force, &call->wakes, err) < 0)
        return -1;
    return reply_with(call, read_worker(db, fleet->worker, &body, err), &body, reply, err);
}

static const struct wire_field drill_fields[] = {
    {"job", WIRE_TEXT, true, offsetof(struct fleet_call, job_text), 1, 64, NULL},
    {"force", WIRE_BOOLEAN, false, offsetof(struct fleet_call, force), 0, 0, NULL},
};

enum http_handled worker_drill(void *app, struct http_request *request, struct http_reply *reply)
{
    AUTO_FAULTS struct faults faults = FAULTS_INIT;
    struct err err;
    struct fleet_call *fleet = call_new(app, request, sizeof(*fleet), reply);
    if (!fleet)
        return HTTP_REPLY;
    if (worker_body_read(request, drill_fields, ARRAY_LEN(drill_fields), fleet, &faults, &err) < 0)
        return answer_error(request, reply, &err, &faults);
    return call_start(&fleet->call, drill_run, reply);
}
