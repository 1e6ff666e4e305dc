// The reason of a whole job.
#include "services/common/model/why_internal.h"

static bool why_ended(const struct why_view *view, struct why *why)
{
    if (view->closed)
        return why_say(why, WHY_CLOSED, "the job is closed (%s%s%.160s): nothing is left to wait for",
                       outcome_name(view->outcome), view->reason ? ": " : "", view->reason ? view->reason : "");
    if (view->leased > 0) {
        why_add_tasks(why, view);
        return why_say(why, WHY_STOPPING_TASKS, "waiting for %lld running task%s to end", (long long)view->leased,
                       view->leased == 1 ? "" : "s");
    }
    return why_kept(view, why) || why_cleaning(view, why);
}

bool why_not_claimed(const struct why_view *view, struct why *why)
{
    const struct why_fleet *fleet = &view->fleet;
    const char *runtime = *fleet->runtime ? fleet->runtime : "any";
    why_add_tasks(why, view);
    why_add_fleet(why, fleet);
    if (fleet->with_queue == 0)
        return why_say(why, WHY_NO_WORKER_FOR_QUEUE, "no worker serves queue '%s'", fleet->queue);
    if (fleet->with_runtime == 0)
        return why_say(why, WHY_NO_WORKER_WITH_RUNTIME, "no worker of queue '%s' has runtime '%s'%s%.200s",
                       fleet->queue, runtime, fleet->trouble ? "; " : "", fleet->trouble ? fleet->trouble : "");
    if (fleet->with_labels == 0)
        return why_say(why, WHY_NO_WORKER_WITH_LABELS, "no worker of queue '%s' has the labels %.150s", fleet->queue,
                       fleet->labels);
    if (fleet->accepting == 0 && fleet->with_labels == 1)
        return why_say(why, WHY_WORKERS_DRAINING,
                       "the only worker that could take its tasks is draining, suspect or quarantined");
    if (fleet->accepting == 0)
        return why_say(why, WHY_WORKERS_DRAINING,
                       "all %lld workers that could take its tasks are draining, suspect or quarantined",
                       (long long)fleet->with_labels);
    return why_say(why, WHY_SLOTS_BUSY, "%lld task%s for a free slot on %lld worker%s", (long long)view->ready,
                   view->ready == 1 ? " waits" : "s wait", (long long)fleet->accepting,
                   fleet->accepting == 1 ? "" : "s");
}

static bool why_running(const struct why_view *view, struct why *why)
{
    why_add_tasks(why, view);
    if (view->suspect_worker) {
        json_text(&why->evidence, "worker", view->suspect_worker);
        return why_say(why, WHY_WORKER_SUSPECT, "worker '%s', which has tasks of this job, does not answer",
                       view->suspect_worker);
    }
    return why_say(why, WHY_RUNNING, "%lld task%s running", (long long)view->leased,
                   view->leased == 1 ? " is" : "s are");
}

static bool why_working(const struct why_view *view, struct why *why)
{
    char text[PARSE_DURATION_TEXT_SIZE];
    if (view->leased > 0)
        return why_running(view, why);
    if (view->ready > 0)
        return why_not_claimed(view, why);
    why_add_tasks(why, view);
    if (view->delayed > 0) {
        json_time(&why->evidence, "due_at", view->due_us);
        return why_say(why, WHY_RETRY_DELAYED, "%lld failed task%s for the next attempt in %s",
                       (long long)view->delayed, view->delayed == 1 ? " waits" : "s wait",
                       why_duration(view->due_us - view->now_us, text));
    }
    if (view->waiting_stage) {
        json_text(&why->evidence, "stage", view->waiting_stage);
        json_text(&why->evidence, "waits_for", view->waited_stage);
        return why_say(why, WHY_WAITING_FOR_STAGE, "stage '%s' waits for stage '%s'", view->waiting_stage,
                       view->waited_stage ? view->waited_stage : "?");
    }
    return false;
}

static bool decide(const struct why_view *view, struct why *why)
{
    if (view->outcome != OUTCOME_NONE)
        return why_ended(view, why);
    if (view->paused) {
        why_add_tasks(why, view);
        return why_say(why, WHY_PAUSED, "the job is paused");
    }
    return why_starting(view, why) || why_working(view, why);
}

void why_decide_job(const struct why_view *view, struct why *why)
{
    why_begin(why);
    why_end(why, decide(view, why));
}
