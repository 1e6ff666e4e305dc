#include "services/common/db/db.h"
#include "services/common/store/change.h"
#include "services/common/store/control.h"
#include "services/common/store/control_record.h"
#include "services/common/store/job_delete.h"
#include "services/common/store/settle.h"

struct deletion {
    int64_t job;
    bool force;
    const char *by;
};

// Leaves the wish to delete the job in its row, for the retention sweep.
static int request_delete(struct db *db, int64_t job, struct err *err)
{
    AUTO_PARAMS struct params params = PARAMS_INIT;
    params_i64(&params, job);
    return db_execute(db, STATEMENT_CONTROL_REQUEST_DELETE, &params, NULL, err);
}

static int stop_and_request(struct db *db, struct locked_job *job, const char *by, struct wakes *wakes, struct err *err)
{
    if (request_delete(db, job->job, err) < 0 || control_record_stop(db, job, by, err) < 0)
        return -1;
    return settle_jobs(db, &job->job, 1, wakes, err);
}

// A job without services and leased tasks is closed by its stop at once.
static int is_closed(struct db *db, int64_t job, struct err *err)
{
    struct locked_job now;
    return job_lock(db, job, &now, err) < 0 ? -1 : now.closed;
}

// A job with very many rows is left to the retention sweep, which deletes it in portions.
static int delete_closed(struct db *db, int64_t job, struct err *err)
{
    int outcome = job_delete_all(db, &job, 1, JOB_DELETE_ROWS, err);
    if (outcome != JOB_DELETE_MORE)
        return outcome < 0 ? -1 : CONTROL_DONE;
    return request_delete(db, job, err) < 0 ? -1 : CONTROL_ACCEPTED;
}

static int delete_job(struct db *db, void *context, struct wakes *wakes, struct err *err)
{
    const struct deletion *deletion = context;
    struct locked_job job;
    if (job_lock(db, deletion->job, &job, err) < 0)
        return -1;
    if (!job.closed && !deletion->force)
        return err_set(err, ERR_CONFLICT, "the job is not closed: stop it first, or force its deletion");
    if (!job.closed && stop_and_request(db, &job, deletion->by, wakes, err) < 0)
        return -1;
    int closed = job.closed ? 1 : is_closed(db, deletion->job, err);
    if (closed <= 0)
        return closed < 0 ? -1 : CONTROL_ACCEPTED;
    wakes_add(wakes, WAKE_JOB, deletion->job, 0);
    return delete_closed(db, deletion->job, err);
}

int control_delete(struct db *db, int64_t job, bool force, const char *by, struct wakes *wakes, struct err *err)
{
    struct deletion deletion = {.job = job, .force = force, .by = by};
    return change_run(db, delete_job, &deletion, wakes, err);
}
