#include "services/worker/slice_run.h"

#include "services/common/base/arena.h"

#include <stdlib.h>
#include <string.h>

#define ARENA_BYTES 1024
#define OUTPUT_FRAME_BYTES 40 // {"task":N,"output":...},

enum task_state { WAITING, ACTIVE, SUCCEEDED, FAILED, DROPPED };

static void cleanup_run(struct slice_run **run)
{
    slice_run_free(*run);
}

int slice_run_new(struct slice_order *order, struct slice_run **out, struct err *err)
{
    CLEANUP(cleanup_run) struct slice_run *run = calloc(1, sizeof *run);
    if (!run) {
        slice_order_free(order);
        return err_set(err, ERR_NO_MEMORY, "no memory for a slice");
    }
    run->order = order;
    run->states = calloc((size_t)order->count + 1, 1);
    run->arena = arena_new(ARENA_BYTES);
    if (!run->states || !run->arena)
        return err_set(err, ERR_NO_MEMORY, "no memory for a slice");
    *out = TAKE_PTR(run);
    return 0;
}

void slice_run_free(struct slice_run *run)
{
    if (!run)
        return;
    environment_free(run->environment);
    slice_order_free(run->order);
    arena_free(run->arena);
    free(run->stream_key);
    free(run->states);
    free(run);
}

bool slice_run_has_more(const struct slice_run *run)
{
    return slice_run_waiting(run) > 0;
}

int64_t slice_run_waiting(const struct slice_run *run)
{
    return run->closed ? 0 : run->order->count - run->taken;
}

int64_t slice_run_take(struct slice_run *run)
{
    run->states[run->taken] = ACTIVE;
    run->active++;
    return run->order->first + run->taken++;
}

const char *slice_run_item(const struct slice_run *run, int64_t task)
{
    const char *item = run->order->items ? run->order->items[task - run->order->first] : NULL;
    return item ? item : "null";
}

static void end_task(struct slice_run *run, int64_t task, enum task_state state)
{
    run->states[task - run->order->first] = (unsigned char)state;
    run->active--;
}

static bool add_output(struct slice_run *run, int64_t task, const char *json)
{
    size_t length = strlen(json);
    struct slice_output *grown =
        arena_grow(run->arena, run->outputs, run->output_count, &run->output_capacity, sizeof *grown);
    const char *copy = arena_copy(run->arena, json, length);
    if (grown)
        run->outputs = grown;
    if (!grown || !copy)
        return false;
    run->outputs[run->output_count++] = (struct slice_output){.task = task, .json = copy};
    return true;
}

// Bytes of a report.
static int64_t bytes_of(const char *const *outputs, size_t count)
{
    int64_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += (int64_t)strlen(outputs[i]) + OUTPUT_FRAME_BYTES;
    return bytes;
}

void slice_run_succeed(struct slice_run *run, int64_t task, const char *const *outputs, size_t count)
{
    size_t before = run->output_count;
    int64_t bytes = bytes_of(outputs, count);
    // A report has to fit into a request. Others were under way when the slice was closed.
    if (before > 0 && run->output_bytes + bytes > SLICE_REPORT_BYTES_MAX) {
        end_task(run, task, DROPPED);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (!add_output(run, task, outputs[i])) {
            run->output_count = before;
            end_task(run, task, DROPPED);
            return;
        }
    }
    run->output_bytes += bytes;
    run->closed |= run->output_bytes > SLICE_OUTPUT_BYTES_MAX;
    end_task(run, task, SUCCEEDED);
}

void slice_run_fail(struct slice_run *run, int64_t task, int exit, enum slice_retry retry, const char *error)
{
    struct slice_failed_task *grown =
        arena_grow(run->arena, run->failed, run->failed_count, &run->failed_capacity, sizeof *grown);
    const char *copy = arena_copy(run->arena, error, strlen(error));
    bool kept = grown && copy;
    if (grown)
        run->failed = grown;
    if (kept) {
        run->failed[run->failed_count++] =
            (struct slice_failed_task){.task = task, .error = copy, .exit = exit, .retry = retry};
    }
    end_task(run, task, kept ? FAILED : DROPPED);
}

void slice_run_drop(struct slice_run *run, int64_t task)
{
    end_task(run, task, DROPPED);
}

bool slice_run_is_done(const struct slice_run *run)
{
    return run->active == 0 && !slice_run_has_more(run);
}

// Stable: outputs of one task stay in their order. Tasks end nearly in order, so that there is little to move.
static void sort_outputs(struct slice_output *outputs, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct slice_output moving = outputs[i];
        size_t at = i;
        for (; at > 0 && outputs[at - 1].task > moving.task; at--)
            outputs[at] = outputs[at - 1];
        outputs[at] = moving;
    }
}

static void sort_failed(struct slice_failed_task *failed, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct slice_failed_task moving = failed[i];
        size_t at = i;
        for (; at > 0 && failed[at - 1].task > moving.task; at--)
            failed[at] = failed[at - 1];
        failed[at] = moving;
    }
}

// Calls with `out` NULL count only.
static size_t succeeded_ranges(const struct slice_run *run, struct slice_range *out)
{
    size_t count = 0;
    for (int64_t i = 0; i < run->taken; i++) {
        if (run->states[i] != SUCCEEDED)
            continue;
        bool extends = i > 0 && run->states[i - 1] == SUCCEEDED;
        int64_t task = run->order->first + i;
        if (out && extends)
            out[count - 1].to = task + 1;
        else if (out)
            out[count] = (struct slice_range){.from = task, .to = task + 1};
        count += !extends;
    }
    return count;
}

int slice_run_outcome(struct slice_run *run, struct slice_outcome *out, struct err *err)
{
    size_t ranges = succeeded_ranges(run, NULL);
    run->succeeded = arena_alloc_zero(run->arena, ranges + 1, sizeof *run->succeeded);
    if (!run->succeeded)
        return err_set(err, ERR_NO_MEMORY, "no memory for the outcome of a slice");
    succeeded_ranges(run, run->succeeded);
    sort_outputs(run->outputs, run->output_count);
    sort_failed(run->failed, run->failed_count);
    *out = (struct slice_outcome){
        .slice = run->order->slice,
        .token = run->order->token,
        .succeeded = run->succeeded,
        .succeeded_count = ranges,
        .failed = run->failed,
        .failed_count = run->failed_count,
        .outputs = run->outputs,
        .output_count = run->output_count,
    };
    return 0;
}
