#include "services/worker/tasks.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/clock.h"
#include "services/worker/tasks_internal.h"

#include <stdlib.h>
#include <string.h>

#define AHEAD_US 200000 // of work to have in hand
#define WANT_MAX 1000
#define SLICE_BUDGET_MS 2000

static void on_timer(void *context);

static void cleanup_tasks(struct tasks **tasks)
{
    tasks_free(*tasks);
}

int tasks_new(struct loop *loop, struct runtime *runtime, struct workspaces *workspaces, struct logs *logs,
              const struct tasks_settings *settings, const struct tasks_events *events, void *context,
              struct tasks **out, struct err *err)
{
    CLEANUP(cleanup_tasks) struct tasks *tasks = calloc(1, sizeof *tasks);
    if (!tasks)
        return err_set(err, ERR_NO_MEMORY, "no memory for tasks");
    *tasks = (struct tasks){.loop = loop,
                            .runtime = runtime,
                            .workspaces = workspaces,
                            .logs = logs,
                            .settings = *settings,
                            .events = *events,
                            .context = context,
                            .slice_budget_ms = SLICE_BUDGET_MS,
                            .weight = 1};
    tasks->secrets_directory = settings->secrets_directory ? strdup(settings->secrets_directory) : NULL;
    if (settings->secrets_directory && !tasks->secrets_directory)
        return err_set(err, ERR_NO_MEMORY, "no memory for tasks");
    if (loop_timer_add(loop, on_timer, tasks, &tasks->timer, err) < 0)
        return -1;
    tasks->told_want = tasks_want(tasks);
    *out = TAKE_PTR(tasks);
    return 0;
}

static void link_slice(struct tasks *tasks, struct slice_run *slice)
{
    slice->previous = tasks->last;
    *(tasks->last ? &tasks->last->next : &tasks->first) = slice;
    tasks->last = slice;
}

static void unlink_slice(struct tasks *tasks, struct slice_run *slice)
{
    *(slice->previous ? &slice->previous->next : &tasks->first) = slice->next;
    *(slice->next ? &slice->next->previous : &tasks->last) = slice->previous;
}

static void free_slices(struct tasks *tasks)
{
    while (tasks->first) {
        struct slice_run *slice = tasks->first;
        unlink_slice(tasks, slice);
        slice_run_free(slice);
    }
}

void tasks_free(struct tasks *tasks)
{
    if (!tasks)
        return;
    task_exec_free_all(tasks);
    task_stream_free_all(tasks);
    free_slices(tasks);
    loop_timer_remove(tasks->timer);
    free(tasks->secrets_directory);
    free(tasks);
}

void tasks_look_soon(struct tasks *tasks)
{
    loop_timer_arm(tasks->timer, clock_boot_ms());
}

int tasks_slots_of(const struct slice_run *slice)
{
    int64_t slots = slice->order->run.slots;
    return slots > 1 ? (int)MIN(slots, (int64_t)INT32_MAX) : 1;
}

int tasks_slots_free(const struct tasks *tasks)
{
    return tasks->settings.slots - tasks->slots_used;
}

void tasks_took(struct tasks *tasks, int64_t microseconds)
{
    int64_t value = microseconds > 0 ? microseconds : 1;
    tasks->average_us = tasks->average_us ? (tasks->average_us * 3 + value) / 4 : value;
}

void tasks_apply(struct slice_run *slice, int64_t task, const struct task_verdict *verdict)
{
    if (verdict->end == TASK_SUCCEEDED)
        slice_run_succeed(slice, task, NULL, 0);
    else if (verdict->end == TASK_FAILED)
        slice_run_fail(slice, task, verdict->exit, verdict->retry, verdict->error);
    else
        slice_run_drop(slice, task);
}

// ---- slices come

static int make_environment(struct tasks *tasks, struct slice_run *slice, struct err *err)
{
    const struct slice_order *order = slice->order;
    AUTO_ENVIRONMENT struct environment *environment = NULL;
    if (environment_new(!run_spec_in_container(&order->run.run), &environment, err) < 0)
        return -1;
    environment_add_variables(environment, &order->run.run.env);
    if (environment_add_secrets(environment, &order->run.run.secrets, tasks->secrets_directory, err) < 0)
        return -1;
    environment_set(environment, "CURFEW_JOB", order->job);
    environment_set(environment, "CURFEW_STAGE", order->stage);
    environment_add_services(environment, order->services, order->service_count);
    slice->environment = TAKE_PTR(environment);
    return 0;
}

static int make_key(struct slice_run *slice, struct err *err)
{
    const char *const *list;
    if (slice->order->run.mode != STAGE_STREAM)
        return 0;
    if (environment_list(slice->environment, &list, err) < 0)
        return -1;
    slice->stream_key = task_stream_key(slice, list);
    return slice->stream_key ? 0 : err_set(err, ERR_NO_MEMORY, "no memory for a slice");
}

static int check_slice(const struct tasks *tasks, const struct slice_run *slice, struct err *err)
{
    if (slice->order->run.mode == STAGE_PULL || slice->order->run.run.command.count == 0)
        return err_set(err, ERR_INVALID, "stage '%s' has nothing to run", slice->order->stage);
    if (tasks_slots_of(slice) > tasks->settings.slots)
        return err_set(err, ERR_INVALID, "a task of stage '%s' takes %d slots, and this worker has %d",
                       slice->order->stage, tasks_slots_of(slice), tasks->settings.slots);
    return 0;
}

static void fail_all(struct slice_run *slice, const struct err *error)
{
    struct task_verdict verdict;
    task_verdict_of_error(error, "cannot be run", &verdict);
    while (slice_run_has_more(slice))
        tasks_apply(slice, slice_run_take(slice), &verdict);
}

// What comes next is likely to be like it.
static void note_kind(struct tasks *tasks, const struct slice_run *slice)
{
    tasks->weight = tasks_slots_of(slice);
    tasks->is_streaming = slice->order->run.mode == STAGE_STREAM;
}

void tasks_accept(struct tasks *tasks, struct slice_order *order)
{
    struct slice_run *slice;
    struct err err;
    if (slice_run_new(order, &slice, &err) < 0)
        return; // nothing is held: the manager gives it to another
    link_slice(tasks, slice);
    if (check_slice(tasks, slice, &err) < 0 || make_environment(tasks, slice, &err) < 0 || make_key(slice, &err) < 0)
        fail_all(slice, &err);
    else
        note_kind(tasks, slice);
    slice->closed |= tasks->draining;
    tasks_look_soon(tasks);
}

static struct task_survivor *survivor_of(struct task_survivor *survivors, size_t count, int64_t task)
{
    for (size_t i = 0; i < count; i++)
        if (survivors[i].task == task)
            return &survivors[i];
    return NULL;
}

static const struct slice_adoption *adoption_of(const struct slice_order *order, int64_t task)
{
    for (size_t i = 0; i < order->adopted_count; i++)
        if (order->adopted[i].task == task)
            return &order->adopted[i];
    return NULL;
}

int tasks_adopt(struct tasks *tasks, struct slice_order *order, struct task_survivor *survivors, size_t count,
                struct err *err)
{
    struct slice_run *slice;
    if (slice_run_new(order, &slice, err) < 0)
        return -1;
    link_slice(tasks, slice);
    while (slice_run_has_more(slice)) {
        int64_t task = slice_run_take(slice);
        struct task_survivor *survivor = survivor_of(survivors, count, task);
        if (survivor)
            survivor->taken = task_exec_adopt(tasks, slice, survivor, adoption_of(order, task));
        if (!survivor || !survivor->taken)
            slice_run_drop(slice, task);
    }
    slice->closed = true;
    tasks_look_soon(tasks);
    return 0;
}

// ---- and are run

static void close_slow(const struct tasks *tasks, struct slice_run *slice, int64_t now_ms)
{
    slice->closed |= slice->started_ms > 0 && now_ms - slice->started_ms > tasks->slice_budget_ms;
}

// Starts what there is room for. False: no room for all of it.
static bool start_slice(struct tasks *tasks, struct slice_run *slice, int64_t now_ms)
{
    close_slow(tasks, slice, now_ms);
    while (slice_run_has_more(slice)) {
        bool stream = slice->order->run.mode == STAGE_STREAM;
        if (!stream && tasks_slots_free(tasks) < tasks_slots_of(slice))
            return false;
        if (slice->started_ms == 0)
            slice->started_ms = now_ms;
        if (!stream)
            task_exec_start(tasks, slice);
        else if (!task_stream_place(tasks, slice))
            return false;
    }
    return true;
}

// In the order in which they came: whoever needs many slots is not passed by others for ever.
static void start_all(struct tasks *tasks)
{
    int64_t now_ms = clock_boot_ms();
    for (struct slice_run *slice = tasks->first; slice; slice = slice->next) {
        if (start_slice(tasks, slice, now_ms))
            continue;
        if (tasks_slots_free(tasks) < tasks_slots_of(slice))
            task_stream_reclaim(tasks, slice->stream_key);
        return;
    }
}

static void report(struct tasks *tasks, struct slice_run *slice)
{
    struct slice_outcome outcome;
    struct err err;
    unlink_slice(tasks, slice);
    if (slice_run_outcome(slice, &outcome, &err) == 0)
        tasks->events.on_done(tasks->context, &outcome);
    slice_run_free(slice);
}

static bool another_of_its_stage(const struct tasks *tasks, const struct slice_run *slice)
{
    const struct slice_run *other = tasks->first;
    while (other && (other == slice || strcmp(other->order->job, slice->order->job) != 0 ||
                     strcmp(other->order->stage, slice->order->stage) != 0))
        other = other->next;
    return other != NULL;
}

// With the last tasks of its stage here the stage's processes end as well, and are gone before that is reported: it may
// be the end of the job.
static bool may_be_reported(struct tasks *tasks, const struct slice_run *slice)
{
    if (!slice_run_is_done(slice))
        return false;
    return slice->order->run.mode != STAGE_STREAM || another_of_its_stage(tasks, slice) ||
           task_stream_finish(tasks, slice->order->job, slice->order->stage);
}

static struct slice_run *first_to_report(struct tasks *tasks)
{
    struct slice_run *slice = tasks->first;
    while (slice && !may_be_reported(tasks, slice))
        slice = slice->next;
    return slice;
}

static void tell_capacity(struct tasks *tasks)
{
    int64_t want = tasks_want(tasks);
    bool more = want > tasks->told_want;
    tasks->told_want = want;
    if (more)
        tasks->events.on_capacity(tasks->context);
}

static void on_timer(void *context)
{
    struct tasks *tasks = context;
    start_all(tasks);
    for (struct slice_run *slice = first_to_report(tasks); slice; slice = first_to_report(tasks))
        report(tasks, slice);
    tell_capacity(tasks);
}

static void cancel_slice(struct tasks *tasks, struct slice_run *slice)
{
    slice->closed = true;
    task_exec_cancel(tasks, slice);
    task_stream_cancel(tasks, slice);
    tasks_look_soon(tasks);
}

void tasks_cancel(struct tasks *tasks, const char *name, int64_t token)
{
    for (struct slice_run *slice = tasks->first; slice; slice = slice->next) {
        if (slice->order->token != token || strcmp(slice->order->slice, name) != 0)
            continue;
        cancel_slice(tasks, slice);
        return;
    }
}

void tasks_cancel_all(struct tasks *tasks)
{
    for (struct slice_run *slice = tasks->first; slice; slice = slice->next)
        cancel_slice(tasks, slice);
}

// ---- how much to have

// In slots: what waits and what runs, and what still dies.
static int64_t in_hand(const struct tasks *tasks)
{
    int64_t units = task_exec_orphan_slots(tasks) + task_stream_orphan_slots(tasks);
    for (const struct slice_run *slice = tasks->first; slice; slice = slice->next)
        units += (slice_run_waiting(slice) + slice->active) * tasks_slots_of(slice);
    return units;
}

int64_t tasks_want(const struct tasks *tasks)
{
    int64_t slots = tasks->settings.slots, target = slots, units = in_hand(tasks);
    if (tasks->draining)
        return 0;
    if (tasks->average_us > 0)
        target = MIN(slots + slots * AHEAD_US / tasks->average_us, slots + WANT_MAX);
    // A process ends when it runs out of tasks, and may have been costly to start.
    if (tasks->is_streaming)
        target = MAX(target, slots + tasks->weight);
    // Not a few at a time: a slice costs a round trip however many tasks it has.
    if (units >= slots && units > target / 2)
        return 0;
    int64_t want = (target - units + tasks->weight - 1) / tasks->weight;
    return MIN(want, (int64_t)WANT_MAX);
}

size_t tasks_held(const struct tasks *tasks, int64_t *tokens, size_t capacity)
{
    size_t count = 0;
    for (const struct slice_run *slice = tasks->first; slice && count < capacity; slice = slice->next)
        tokens[count++] = slice->order->token;
    return count;
}

void tasks_hand_back(struct tasks *tasks)
{
    tasks->draining = true;
    for (struct slice_run *slice = tasks->first; slice; slice = slice->next)
        slice->closed = true;
    tasks_look_soon(tasks);
}

void tasks_abandon(struct tasks *tasks)
{
    task_exec_abandon(tasks);
    task_stream_abandon(tasks);
    free_slices(tasks);
    tasks_look_soon(tasks);
}

size_t tasks_running(const struct tasks *tasks)
{
    return task_exec_running(tasks) + task_stream_running(tasks);
}
