// POST /v1/jobs: read and checked here, recorded by a lane. A job of many listed tasks is read on the pool, since that
// takes longer than a server thread may be busy.
#include "services/jobmanager/api/handlers.h"

#include "services/common/base/id.h"
#include "services/common/base/sha256.h"
#include "services/common/model/job_spec.h"
#include "services/common/model/namespace.h"
#include "services/common/model/traceparent.h"
#include "services/jobmanager/answer.h"
#include "services/jobmanager/api/job_reply.h"
#include "services/jobmanager/app.h"
#include "services/jobmanager/call.h"
#include "services/jobmanager/refusals.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LONG_BODY_BYTES ((size_t)64 << 10)
#define KEY_BYTES_MAX 255

// The context of its request.
struct submit {
    struct app *app;
    struct http_request *request;
    struct pool_task task;
    struct lane_entry entry;
    struct submit_operation operation;
    struct job_spec spec;
    struct quota limits;
    char fingerprint[SHA256_HEX_SIZE];
    char key[NAMESPACE_SIZE + KEY_BYTES_MAX + 2];
};

static void submit_free(void *context)
{
    struct submit *submit = context;
    job_spec_release(&submit->spec);
    free(submit);
}

static void submit_done(struct lane_entry *entry, int outcome, const struct err *err)
{
    struct submit *submit = CONTAINER_OF(entry, struct submit, entry);
    const struct submit_operation *operation = &submit->operation;
    AUTO_HTTP_REPLY struct http_reply reply = HTTP_REPLY_INIT;
    if (outcome < 0 || operation->failed) {
        if (operation->failed && operation->err.code == ERR_LIMIT)
            refusals_note(submit->app->refusals, REFUSAL_LIMITED, submit->request);
        answer_error(submit->request, &reply, outcome < 0 ? err : &operation->err, NULL);
    } else {
        AUTO_STRBUF struct strbuf body = STRBUF_INIT;
        char id[ID_TEXT_SIZE];
        id_format('j', operation->job, id);
        strbuf_add_format(&body, "{\"id\":\"%s\",\"name\":\"%s\",\"created\":%s}", id, submit->spec.name,
                          operation->created ? "true" : "false");
        answer_json(submit->request, &reply, operation->created ? 201 : 200, &body);
        job_location(&reply, operation->job);
    }
    http_request_complete(submit->request, &reply);
}

static int submit_read(struct submit *submit, struct faults *faults, struct err *err)
{
    size_t length;
    const char *body = http_request_body(submit->request, &length);
    if (job_spec_parse(body, length, &submit->spec, faults, err) < 0 ||
        job_spec_fingerprint(body, length, submit->fingerprint, err) < 0)
        return -1;
    submit->operation.spec = &submit->spec;
    submit->operation.fingerprint = submit->fingerprint;
    submit->operation.job = id_new();
    return 0;
}

// The request is parked: whatever happens, it is completed.
static void submit_run(struct submit *submit)
{
    AUTO_FAULTS struct faults faults = FAULTS_INIT;
    AUTO_HTTP_REPLY struct http_reply reply = HTTP_REPLY_INIT;
    struct err err;
    submit->entry = (struct lane_entry){.submit = &submit->operation, .done = submit_done};
    if (submit_read(submit, &faults, &err) == 0 && lanes_add(submit->app->lanes, &submit->entry, &err) == 0)
        return;
    answer_error(submit->request, &reply, &err, &faults);
    http_request_complete(submit->request, &reply);
}

static void submit_run_on_pool(struct pool_task *task, struct db *db)
{
    UNUSED(db);
    submit_run(CONTAINER_OF(task, struct submit, task));
}

// Absent, or 1 to 255 visible ASCII characters.
static int key_check(const char *key, struct err *err)
{
    size_t length = key ? strlen(key) : 1;
    if (length == 0 || length > KEY_BYTES_MAX)
        return err_set(err, ERR_INVALID, "Idempotency-Key must have 1 to %d characters", KEY_BYTES_MAX);
    for (const char *at = key ? key : ""; *at; at++)
        if (*at < 0x21 || *at > 0x7e)
            return err_set(err, ERR_INVALID, "Idempotency-Key must be visible ASCII without spaces");
    return 0;
}

static int size_check(const struct app *app, size_t length, struct err *err)
{
    int64_t most = app->settings->submit_body_bytes;
    if (length <= (size_t)most)
        return 0;
    return err_set(err, ERR_TOO_LARGE, "the job has %zu bytes, and submit-limit is %lld", length, (long long)most);
}

// Keys of one namespace are none of another's.
static const char *submit_key(struct submit *submit, const char *key)
{
    snprintf(submit->key, sizeof(submit->key), "%s %s", submit->operation.space, key);
    return submit->key;
}

// One that is none is ignored, as the standard wants it.
static const char *submit_trace(const struct http_request *request)
{
    struct traceparent ignored;
    const char *text = http_request_header(request, "traceparent");
    return traceparent_read(text, &ignored) ? text : NULL;
}

enum http_handled jobs_submit(void *app, struct http_request *request, struct http_reply *reply)
{
    struct err err;
    size_t length;
    const char *key = http_request_header(request, "Idempotency-Key");
    http_request_body(request, &length);
    if (http_request_query_only(request, (const char *const[]){NULL}, &err) < 0 || key_check(key, &err) < 0 ||
        size_check(app, length, &err) < 0)
        return answer_error(request, reply, &err, NULL);
    struct submit *submit = calloc(1, sizeof(*submit));
    if (!submit) {
        err_set(&err, ERR_NO_MEMORY, "no memory for a job");
        return answer_error(request, reply, &err, NULL);
    }
    *submit = (struct submit){.app = app, .request = request, .task.run = submit_run_on_pool};
    submit->operation.space = http_request_scope(request);
    submit->operation.idempotency_key = key && submit->operation.space ? submit_key(submit, key) : key;
    submit->operation.traceparent = submit_trace(request);
    submit->operation.by = call_holder(app, request, &submit->limits);
    http_request_set_context(request, submit, submit_free);
    http_request_park(request, NULL, NULL);
    if (length <= LONG_BODY_BYTES)
        submit_run(submit);
    else
        pool_add_admitted(submit->app->pool, &submit->task);
    return HTTP_PARKED;
}
