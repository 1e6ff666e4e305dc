// The reason of one task.
#include "services/common/model/why_internal.h"

static void add_task(struct why *why, const struct why_task *task)
{
    json_open(&why->evidence, "task", '{');
    json_text(&why->evidence, "stage", task->stage);
    json_i64(&why->evidence, "index", task->index);
    json_text(&why->evidence, "state", slice_state_name(task->state));
    json_i64(&why->evidence, "attempt", task->attempt);
    json_i64(&why->evidence, "failures", task->failures);
    json_i64(&why->evidence, "retries_max", task->retries_max);
    json_text(&why->evidence, "worker", task->worker);
    json_text(&why->evidence, "error", task->error);
    if (task->exit >= 0)
        json_i64(&why->evidence, "exit", task->exit);
    json_close(&why->evidence, '}');
}

static bool say_done(const struct why_view *view, const struct why_task *task, struct why *why)
{
    if (task->state == SLICE_SUCCEEDED)
        return why_say(why, WHY_TASK_SUCCEEDED, "the task succeeded in attempt %d", task->attempt);
    if (task->state == SLICE_FAILED)
        return why_say(why, WHY_TASK_FAILED, "the task failed in attempt %d%s%.200s", task->attempt,
                       task->error ? ": " : "", task->error ? task->error : "");
    return why_say(why, WHY_TASK_CANCELLED, "the task was cancelled: the job has ended (%s)",
                   view->outcome == OUTCOME_NONE ? "?" : outcome_name(view->outcome));
}

static bool say_running(const struct why_view *view, const struct why_task *task, struct why *why)
{
    char text[PARSE_DURATION_TEXT_SIZE];
    json_time(&why->evidence, "leased_at", task->leased_us);
    why_duration(view->now_us - task->leased_us, text);
    if (task->worker_lost)
        return why_say(why, WHY_WORKER_SUSPECT, "worker '%s', which has the task, does not answer", task->worker);
    if (task->cancel)
        return why_say(why, WHY_STOPPING_TASKS, "worker '%s' is asked to end the task", task->worker);
    return why_say(why, WHY_RUNNING, "worker '%s' has the task since %s, attempt %d", task->worker, text,
                   task->attempt);
}

static bool say_delayed(const struct why_view *view, const struct why_task *task, struct why *why)
{
    char text[PARSE_DURATION_TEXT_SIZE];
    json_time(&why->evidence, "due_at", task->due_us);
    return why_say(why, WHY_RETRY_DELAYED, "attempt %d failed, the next one is in %s%s%.150s", task->attempt,
                   why_duration(task->due_us - view->now_us, text), task->error ? ": " : "",
                   task->error ? task->error : "");
}

// Nothing has started it.
static bool say_waiting(const struct why_view *view, const struct why_task *task, struct why *why)
{
    if (view->paused)
        return why_say(why, WHY_PAUSED, "the job is paused");
    if (why_starting(view, why))
        return true;
    if (task->waited_stage) {
        json_text(&why->evidence, "waits_for", task->waited_stage);
        return why_say(why, WHY_WAITING_FOR_STAGE, "stage '%s' waits for stage '%s'", task->stage, task->waited_stage);
    }
    if (task->state == SLICE_HELD && task->max_parallel > 0) {
        json_i64(&why->evidence, "max_parallel", task->max_parallel);
        return why_say(why, WHY_MAX_PARALLEL, "stage '%s' may run %lld task%s at once, and does", task->stage,
                       (long long)task->max_parallel, task->max_parallel == 1 ? "" : "s");
    }
    return task->state == SLICE_READY && why_not_claimed(view, why);
}

static bool decide(const struct why_view *view, const struct why_task *task, struct why *why)
{
    add_task(why, task);
    if (task->state >= SLICE_SUCCEEDED)
        return say_done(view, task, why);
    if (task->state == SLICE_LEASED)
        return say_running(view, task, why);
    if (task->state == SLICE_DELAYED && !view->paused)
        return say_delayed(view, task, why);
    return say_waiting(view, task, why);
}

void why_decide_task(const struct why_view *view, const struct why_task *task, struct why *why)
{
    why_begin(why);
    why_end(why, decide(view, task, why));
}
