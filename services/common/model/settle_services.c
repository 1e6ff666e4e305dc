// Services while the work goes on: what may start, and what follows from each kind of trouble.
#include "services/common/base/backoff.h"
#include "services/common/base/macros.h"
#include "services/common/model/settle_internal.h"

#include <stdio.h>

#define RESTART_BACKOFF_MAX_MS INT64_C(60000)

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

const char *trouble_stop_reason(enum trouble trouble)
{
    return troubles[trouble].stop_reason;
}

static enum trouble instance_trouble(struct decision *decision, const struct settle_instance *instance)
{
    switch ((enum instance_state)instance->state) {
    case INSTANCE_PENDING:
    case INSTANCE_READY:
        return TROUBLE_NONE;
    case INSTANCE_PLACING:
    case INSTANCE_STARTING:
        return instance->ready_by_us != 0 && decision_is_due(decision, instance->ready_by_us) ? TROUBLE_NEVER_READY
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
        decision_look_again_at(decision, not_before_us);
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
    decision_end_work(decision, OUTCOME_FAILED, code, message);
}

// Doubles with each failure, up to a minute, or to what the spec wants to begin with when that is more.
static int64_t restart_delay_ms(const struct settle_service *spec, int failures)
{
    int64_t max_ms = MAX(spec->restart_backoff_ms, RESTART_BACKOFF_MAX_MS);
    return failures == 0 ? 0 : backoff_delay_ms(spec->restart_backoff_ms, max_ms, (unsigned)failures);
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
        if (dependencies_are_satisfied(decision, service)) // may have gone with the same worker; they come first
            add_start(decision, service, current->epoch + 1,
                      after_ms(decision->view->now_us, restart_delay_ms(spec, failures)));
    } else if (trouble == TROUBLE_NEVER_READY || trouble == TROUBLE_UNHEALTHY) {
        decision_add_stop(decision, current, troubles[trouble].stop_reason, true);
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
            decision_add_stop(decision, decision->current[service], troubles[trouble].stop_reason, true);
        break;
    }
}

void decision_tend_services(struct decision *decision)
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
            decision_look_again_at(decision, current->not_before_us);
            decision->plan->wakes_pending |= current->not_before_us <= view->now_us;
        }
        enum trouble trouble = instance_trouble(decision, current);
        if (trouble != TROUBLE_NONE)
            handle_trouble(decision, i, trouble);
    }
}

bool decision_services_satisfied(struct decision *decision)
{
    for (size_t i = 0; i < decision->view->service_count; i++)
        if (!service_is_satisfied(decision, i))
            return false;
    return true;
}
