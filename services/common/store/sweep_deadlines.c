// Settles jobs that time alone has changed, and takes a second look at those that have ended.
#include "services/common/store/settle.h"
#include "services/common/store/sweep.h"

#include <stdlib.h>

static int by_id(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return left < right ? -1 : left > right;
}

// Settles the jobs that the statement locks; *last, unless NULL, becomes the highest of them.
static int settle_locked(const struct sweep *sweep, enum statement statement, const struct params *params,
                         int64_t *last, struct wakes *wakes, struct err *err)
{
    AUTO_FREE int64_t *jobs = NULL;
    int count = sweep_ids(sweep, statement, params, &jobs, err);
    if (count <= 0)
        return count;
    qsort(jobs, (size_t)count, sizeof *jobs, by_id);
    if (settle_jobs(sweep->db, jobs, (size_t)count, wakes, err) < 0)
        return -1;
    if (last)
        *last = jobs[count - 1];
    return count;
}

static int settle_due(const struct sweep *sweep, void *argument, struct wakes *wakes, struct err *err)
{
    UNUSED(argument);
    AUTO_PARAMS struct params params = PARAMS_INIT;
    params_i64(&params, sweep->limit);
    return settle_locked(sweep, STATEMENT_SWEEP_ATTENTION, &params, NULL, wakes, err);
}

int sweep_deadlines(const struct sweep *sweep, struct err *err)
{
    return sweep_run(sweep, settle_due, NULL, err);
}

struct position {
    int64_t after, last;
};

static int settle_cleaning(const struct sweep *sweep, void *argument, struct wakes *wakes, struct err *err)
{
    struct position *position = argument;
    AUTO_PARAMS struct params params = PARAMS_INIT;
    position->last = position->after;
    params_i64(&params, position->after);
    params_i64(&params, sweep->limit);
    return settle_locked(sweep, STATEMENT_SWEEP_CLEANING_JOBS, &params, &position->last, wakes, err);
}

int sweep_services(const struct sweep *sweep, int64_t *after, struct err *err)
{
    struct position position = {.after = *after};
    int count = sweep_run(sweep, settle_cleaning, &position, err);
    if (count >= 0)
        *after = count < sweep->limit ? 0 : position.last;
    return count;
}
