// Failed tasks again. While a job goes on they become ready in place. An ended job keeps its outcome for ever, so a new
// job does the tasks that it has left undone; its key "retry/<id>" makes sure that there is one at most.
#include "services/common/base/id.h"
#include "services/common/db/db.h"
#include "services/common/model/slice.h"
#include "services/common/model/states.h"
#include "services/common/store/change.h"
#include "services/common/store/control.h"
#include "services/common/store/embedded.h"
#include "services/common/store/quotas.h"
#include "services/common/store/settle.h"

#include <stdio.h>

struct retry {
    int64_t job, fresh, retried;
    struct quota_holder by;
    char key[sizeof "retry/" + ID_TEXT_SIZE];
};

static int nothing_to_retry(struct err *err)
{
    return err_set(err, ERR_CONFLICT, "the job has no failed or cancelled tasks");
}

// ---- in place

static int retry_in_place(struct db *db, const struct retry *retry, struct locked_job *job, struct wakes *wakes,
                          struct err *err)
{
    AUTO_PARAMS struct params params = PARAMS_INIT;
    AUTO_RESULT struct result demands = RESULT_INIT;
    params_i64(&params, retry->job);
    if (db_query(db, STATEMENT_RETRY_IN_PLACE, &params, RESULT_BINARY, &demands, err) < 0)
        return -1;
    if (result_rows(&demands) == 0)
        return nothing_to_retry(err);
    int64_t tasks = 0;
    for (int row = 0; row < result_rows(&demands); row++) {
        wakes_add(wakes, WAKE_DEMAND, result_i64(&demands, row, 0), result_i64(&demands, row, 1));
        tasks += result_i64(&demands, row, 2);
    }
    char by[EVENT_BY_SIZE], data[EVENT_BY_SIZE + 64];
    event_by(retry->by.name, by);
    snprintf(data, sizeof data, "{\"tasks\":%lld%s%s", (long long)tasks, retry->by.name ? "," : "", by + 1);
    if (result_ok(&demands, err) < 0 || job_add_event(db, job, "job.retried", data, err) < 0 ||
        settle_jobs(db, &retry->job, 1, wakes, err) < 0)
        return -1;
    wakes_add(wakes, WAKE_JOB, retry->job, 0);
    return CONTROL_DONE;
}

// ---- as a new job

// The retry that was made before, if there is one: 1 and retry->retried, else 0.
static int find_retry(struct db *db, struct retry *retry, struct err *err)
{
    AUTO_PARAMS struct params params = PARAMS_INIT;
    AUTO_RESULT struct result row = RESULT_INIT;
    params_text(&params, retry->key);
    if (db_query(db, STATEMENT_RETRY_FIND, &params, RESULT_BINARY, &row, err) < 0)
        return -1;
    if (result_rows(&row) == 0)
        return 0;
    retry->retried = result_i64(&row, 0, 0);
    return result_ok(&row, err) < 0 ? -1 : 1;
}

static int check_unfinished(struct db *db, const struct retry *retry, struct err *err)
{
    AUTO_PARAMS struct params params = PARAMS_INIT;
    AUTO_RESULT struct result row = RESULT_INIT;
    params_i64(&params, retry->job);
    if (db_query(db, STATEMENT_RETRY_UNFINISHED, &params, RESULT_BINARY, &row, err) < 0)
        return -1;
    int64_t open = result_i64(&row, 0, 0), unfinished = result_i64(&row, 0, 1);
    const struct quota wanted = {{[QUOTA_JOBS] = 1,
                                  [QUOTA_TASKS] = unfinished,
                                  [QUOTA_SERVICES] = result_i64(&row, 0, 2),
                                  [QUOTA_LOG_BYTES] = 1}};
    if (result_ok(&row, err) < 0)
        return -1;
    if (open > 0)
        return err_set(err, ERR_CONFLICT, "%lld tasks of the job are still being ended", (long long)open);
    return unfinished > 0 ? quota_admit(db, &retry->by, &wanted, err) : nothing_to_retry(err);
}

static int copy_job(struct db *db, const struct retry *retry, struct err *err)
{
    AUTO_PARAMS struct params params = PARAMS_INIT;
    char id[ID_TEXT_SIZE], by[EVENT_BY_SIZE], data[EVENT_BY_SIZE + 64];
    id_format('j', retry->job, id);
    event_by(retry->by.name, by);
    snprintf(data, sizeof data, "{\"retry_of\":\"%s\"%s%s", id, retry->by.name ? "," : "", by + 1);
    params_i64(&params, retry->job);
    params_i64(&params, retry->fresh);
    params_text(&params, retry->key);
    params_text(&params, data);
    params_i64(&params, retry->by.token);
    return db_execute(db, STATEMENT_RETRY_JOB, &params, NULL, err);
}

// The new stages' slices, as wide as those of a job that is submitted.
static int add_slices(struct db *db, const struct retry *retry, struct result *stages, struct err *err)
{
    AUTO_PARAMS struct params params = PARAMS_INIT;
    params_i64(&params, retry->fresh);
    params_array_begin(&params, PARAM_I16);
    for (int row = 0; row < result_rows(stages); row++)
        params_add_i16(&params, (int16_t)result_i32(stages, row, 0));
    params_array_end(&params);
    params_array_begin(&params, PARAM_I64);
    for (int row = 0; row < result_rows(stages); row++)
        params_add_i64(&params, slice_initial_width(result_i64(stages, row, 1)));
    params_array_end(&params);
    return result_ok(stages, err) < 0 ? -1 : db_execute(db, STATEMENT_RETRY_SLICES, &params, NULL, err);
}

static int copy_rest(struct db *db, const struct retry *retry, struct err *err)
{
    AUTO_PARAMS struct params params = PARAMS_INIT;
    AUTO_RESULT struct result stages = RESULT_INIT;
    params_i64(&params, retry->job);
    params_i64(&params, retry->fresh);
    if (db_execute(db, STATEMENT_RETRY_SERVICES, &params, NULL, err) < 0 ||
        db_query(db, STATEMENT_RETRY_STAGES, &params, RESULT_BINARY, &stages, err) < 0 ||
        db_execute(db, STATEMENT_RETRY_ITEMS, &params, NULL, err) < 0)
        return -1;
    return add_slices(db, retry, &stages, err);
}

static int retry_as_new_job(struct db *db, struct retry *retry, struct wakes *wakes, struct err *err)
{
    int found = find_retry(db, retry, err);
    if (found != 0)
        return found < 0 ? -1 : CONTROL_UNCHANGED;
    if (check_unfinished(db, retry, err) < 0 || copy_job(db, retry, err) < 0 || copy_rest(db, retry, err) < 0 ||
        settle_jobs(db, &retry->fresh, 1, wakes, err) < 0)
        return -1;
    retry->retried = retry->fresh;
    wakes_add(wakes, WAKE_JOB, retry->fresh, 0);
    return CONTROL_CREATED;
}

static int retry_job(struct db *db, void *context, struct wakes *wakes, struct err *err)
{
    struct retry *retry = context;
    struct locked_job job;
    if (quota_lock(db, &retry->by, err) < 0 || job_lock(db, retry->job, &job, err) < 0)
        return -1;
    retry->retried = retry->job;
    return job.outcome == OUTCOME_NONE ? retry_in_place(db, retry, &job, wakes, err)
                                       : retry_as_new_job(db, retry, wakes, err);
}

int control_retry(struct db *db, int64_t job, int64_t fresh, const struct quota_holder *by, int64_t *retried,
                  struct wakes *wakes, struct err *err)
{
    struct retry retry = {.job = job, .fresh = fresh, .by = *by};
    char id[ID_TEXT_SIZE];
    id_format('j', job, id);
    snprintf(retry.key, sizeof retry.key, "retry/%s", id);
    int outcome = change_run(db, retry_job, &retry, wakes, err);
    *retried = retry.retried;
    return outcome;
}
