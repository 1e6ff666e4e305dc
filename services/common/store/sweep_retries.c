// Delayed slices that are due become ready, and waiting instances find a worker.
#include "services/common/store/sweep.h"

static int promote(const struct sweep *sweep, const int64_t *jobs, size_t count, struct wakes *wakes, struct err *err)
{
    AUTO_PARAMS struct params params = PARAMS_INIT;
    AUTO_RESULT struct result demands = RESULT_INIT;
    params_i64_array(&params, jobs, count);
    params_i64(&params, sweep->limit);
    if (db_query(sweep->db, STATEMENT_SWEEP_PROMOTE, &params, RESULT_BINARY, &demands, err) < 0)
        return -1;
    int64_t slices = 0;
    for (int row = 0; row < result_rows(&demands); row++) {
        slices += result_i64(&demands, row, 2);
        if (result_i32(&demands, row, 0) != 0)
            wakes_add(wakes, WAKE_DEMAND, result_i32(&demands, row, 0), result_i64(&demands, row, 1));
    }
    return result_ok(&demands, err) < 0 ? -1 : (int)slices;
}

static int wake_for_instances(const struct sweep *sweep, struct wakes *wakes, struct err *err)
{
    AUTO_PARAMS struct params params = PARAMS_INIT;
    AUTO_RESULT struct result demands = RESULT_INIT;
    params_i64(&params, sweep->limit);
    if (db_query(sweep->db, STATEMENT_SWEEP_WAITING_DEMANDS, &params, RESULT_BINARY, &demands, err) < 0)
        return -1;
    for (int row = 0; row < result_rows(&demands); row++)
        wakes_add(wakes, WAKE_DEMAND, result_i32(&demands, row, 0), result_i64(&demands, row, 1));
    return result_ok(&demands, err);
}

static int retry_due(const struct sweep *sweep, void *argument, struct wakes *wakes, struct err *err)
{
    UNUSED(argument);
    AUTO_PARAMS struct params params = PARAMS_INIT;
    AUTO_FREE int64_t *jobs = NULL;
    params_i64(&params, sweep->limit);
    if (wake_for_instances(sweep, wakes, err) < 0)
        return -1;
    int count = sweep_ids(sweep, STATEMENT_SWEEP_DUE_JOBS, &params, &jobs, err);
    if (count > 0)
        count = job_lock_all(sweep->db, jobs, (size_t)count, err);
    return count <= 0 ? count : promote(sweep, jobs, (size_t)count, wakes, err);
}

int sweep_retries(const struct sweep *sweep, struct err *err)
{
    return sweep_run(sweep, retry_due, NULL, err);
}
