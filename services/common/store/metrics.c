#include "services/common/store/metrics.h"

#include "services/common/db/db.h"
#include "services/common/store/embedded.h"

static int read_workers_by_state(struct db *db, struct store_metrics *out, struct err *err)
{
    AUTO_RESULT struct result rows = RESULT_INIT;
    if (db_query(db, STATEMENT_METRICS_WORKERS, NULL, RESULT_BINARY, &rows, err) < 0)
        return -1;
    for (int row = 0; row < result_rows(&rows); row++) {
        int state = result_i32(&rows, row, 0);
        if (state >= 0 && state < WORKER_STATE_COUNT)
            out->workers[state] = result_i64(&rows, row, 1);
    }
    return result_ok(&rows, err);
}

int metrics_read(struct db *db, struct store_metrics *out, struct err *err)
{
    AUTO_RESULT struct result row = RESULT_INIT;
    if (db_query(db, STATEMENT_METRICS, NULL, RESULT_BINARY, &row, err) < 0)
        return -1;
    *out = (struct store_metrics){
        .queue_oldest_ready_seconds = result_double(&row, 0, 0),
        .ready_slices = result_i64(&row, 0, 1),
        .leased_slices = result_i64(&row, 0, 2),
        .delayed_slices = result_i64(&row, 0, 3),
        .jobs_open = result_i64(&row, 0, 4),
        .jobs_paused = result_i64(&row, 0, 5),
        .jobs_waiting = result_i64(&row, 0, 6),
        .jobs_cleaning = result_i64(&row, 0, 7),
        .jobs_kept = result_i64(&row, 0, 8),
        .jobs_stuck = result_i64(&row, 0, 9),
        .live_instances = result_i64(&row, 0, 10),
        .leaked_services = result_i64(&row, 0, 11),
        .reaper_lag_seconds = result_double(&row, 0, 12),
        .engine_orphans = result_i64(&row, 0, 13),
        .engines_refused = result_i64(&row, 0, 14),
        .engine_networks_kept = result_i64(&row, 0, 15),
        .seconds = {result_double(&row, 0, 16), result_double(&row, 0, 17), result_double(&row, 0, 18),
                    result_double(&row, 0, 19)},
    };
    return result_ok(&row, err) < 0 ? -1 : read_workers_by_state(db, out, err);
}
