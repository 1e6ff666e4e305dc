#include "services/jobmanager/work.h"

#include "services/common/base/clock.h"
#include "services/jobmanager/answer.h"
#include "services/jobmanager/arguments.h"
#include "services/jobmanager/work_write.h"

#include <string.h>

#define ARENA_FIRST_BYTES 1024

struct work {
    struct app *app;
    struct http_request *request;
    struct arena *arena; // what was read from the body
    struct work_body body;
    struct lane_entry entry;
    struct parked_poll parked;
    bool reports; // the request is a report
    bool again;   // it has been parked: only the poll is left to do
    bool woken;   // so it looks for tasks that others do not look for
    int64_t due_ms;
};

static void work_free(void *context)
{
    struct work *work = context;
    work_operation_release(&work->body.operation);
    arena_free(work->arena);
    free(work);
}

// ---- replies

static void complete(struct work *work, struct http_reply *reply)
{
    http_request_complete(work->request, reply);
}

static void complete_error(struct work *work, const struct err *err)
{
    AUTO_HTTP_REPLY struct http_reply reply = HTTP_REPLY_INIT;
    if (err->code == ERR_STALE)
        answer_problem(work->request, &reply, 409, "stale_incarnation", err->text);
    else
        answer_error(work->request, &reply, err, NULL);
    complete(work, &reply);
}

static void complete_found(struct work *work)
{
    struct work_operation *operation = &work->body.operation;
    AUTO_HTTP_REPLY struct http_reply reply = HTTP_REPLY_INIT;
    AUTO_STRBUF struct strbuf body = STRBUF_INIT;
    size_t stale = work_stale_count(operation);
    strbuf_reserve(&body, 512);
    // With a poll the grants have to arrive, so it is a 200 even when everything was stale.
    told_set(&work->app->told, operation);
    bool refused = stale && stale == operation->result_count && !operation->polls;
    if (refused)
        report_stale_write(&body, operation, http_request_id(work->request));
    else if (work->reports)
        report_reply_write(&body, operation, work->app->deployment);
    else
        poll_reply_write(&body, operation, work->app->deployment);
    answer_json(work->request, &reply, refused ? 409 : 200, &body);
    if (refused)
        reply.content_type = HTTP_TYPE_PROBLEM;
    complete(work, &reply);
}

// An empty reply to a poll: the lease that was found before it was parked still holds; orders are repeated another
// time.
static void complete_empty(struct work *work)
{
    struct work_operation *operation = &work->body.operation;
    operation->polls = true;
    operation->grant_count = operation->start_count = operation->stop_count = operation->verify_count = 0;
    operation->cancel_count = 0;
    complete_found(work);
}

// ---- parking

static void enter(struct work *work)
{
    struct err err;
    if (lanes_add(work->app->lanes, &work->entry, &err) < 0)
        complete_error(work, &err);
}

// What is left to do is the poll alone.
static void begin_again(struct work *work)
{
    struct work_operation *operation = &work->body.operation;
    int64_t lease_ms = operation->lease_ms;
    work_operation_release(operation);
    work->again = true;
    work->woken = false;
    work->entry.patient = false;
    operation->result_count = operation->observation_count = operation->log_count = 0;
    // A list of what is held is true when it is sent, not later: see the protocol on lost replies.
    operation->says_held = false;
    operation->held_count = 0;
    operation->lease_ms = lease_ms;
}

static void look_again(struct work *work)
{
    begin_again(work);
    work->woken = true;
    enter(work);
}

size_t work_invite(struct app *app, const struct wakes *wakes, struct lane_entry **out, size_t room)
{
    size_t count = 0;
    for (size_t i = 0; i < wakes->count && count < room; i++) {
        const struct wake *wake = &wakes->items[i];
        struct parked_poll *poll = polls_take(app->polls, wake->id, wake->tasks, room - count);
        for (struct parked_poll *next; poll; poll = next) {
            struct work *work = CONTAINER_OF(poll, struct work, parked);
            next = poll->next_taken;
            begin_again(work);
            out[count++] = &work->entry;
        }
    }
    return count;
}

static void parked_ended(struct parked_poll *poll, enum poll_end end)
{
    struct work *work = CONTAINER_OF(poll, struct work, parked);
    // Orders that it knows are repeated when the wait is over, as they are then.
    if (end == POLL_WOKEN || (end == POLL_DUE && work_has_orders(&work->body.operation))) {
        look_again(work);
        return;
    }
    if (end == POLL_DUE)
        told_nothing(&work->app->told, work->parked.worker);
    complete_empty(work);
}

static bool has_news(const struct work *work)
{
    const struct work_operation *operation = &work->body.operation;
    return operation->grant_count || (operation->drain && !operation->draining) || work_stale_count(operation) ||
           told_is_news(&work->app->told, operation);
}

static bool may_park(const struct work *work)
{
    return work->body.operation.polls && !has_news(work) && work->due_ms > clock_boot_ms() &&
           !atomic_load(&work->app->draining) && !http_request_cancelled(work->request);
}

static void park(struct work *work)
{
    struct work_operation *operation = &work->body.operation;
    struct err err;
    if (operation->again) {
        look_again(work);
        return;
    }
    work->parked.worker = operation->worker;
    work->parked.capacity = MAX(work->body.want_tasks + operation->want_services, (int64_t)1);
    work->parked.due_ms = work->due_ms;
    work->parked.demands = operation->demands;
    work->parked.demand_count = operation->demand_count;
    work->parked.ended = parked_ended;
    int outcome = polls_park(work->app->polls, &work->parked, work->entry.mark, &err);
    if (outcome == PARK_AGAIN)
        look_again(work);
    else if (outcome != PARK_PARKED)
        complete_empty(work);
}

// A poll that was woken and took all that it wanted may have left some: the next one looks as well.
static void wake_next(const struct work *work)
{
    const struct work_operation *operation = &work->body.operation;
    int64_t granted = 0;
    for (size_t i = 0; i < operation->grant_count; i++)
        granted += operation->grants[i].count;
    if (!work->woken || granted < work->body.want_tasks || !granted)
        return;
    for (size_t i = 0; i < operation->demand_count; i++) {
        struct wake wake = {.kind = WAKE_DEMAND, .id = operation->demands[i], .tasks = 1};
        polls_wake(work->app->polls, &wake);
    }
}

// ---- the lane

// What nobody waits for is not looked up; a report is recorded all the same. A poll is looked at right before it is
// answered: what a client that has gone was given would be nobody's until its worker's lease is over.
static bool work_wanted(struct lane_entry *entry)
{
    struct work *work = CONTAINER_OF(entry, struct work, entry);
    bool polls = work->body.operation.polls;
    if (!(polls ? http_request_client_has_gone(work->request) : http_request_cancelled(work->request)))
        return true;
    work->body.operation.polls = false;
    return work->reports && !work->again;
}

static void work_done(struct lane_entry *entry, int outcome, const struct err *err)
{
    struct work *work = CONTAINER_OF(entry, struct work, entry);
    if (outcome < 0) {
        complete_error(work, err);
    } else if (outcome == 1) {
        complete_empty(work);
    } else if (work->body.operation.failed) {
        complete_error(work, &work->body.operation.err);
    } else if (may_park(work)) {
        park(work);
    } else {
        wake_next(work);
        complete_found(work);
    }
}

// ---- start

static void cancel(void *owner, struct http_request *request, enum http_cancel reason)
{
    struct app *app = owner;
    struct work *work = http_request_context(request);
    polls_end(app->polls, &work->parked, reason == HTTP_CANCEL_GONE ? POLL_GONE : POLL_STOPPING);
}

static struct work *work_new(struct app *app, struct http_request *request)
{
    struct work *work = calloc(1, sizeof(*work));
    if (!work)
        return NULL;
    work->app = app;
    work->request = request;
    work->arena = arena_new(ARENA_FIRST_BYTES);
    http_request_set_context(request, work, work_free);
    return work->arena ? work : NULL;
}

enum http_handled work_start(struct app *app, struct http_request *request, bool reports, work_read_fn read,
                             struct http_reply *reply)
{
    AUTO_FAULTS struct faults faults = FAULTS_INIT;
    struct err err;
    int64_t worker;
    size_t length;
    const char *body = http_request_body(request, &length);
    struct work *work = work_new(app, request);
    if (!work) {
        err_set(&err, ERR_NO_MEMORY, "no memory for a request");
        return answer_error(request, reply, &err, NULL);
    }
    if (http_request_query_only(request, (const char *const[]){NULL}, &err) < 0 ||
        path_worker(request, &worker, &err) < 0 || read(body, length, work->arena, &work->body, &faults, &err) < 0)
        return answer_error(request, reply, &err, &faults);
    work->reports = reports;
    work->body.operation.worker = worker;
    work->due_ms = polls_due_ms(clock_boot_ms(), MIN(work->body.wait_ms, app->settings->poll_ms));
    work->parked.serial = atomic_fetch_add(&app->arrivals, 1);
    work->entry =
        (struct lane_entry){.work = &work->body.operation,
                            .patient = told_was_nothing(&app->told, worker) && !reports && work->body.wait_ms > 0,
                            .wanted = work_wanted,
                            .done = work_done};
    http_request_park(request, cancel, app);
    enter(work);
    return HTTP_PARKED;
}
