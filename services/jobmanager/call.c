#include "services/jobmanager/call.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/clock.h"
#include "services/common/http/gzip.h"
#include "services/jobmanager/answer.h"
#include "services/jobmanager/keyring.h"
#include "services/jobmanager/space.h"

void call_free(void *context)
{
    struct call *call = context;
    wakes_release(&call->wakes);
    free(call);
}

void *call_new_with(void *app, struct http_request *request, size_t size, void (*destroy)(void *call),
                    struct http_reply *reply)
{
    struct call *call = calloc(1, size);
    if (!call) {
        struct err err;
        err_set(&err, ERR_NO_MEMORY, "no memory for a call");
        answer_error(request, reply, &err, NULL);
        return NULL;
    }
    call->app = app;
    call->request = request;
    http_request_set_context(request, call, destroy);
    return call;
}

void *call_new(void *app, struct http_request *request, size_t size, struct http_reply *reply)
{
    return call_new_with(app, request, size, call_free, reply);
}

struct quota_holder call_holder(struct app *app, const struct http_request *request, struct quota *limits)
{
    struct quota_holder holder = {http_request_principal_id(request), http_request_principal(request), NULL};
    if (keyring_limits(app->keyring, holder.token, limits))
        holder.limits = limits;
    return holder;
}

static int run_in_time(struct call *call, struct db *db, struct http_reply *reply, struct err *err)
{
    if (clock_boot_ms() - call->queued_ms > call->app->settings->queue_wait_ms)
        return err_set(err, ERR_UNAVAILABLE, "waited too long for the database");
    return space_check(call->request, db, err) < 0 ? -1 : call->run(call, db, reply, err);
}

static void call_run(struct pool_task *task, struct db *db)
{
    struct call *call = CONTAINER_OF(task, struct call, task);
    AUTO_HTTP_REPLY struct http_reply reply = HTTP_REPLY_INIT;
    struct err err = {0};
    if (http_request_cancelled(call->request))
        http_reply_empty(&reply, 503);
    else if (run_in_time(call, db, &reply, &err) < 0)
        answer_error(call->request, &reply, &err, NULL);
    else
        http_reply_gzip(&reply, call->request);
    wakeup_deliver(call->app->wakeup, &call->wakes);
    http_request_complete(call->request, &reply); // frees the call
}

enum http_handled call_start_in(struct call *call, struct pool *pool, call_fn run, struct http_reply *reply)
{
    struct err err;
    call->run = run;
    call->task.run = call_run;
    call->queued_ms = clock_boot_ms();
    http_request_park(call->request, NULL, NULL);
    if (pool_add(pool, &call->task, &err) == 0)
        return HTTP_PARKED;
    answer_error(call->request, reply, &err, NULL);
    http_request_complete(call->request, reply);
    return HTTP_PARKED;
}

enum http_handled call_start(struct call *call, call_fn run, struct http_reply *reply)
{
    return call_start_in(call, call->app->pool, run, reply);
}
