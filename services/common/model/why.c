#include "services/common/model/why.h"

#include "services/common/base/clock.h"
#include "services/common/base/macros.h"
#include "services/common/base/parse.h"
#include "services/common/json/write.h"
#include "services/common/model/states.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const code_names[WHY_COUNT] = {
    [WHY_CLOSED] = "closed",
    [WHY_STOPPING_TASKS] = "stopping_tasks",
    [WHY_SERVICE_STUCK] = "service_stuck",
    [WHY_WORKER_UNREACHABLE] = "worker_unreachable",
    [WHY_STOPPING_SERVICE] = "stopping_service",
    [WHY_VERIFYING] = "verifying",
    [WHY_KEPT_BY_POLICY] = "kept_by_policy",
    [WHY_KEPT_FOR_A_WHILE] = "kept_for_a_while",
    [WHY_PAUSED] = "paused",
    [WHY_SERVICE_WAITS_DEPENDENCY] = "service_waits_dependency",
    [WHY_SERVICE_NO_WORKER] = "service_no_worker",
    [WHY_SERVICE_NO_ROOM] = "service_no_room",
    [WHY_SERVICE_BACKOFF] = "service_backoff",
    [WHY_SERVICE_STARTING] = "service_starting",
    [WHY_SERVICE_UNHEALTHY] = "service_unhealthy",
    [WHY_WORKER_SUSPECT] = "worker_suspect",
    [WHY_RUNNING] = "running",
    [WHY_NO_WORKER_FOR_QUEUE] = "no_worker_for_queue",
    [WHY_NO_WORKER_WITH_RUNTIME] = "no_worker_with_runtime",
    [WHY_NO_WORKER_WITH_LABELS] = "no_worker_with_labels",
    [WHY_WORKERS_DRAINING] = "workers_draining",
    [WHY_SLOTS_BUSY] = "slots_busy",
    [WHY_RETRY_DELAYED] = "retry_delayed",
    [WHY_WAITING_FOR_STAGE] = "waiting_for_stage",
    [WHY_SETTLING] = "settling",
};

const char *why_code_name(enum why_code code)
{
    return code < WHY_COUNT ? code_names[code] : "?";
}

void why_release(struct why *why)
{
    strbuf_release(&why->evidence);
}

static bool say(struct why *why, enum why_code code, const char *advice, const char *format, ...) PRINTF_LIKE(4, 5);

static bool say(struct why *why, enum why_code code, const char *advice, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(why->message, sizeof why->message, format, arguments);
    va_end(arguments);
    snprintf(why->advice, sizeof why->advice, "%s", advice);
    why->code = code;
    return true;
}

// "3m20s"; whole seconds, because people read it.
static const char *duration(int64_t us, char text[static PARSE_DURATION_TEXT_SIZE])
{
    duration_format(MAX(us, (int64_t)0) / 1000000 * 1000, text);
    return text;
}

// ---- evidence

static void add_service(struct why *why, const struct why_service *service)
{
    json_text(&why->evidence, "service", service->name);
    json_i64(&why->evidence, "epoch", service->epoch);
    json_text(&why->evidence, "state", service->state < 0 ? NULL : instance_state_name(service->state));
    json_text(&why->evidence, "worker", service->worker);
    json_time(&why->evidence, "since", service->since_us);
}

#define TROUBLE_ADVICE "mend what the worker says, or start a worker that has this runtime"

static void add_fleet(struct why *why, const struct why_fleet *fleet)
{
    if (*fleet->queue)
        json_text(&why->evidence, "queue", fleet->queue);
    json_text(&why->evidence, "runtime", *fleet->runtime ? fleet->runtime : NULL);
    json_raw(&why->evidence, "labels", fleet->labels);
    json_i64(&why->evidence, "workers", fleet->workers);
    json_i64(&why->evidence, "with_queue", fleet->with_queue);
    json_i64(&why->evidence, "with_runtime", fleet->with_runtime);
    json_i64(&why->evidence, "with_labels", fleet->with_labels);
    json_i64(&why->evidence, "accepting", fleet->accepting);
    if (fleet->trouble)
        json_text(&why->evidence, "trouble", fleet->trouble);
}

static void add_tasks(struct why *why, const struct why_view *view)
{
    json_i64(&why->evidence, "ready", view->ready);
    json_i64(&why->evidence, "running", view->leased);
    json_i64(&why->evidence, "delayed", view->delayed);
    json_i64(&why->evidence, "held", view->held);
}

// ---- an ended job

// One that is still up waits for those that depend on it: they are the reason.
static bool cleaning_service(const struct why_view *view, const struct why_service *service, struct why *why)
{
    char text[PARSE_DURATION_TEXT_SIZE];
    int64_t since_us = view->now_us - service->since_us;
    if (service->state < 0 || !instance_is_live(service->state))
        return false;
    bool up = instance_is_up(service->state) || service->state == INSTANCE_PLACING;
    if (up && !service->worker_lost)
        return false;
    add_service(why, service);
    if (service->state == INSTANCE_STUCK)
        return say(why, WHY_SERVICE_STUCK,
                   "look at the processes on that host; the worker takes nothing new until they are gone",
                   "service '%s' could not be stopped on worker '%s'", service->name, service->worker);
    if (service->state == INSTANCE_LOST || service->worker_lost)
        return say(why, WHY_WORKER_UNREACHABLE,
                   "bring the worker back, or wait until its lease and the allowance are over",
                   "service '%s' is on worker '%s', which does not answer", service->name, service->worker);
    if (service->state == INSTANCE_STOPPED || service->state == INSTANCE_FAILED)
        return say(why, WHY_VERIFYING, "", "service '%s' has stopped; a second look verifies that it is gone",
                   service->name);
    return say(why, WHY_STOPPING_SERVICE, "", "waiting for service '%s' to stop since %s (%s)", service->name,
               duration(since_us, text), instance_state_name(service->state));
}

static bool why_kept(const struct why_view *view, struct why *why)
{
    char text[PARSE_DURATION_TEXT_SIZE];
    if (view->cleanup != CLEANUP_KEPT)
        return false;
    json_time(&why->evidence, "keep_until", view->keep_until_us);
    if (view->keep_until_us == 0)
        return say(why, WHY_KEPT_BY_POLICY, "stop the job to end them",
                   "its services are kept: autostop is off for outcome '%s'", outcome_name(view->outcome));
    return say(why, WHY_KEPT_FOR_A_WHILE, "stop the job to end them now, or extend it",
               "its services are kept for another %s", duration(view->keep_until_us - view->now_us, text));
}

// The most telling of the services that are left: the lowest code.
static bool why_cleaning(const struct why_view *view, struct why *why)
{
    const struct why_service *worst = NULL;
    enum why_code worst_code = WHY_COUNT;
    for (size_t i = 0; i < view->service_count; i++) {
        struct why one = WHY_INIT;
        if (cleaning_service(view, &view->services[i], &one) && one.code < worst_code) {
            worst = &view->services[i];
            worst_code = one.code;
        }
        why_release(&one);
    }
    return worst && cleaning_service(view, worst, why);
}

static bool why_ended(const struct why_view *view, struct why *why)
{
    if (view->closed)
        return say(why, WHY_CLOSED, "", "the job is closed (%s): nothing is left to wait for",
                   outcome_name(view->outcome));
    if (view->leased > 0) {
        add_tasks(why, view);
        return say(why, WHY_STOPPING_TASKS, "", "waiting for %lld running task%s to end", (long long)view->leased,
                   view->leased == 1 ? "" : "s");
    }
    return why_kept(view, why) || why_cleaning(view, why);
}

// ---- services of a job that goes on

static bool why_pending(const struct why_view *view, const struct why_service *service, struct why *why)
{
    char text[PARSE_DURATION_TEXT_SIZE];
    const struct why_fleet *fleet = &service->fleet;
    add_fleet(why, fleet);
    if (fleet->with_runtime == 0 && fleet->trouble)
        return say(why, WHY_SERVICE_NO_WORKER, TROUBLE_ADVICE, "no worker can run service '%s' (runtime '%s'); %.200s",
                   service->name, *fleet->runtime ? fleet->runtime : "any", fleet->trouble);
    if (fleet->with_labels == 0)
        return say(why, WHY_SERVICE_NO_WORKER, "start a worker that has this runtime and these labels",
                   "no worker can run service '%s' (runtime '%s', labels %s)", service->name,
                   *fleet->runtime ? fleet->runtime : "any", fleet->labels);
    if (service->not_before_us > view->now_us)
        return say(why, WHY_SERVICE_BACKOFF, "look at why it failed before", "service '%s' is restarted in %s",
                   service->name, duration(service->not_before_us - view->now_us, text));
    return say(why, WHY_SERVICE_NO_ROOM, "start another worker, or wait",
               "no worker has taken service '%s' yet: %lld could, %lld accept work", service->name,
               (long long)fleet->with_labels, (long long)fleet->accepting);
}

static bool starting_service(const struct why_view *view, const struct why_service *service, struct why *why)
{
    char since[PARSE_DURATION_TEXT_SIZE], left[PARSE_DURATION_TEXT_SIZE];
    if (service->state == INSTANCE_READY)
        return false;
    add_service(why, service);
    if (service->state < 0)
        return say(why, WHY_SERVICE_WAITS_DEPENDENCY, "", "service '%s' waits for service '%s'", service->name,
                   service->depends_on ? service->depends_on : "?");
    if (service->state == INSTANCE_PENDING)
        return why_pending(view, service, why);
    if (service->worker_lost)
        return say(why, WHY_WORKER_SUSPECT, "bring the worker back, or wait until it is given up",
                   "service '%s' is on worker '%s', which does not answer", service->name, service->worker);
    if (service->state == INSTANCE_UNHEALTHY)
        return say(why, WHY_SERVICE_UNHEALTHY, "look at the service's log", "service '%s' is unhealthy since %s",
                   service->name, duration(view->now_us - service->since_us, since));
    return say(why, WHY_SERVICE_STARTING, "", "waiting for service '%s' to become ready since %s (%s; %s left)",
               service->name, duration(view->now_us - service->since_us, since), instance_state_name(service->state),
               duration(service->ready_by_us - view->now_us, left));
}

// A service that waits for another one is no reason as long as the other one has one of its own.
static bool why_starting(const struct why_view *view, struct why *why)
{
    for (size_t i = 0; i < view->service_count; i++)
        if (view->services[i].state >= 0 && starting_service(view, &view->services[i], why))
            return true;
    for (size_t i = 0; i < view->service_count; i++)
        if (starting_service(view, &view->services[i], why))
            return true;
    return false;
}

// ---- tasks

static bool why_not_claimed(const struct why_view *view, struct why *why)
{
    const struct why_fleet *fleet = &view->fleet;
    add_tasks(why, view);
    add_fleet(why, fleet);
    if (fleet->with_queue == 0)
        return say(why, WHY_NO_WORKER_FOR_QUEUE, "start a worker that serves this queue", "no worker serves queue '%s'",
                   fleet->queue);
    if (fleet->with_runtime == 0 && fleet->trouble)
        return say(why, WHY_NO_WORKER_WITH_RUNTIME, TROUBLE_ADVICE, "no worker of queue '%s' has runtime '%s'; %.200s",
                   fleet->queue, *fleet->runtime ? fleet->runtime : "any", fleet->trouble);
    if (fleet->with_runtime == 0)
        return say(why, WHY_NO_WORKER_WITH_RUNTIME, "start a worker that has this runtime",
                   "no worker of queue '%s' has runtime '%s'", fleet->queue, *fleet->runtime ? fleet->runtime : "any");
    if (fleet->with_labels == 0)
        return say(why, WHY_NO_WORKER_WITH_LABELS, "start a worker with these labels, or change the stage's `where`",
                   "no worker of queue '%s' has the labels %.150s", fleet->queue, fleet->labels);
    if (fleet->accepting == 0)
        return say(why, WHY_WORKERS_DRAINING, "start another worker, or take the drain back",
                   "all %lld workers that could take its tasks are draining, suspect or quarantined",
                   (long long)fleet->with_labels);
    return say(why, WHY_SLOTS_BUSY, "wait, or start more workers", "%lld tasks wait for a free slot on %lld worker%s",
               (long long)view->ready, (long long)fleet->accepting, fleet->accepting == 1 ? "" : "s");
}

static bool why_running(const struct why_view *view, struct why *why)
{
    add_tasks(why, view);
    if (view->suspect_worker) {
        json_text(&why->evidence, "worker", view->suspect_worker);
        return say(why, WHY_WORKER_SUSPECT, "bring the worker back, or wait until it is given up",
                   "worker '%s', which has tasks of this job, does not answer", view->suspect_worker);
    }
    return say(why, WHY_RUNNING, "", "%lld task%s running", (long long)view->leased,
               view->leased == 1 ? " is" : "s are");
}

static bool why_working(const struct why_view *view, struct why *why)
{
    char text[PARSE_DURATION_TEXT_SIZE];
    if (view->leased > 0)
        return why_running(view, why);
    if (view->ready > 0)
        return why_not_claimed(view, why);
    add_tasks(why, view);
    if (view->delayed > 0) {
        json_time(&why->evidence, "due_at", view->due_us);
        return say(why, WHY_RETRY_DELAYED, "look at the errors of the failed tasks",
                   "%lld failed task%s for the next attempt in %s", (long long)view->delayed,
                   view->delayed == 1 ? " waits" : "s wait", duration(view->due_us - view->now_us, text));
    }
    if (view->waiting_stage) {
        json_text(&why->evidence, "stage", view->waiting_stage);
        json_text(&why->evidence, "waits_for", view->waited_stage);
        return say(why, WHY_WAITING_FOR_STAGE, "", "stage '%s' waits for stage '%s'", view->waiting_stage,
                   view->waited_stage ? view->waited_stage : "?");
    }
    return false;
}

static bool decide(const struct why_view *view, struct why *why)
{
    if (view->outcome != OUTCOME_NONE)
        return why_ended(view, why);
    if (view->paused) {
        add_tasks(why, view);
        return say(why, WHY_PAUSED, "resume the job", "the job is paused");
    }
    return why_starting(view, why) || why_working(view, why);
}

void why_decide(const struct why_view *view, struct why *why)
{
    strbuf_clear(&why->evidence);
    json_open(&why->evidence, NULL, '{');
    if (!decide(view, why))
        say(why, WHY_SETTLING, "", "the job is about to change by itself");
    json_close(&why->evidence, '}');
}
