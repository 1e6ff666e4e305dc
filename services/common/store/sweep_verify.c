// Asks workers again that owe an answer about an instance: their poll tells them which.
#include "services/common/store/sweep.h"

int sweep_verify(const struct sweep *sweep, int64_t patience_ms, struct err *err)
{
    AUTO_PARAMS struct params params = PARAMS_INIT;
    AUTO_FREE int64_t *workers = NULL;
    params_i64(&params, patience_ms);
    params_i64(&params, sweep->limit);
    int count = sweep_ids(sweep, STATEMENT_SWEEP_SILENT_WORKERS, &params, &workers, err);
    for (int i = 0; i < count; i++)
        wakes_add(sweep->wakes, WAKE_WORKER, workers[i], 0);
    return count;
}
