#include "services/common/db/db.h"
#include "services/common/model/states.h"
#include "services/common/store/change.h"
#include "services/common/store/control.h"
#include "services/common/store/control_record.h"
#include "services/common/store/embedded.h"
#include "services/common/store/settle.h"

struct pause {
    int64_t job;
    bool paused;
    const char *by;
};

static int set_paused(struct db *db, void *context, struct wakes *wakes, struct err *err)
{
    const struct pause *pause = context;
    AUTO_PARAMS struct params params = PARAMS_INIT;
    struct locked_job job;
    if (job_lock(db, pause->job, &job, err) < 0)
        return -1;
    if (job.outcome != OUTCOME_NONE)
        return err_set(err, ERR_CONFLICT, "the job has ended (%s): it cannot be %s", outcome_name(job.outcome),
                       pause->paused ? "paused" : "resumed");
    if (job.paused == pause->paused)
        return CONTROL_UNCHANGED;
    params_i64(&params, pause->job);
    params_bool(&params, pause->paused);
    if (db_execute(db, STATEMENT_CONTROL_PAUSE, &params, NULL, err) < 0 ||
        control_event(db, &job, pause->paused ? "job.paused" : "job.resumed", pause->by, err) < 0 ||
        settle_jobs(db, &pause->job, 1, wakes, err) < 0)
        return -1;
    wakes_add(wakes, WAKE_JOB, pause->job, 0);
    return CONTROL_DONE;
}

int control_pause(struct db *db, int64_t job, const char *by, struct wakes *wakes, struct err *err)
{
    struct pause pause = {.job = job, .paused = true, .by = by};
    return change_run(db, set_paused, &pause, wakes, err);
}

int control_resume(struct db *db, int64_t job, const char *by, struct wakes *wakes, struct err *err)
{
    struct pause pause = {.job = job, .paused = false, .by = by};
    return change_run(db, set_paused, &pause, wakes, err);
}
