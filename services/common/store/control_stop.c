#include "services/common/db/db.h"
#include "services/common/model/states.h"
#include "services/common/store/change.h"
#include "services/common/store/control.h"
#include "services/common/store/control_record.h"
#include "services/common/store/settle.h"

int control_event(struct db *db, struct locked_job *job, const char *kind, const char *by, struct err *err)
{
    char data[EVENT_BY_SIZE];
    event_by(by, data);
    return job_add_event(db, job, kind, data, err);
}

// A job whose services are being stopped anyway has nothing left to be asked for.
bool control_is_stopping(const struct locked_job *job)
{
    return job->stop_requested || (job->outcome != OUTCOME_NONE && job->cleanup != CLEANUP_KEPT);
}

int control_record_stop(struct db *db, struct locked_job *job, const char *by, struct err *err)
{
    AUTO_PARAMS struct params params = PARAMS_INIT;
    params_i64(&params, job->job);
    if (!control_is_stopping(job) && control_event(db, job, "job.stop_requested", by, err) < 0)
        return -1;
    return db_execute(db, STATEMENT_CONTROL_STOP, &params, NULL, err);
}

struct stop {
    int64_t job;
    const char *by;
};

static int run_stop(struct db *db, void *context, struct wakes *wakes, struct err *err)
{
    const struct stop *stop = context;
    struct locked_job job;
    if (job_lock(db, stop->job, &job, err) < 0)
        return -1;
    if (control_is_stopping(&job))
        return CONTROL_UNCHANGED;
    if (control_record_stop(db, &job, stop->by, err) < 0 || settle_jobs(db, &stop->job, 1, wakes, err) < 0)
        return -1;
    return CONTROL_DONE;
}

int control_stop(struct db *db, int64_t job, const char *by, struct wakes *wakes, struct err *err)
{
    struct stop order = {.job = job, .by = by};
    return change_run(db, run_stop, &order, wakes, err);
}
