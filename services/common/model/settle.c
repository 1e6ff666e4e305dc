#include "services/common/model/settle.h"

#include "services/common/base/backoff.h"
#include "services/common/base/macros.h"
#include "services/common/model/states.h"

#include <stdio.h>
#include <string.h>

#define RESTART_BACKOFF_MAX_MS 60000

// A decision on its way: the view, the plan, and what the plan has made of the view so far.
struct decision {
    const struct settle_view *view;
    struct settle_plan *plan;
    int outcome;
    uint64_t released, closed;                         // stages
    const struct settle_instance *current[SETTLE_MAX]; // of each service the latest epoch, or NULL
    const char *stop_reason;                           // why services stop once there is an outcome
};

static uint64_t bit(int index)
{
    return UINT64_C(1) << index;
}

static int64_t after_ms(int64_t from_us, int64_t ms)
{
    return from_us + ms * 1000;
}

// ---- time

// Notes a moment at which time alone will change something. What has passed already was dealt with in this decision.
static void look_again_at(struct decision *decision, int64_t at_us)
{
    if (at_us <= decision->view->now_us)
        return;
    if (decision->plan->attention_at_us == 0 || at_us < decision->plan->attention_at_us)
        decision->plan->attention_at_us = at_us;
}

// True when the moment has come; else it is noted.
static bool is_due(struct decision *decision, int64_t at_us)
{
    look_again_at(decision, at_us);
    return at_us <= decision->view->now_us;
}

static bool lifetime_is_over(struct decision *decision)
{
    const struct settle_view *view = decision->view;
    return view->first_placed_at_us != 0 && is_due(decision, after_ms(view->first_placed_at_us, view->max_lifetime_ms));
}

// ---- stages

static bool stage_may_release(const struct decision *decision, size_t index)
{
    return (decision->view->stages[index].after_mask & ~decision->closed) == 0;
}

static bool stage_may_close(const struct decision *decision, size_t index)
{
    const struct settle_stage *stage = &decision->view->stages[index];
    bool fed = stage->from_stage < 0 || (decision->closed & bit(stage->from_stage)) != 0;
    return (decision->released & bit((int)index)) != 0 && stage->open == 0 && fed;
}

// One pass over the stages; true when something changed, because that can open the way for others, earlier ones too.
static bool advance_stages_once(struct decision *decision)
{
    bool changed = false;
    for (size_t i = 0; i < decision->view->stage_count; i++) {
        uint64_t mask = bit((int)i);
        if (!(decision->released & mask) && stage_may_release(decision, i)) {
            decision->released |= mask;
            decision->plan->release_stages |= mask;
            changed = true;
        }
        if (!(decision->closed & mask) && stage_may_close(decision, i)) {
            decision->closed |= mask;
            decision->plan->close_stages |= mask;
            changed = true;
        }
    }
    return changed;
}

static void advance_stages(struct decision *decision)
{
    const struct settle_view *view = decision->view;
    for (size_t i = 0; i < view->stage_count; i++) {
        decision->released |= view->stages[i].released ? bit((int)i) : 0;
        decision->closed |= view->stages[i].closed ? bit((int)i) : 0;
    }
    while (advance_stages_once(decision))
        ;
}

static bool all_stages_closed(const struct decision *decision)
{
    for (size_t i = 0; i < decision->view->stage_count; i++)
        if (!(decision->closed & bit((int)i)))
            return false;
    return true;
}

static bool tasks_are_unfinished(const struct decision *decision)
{
    for (size_t i = 0; i < decision->view->stage_count; i++)
        if (decision->view->stages[i].open > 0)
            return true;
    return false;
}

// ---- the outcome

static void end_work(struct decision *decision, int outcome, const char *code, const char *message)
{
    struct settle_plan *plan = decision->plan;
    decision->outcome = plan->outcome = outcome;
    plan->sets_outcome = true;
    plan->cancel_tasks = tasks_are_unfinished(decision);
    snprintf(plan->reason_code, sizeof plan->reason_code, "%s", code);
    snprintf(plan->reason_message, sizeof plan->reason_message, "%s", message);
}

// The first stage that fails the job, or NULL.
static const struct settle_stage *failed_stage(const struct settle_view *view)
{
    for (size_t i = 0; i < view->stage_count; i++)
        if (view->stages[i].fail_job && view->stages[i].failed > 0)
            return &view->stages[i];
    return NULL;
}

static void end_work_for_stage(struct decision *decision, const struct settle_stage *stage)
{
    char message[128];
    snprintf(message, sizeof message, "%lld task%s of stage '%s' failed", (long long)stage->failed,
             stage->failed == 1 ? "" : "s", stage->name);
    end_work(decision, OUTCOME_FAILED, "task_failed", message);
}

// ---- services while the work goes on

enum trouble { TROUBLE_NONE, TROUBLE_NEVER_READY, TROUBLE_UNHEALTHY, TROUBLE_LOST, TROUBLE_STUCK, TROUBLE_ENDED };

static const struct {
    const char *code, *what, *stop_reason;
} troubles[] = {
    [TROUBLE_NONE] = {"", "", ""},
    [TROUBLE_NEVER_READY] = {"service_never_ready", "did not become ready in time", "never_ready"},
    [TROUBLE_UNHEALTHY] = {"service_unhealthy", "is no longer healthy", "unhealthy"},
    [TROUBLE_LOST] = {"service_lost", "was lost with its worker", "lost"},
    [TROUBLE_STUCK] = {"service_stuck", "could not be stopped", "stuck"},
    [TROUBLE_ENDED] = {"service_failed", "ended before the job", "failed"},
};

static enum trouble instance_trouble(struct decision *decision, const struct settle_instance *instance)
{
    switch ((enum instance_state)instance->state) {
    case INSTANCE_PENDING:
    case INSTANCE_READY:
        return TROUBLE_NONE;
    case INSTANCE_PLACING:
    case INSTANCE_STARTING:
        return instance->ready_by_us != 0 && is_due(decision, instance->ready_by_us) ? TROUBLE_NEVER_READY
                                                                                     : TROUBLE_NONE;
    case INSTANCE_UNHEALTHY:
        return TROUBLE_UNHEALTHY;
    case INSTANCE_LOST:
    case INSTANCE_PRESUMED_GONE:
        return TROUBLE_LOST;
    case INSTANCE_STUCK:
        return TROUBLE_STUCK;
    case INSTANCE_STOPPING: // while the work goes on a stop is asked for only because of an earlier trouble
    case INSTANCE_KILLING:
    case INSTANCE_STOPPED:
    case INSTANCE_FAILED:
    case INSTANCE_VERIFIED:
        return TROUBLE_ENDED;
    }
    return TROUBLE_ENDED;
}

// A service that is ignored counts as there once it has failed: the job does not wait for what it can do without.
static bool service_is_satisfied(struct decision *decision, size_t service)
{
    const struct settle_instance *current = decision->current[service];
    if (!current)
        return false;
    if (current->state == INSTANCE_READY)
        return true;
    return decision->view->services[service].on_failure == SERVICE_IGNORE &&
           instance_trouble(decision, current) != TROUBLE_NONE;
}

static bool dependencies_are_satisfied(struct decision *decision, size_t service)
{
    uint64_t depends = decision->view->services[service].depends_mask;
    for (size_t i = 0; i < decision->view->service_count; i++)
        if ((depends & bit((int)i)) && !service_is_satisfied(decision, i))
            return false;
    return true;
}

static void add_start(struct decision *decision, size_t service, int epoch, int64_t not_before_us)
{
    struct settle_plan *plan = decision->plan;
    plan->starts[plan->start_count++] = (struct settle_start){(int)service, epoch, not_before_us};
    if (not_before_us <= decision->view->now_us)
        plan->wakes_pending = true;
    else
        look_again_at(decision, not_before_us);
}

static void add_stop(struct decision *decision, const struct settle_instance *instance, const char *reason, bool failed)
{
    if (instance->stop_requested || decision->plan->stop_count == SETTLE_MAX)
        return;
    decision->plan->stops[decision->plan->stop_count++] = (struct settle_stop){
        .service = instance->service,
        .epoch = instance->epoch,
        .reason = reason,
        .failed = failed,
        .never_placed = instance->state == INSTANCE_PENDING,
    };
}

// How many instances of the service failed within the restart window.
static int recent_failures(const struct decision *decision, size_t service)
{
    const struct settle_view *view = decision->view;
    int64_t since_us = after_ms(view->now_us, -view->services[service].restart_window_ms);
    int failures = 0;
    for (size_t i = 0; i < view->instance_count; i++) {
        const struct settle_instance *instance = &view->instances[i];
        int64_t at_us = instance->ended_at_us ? instance->ended_at_us : view->now_us;
        if (instance->service == (int)service && at_us >= since_us)
            failures++;
    }
    return failures;
}

static void end_work_for_service(struct decision *decision, size_t service, const char *code, const char *what)
{
    const struct settle_instance *current = decision->current[service];
    bool has_error = current && current->error && *current->error;
    char message[256];
    snprintf(message, sizeof message, "service '%s' %s%s%.150s", decision->view->services[service].name, what,
             has_error ? ": " : "", has_error ? current->error : "");
    end_work(decision, OUTCOME_FAILED, code, message);
}

static void restart_service(struct decision *decision, size_t service, enum trouble trouble)
{
    const struct settle_service *spec = &decision->view->services[service];
    const struct settle_instance *current = decision->current[service];
    int failures = recent_failures(decision, service);
    if (trouble == TROUBLE_STUCK) {
        end_work_for_service(decision, service, troubles[trouble].code, troubles[trouble].what);
    } else if (failures > spec->restart_max) {
        end_work_for_service(decision, service, "service_restarts_exhausted", "failed too often");
    } else if (instance_is_over(current->state)) {
        int64_t delay_ms =
            failures == 0 ? 0 : backoff_delay_ms(spec->restart_backoff_ms, RESTART_BACKOFF_MAX_MS, (unsigned)failures);
        add_start(decision, service, current->epoch + 1, after_ms(decision->view->now_us, delay_ms));
    } else if (trouble == TROUBLE_NEVER_READY || trouble == TROUBLE_UNHEALTHY) {
        add_stop(decision, current, troubles[trouble].stop_reason, true);
    }
}

static void handle_trouble(struct decision *decision, size_t service, enum trouble trouble)
{
    switch ((enum service_failure)decision->view->services[service].on_failure) {
    case SERVICE_FAIL_JOB:
        end_work_for_service(decision, service, troubles[trouble].code, troubles[trouble].what);
        break;
    case SERVICE_RESTART:
        restart_service(decision, service, trouble);
        break;
    case SERVICE_IGNORE:
        if (trouble == TROUBLE_NEVER_READY)
            add_stop(decision, decision->current[service], troubles[trouble].stop_reason, true);
        break;
    }
}

// Starts what may start and deals with what is in trouble; an outcome may come of it, and ends the walk.
static void tend_services(struct decision *decision)
{
    const struct settle_view *view = decision->view;
    for (size_t i = 0; i < view->service_count && decision->outcome == OUTCOME_NONE; i++) {
        const struct settle_instance *current = decision->current[i];
        if (!current) {
            if (dependencies_are_satisfied(decision, i))
                add_start(decision, i, 1, view->now_us);
            continue;
        }
        if (current->state == INSTANCE_PENDING) {
            look_again_at(decision, current->not_before_us);
            decision->plan->wakes_pending |= current->not_before_us <= view->now_us;
        }
        enum trouble trouble = instance_trouble(decision, current);
        if (trouble != TROUBLE_NONE)
            handle_trouble(decision, i, trouble);
    }
}

static bool all_services_satisfied(struct decision *decision)
{
    for (size_t i = 0; i < decision->view->service_count; i++)
        if (!service_is_satisfied(decision, i))
            return false;
    return true;
}

// ---- while the work goes on

static void decide_outcome(struct decision *decision)
{
    const struct settle_view *view = decision->view;
    const struct settle_stage *failed = failed_stage(view);
    if (view->stop_requested)
        end_work(decision, OUTCOME_STOPPED, "stop_requested", "a stop was asked for");
    else if (failed)
        end_work_for_stage(decision, failed);
    else if (all_stages_closed(decision))
        end_work(decision, OUTCOME_SUCCEEDED, "", "");
    else if (view->timeout_ms != 0 && is_due(decision, after_ms(view->created_at_us, view->timeout_ms)))
        end_work(decision, OUTCOME_TIMED_OUT, "timeout", "the job's timeout passed");
    else if (lifetime_is_over(decision))
        end_work(decision, OUTCOME_TIMED_OUT, "max_lifetime", "max_lifetime passed with the work unfinished");
}

static void decide_phase(struct decision *decision)
{
    const struct settle_view *view = decision->view;
    struct settle_plan *plan = decision->plan;
    bool released = !view->paused && all_services_satisfied(decision);
    plan->phase = released ? PHASE_RELEASED : PHASE_WAITING;
    plan->sets_started = released && view->service_count > 0 && view->started_at_us == 0;
}

// An outcome takes back what was planned for the work to go on.
static void forget_work(struct decision *decision)
{
    struct settle_plan *plan = decision->plan;
    plan->start_count = plan->stop_count = 0;
    plan->release_stages = 0;
    plan->wakes_pending = false;
    plan->attention_at_us = 0;
}

static void decide_work(struct decision *decision)
{
    advance_stages(decision);
    decide_outcome(decision);
    if (decision->outcome == OUTCOME_NONE)
        tend_services(decision);
    if (decision->outcome == OUTCOME_NONE)
        decide_phase(decision);
    else
        forget_work(decision);
}

// ---- the cleanup

static bool all_instances_over(const struct settle_view *view)
{
    for (size_t i = 0; i < view->instance_count; i++)
        if (!instance_is_over(view->instances[i].state))
            return false;
    return true;
}

static bool any_instance_stuck(const struct settle_view *view)
{
    for (size_t i = 0; i < view->instance_count; i++)
        if (view->instances[i].state == INSTANCE_STUCK)
            return true;
    return false;
}

// Sets what becomes of the services, at the moment the outcome is set.
static void decide_keeping(struct decision *decision)
{
    const struct settle_view *view = decision->view;
    struct settle_plan *plan = decision->plan;
    int64_t keep_ms = 0;
    if (plan->outcome == OUTCOME_SUCCEEDED)
        keep_ms = view->linger_ms;
    else if (plan->outcome == OUTCOME_FAILED || plan->outcome == OUTCOME_TIMED_OUT)
        keep_ms = view->keep_on_failure_ms;
    bool autostops = (view->autostop_on & bit(plan->outcome)) != 0;
    bool ends_now = view->stop_requested || view->service_count == 0 || all_instances_over(view);

    plan->cleanup = ends_now || (autostops && keep_ms == 0) ? CLEANUP_PENDING : CLEANUP_KEPT;
    plan->keep_until_us = plan->cleanup == CLEANUP_KEPT && autostops ? after_ms(view->now_us, keep_ms) : 0;
}

// True when services that were kept have to go now; says why.
static bool keeping_is_over(struct decision *decision)
{
    const struct settle_view *view = decision->view;
    int64_t keep_until_us = decision->plan->keep_until_us;
    if (view->stop_requested)
        decision->stop_reason = "stop_requested";
    else if (keep_until_us != 0 && is_due(decision, keep_until_us))
        decision->stop_reason = "keep_over";
    else if (lifetime_is_over(decision))
        decision->stop_reason = "max_lifetime";
    else
        return all_instances_over(view);
    return true;
}

// Something that depends on this service may still exist. Instances that were never placed go at once and count for
// nothing.
static bool has_live_dependents(const struct decision *decision, int service)
{
    const struct settle_view *view = decision->view;
    for (size_t i = 0; i < view->instance_count; i++) {
        const struct settle_instance *other = &view->instances[i];
        if ((view->services[other->service].depends_mask & bit(service)) && instance_is_live(other->state))
            return true;
    }
    return false;
}

// What was in trouble has failed by that, whatever the job's end is.
static void stop_for_cleanup(struct decision *decision, const struct settle_instance *instance)
{
    enum trouble trouble = TROUBLE_NONE;
    bool starts = instance->state == INSTANCE_PLACING || instance->state == INSTANCE_STARTING;
    if (instance->state == INSTANCE_UNHEALTHY)
        trouble = TROUBLE_UNHEALTHY;
    else if (starts && instance->ready_by_us != 0 && instance->ready_by_us <= decision->view->now_us)
        trouble = TROUBLE_NEVER_READY;
    bool failed = trouble != TROUBLE_NONE;
    add_stop(decision, instance, failed ? troubles[trouble].stop_reason : decision->stop_reason, failed);
}

static void stop_services(struct decision *decision)
{
    const struct settle_view *view = decision->view;
    bool tasks_are_over = !tasks_are_unfinished(decision);
    bool kept = decision->plan->cleanup == CLEANUP_KEPT;
    for (size_t i = 0; i < view->instance_count; i++) {
        const struct settle_instance *instance = &view->instances[i];
        bool stoppable = instance_is_up(instance->state) || instance->state == INSTANCE_PLACING;
        if (instance->state == INSTANCE_PENDING)
            add_stop(decision, instance, decision->stop_reason, false);
        else if (stoppable && !kept && tasks_are_over && !has_live_dependents(decision, instance->service))
            stop_for_cleanup(decision, instance);
    }
}

static void decide_cleanup(struct decision *decision)
{
    const struct settle_view *view = decision->view;
    struct settle_plan *plan = decision->plan;
    decision->stop_reason = outcome_name(decision->outcome);
    if (plan->sets_outcome)
        decide_keeping(decision);
    if (plan->cleanup == CLEANUP_KEPT && keeping_is_over(decision)) {
        plan->cleanup = CLEANUP_PENDING;
        plan->attention_at_us = 0; // its deadlines have nothing left to end
    }
    stop_services(decision);
    if (plan->cleanup == CLEANUP_KEPT)
        return;
    plan->cleanup = any_instance_stuck(view) ? CLEANUP_STUCK : CLEANUP_PENDING;
    if (!tasks_are_unfinished(decision) && all_instances_over(view)) {
        plan->cleanup = view->service_count == 0 ? CLEANUP_NONE : CLEANUP_CLEAN;
        plan->closes = true;
    }
}

static bool plan_changes(const struct settle_view *view, const struct settle_plan *plan)
{
    return plan->sets_outcome || plan->cleanup != view->cleanup || plan->keep_until_us != view->keep_until_us ||
           plan->phase != view->phase || plan->sets_started || plan->release_stages != 0 || plan->close_stages != 0 ||
           plan->start_count != 0 || plan->stop_count != 0 || plan->closes ||
           plan->attention_at_us != view->attention_at_us;
}

void settle_decide(const struct settle_view *view, struct settle_plan *plan)
{
    *plan = (struct settle_plan){
        .outcome = view->outcome,
        .cleanup = view->cleanup,
        .keep_until_us = view->keep_until_us,
        .phase = view->phase,
    };
    if (view->closed)
        return;
    struct decision decision = {.view = view, .plan = plan, .outcome = view->outcome};
    for (size_t i = 0; i < view->instance_count; i++)
        decision.current[view->instances[i].service] = &view->instances[i];
    if (decision.outcome == OUTCOME_NONE)
        decide_work(&decision);
    if (decision.outcome != OUTCOME_NONE)
        decide_cleanup(&decision);
    plan->changes = plan_changes(view, plan);
}
