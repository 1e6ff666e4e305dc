// The reason of a service, and of a job that waits for one.
#include "services/common/model/why_internal.h"

#include <string.h>

static void add_service(struct why *why, const struct why_service *service)
{
    json_text(&why->evidence, "service", service->name);
    json_i64(&why->evidence, "epoch", service->epoch);
    json_text(&why->evidence, "state", service->state < 0 ? NULL : instance_state_name(service->state));
    json_text(&why->evidence, "worker", service->worker);
    json_time(&why->evidence, "since", service->since_us);
}

// ---- that is on its way out

// What its worker says of it while it waits, behind the reason.
static const char *colon(const struct why_service *service)
{
    return service->error ? ": " : "";
}

static const char *error_of(const struct why_service *service)
{
    return service->error ? service->error : "";
}

static bool is_cleaning(const struct why_service *service)
{
    bool up = instance_is_up(service->state) || service->state == INSTANCE_PLACING;
    return service->state >= 0 && instance_is_live(service->state) && (!up || service->worker_lost);
}

static bool say_cleaning(const struct why_view *view, const struct why_service *service, struct why *why)
{
    char text[PARSE_DURATION_TEXT_SIZE];
    if (service->state == INSTANCE_STUCK)
        return why_say(why, WHY_SERVICE_STUCK, "service '%s' could not be stopped on worker '%s'%s%.200s",
                       service->name, service->worker, colon(service), error_of(service));
    if (service->state == INSTANCE_LOST || service->worker_lost)
        return why_say(why, WHY_WORKER_UNREACHABLE, "service '%s' is on worker '%s', which does not answer",
                       service->name, service->worker);
    if (service->state == INSTANCE_STOPPED || service->state == INSTANCE_FAILED)
        return why_say(why, WHY_VERIFYING, "service '%s' has stopped; a second look verifies that it is gone",
                       service->name);
    return why_say(why, WHY_STOPPING_SERVICE, "waiting for service '%s' to stop since %s (%s)%s%.200s", service->name,
                   why_duration(view->now_us - service->since_us, text), instance_state_name(service->state),
                   colon(service), error_of(service));
}

// ---- that is on its way

static bool say_pending(const struct why_view *view, const struct why_service *service, struct why *why)
{
    char text[PARSE_DURATION_TEXT_SIZE];
    const struct why_fleet *fleet = &service->fleet;
    const char *runtime = *fleet->runtime ? fleet->runtime : "any";
    why_add_fleet(why, fleet);
    if (fleet->with_runtime == 0 && fleet->trouble)
        return why_say(why, WHY_SERVICE_NO_WORKER, "no worker can run service '%s' (runtime '%s'); %.200s",
                       service->name, runtime, fleet->trouble);
    if (fleet->with_labels == 0)
        return why_say(why, WHY_SERVICE_NO_WORKER, "no worker can run service '%s' (runtime '%s', labels %s)",
                       service->name, runtime, fleet->labels);
    if (service->not_before_us > view->now_us)
        return why_say(why, WHY_SERVICE_BACKOFF, "service '%s' is restarted in %s", service->name,
                       why_duration(service->not_before_us - view->now_us, text));
    return why_say(why, WHY_SERVICE_NO_ROOM, "no worker has taken service '%s' yet: %lld could, %lld accept work",
                   service->name, (long long)fleet->with_labels, (long long)fleet->accepting);
}

static bool say_starting(const struct why_view *view, const struct why_service *service, struct why *why)
{
    char since[PARSE_DURATION_TEXT_SIZE], left[PARSE_DURATION_TEXT_SIZE];
    if (service->state < 0)
        return why_say(why, WHY_SERVICE_WAITS_DEPENDENCY, "service '%s' waits for service '%s'", service->name,
                       service->depends_on ? service->depends_on : "?");
    if (service->state == INSTANCE_PENDING)
        return say_pending(view, service, why);
    if (service->state >= INSTANCE_STOPPING)
        return say_cleaning(view, service, why); // before it is started again
    if (service->worker_lost)
        return why_say(why, WHY_WORKER_SUSPECT, "service '%s' is on worker '%s', which does not answer", service->name,
                       service->worker);
    if (service->state == INSTANCE_UNHEALTHY)
        return why_say(why, WHY_SERVICE_UNHEALTHY, "service '%s' is unhealthy since %s%s%.200s", service->name,
                       why_duration(view->now_us - service->since_us, since), colon(service), error_of(service));
    return why_say(why, WHY_SERVICE_STARTING, "waiting for service '%s' to become ready since %s (%s; %s left)%s%.200s",
                   service->name, why_duration(view->now_us - service->since_us, since),
                   instance_state_name(service->state), why_duration(service->ready_by_us - view->now_us, left),
                   colon(service), error_of(service));
}

// Whether tasks wait for it. The job does without a service that is ignored once it has failed.
static bool is_waited_for(const struct why_service *service)
{
    bool in_trouble = service->state >= INSTANCE_UNHEALTHY;
    bool over = service->state >= 0 && instance_is_over(service->state);
    return service->state != INSTANCE_READY && !over && !(service->ignored && in_trouble);
}

// A service that waits for another one is no reason as long as the other one has one of its own.
bool why_starting(const struct why_view *view, struct why *why)
{
    for (int waits = 0; waits < 2; waits++)
        for (size_t i = 0; i < view->service_count; i++) {
            const struct why_service *service = &view->services[i];
            if (!is_waited_for(service) || (service->state < 0) != waits)
                continue;
            add_service(why, service);
            return say_starting(view, service, why);
        }
    return false;
}

// ---- of an ended job

// One that is still up waits for those that depend on it: they are the reason. Of the others, the lowest code.
bool why_cleaning(const struct why_view *view, struct why *why)
{
    const struct why_service *worst = NULL;
    enum why_code worst_code = WHY_COUNT;
    for (size_t i = 0; i < view->service_count; i++) {
        const struct why_service *service = &view->services[i];
        if (is_cleaning(service) && say_cleaning(view, service, why) && why->code < worst_code) {
            worst = service;
            worst_code = why->code;
        }
    }
    if (!worst)
        return false;
    add_service(why, worst);
    return say_cleaning(view, worst, why);
}

bool why_kept(const struct why_view *view, struct why *why)
{
    char text[PARSE_DURATION_TEXT_SIZE];
    if (view->cleanup != CLEANUP_KEPT)
        return false;
    json_time(&why->evidence, "keep_until", view->keep_until_us);
    if (view->keep_until_us == 0)
        return why_say(why, WHY_KEPT_BY_POLICY, "its services are kept: autostop is off for outcome '%s'",
                       outcome_name(view->outcome));
    return why_say(why, WHY_KEPT_FOR_A_WHILE, "its services are kept for another %s",
                   why_duration(view->keep_until_us - view->now_us, text));
}

// ---- one service

static void add_end(struct why *why, const struct why_service *service)
{
    json_text(&why->evidence, "stop_reason", service->stop_reason);
    if (service->exit_code >= 0)
        json_i64(&why->evidence, "exit_code", service->exit_code);
    if (service->exit_signal >= 0)
        json_i64(&why->evidence, "exit_signal", service->exit_signal);
    json_text(&why->evidence, "grade", service->grade >= 0 ? grade_name(service->grade) : NULL);
    json_text(&why->evidence, "error", service->error);
}

static const char *failure(const struct why_service *service)
{
    const char *stopped = service->stop_reason ? service->stop_reason : "";
    if (strcmp(stopped, "never_ready") == 0)
        return "it did not become ready in time";
    return strcmp(stopped, "unhealthy") == 0 ? "it was no longer healthy" : "it ended without being asked to";
}

static bool say_over(const struct why_service *service, struct why *why)
{
    add_end(why, service);
    if (service->state == INSTANCE_PRESUMED_GONE)
        return why_say(why, WHY_SERVICE_PRESUMED_GONE,
                       "service '%s' is presumed gone: worker '%s' does not answer, and must have ended it",
                       service->name, service->worker ? service->worker : "?");
    if (service->failed && service->error)
        return why_say(why, WHY_SERVICE_FAILED, "service '%s' failed: %.200s", service->name, service->error);
    if (service->failed)
        return why_say(why, WHY_SERVICE_FAILED, "service '%s' failed: %s", service->name, failure(service));
    return why_say(why, WHY_SERVICE_GONE, "service '%s' was stopped and is gone", service->name);
}

// Up, and nobody has asked it to stop.
static bool say_up_of_ended(const struct why_view *view, const struct why_service *service, struct why *why)
{
    if (service->state < 0 || service->state == INSTANCE_PENDING)
        return why_say(why, WHY_SERVICE_NEVER_STARTED, "service '%s' was never started: the job ended before (%s)",
                       service->name, outcome_name(view->outcome));
    if (view->leased > 0)
        return why_say(why, WHY_SERVICE_WAITS_TASKS, "service '%s' stops when the last %lld task%s ended",
                       service->name, (long long)view->leased, view->leased == 1 ? " has" : "s have");
    if (why_kept(view, why))
        return true;
    if (service->dependent) {
        json_text(&why->evidence, "dependent", service->dependent);
        return why_say(why, WHY_SERVICE_WAITS_DEPENDENT, "service '%s' stops when service '%s' is gone", service->name,
                       service->dependent);
    }
    return false;
}

static bool decide(const struct why_view *view, const struct why_service *service, struct why *why)
{
    char text[PARSE_DURATION_TEXT_SIZE];
    add_service(why, service);
    if (service->state >= 0 && instance_is_over(service->state))
        return say_over(service, why);
    if (service->state >= INSTANCE_STOPPING || (view->outcome != OUTCOME_NONE && is_cleaning(service)))
        return say_cleaning(view, service, why);
    if (view->outcome != OUTCOME_NONE)
        return say_up_of_ended(view, service, why);
    if (service->state != INSTANCE_READY || service->worker_lost)
        return say_starting(view, service, why);
    return why_say(why, WHY_SERVICE_READY, "service '%s' is ready since %s, and its job goes on%s%.200s", service->name,
                   why_duration(view->now_us - service->since_us, text), service->error ? "; " : "", error_of(service));
}

void why_decide_service(const struct why_view *view, const struct why_service *service, struct why *why)
{
    why_begin(why);
    why_end(why, decide(view, service, why));
}
