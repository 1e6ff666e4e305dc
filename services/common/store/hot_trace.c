#include "services/common/store/hot_trace.h"

#include "services/common/model/states.h"

struct run_row {
    int64_t job, token;
    int16_t stage;
    int64_t first, count;
    int32_t attempt;
    int64_t worker, succeeded, failed, leased_us;
};

// At most `watched` tasks of a stage are watched, evenly over all of it: so many rows there are at most, but for
// further attempts, and what they show is as good at the end of a stage as at its beginning.
static bool is_watched(const struct batch_lease *lease, int64_t watched)
{
    int64_t step = (lease->stage->total + watched - 1) / watched;
    return (lease->known.first + step - 1) / step * step < lease->known.first + lease->known.count;
}

static void fill(const struct batch_lease *lease, struct run_row *row)
{
    *row = (struct run_row){
        .job = lease->job->id,
        .token = lease->token,
        .stage = lease->stage->stage,
        .first = lease->known.first,
        .count = lease->known.count,
        .attempt = lease->known.attempt,
        .worker = lease->work->operation->worker,
        .leased_us = lease->known.leased_us,
    };
    for (size_t i = 0; i < lease->part_count; i++) {
        const struct slice_part *part = &lease->parts[i];
        int64_t count = part->range.to - part->range.from;
        row->succeeded += part->state == SLICE_SUCCEEDED ? count : 0;
        row->failed += part->position >= 0 ? count : 0;
    }
}

int hot_trace_write(struct batch *batch, struct err *err)
{
    LIST(struct run_row) rows = {0};
    int64_t watched = batch->hot->settings.trace_tasks;
    for (size_t i = 0; watched > 0 && i < batch->leases.count; i++) {
        const struct batch_lease *lease = &batch->leases.items[i];
        if (!lease->found || !lease->result || !is_watched(lease, watched))
            continue;
        struct run_row *row = LIST_ADD(batch->arena, &rows);
        if (!row)
            return batch_no_memory(err);
        fill(lease, row);
    }
    if (rows.count == 0)
        return 0;
    struct params *params = batch_params(batch);
    PARAM_I64_FIELD(params, &rows, job);
    PARAM_I64_FIELD(params, &rows, token);
    PARAM_I16_FIELD(params, &rows, stage);
    PARAM_I64_FIELD(params, &rows, first);
    PARAM_I64_FIELD(params, &rows, count);
    PARAM_I32_FIELD(params, &rows, attempt);
    PARAM_I64_FIELD(params, &rows, worker);
    PARAM_I64_FIELD(params, &rows, succeeded);
    PARAM_I64_FIELD(params, &rows, failed);
    PARAM_I64_FIELD(params, &rows, leased_us);
    return batch_ask(batch, STATEMENT_HOT_TASK_RUNS, err) < 0 ? -1 : 0;
}
