#include "services/common/db/db.h"
#include "services/common/model/states.h"
#include "services/common/store/change.h"
#include "services/common/store/control.h"
#include "services/common/store/control_record.h"
#include "services/common/store/embedded.h"
#include "services/common/store/settle.h"

struct extension {
    int64_t job, more_ms;
    const char *by;
};

static int extend(struct db *db, void *context, struct wakes *wakes, struct err *err)
{
    const struct extension *extension = context;
    AUTO_PARAMS struct params params = PARAMS_INIT;
    struct locked_job job;
    if (job_lock(db, extension->job, &job, err) < 0)
        return -1;
    if (job.closed || job.cleanup != CLEANUP_KEPT || job.stop_requested)
        return err_set(err, ERR_CONFLICT, "the job keeps no services");
    if (!job.kept_until) // until somebody stops it: there is nothing longer
        return CONTROL_UNCHANGED;
    params_i64(&params, extension->job);
    params_i64(&params, extension->more_ms);
    if (db_execute(db, STATEMENT_CONTROL_EXTEND, &params, NULL, err) < 0 ||
        control_event(db, &job, "job.extended", extension->by, err) < 0 ||
        settle_jobs(db, &extension->job, 1, wakes, err) < 0)
        return -1;
    wakes_add(wakes, WAKE_JOB, extension->job, 0);
    return CONTROL_DONE;
}

int control_extend(struct db *db, int64_t job, int64_t more_ms, const char *by, struct wakes *wakes, struct err *err)
{
    struct extension extension = {.job = job, .more_ms = more_ms, .by = by};
    return change_run(db, extend, &extension, wakes, err);
}
