// What users do to a job: stop, pause, resume, retry, extend, delete. Each may be repeated after a lost reply.
#include "services/jobmanager/api/handlers.h"

#include "services/common/base/id.h"
#include "services/common/base/parse.h"
#include "services/common/store/control.h"
#include "services/jobmanager/answer.h"
#include "services/jobmanager/api/body.h"
#include "services/jobmanager/api/job_reply.h"
#include "services/jobmanager/arguments.h"
#include "services/jobmanager/call.h"

struct control_call {
    struct call call;
    int64_t job;
    int64_t more_ms; // extend
    bool force;      // delete
};

// A call about the job {id} with no body; NULL when the reply says what is wrong.
static struct control_call *control_new(void *app, struct http_request *request, const char *const *query,
                                        struct http_reply *reply)
{
    AUTO_FAULTS struct faults faults = FAULTS_INIT;
    struct err err;
    struct control_call *control = call_new(app, request, sizeof(*control), reply);
    if (!control)
        return NULL;
    if (path_job(request, &control->job, &err) == 0 && http_request_query_only(request, query, &err) == 0 &&
        (query[0] || body_none(request, &faults, &err) == 0))
        return control;
    answer_error(request, reply, &err, &faults);
    return NULL;
}

static const char *const no_query[] = {NULL};

typedef int (*control_fn)(struct db *db, int64_t job, const char *by, struct wakes *wakes, struct err *err);

static int simple_run(struct call *call, control_fn function, struct db *db, struct http_reply *reply, struct err *err)
{
    struct control_call *control = CONTAINER_OF(call, struct control_call, call);
    if (function(db, control->job, http_request_principal(call->request), &call->wakes, err) < 0)
        return -1;
    return job_reply_status(call->request, db, control->job, 200, reply, err);
}

static int stop_run(struct call *call, struct db *db, struct http_reply *reply, struct err *err)
{
    return simple_run(call, control_stop, db, reply, err);
}

static int pause_run(struct call *call, struct db *db, struct http_reply *reply, struct err *err)
{
    return simple_run(call, control_pause, db, reply, err);
}

static int resume_run(struct call *call, struct db *db, struct http_reply *reply, struct err *err)
{
    return simple_run(call, control_resume, db, reply, err);
}

static enum http_handled simple_start(void *app, struct http_request *request, call_fn run, struct http_reply *reply)
{
    struct control_call *control = control_new(app, request, no_query, reply);
    return control ? call_start(&control->call, run, reply) : HTTP_REPLY;
}

enum http_handled job_stop(void *app, struct http_request *request, struct http_reply *reply)
{
    return simple_start(app, request, stop_run, reply);
}

enum http_handled job_pause(void *app, struct http_request *request, struct http_reply *reply)
{
    return simple_start(app, request, pause_run, reply);
}

enum http_handled job_resume(void *app, struct http_request *request, struct http_reply *reply)
{
    return simple_start(app, request, resume_run, reply);
}

static int retry_run(struct call *call, struct db *db, struct http_reply *reply, struct err *err)
{
    struct control_call *control = CONTAINER_OF(call, struct control_call, call);
    int64_t retried = control->job;
    struct quota limits;
    const struct quota_holder by = call_holder(call->app, call->request, &limits);
    int outcome = control_retry(db, control->job, id_new(), &by, &retried, &call->wakes, err);
    if (outcome < 0)
        return -1;
    bool created = outcome == CONTROL_CREATED;
    if (job_reply_status(call->request, db, retried, created ? 201 : 200, reply, err) < 0)
        return -1;
    if (created)
        job_location(reply, retried);
    return 0;
}

enum http_handled job_retry(void *app, struct http_request *request, struct http_reply *reply)
{
    return simple_start(app, request, retry_run, reply);
}

static int extend_run(struct call *call, struct db *db, struct http_reply *reply, struct err *err)
{
    struct control_call *control = CONTAINER_OF(call, struct control_call, call);
    if (control_extend(db, control->job, control->more_ms, http_request_principal(call->request), &call->wakes, err) <
        0)
        return -1;
    return job_reply_status(call->request, db, control->job, 200, reply, err);
}

struct extend_body {
    const char *duration;
};
static const struct wire_field extend_fields[] = {
    {"for", WIRE_TEXT, true, offsetof(struct extend_body, duration), 0, 64, NULL},
};

static int extend_read(const struct http_request *request, struct control_call *control, struct faults *faults,
                       struct err *err)
{
    AUTO_ARENA struct arena *arena = arena_new(0);
    struct extend_body body = {0};
    if (!arena)
        return err_set(err, ERR_NO_MEMORY, "no memory for a body");
    if (path_job(request, &control->job, err) < 0 || http_request_query_only(request, no_query, err) < 0 ||
        body_read(request, extend_fields, ARRAY_LEN(extend_fields), &body, arena, faults, err) < 0)
        return -1;
    if (parse_duration_ms(body.duration, "for", &control->more_ms, err) == 0)
        return 0;
    faults_add(faults, FAULT_FORMAT, "/for", "%s", err->text);
    return -1;
}

enum http_handled job_extend(void *app, struct http_request *request, struct http_reply *reply)
{
    AUTO_FAULTS struct faults faults = FAULTS_INIT;
    struct err err;
    struct control_call *control = call_new(app, request, sizeof(*control), reply);
    if (!control)
        return HTTP_REPLY;
    if (extend_read(request, control, &faults, &err) < 0)
        return answer_error(request, reply, &err, &faults);
    return call_start(&control->call, extend_run, reply);
}

static int delete_run(struct call *call, struct db *db, struct http_reply *reply, struct err *err)
{
    struct control_call *control = CONTAINER_OF(call, struct control_call, call);
    int outcome =
        control_delete(db, control->job, control->force, http_request_principal(call->request), &call->wakes, err);
    if (outcome < 0)
        return -1;
    if (outcome == CONTROL_ACCEPTED)
        return job_reply_status(call->request, db, control->job, 202, reply, err);
    http_reply_empty(reply, 204);
    return 0;
}

enum http_handled job_delete(void *app, struct http_request *request, struct http_reply *reply)
{
    static const char *const query[] = {"force", NULL};
    struct err err;
    struct control_call *control = control_new(app, request, query, reply);
    if (!control)
        return HTTP_REPLY;
    if (query_boolean(request, "force", &control->force, &err) < 0)
        return answer_error(request, reply, &err, NULL);
    return call_start(&control->call, delete_run, reply);
}
