// What former incarnations and lost workers still have is taken back; what is leased of ended jobs is asked to end.
// Both are second looks: registering, losing a worker and settling do it in the first place.
#include "services/common/store/sweep.h"
#include "services/common/store/workers.h"

static int take_stale(const struct sweep *sweep, void *argument, struct wakes *wakes, struct err *err)
{
    const struct sweep_one *stale = argument;
    AUTO_PARAMS struct params params = PARAMS_INIT;
    AUTO_RESULT struct result row = RESULT_INIT;
    params_i64(&params, stale->id);
    params_i64(&params, stale->skew_ms);
    if (db_query(sweep->db, STATEMENT_SWEEP_LOCK_WORKER, &params, RESULT_BINARY, &row, err) < 0)
        return -1;
    if (result_rows(&row) == 0)
        return 0;
    int incarnation = result_i32(&row, 0, 0);
    bool lost = result_bool(&row, 0, 1), fenced = result_bool(&row, 0, 2);
    if (result_ok(&row, err) < 0)
        return -1;
    const struct worker_loss loss = {
        .worker = stale->id,
        .before = lost ? incarnation + 1 : incarnation,
        .absence = lost || fenced ? ABSENCE_PRESUMED : ABSENCE_UNKNOWN,
        .engine = result_text_or_null(&row, 0, 3),
        .why = "its worker was replaced",
    };
    int taken = workers_take_back(sweep->db, &loss, wakes, err);
    return taken < 0 ? -1 : taken > 0;
}

static int flag(const struct sweep *sweep, void *argument, struct wakes *wakes, struct err *err)
{
    UNUSED(argument);
    AUTO_PARAMS struct params limit = PARAMS_INIT;
    AUTO_PARAMS struct params ids = PARAMS_INIT;
    AUTO_FREE int64_t *jobs = NULL;
    AUTO_FREE int64_t *workers = NULL;
    params_i64(&limit, sweep->limit);
    int count = sweep_ids(sweep, STATEMENT_SWEEP_UNFLAGGED_JOBS, &limit, &jobs, err);
    if (count > 0)
        count = job_lock_all(sweep->db, jobs, (size_t)count, err);
    if (count <= 0)
        return count;
    params_i64_array(&ids, jobs, (size_t)count);
    int flagged = sweep_ids(sweep, STATEMENT_SWEEP_FLAG, &ids, &workers, err);
    for (int i = 0; i < flagged; i++)
        wakes_add(wakes, WAKE_WORKER, workers[i], 0);
    return flagged < 0 ? -1 : count;
}

int sweep_leases(const struct sweep *sweep, int64_t skew_ms, struct err *err)
{
    AUTO_PARAMS struct params params = PARAMS_INIT;
    AUTO_FREE int64_t *workers = NULL;
    params_i64(&params, skew_ms);
    params_i64(&params, sweep->limit);
    int flagged = sweep_run(sweep, flag, NULL, err);
    int count = flagged < 0 ? -1 : sweep_ids(sweep, STATEMENT_SWEEP_STALE_WORKERS, &params, &workers, err);
    int taken = count < 0 ? -1 : sweep_each(sweep, take_stale, "worker", workers, count, skew_ms, err);
    return taken < 0 ? -1 : MAX(taken, flagged);
}
