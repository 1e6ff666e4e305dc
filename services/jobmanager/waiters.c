#include "services/jobmanager/waiters.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/clock.h"
#include "services/common/base/id.h"
#include "services/common/store/read.h"
#include "services/jobmanager/answer.h"
#include "services/jobmanager/api/job_reply.h"
#include "services/jobmanager/app.h"
#include "services/jobmanager/auth.h"
#include "services/jobmanager/space.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define BATCH_MAX 256

// The context of its request.
struct waiter {
    struct watch watch;
    struct waiters *waiters;
    struct http_request *request;
    int64_t job;
    bool closed;
    int64_t due_ms;
    _Atomic bool over; // gone, or the manager drains: answered at the next look
    struct waiter *next;
};

struct waiters {
    struct app *app;
    struct pool_task task;
    pthread_mutex_t mutex; // guards the list of those to look at
    struct waiter *first, *last;
    bool looking; // the task is queued or runs
};

// ---- the list

static void queue(struct waiter *waiter)
{
    struct waiters *waiters = waiter->waiters;
    waiter->next = NULL;
    pthread_mutex_lock(&waiters->mutex);
    *(waiters->last ? &waiters->last->next : &waiters->first) = waiter;
    waiters->last = waiter;
    bool starts = !waiters->looking;
    waiters->looking = true;
    pthread_mutex_unlock(&waiters->mutex);
    if (starts)
        pool_add_admitted(waiters->app->pool, &waiters->task);
}

static size_t take(struct waiters *waiters, struct waiter **batch)
{
    size_t count = 0;
    pthread_mutex_lock(&waiters->mutex);
    for (; waiters->first && count < BATCH_MAX; waiters->first = waiters->first->next)
        batch[count++] = waiters->first;
    if (!waiters->first)
        waiters->last = NULL;
    waiters->looking = count > 0;
    pthread_mutex_unlock(&waiters->mutex);
    return count;
}

// ---- looking

// Frees the waiter.
static void complete(struct waiter *waiter, struct db *db, const struct err *failure)
{
    AUTO_HTTP_REPLY struct http_reply reply = HTTP_REPLY_INIT;
    struct err err;
    watches_remove(waiter->waiters->app->watches, &waiter->watch);
    if (failure)
        answer_error(waiter->request, &reply, failure, NULL);
    else if (job_reply(waiter->request, db, waiter->job, &reply, &err) < 0)
        answer_error(waiter->request, &reply, &err, NULL);
    http_request_complete(waiter->request, &reply);
}

static void look(struct waiter *waiter, struct db *db, const struct job_progress *progress)
{
    struct app *app = waiter->waiters->app;
    struct err err;
    int64_t now_ms = clock_boot_ms();
    bool reached = waiter->closed ? progress->closed : progress->outcome != OUTCOME_NONE;
    if (auth_still(app, waiter->request, &err) < 0 || space_check_job(waiter->request, progress, &err) < 0) {
        complete(waiter, db, &err);
        return;
    }
    if (!progress->found || reached || now_ms >= waiter->due_ms || atomic_load(&waiter->over)) {
        complete(waiter, db, NULL);
        return;
    }
    int64_t next_ms = MIN(waiter->due_ms, now_ms + app->settings->poll_ms);
    if (watches_rest(app->watches, &waiter->watch, next_ms) == REST_AGAIN)
        queue(waiter);
}

static void look_at_batch(struct pool_task *task, struct db *db)
{
    struct waiters *waiters = CONTAINER_OF(task, struct waiters, task);
    struct waiter *batch[BATCH_MAX];
    int64_t jobs[BATCH_MAX];
    struct job_progress progress[BATCH_MAX];
    struct err err;
    size_t count = take(waiters, batch);
    for (size_t i = 0; i < count; i++)
        jobs[i] = batch[i]->job;
    bool failed = count && read_progress(db, jobs, count, progress, &err) < 0;
    for (size_t i = 0; i < count; i++) {
        if (failed)
            complete(batch[i], db, &err);
        else
            look(batch[i], db, &progress[i]);
    }
    if (count)
        pool_add_admitted(waiters->app->pool, &waiters->task);
}

// ---- waiting

static void fire(struct watch *watch)
{
    queue(CONTAINER_OF(watch, struct waiter, watch));
}

static void cancel(void *owner, struct http_request *request, enum http_cancel reason)
{
    struct waiters *waiters = owner;
    struct waiter *waiter = http_request_context(request);
    UNUSED(reason);
    atomic_store(&waiter->over, true);
    watches_poke(waiters->app->watches, &waiter->watch);
}

enum http_handled waiters_start(struct waiters *waiters, struct http_request *request, int64_t job, bool closed,
                                int64_t timeout_ms, struct http_reply *reply)
{
    struct err err;
    struct waiter *waiter = calloc(1, sizeof(*waiter));
    if (!waiter) {
        err_set(&err, ERR_NO_MEMORY, "no memory for a waiting request");
        return answer_error(request, reply, &err, NULL);
    }
    *waiter = (struct waiter){.watch.fire = fire,
                              .waiters = waiters,
                              .request = request,
                              .job = job,
                              .closed = closed,
                              .due_ms = clock_boot_ms() + timeout_ms,
                              .over = atomic_load(&waiters->app->draining)};
    http_request_set_context(request, waiter, free);
    if (watches_add(waiters->app->watches, &waiter->watch, job, &err) < 0)
        return answer_error(request, reply, &err, NULL);
    http_request_park(request, cancel, waiters);
    queue(waiter);
    return HTTP_PARKED;
}

int waiters_new(struct app *app, struct waiters **out, struct err *err)
{
    struct waiters *waiters = calloc(1, sizeof(*waiters));
    if (!waiters)
        return err_set(err, ERR_NO_MEMORY, "no memory for waiting requests");
    waiters->app = app;
    waiters->task.run = look_at_batch;
    pthread_mutex_init(&waiters->mutex, NULL);
    *out = waiters;
    return 0;
}

void waiters_free(struct waiters *waiters)
{
    if (!waiters)
        return;
    pthread_mutex_destroy(&waiters->mutex);
    free(waiters);
}
