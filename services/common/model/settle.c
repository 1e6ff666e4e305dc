#include "services/common/model/settle.h"

#include "services/common/base/utf8.h"
#include "services/common/model/settle_internal.h"

#include <stdio.h>
#include <string.h>

// ---- time

void decision_look_again_at(struct decision *decision, int64_t at_us)
{
    if (at_us <= decision->view->now_us)
        return;
    if (decision->plan->attention_at_us == 0 || at_us < decision->plan->attention_at_us)
        decision->plan->attention_at_us = at_us;
}

bool decision_is_due(struct decision *decision, int64_t at_us)
{
    decision_look_again_at(decision, at_us);
    return at_us <= decision->view->now_us;
}

bool decision_lifetime_is_over(struct decision *decision)
{
    const struct settle_view *view = decision->view;
    return view->first_placed_at_us != 0 &&
           decision_is_due(decision, after_ms(view->first_placed_at_us, view->max_lifetime_ms));
}

void decision_add_stop(struct decision *decision, const struct settle_instance *instance, const char *reason,
                       bool failed)
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

bool decision_tasks_are_unfinished(const struct decision *decision)
{
    for (size_t i = 0; i < decision->view->stage_count; i++)
        if (decision->view->stages[i].open > 0)
            return true;
    return false;
}

// ---- the outcome

void decision_end_work(struct decision *decision, int outcome, const char *code, const char *message)
{
    struct settle_plan *plan = decision->plan;
    decision->outcome = plan->outcome = outcome;
    plan->sets_outcome = true;
    plan->cancel_tasks = decision_tasks_are_unfinished(decision);
    snprintf(plan->reason_code, sizeof plan->reason_code, "%s", code);
    snprintf(plan->reason_message, sizeof plan->reason_message, "%s", message);
    utf8_cut(plan->reason_message);
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
    decision_end_work(decision, OUTCOME_FAILED, "task_failed", message);
}

// ---- while the work goes on

static void decide_outcome(struct decision *decision)
{
    const struct settle_view *view = decision->view;
    const struct settle_stage *failed = failed_stage(view);
    if (view->stop_requested)
        decision_end_work(decision, OUTCOME_STOPPED, "stop_requested", "a stop was asked for");
    else if (failed)
        end_work_for_stage(decision, failed);
    else if (all_stages_closed(decision))
        decision_end_work(decision, OUTCOME_SUCCEEDED, "", "");
    else if (view->timeout_ms != 0 && decision_is_due(decision, after_ms(view->created_at_us, view->timeout_ms)))
        decision_end_work(decision, OUTCOME_TIMED_OUT, "timeout", "the job's timeout passed");
    else if (decision_lifetime_is_over(decision))
        decision_end_work(decision, OUTCOME_TIMED_OUT, "max_lifetime", "max_lifetime passed with the work unfinished");
}

static void decide_phase(struct decision *decision)
{
    const struct settle_view *view = decision->view;
    struct settle_plan *plan = decision->plan;
    bool released = !view->paused && decision_services_satisfied(decision);
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
        decision_tend_services(decision);
    if (decision->outcome == OUTCOME_NONE)
        decide_phase(decision);
    else
        forget_work(decision);
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
        decision_clean_up(&decision);
    plan->changes = plan_changes(view, plan);
}
