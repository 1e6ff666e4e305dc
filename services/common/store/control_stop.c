#include "services/common/db/db.h"
#include "services/common/model/states.h"
#include "services/common/store/change.h"
#include "services/common/store/control.h"
#include "services/common/store/control_record.h"
#include "services/common/store/settle.h"

int control_record_stop(struct db *db, const struct locked_job *job, struct err *err)
{
    AUTO_PARAMS struct params params = PARAMS_INIT;
    params_i64(&params, job->job);
    return db_execute(db, STATEMENT_CONTROL_STOP, &params, NULL, err);
}

// A job whose services are being stopped anyway has nothing left to be asked for.
static bool is_stopping(const struct locked_job *job)
{
    return job->stop_requested || (job->outcome != OUTCOME_NONE && job->cleanup != CLEANUP_KEPT);
}

static int stop(struct db *db, void *context, struct wakes *wakes, struct err *err)
{
    const int64_t *id = context;
    struct locked_job job;
    if (job_lock(db, *id, &job, err) < 0)
        return -1;
    if (is_stopping(&job))
        return CONTROL_UNCHANGED;
    if (control_record_stop(db, &job, err) < 0 || settle_jobs(db, id, 1, wakes, err) < 0)
        return -1;
    return CONTROL_DONE;
}

int control_stop(struct db *db, int64_t job, struct wakes *wakes, struct err *err)
{
    return change_run(db, stop, &job, wakes, err);
}
