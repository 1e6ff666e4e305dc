// Settles jobs that time alone has changed, and takes a second look at those that have ended.
#include "services/common/store/settle.h"
#include "services/common/store/sweep.h"

#include <stdlib.h>

static int by_id(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return left < right ? -1 : left > right;
}

// Settles the jobs that the statement locks; its parameter is the limit. Returns how many.
static int settle_locked(const struct sweep *sweep, enum statement statement, struct wakes *wakes, struct err *err)
{
    AUTO_PARAMS struct params params = PARAMS_INIT;
    AUTO_FREE int64_t *jobs = NULL;
    params_i64(&params, sweep->limit);
    int count = sweep_ids(sweep, statement, &params, &jobs, err);
    if (count <= 0)
        return count;
    qsort(jobs, (size_t)count, sizeof *jobs, by_id);
    return settle_jobs(sweep->db, jobs, (size_t)count, wakes, err) < 0 ? -1 : count;
}

static int settle_due(const struct sweep *sweep, void *argument, struct wakes *wakes, struct err *err)
{
    UNUSED(argument);
    return settle_locked(sweep, STATEMENT_SWEEP_ATTENTION, wakes, err);
}

int sweep_deadlines(const struct sweep *sweep, struct err *err)
{
    return sweep_run(sweep, settle_due, NULL, err);
}

static int settle_cleaning(const struct sweep *sweep, void *argument, struct wakes *wakes, struct err *err)
{
    UNUSED(argument);
    return settle_locked(sweep, STATEMENT_SWEEP_CLEANING_JOBS, wakes, err) < 0 ? -1 : 0;
}

int sweep_services(const struct sweep *sweep, struct err *err)
{
    return sweep_run(sweep, settle_cleaning, NULL, err);
}
