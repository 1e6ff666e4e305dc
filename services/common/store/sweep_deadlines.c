// Settles jobs that time alone has changed, and takes a second look at those that have ended.
#include "services/common/store/settle.h"
#include "services/common/store/sweep.h"

#include <stdlib.h>

static int by_id(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return left < right ? -1 : left > right;
}

struct look {
    enum statement statement; // which jobs to lock; its parameter is the limit
    int64_t *jobs;            // of the last run; not NULL when there are any
    int count;
};

static int settle_listed(const struct sweep *sweep, void *argument, struct wakes *wakes, struct err *err)
{
    struct look *look = argument;
    AUTO_PARAMS struct params params = PARAMS_INIT;
    free(TAKE_PTR(look->jobs));
    look->count = 0;
    params_i64(&params, sweep->limit);
    int count = sweep_ids(sweep, look->statement, &params, &look->jobs, err);
    if (count <= 0)
        return count;
    look->count = count;
    qsort(look->jobs, (size_t)count, sizeof *look->jobs, by_id);
    return settle_jobs(sweep->db, look->jobs, (size_t)count, wakes, err) < 0 ? -1 : count;
}

static int settle_one(const struct sweep *sweep, void *argument, struct wakes *wakes, struct err *err)
{
    const struct sweep_one *one = argument;
    int64_t job = one->id;
    int count = job_lock_all(sweep->db, &job, 1, err);
    if (count <= 0)
        return count;
    return settle_jobs(sweep->db, &job, 1, wakes, err) < 0 ? -1 : 1;
}

// All in one transaction, or, when one of them cannot be settled, each in its own. Returns how many.
static int settle_locked(const struct sweep *sweep, enum statement statement, struct err *err)
{
    struct look look = {.statement = statement};
    int outcome = sweep_run(sweep, settle_listed, &look, err);
    if (outcome < 0 && look.count > 1 && sweep_may_go_on(err))
        outcome = sweep_each(sweep, settle_one, "job", look.jobs, look.count, 0, err);
    free(look.jobs);
    return outcome;
}

int sweep_deadlines(const struct sweep *sweep, struct err *err)
{
    return settle_locked(sweep, STATEMENT_SWEEP_ATTENTION, err);
}

int sweep_services(const struct sweep *sweep, struct err *err)
{
    return settle_locked(sweep, STATEMENT_SWEEP_CLEANING_JOBS, err) < 0 ? -1 : 0;
}
