// What the files of settle.h share: settle.c (stages, the outcome, the whole), settle_services.c (services while the
// work goes on), settle_cleanup.c (what becomes of them after it).
#pragma once

#include "services/common/model/settle.h"
#include "services/common/model/states.h"

// A decision on its way: the view, the plan, and what the plan has made of the view so far.
struct decision {
    const struct settle_view *view;
    struct settle_plan *plan;
    int outcome;
    uint64_t released, closed;                         // stages
    const struct settle_instance *current[SETTLE_MAX]; // of each service the latest epoch, or NULL
    const char *stop_reason;                           // why services stop once there is an outcome
};

static inline uint64_t bit(int index)
{
    return UINT64_C(1) << index;
}

static inline int64_t after_ms(int64_t from_us, int64_t ms)
{
    return from_us + ms * 1000;
}

enum trouble { TROUBLE_NONE, TROUBLE_NEVER_READY, TROUBLE_UNHEALTHY, TROUBLE_LOST, TROUBLE_STUCK, TROUBLE_ENDED };

const char *trouble_stop_reason(enum trouble trouble);

// settle.c

// Notes a moment at which time alone will change something. What has passed already was dealt with in this decision.
void decision_look_again_at(struct decision *decision, int64_t at_us);
bool decision_is_due(struct decision *decision, int64_t at_us); // true when the moment has come; else it is noted
bool decision_lifetime_is_over(struct decision *decision);
bool decision_tasks_are_unfinished(const struct decision *decision);
void decision_end_work(struct decision *decision, int outcome, const char *code, const char *message);
void decision_add_stop(struct decision *decision, const struct settle_instance *instance, const char *reason,
                       bool failed);

// settle_services.c

// Starts what may start and deals with what is in trouble; an outcome may come of it, and ends the walk.
void decision_tend_services(struct decision *decision);
bool decision_services_satisfied(struct decision *decision);

// settle_cleanup.c

// With an outcome: keeps the services or stops them, in reverse order of their dependencies, and closes the job.
void decision_clean_up(struct decision *decision);
