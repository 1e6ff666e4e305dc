// Releases and closes stages, and cancels, holds and releases slices as the plans say.
#include "services/common/db/db.h"
#include "services/common/model/states.h"
#include "services/common/store/embedded.h"
#include "services/common/store/settle_batch.h"

typedef bool (*entry_test)(const struct settle_entry *entry);

static bool cancels(const struct settle_entry *entry)
{
    return entry->plan.cancel_tasks;
}

static bool holds(const struct settle_entry *entry)
{
    return !entry->plan.cancel_tasks && entry->plan.phase == PHASE_WAITING && entry->view.phase == PHASE_RELEASED;
}

static size_t collect_jobs(const struct settle_batch *batch, entry_test test, int64_t *jobs)
{
    size_t count = 0;
    for (size_t i = 0; i < batch->count; i++)
        if (test(&batch->entries[i]))
            jobs[count++] = batch->entries[i].job;
    return count;
}

// Runs `change` on the jobs, then on those that `left` still finds. A claim of a ready slice takes no lock of the job:
// one that was under way while `change` looked leaves rows that it did not see. No new ones can come, so that this
// ends.
static int change_until_none_left(struct settle_batch *batch, enum statement change, enum statement left, int64_t *jobs,
                                  size_t count, struct err *err)
{
    while (count > 0) {
        AUTO_PARAMS struct params ids = PARAMS_INIT;
        AUTO_RESULT struct result workers = RESULT_INIT;
        AUTO_RESULT struct result rows = RESULT_INIT;
        params_i64_array(&ids, jobs, count);
        if (db_query(batch->db, change, &ids, RESULT_BINARY, &workers, err) < 0)
            return -1;
        for (int row = 0; row < result_rows(&workers); row++)
            wakes_add(batch->wakes, WAKE_WORKER, result_i64(&workers, row, 0), 0);
        if (db_query(batch->db, left, &ids, RESULT_BINARY, &rows, err) < 0)
            return -1;
        count = (size_t)result_rows(&rows);
        for (size_t i = 0; i < count; i++)
            jobs[i] = result_i64(&rows, (int)i, 0);
        if (result_ok(&workers, err) < 0 || result_ok(&rows, err) < 0)
            return -1;
    }
    return 0;
}

// A stage whose held slices may become ready now.
static bool releases(const struct settle_entry *entry, size_t stage)
{
    if (entry->plan.outcome != OUTCOME_NONE || entry->plan.phase != PHASE_RELEASED)
        return false;
    bool newly = (entry->plan.release_stages >> stage & 1) != 0;
    bool released = entry->view.stages[stage].released || newly;
    return released && (newly || entry->view.phase != PHASE_RELEASED || entry->windows[stage]);
}

static size_t add_released(const struct settle_batch *batch, struct params *params, bool stages)
{
    size_t count = 0;
    params_array_begin(params, stages ? PARAM_I16 : PARAM_I64);
    for (size_t i = 0; i < batch->count; i++) {
        const struct settle_entry *entry = &batch->entries[i];
        for (size_t stage = 0; stage < entry->view.stage_count; stage++) {
            if (!releases(entry, stage))
                continue;
            if (stages)
                params_add_i16(params, (int16_t)stage);
            else
                params_add_i64(params, entry->job);
            count++;
        }
    }
    params_array_end(params);
    return count;
}

static int release_slices(struct settle_batch *batch, struct err *err)
{
    AUTO_PARAMS struct params params = PARAMS_INIT;
    AUTO_RESULT struct result demands = RESULT_INIT;
    if (add_released(batch, &params, false) == 0)
        return 0;
    add_released(batch, &params, true);
    if (db_query(batch->db, STATEMENT_SETTLE_RELEASE, &params, RESULT_BINARY, &demands, err) < 0)
        return -1;
    for (int row = 0; row < result_rows(&demands); row++)
        wakes_add(batch->wakes, WAKE_DEMAND, result_i64(&demands, row, 0), result_i64(&demands, row, 1));
    return result_ok(&demands, err);
}

static int apply_stages(struct settle_batch *batch, struct err *err)
{
    size_t most = batch->count * SETTLE_MAX;
    int64_t *jobs = arena_alloc(batch->arena, most * sizeof *jobs);
    int16_t *stages = arena_alloc(batch->arena, most * sizeof *stages);
    bool *releases = arena_alloc(batch->arena, most * sizeof *releases);
    bool *closes = arena_alloc(batch->arena, most * sizeof *closes);
    if (!jobs || !stages || !releases || !closes)
        return err_set(err, ERR_NO_MEMORY, "settling %zu jobs", batch->count);
    size_t count = 0;
    for (size_t i = 0; i < batch->count; i++) {
        const struct settle_entry *entry = &batch->entries[i];
        uint64_t changed = entry->plan.release_stages | entry->plan.close_stages;
        for (int stage = 0; stage < SETTLE_MAX; stage++) {
            if (!(changed >> stage & 1))
                continue;
            jobs[count] = entry->job;
            stages[count] = (int16_t)stage;
            releases[count] = (entry->plan.release_stages >> stage & 1) != 0;
            closes[count++] = (entry->plan.close_stages >> stage & 1) != 0;
        }
    }
    AUTO_PARAMS struct params params = PARAMS_INIT;
    params_i64_array(&params, jobs, count);
    params_i16_array(&params, stages, count);
    params_bool_array(&params, releases, count);
    params_bool_array(&params, closes, count);
    return count == 0 ? 0 : db_execute(batch->db, STATEMENT_SETTLE_STAGES, &params, NULL, err);
}

static int apply_slices(struct settle_batch *batch, struct err *err)
{
    int64_t *jobs = arena_alloc(batch->arena, (batch->count + 1) * sizeof *jobs);
    if (!jobs)
        return err_set(err, ERR_NO_MEMORY, "settling %zu jobs", batch->count);
    size_t count = collect_jobs(batch, cancels, jobs);
    batch->withdraws = count > 0;
    if (change_until_none_left(batch, STATEMENT_SETTLE_CANCEL, STATEMENT_SETTLE_CANCEL_LEFT, jobs, count, err) < 0)
        return -1;
    count = collect_jobs(batch, holds, jobs);
    batch->withdraws |= count > 0;
    if (change_until_none_left(batch, STATEMENT_SETTLE_HOLD, STATEMENT_SETTLE_HOLD_LEFT, jobs, count, err) < 0)
        return -1;
    return release_slices(batch, err);
}

int settle_apply_stages(struct settle_batch *batch, struct err *err)
{
    return apply_stages(batch, err) < 0 ? -1 : apply_slices(batch, err);
}
