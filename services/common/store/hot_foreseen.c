// Reports of nothing but successes, of leases that the lane remembers, with the polls that come with them. The reports
// are a transaction by themselves, of one statement behind the lock of their jobs, which is committed without a round
// trip and without waiting for the disk: whoever else works on these jobs waits for nothing but that. In the same round
// trip another transaction begins, which finds what is given out; its commit waits for the disk, for both.
//
// What is taken for granted the statement looks at itself. What turns out otherwise is done step by step, and so is
// everything of which more follows than counters.
#include "services/common/store/hot_foreseen.h"

#include <stdlib.h>

#define STEPS 8      // batches that are done step by step after one that was not foreseen
#define END_FACTOR 4 // of what a batch ends of a stage: while less is open it may be the end

// ---- how far stages are, as a hint

struct progress {
    int64_t open;
    bool plain; // nothing but its end is settled
};

static void remember(struct hot *hot, int64_t job, int16_t stage, int64_t open, int max_parallel)
{
    struct hot_key key = {job, stage, 0};
    struct progress *progress = hot_cache_find(&hot->progress, key, NULL, NULL);
    if (!progress) {
        progress = calloc(1, sizeof *progress);
        hot_cache_put(&hot->progress, key, progress, sizeof *progress);
        progress = hot_cache_find(&hot->progress, key, NULL, NULL);
    }
    if (progress)
        *progress = (struct progress){.open = open, .plain = max_parallel == 0};
}

enum succeeded_column { SUCCEEDED_SO, SUCCEEDED_JOB, SUCCEEDED_STAGE, SUCCEEDED_OPEN };

void hot_progress_finish(struct batch *batch)
{
    struct result *rows = batch->at.succeeded < 0 ? NULL : pipeline_result(batch->pipeline, batch->at.succeeded);
    for (int row = 0; rows && row < result_rows(rows); row++)
        remember(batch->hot, result_i64(rows, row, SUCCEEDED_JOB), (int16_t)result_i32(rows, row, SUCCEEDED_STAGE),
                 result_i64(rows, row, SUCCEEDED_OPEN), 0);
    for (size_t i = 0; i < batch->job_count; i++)
        for (size_t n = 0; batch->jobs && n < batch->jobs[i].stage_count; n++) {
            const struct batch_stage *stage = &batch->jobs[i].stages[n];
            if (stage->changed)
                remember(batch->hot, stage->job, stage->stage, hot_stage_open(stage), stage->max_parallel);
        }
}

static bool goes_on(struct hot *hot, const struct asked_range *range)
{
    const struct progress *progress =
        hot_cache_find(&hot->progress, (struct hot_key){range->job, range->stage, 0}, NULL, NULL);
    return progress && progress->plain && progress->open > END_FACTOR * range->tasks;
}

// ---- what can be foreseen

static bool is_plain(const struct work_operation *operation)
{
    if (!operation->polls || operation->says_held || operation->observation_count > 0 || operation->log_count > 0)
        return false;
    for (size_t i = 0; i < operation->result_count; i++)
        if (!operation->results[i].all_succeeded || operation->results[i].output_count > 0)
            return false;
    return true;
}

static bool are_plain(const struct batch *batch)
{
    for (size_t i = 0; i < batch->work_count; i++)
        if (!is_plain(batch->works[i].operation))
            return false;
    return batch->submit_count == 0 && batch->hot->settings.trace_tasks == 0;
}

// No lease is reported twice, and the stages are not at their end.
static bool ranges_are_plain(const struct batch *batch)
{
    int64_t tasks = 0;
    for (size_t i = 0; i < batch->leases.count; i++)
        tasks += batch->leases.items[i].known.count;
    for (size_t i = 0; i < batch->ranges_asked.count; i++) {
        const struct asked_range *range = &batch->ranges_asked.items[i];
        tasks -= range->to - range->from;
        if (!goes_on(batch->hot, range))
            return false;
    }
    return tasks == 0;
}

int hot_foreseen_may(struct batch *batch, struct err *err)
{
    if (!are_plain(batch) || !hot_workers_rest(batch))
        return 0;
    if (batch->hot->steps_left > 0) {
        batch->hot->steps_left--;
        return 0;
    }
    if (hot_report_collect(batch, err) < 0)
        return -1;
    if (hot_report_recall(batch)) {
        if (hot_ranges_foresee(batch, err) < 0)
            return -1;
        batch->foreseen = ranges_are_plain(batch);
    }
    if (!batch->foreseen)
        batch->leases.count = batch->job_ids.count = batch->ranges_asked.count = 0;
    return batch->foreseen;
}

// ---- writing

static int add_leases(struct batch *batch, struct err *err)
{
    for (size_t i = 0; i < batch->leases.count; i++) {
        const struct slice_row old = hot_lease_slice(&batch->leases.items[i]);
        if (batch_old_slice(batch, &old, err) < 0)
            return -1;
    }
    return 0;
}

static int ask_succeed(struct batch *batch, struct err *err)
{
    if (add_leases(batch, err) < 0)
        return -1;
    struct params *params = batch_params(batch);
    PARAM_I64_FIELD(params, &batch->ranges_asked, job);
    PARAM_I16_FIELD(params, &batch->ranges_asked, stage);
    PARAM_I64_FIELD(params, &batch->ranges_asked, from);
    PARAM_I64_FIELD(params, &batch->ranges_asked, to);
    PARAM_I32_FIELD(params, &batch->ranges_asked, attempt);
    PARAM_I64_FIELD(params, &batch->ranges_asked, tasks);
    if (hot_slices_leased(batch, params, err) < 0)
        return -1;
    batch->at.succeeded = batch_ask(batch, STATEMENT_HOT_SUCCEED, err);
    return batch->at.succeeded < 0 ? -1 : 0;
}

static int write_reports(struct batch *batch, struct err *err)
{
    if (batch->leases.count == 0)
        return 0;
    if (hot_jobs_lock(batch, err) < 0 || ask_succeed(batch, err) < 0)
        return -1;
    batch->at.passed = pipeline_pass(batch->pipeline, err);
    return batch->at.passed < 0 ? -1 : 0;
}

// Who may be given tasks is known together with the candidates.
static int ask_candidates(struct batch *batch, struct err *err)
{
    for (size_t i = 0; i < batch->worker_count; i++)
        batch->workers[i].current = true;
    if (hot_workers_ask(batch, err) < 0 || hot_place_ask(batch, err) < 0)
        return -1;
    return hot_claim_ask(batch, err);
}

// ---- what it has come to

static int not_so(struct batch *batch, const char *what, struct err *err)
{
    batch->unforeseen = true;
    batch->hot->steps_left = STEPS;
    return err_set(err, ERR_INTERNAL, "not foreseen: %s", what);
}

// Whatever has failed since.
static bool note_recorded(struct batch *batch)
{
    if (!pipeline_has(batch->pipeline, batch->at.passed))
        return false;
    bool so = result_bool(pipeline_result(batch->pipeline, batch->at.succeeded), 0, SUCCEEDED_SO);
    for (size_t i = 0; i < batch->work_count; i++)
        batch->works[i].operation->recorded = so ? batch->hot->generation : 0;
    if (so)
        hot_leases_forget(batch);
    return so;
}

static int look_at_workers(struct batch *batch, struct err *err)
{
    int resting = hot_workers_read_resting(batch, err);
    if (resting < 0 || hot_place_read(batch, err) < 0)
        return -1;
    return resting && batch->pending.count == 0 ? 0 : not_so(batch, "what a worker is to do", err);
}

int hot_foreseen(struct batch *batch, struct err *err)
{
    bool asked = write_reports(batch, err) == 0 && ask_candidates(batch, err) == 0;
    int outcome = asked ? batch_collect(batch, err) : -1;
    bool recorded = note_recorded(batch);
    if (outcome < 0)
        return -1;
    if (batch->leases.count > 0 && !recorded)
        return not_so(batch, "what reports lead to", err);
    return look_at_workers(batch, err);
}

static bool is_recorded(const struct batch *batch)
{
    for (size_t i = 0; i < batch->work_count; i++)
        if (batch->works[i].operation->recorded)
            return true;
    return false;
}

int hot_foreseen_flush(struct batch *batch, struct err *err)
{
    if (batch->grants.count > 0 || !is_recorded(batch))
        return 0;
    batch_params(batch);
    return batch_ask(batch, STATEMENT_HOT_FLUSH, err) < 0 ? -1 : 0;
}
