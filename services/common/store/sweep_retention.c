// Removes what nobody needs any more: old jobs, workers that are long gone, bundles without a job.
#include "services/common/store/job_delete.h"
#include "services/common/store/sweep.h"

struct retention {
    int64_t retention_ms;
};

// As many as the limit when the jobs have more rows than may go at once: there is more to do.
static int delete_listed(const struct sweep *sweep, enum statement statement, const struct params *params,
                         struct err *err)
{
    AUTO_FREE int64_t *jobs = NULL;
    int count = sweep_ids(sweep, statement, params, &jobs, err);
    if (count <= 0)
        return count;
    int outcome = job_delete_all(sweep->db, jobs, (size_t)count, JOB_DELETE_ROWS, err);
    return outcome < 0 ? -1 : outcome == JOB_DELETE_MORE ? sweep->limit : count;
}

static int delete_expired(const struct sweep *sweep, void *argument, struct wakes *wakes, struct err *err)
{
    UNUSED(wakes);
    const struct retention *retention = argument;
    AUTO_PARAMS struct params params = PARAMS_INIT;
    params_i64(&params, retention->retention_ms);
    params_i64(&params, sweep->limit);
    return delete_listed(sweep, STATEMENT_SWEEP_EXPIRED_JOBS, &params, err);
}

static int delete_unwanted(const struct sweep *sweep, void *argument, struct wakes *wakes, struct err *err)
{
    UNUSED(argument);
    UNUSED(wakes);
    AUTO_PARAMS struct params params = PARAMS_INIT;
    params_i64(&params, sweep->limit);
    return delete_listed(sweep, STATEMENT_SWEEP_UNWANTED_JOBS, &params, err);
}

static int delete_rows(const struct sweep *sweep, enum statement statement, int64_t retention_ms, struct err *err)
{
    AUTO_PARAMS struct params params = PARAMS_INIT;
    int64_t deleted = 0;
    params_i64(&params, retention_ms);
    params_i64(&params, sweep->limit);
    return db_execute(sweep->db, statement, &params, &deleted, err) < 0 ? -1 : (int)deleted;
}

static int delete_workers(const struct sweep *sweep, void *argument, struct wakes *wakes, struct err *err)
{
    UNUSED(wakes);
    const struct retention *retention = argument;
    return delete_rows(sweep, STATEMENT_SWEEP_GONE_WORKERS, retention->retention_ms, err);
}

int sweep_retention(const struct sweep *sweep, int64_t retention_ms, struct err *err)
{
    struct retention retention = {.retention_ms = retention_ms};
    int unwanted = sweep_run(sweep, delete_unwanted, NULL, err);
    int expired = unwanted < 0 ? -1 : sweep_run(sweep, delete_expired, &retention, err);
    int workers = expired < 0 ? -1 : sweep_run(sweep, delete_workers, &retention, err);
    int jobs = MAX(unwanted, expired);
    return workers < 0 ? -1 : MAX(jobs, workers);
}

static int delete_bundles(const struct sweep *sweep, void *argument, struct wakes *wakes, struct err *err)
{
    UNUSED(wakes);
    const struct retention *retention = argument;
    return delete_rows(sweep, STATEMENT_SWEEP_BUNDLES, retention->retention_ms, err);
}

int sweep_bundles(const struct sweep *sweep, int64_t retention_ms, struct err *err)
{
    struct retention retention = {.retention_ms = retention_ms};
    return sweep_run(sweep, delete_bundles, &retention, err);
}
