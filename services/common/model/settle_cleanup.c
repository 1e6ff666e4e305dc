// What becomes of the services once there is an outcome.
#include "services/common/model/settle_internal.h"

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
    else if (keep_until_us != 0 && decision_is_due(decision, keep_until_us))
        decision->stop_reason = "keep_over";
    else if (decision_lifetime_is_over(decision))
        decision->stop_reason = "max_lifetime";
    else
        return all_instances_over(view);
    return true;
}

// Something that depends on this service may still exist and end. Instances that were never placed go at once and
// count for nothing; one that would not die holds up no others.
static bool has_live_dependents(const struct decision *decision, int service)
{
    const struct settle_view *view = decision->view;
    for (size_t i = 0; i < view->instance_count; i++) {
        const struct settle_instance *other = &view->instances[i];
        if ((view->services[other->service].depends_mask & bit(service)) && other->state != INSTANCE_STUCK &&
            instance_is_live(other->state))
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
    decision_add_stop(decision, instance, failed ? trouble_stop_reason(trouble) : decision->stop_reason, failed);
}

static void stop_services(struct decision *decision)
{
    const struct settle_view *view = decision->view;
    bool tasks_are_over = !decision_tasks_are_unfinished(decision) || decision_lifetime_is_over(decision);
    bool kept = decision->plan->cleanup == CLEANUP_KEPT;
    for (size_t i = 0; i < view->instance_count; i++) {
        const struct settle_instance *instance = &view->instances[i];
        bool stoppable = instance_is_up(instance->state) || instance->state == INSTANCE_PLACING;
        if (instance->state == INSTANCE_PENDING)
            decision_add_stop(decision, instance, decision->stop_reason, false);
        else if (stoppable && !kept && tasks_are_over && !has_live_dependents(decision, instance->service))
            stop_for_cleanup(decision, instance);
    }
}

void decision_clean_up(struct decision *decision)
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
    if (!decision_tasks_are_unfinished(decision) && all_instances_over(view)) {
        plan->cleanup = view->service_count == 0 ? CLEANUP_NONE : CLEANUP_CLEAN;
        plan->closes = true;
    }
}
