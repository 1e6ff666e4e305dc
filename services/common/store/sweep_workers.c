// Workers that do not renew their lease become suspect, then lost; what they had is taken back, one worker per
// transaction.
#include "services/common/store/sweep.h"
#include "services/common/store/workers.h"

static int suspect(const struct sweep *sweep, void *argument, struct wakes *wakes, struct err *err)
{
    UNUSED(argument);
    UNUSED(wakes);
    AUTO_PARAMS struct params params = PARAMS_INIT;
    AUTO_FREE int64_t *workers = NULL;
    params_i64(&params, sweep->limit);
    return sweep_ids(sweep, STATEMENT_SWEEP_SUSPECT, &params, &workers, err);
}

// 1 when the worker is lost now; 0 when it has renewed its lease meanwhile.
static int lose(const struct sweep *sweep, void *argument, struct wakes *wakes, struct err *err)
{
    const struct sweep_one *overdue = argument;
    AUTO_PARAMS struct params params = PARAMS_INIT;
    AUTO_RESULT struct result row = RESULT_INIT;
    params_i64(&params, overdue->id);
    params_i64(&params, overdue->skew_ms);
    if (db_query(sweep->db, STATEMENT_SWEEP_LOSE_WORKER, &params, RESULT_BINARY, &row, err) < 0)
        return -1;
    if (result_rows(&row) == 0)
        return 0;
    const struct worker_loss loss = {
        .worker = overdue->id,
        .before = result_i32(&row, 0, 0) + 1,
        .absence = ABSENCE_PRESUMED,
        .engine = result_text_or_null(&row, 0, 1),
        .why = "its worker was lost",
    };
    if (result_ok(&row, err) < 0)
        return -1;
    int taken = workers_take_back(sweep->db, &loss, wakes, err);
    return taken < 0 ? -1 : 1;
}

int sweep_workers(const struct sweep *sweep, int64_t skew_ms, struct err *err)
{
    AUTO_PARAMS struct params params = PARAMS_INIT;
    AUTO_FREE int64_t *workers = NULL;
    params_i64(&params, skew_ms);
    params_i64(&params, sweep->limit);
    int suspects = sweep_run(sweep, suspect, NULL, err);
    int count = suspects < 0 ? -1 : sweep_ids(sweep, STATEMENT_SWEEP_OVERDUE_WORKERS, &params, &workers, err);
    int lost = count < 0 ? -1 : sweep_each(sweep, lose, "worker", workers, count, skew_ms, err);
    return lost < 0 ? -1 : MAX(lost, suspects);
}
