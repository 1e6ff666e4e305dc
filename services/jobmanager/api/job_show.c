// GET /v1/jobs/{id} and its spec
#include "services/jobmanager/api/handlers.h"

#include "services/common/store/read.h"
#include "services/jobmanager/answer.h"
#include "services/jobmanager/api/job_reply.h"
#include "services/jobmanager/arguments.h"
#include "services/jobmanager/call.h"

#include <string.h>

#define WAIT_DEFAULT_MS 30000
#define WAIT_MAX_MS 600000

struct show_call {
    struct call call;
    int64_t job;
};

static int show_run(struct call *call, struct db *db, struct http_reply *reply, struct err *err)
{
    struct show_call *show = CONTAINER_OF(call, struct show_call, call);
    return job_reply(call->request, db, show->job, reply, err);
}

struct wait {
    bool waits, closed;
    int64_t timeout_ms;
};

static int wait_read(const struct http_request *request, struct wait *out, struct err *err)
{
    static const char *const allowed[] = {"wait", "timeout", NULL};
    const char *wait = http_request_query(request, "wait");
    out->waits = wait;
    out->closed = wait && strcmp(wait, "closed") == 0;
    out->timeout_ms = WAIT_DEFAULT_MS;
    if (http_request_query_only(request, allowed, err) < 0 ||
        query_duration_ms(request, "timeout", WAIT_MAX_MS, &out->timeout_ms, err) < 0)
        return -1;
    if (wait && !out->closed && strcmp(wait, "outcome") != 0)
        return err_set(err, ERR_INVALID, "wait must be outcome or closed, not '%.40s'", wait);
    if (!wait && http_request_query(request, "timeout"))
        return err_set(err, ERR_INVALID, "timeout goes with wait");
    return 0;
}

enum http_handled job_show(void *context, struct http_request *request, struct http_reply *reply)
{
    struct app *app = context;
    struct wait wait;
    int64_t job;
    struct err err;
    if (path_job(request, &job, &err) < 0 || wait_read(request, &wait, &err) < 0)
        return answer_error(request, reply, &err, NULL);
    if (wait.waits)
        return waiters_start(app->waiters, request, job, wait.closed, wait.timeout_ms, reply);
    struct show_call *show = call_new(app, request, sizeof(*show), reply);
    if (!show)
        return HTTP_REPLY;
    show->job = job;
    return call_start(&show->call, show_run, reply);
}
