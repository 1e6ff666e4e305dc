// The jobs of a batch: locked in the order of their ids, read with all of their stages, written once, settled at the
// end.
#include "services/common/base/macros.h"
#include "services/common/model/states.h"
#include "services/common/store/hot_foreseen.h"
#include "services/common/store/settle.h"

#include <stdlib.h>

static int compare_ids(const void *left, const void *right)
{
    const int64_t *a = left, *b = right;
    return (*a > *b) - (*a < *b);
}

static size_t sort_unique(int64_t *ids, size_t count)
{
    if (count == 0)
        return 0;
    qsort(ids, count, sizeof *ids, compare_ids);
    size_t last = 0;
    for (size_t i = 1; i < count; i++)
        if (ids[i] != ids[last])
            ids[++last] = ids[i];
    return last + 1;
}

int hot_jobs_lock(struct batch *batch, struct err *err)
{
    int64_t *ids = batch->job_ids.items;
    batch->job_ids.count = batch->job_count = sort_unique(ids, batch->job_ids.count);
    if (batch->job_count == 0)
        return 0;
    struct params *params = batch_params(batch);
    params_i64_array(params, ids, batch->job_count);
    batch->at.jobs = batch_ask(batch, STATEMENT_HOT_LOCK_JOBS, err);
    return batch->at.jobs < 0 ? -1 : 0;
}

int hot_jobs_ask(struct batch *batch, struct err *err)
{
    if (hot_jobs_lock(batch, err) < 0)
        return -1;
    if (batch->job_count == 0)
        return 0;
    params_i64_array(batch_params(batch), batch->job_ids.items, batch->job_count);
    batch->at.stages = batch_ask(batch, STATEMENT_HOT_STAGES, err);
    return batch->at.stages < 0 ? -1 : 0;
}

enum job_column {
    JOB_ID,
    JOB_OUTCOME,
    JOB_PHASE,
    JOB_PAUSE,
    JOB_CLOSED,
    JOB_SERVICES,
    JOB_STARTED,
    JOB_LOG_BYTES,
    JOB_EVENT_COUNT,
};

static void read_job(struct result *rows, int row, struct batch_job *job)
{
    bool paused = result_bool(rows, row, JOB_PAUSE);
    job->found = true;
    job->outcome = (int)result_i64_or(rows, row, JOB_OUTCOME, OUTCOME_NONE);
    job->runs = result_i32(rows, row, JOB_PHASE) == PHASE_RELEASED && !paused && job->outcome == OUTCOME_NONE;
    job->closed = result_bool(rows, row, JOB_CLOSED);
    job->has_services = result_i32(rows, row, JOB_SERVICES) > 0;
    job->started = result_bool(rows, row, JOB_STARTED);
    job->log_bytes = result_i64(rows, row, JOB_LOG_BYTES);
    job->event_count = result_i32(rows, row, JOB_EVENT_COUNT);
}

enum stage_column {
    STAGE_JOB,
    STAGE_STAGE,
    STAGE_DEMAND,
    STAGE_PRIORITY,
    STAGE_FROM_STAGE,
    STAGE_FAIL_JOB,
    STAGE_RETRIES_MAX,
    STAGE_BACKOFF_MS,
    STAGE_BACKOFF_MAX_MS,
    STAGE_MAX_PARALLEL,
    STAGE_TOTAL,
    STAGE_OPEN,
    STAGE_RELEASED,
    STAGE_RANK,
    STAGE_NAME,
};

static void read_stage(struct result *rows, int row, struct batch_stage *stage)
{
    *stage = (struct batch_stage){
        .job = result_i64(rows, row, STAGE_JOB),
        .stage = (int16_t)result_i32(rows, row, STAGE_STAGE),
        .demand = result_i32(rows, row, STAGE_DEMAND),
        .priority = (int16_t)result_i32(rows, row, STAGE_PRIORITY),
        .from_stage = (int)result_i64_or(rows, row, STAGE_FROM_STAGE, -1),
        .fail_job = result_bool(rows, row, STAGE_FAIL_JOB),
        .policy = {.retries_max = result_i32(rows, row, STAGE_RETRIES_MAX),
                   .backoff_ms = result_i64(rows, row, STAGE_BACKOFF_MS),
                   .backoff_max_ms = result_i64(rows, row, STAGE_BACKOFF_MAX_MS)},
        .max_parallel = result_i32(rows, row, STAGE_MAX_PARALLEL),
        .total = result_i64(rows, row, STAGE_TOTAL),
        .open = result_i64(rows, row, STAGE_OPEN),
        .released = result_bool(rows, row, STAGE_RELEASED),
        .rank = result_i64(rows, row, STAGE_RANK),
        .name = result_text(rows, row, STAGE_NAME),
    };
}

// Rows come by job and stage, stages are numbered from 0 without gaps: a job's are one run of the rows.
static int read_stages(struct batch *batch, struct err *err)
{
    struct result *rows = pipeline_result(batch->pipeline, batch->at.stages);
    size_t count = (size_t)result_rows(rows);
    struct batch_stage *stages = arena_alloc_zero(batch->arena, count + 1, sizeof *stages);
    if (!stages)
        return batch_no_memory(err);
    size_t next = 0;
    for (size_t i = 0; i < count; i++)
        read_stage(rows, (int)i, &stages[i]);
    for (size_t i = 0; i < batch->job_count; i++) {
        struct batch_job *job = &batch->jobs[i];
        job->stages = &stages[next];
        while (next < count && stages[next].job == job->id)
            next++;
        job->stage_count = (size_t)(&stages[next] - job->stages);
    }
    return result_ok(rows, err);
}

int hot_jobs_read(struct batch *batch, struct err *err)
{
    if (batch->at.jobs < 0)
        return 0;
    struct result *rows = pipeline_result(batch->pipeline, batch->at.jobs);
    batch->jobs = arena_alloc_zero(batch->arena, batch->job_count, sizeof *batch->jobs);
    if (!batch->jobs)
        return batch_no_memory(err);
    int row = 0;
    for (size_t i = 0; i < batch->job_count; i++) {
        batch->jobs[i].id = batch->job_ids.items[i];
        if (row < result_rows(rows) && result_i64(rows, row, JOB_ID) == batch->jobs[i].id)
            read_job(rows, row++, &batch->jobs[i]);
    }
    return result_ok(rows, err) < 0 ? -1 : read_stages(batch, err);
}

// ---- writing

static bool will_settle(const struct batch_job *job)
{
    return job->settles && !job->closed;
}

// A start alone is written by whoever settles the job.
static int write_jobs(struct batch *batch, struct err *err)
{
    LIST(struct batch_job) changed = {0};
    for (size_t i = 0; i < batch->job_count; i++) {
        struct batch_job *job = &batch->jobs[i];
        if (!job->changed && (job->started_us == 0 || will_settle(job)))
            continue;
        struct batch_job *added = LIST_ADD(batch->arena, &changed);
        if (!added)
            return batch_no_memory(err);
        *added = *job;
    }
    if (changed.count == 0)
        return 0;
    struct params *params = batch_params(batch);
    PARAM_I64_FIELD(params, &changed, id);
    PARAM_I64_FIELD(params, &changed, log_bytes);
    PARAM_I32_FIELD(params, &changed, event_count);
    PARAM_I64_FIELD(params, &changed, started_us);
    return batch_ask(batch, STATEMENT_HOT_JOBS_UPDATE, err) < 0 ? -1 : 0;
}

void hot_events_params(const struct batch *batch, struct params *params)
{
    PARAM_I64_FIELD(params, &batch->events, job);
    PARAM_I32_FIELD(params, &batch->events, seq);
    PARAM_TEXT_FIELD(params, &batch->events, kind);
    PARAM_TEXT_FIELD(params, &batch->events, data);
}

static int write_events(struct batch *batch, struct err *err)
{
    if (batch->events.count == 0)
        return 0;
    hot_events_params(batch, batch_params(batch));
    return batch_ask(batch, STATEMENT_EVENT_INSERT, err) < 0 ? -1 : 0;
}

static int write_stages(struct batch *batch, struct err *err)
{
    LIST(struct batch_stage) changed = {0};
    for (size_t i = 0; i < batch->job_count; i++)
        for (size_t n = 0; n < batch->jobs[i].stage_count; n++) {
            if (!batch->jobs[i].stages[n].changed)
                continue;
            struct batch_stage *stage = LIST_ADD(batch->arena, &changed);
            if (!stage)
                return batch_no_memory(err);
            *stage = batch->jobs[i].stages[n];
        }
    if (changed.count == 0)
        return 0;
    struct params *params = batch_params(batch);
    PARAM_I64_FIELD(params, &changed, job);
    PARAM_I16_FIELD(params, &changed, stage);
    PARAM_I64_FIELD(params, &changed, added);
    PARAM_I64_FIELD(params, &changed, succeeded);
    PARAM_I64_FIELD(params, &changed, failed);
    PARAM_I64_FIELD(params, &changed, cancelled);
    PARAM_I64_FIELD(params, &changed, rank_after);
    return batch_ask(batch, STATEMENT_HOT_STAGES_UPDATE, err) < 0 ? -1 : 0;
}

int hot_jobs_write(struct batch *batch, struct err *err)
{
    if (write_stages(batch, err) < 0 || write_events(batch, err) < 0)
        return -1;
    return write_jobs(batch, err);
}

// Since when the tasks of these jobs have been running, where this batch has found out.
static int64_t *starts_of(struct batch *batch, size_t count)
{
    int64_t *started_us = arena_alloc_zero(batch->arena, count + 1, sizeof *started_us);
    for (size_t i = 0; started_us && i < count; i++) {
        const struct batch_job *job = batch_job(batch, batch->settles.items[i]);
        started_us[i] = job ? job->started_us : 0;
    }
    return started_us;
}

int hot_jobs_settle(struct batch *batch, struct err *err)
{
    for (size_t i = 0; i < batch->job_count; i++) {
        const struct batch_job *job = &batch->jobs[i];
        if (!will_settle(job))
            continue;
        int64_t *id = LIST_ADD(batch->arena, &batch->settles);
        if (!id)
            return batch_no_memory(err);
        *id = job->id;
    }
    size_t count = sort_unique(batch->settles.items, batch->settles.count);
    if (count == 0)
        return 0;
    const int64_t *started_us = starts_of(batch, count);
    if (!started_us)
        return batch_no_memory(err);
    int withdrawn = settle_jobs_started(batch->hot->db, batch->settles.items, started_us, count, batch->wakes, err);
    if (withdrawn > 0) { // what a routine has found before is looked for anew
        batch->at.candidates = -1;
        batch->queues.count = 0;
    }
    return withdrawn < 0 ? -1 : 0;
}
