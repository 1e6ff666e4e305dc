#include "services/common/store/change.h"

#include "services/common/base/id.h"
#include "services/common/db/transaction.h"
#include "services/common/model/states.h"
#include "services/common/store/embedded.h"

#include <stdio.h>

struct change {
    change_fn function;
    void *context;
    struct wakes wakes;
};

static int run_change(struct db *db, void *context, struct err *err)
{
    struct change *change = context;
    wakes_clear(&change->wakes);
    return change->function(db, change->context, &change->wakes, err);
}

int change_run(struct db *db, change_fn function, void *context, struct wakes *wakes, struct err *err)
{
    struct change change = {.function = function, .context = context, .wakes = WAKES_INIT};
    int outcome = db_transaction(db, run_change, &change, err);
    for (size_t i = 0; outcome >= 0 && i < change.wakes.count; i++)
        wakes_add(wakes, change.wakes.items[i].kind, change.wakes.items[i].id, change.wakes.items[i].tasks);
    wakes_release(&change.wakes);
    return outcome;
}

int job_lock(struct db *db, int64_t job, struct locked_job *out, struct err *err)
{
    AUTO_PARAMS struct params params = PARAMS_INIT;
    AUTO_RESULT struct result row = RESULT_INIT;
    params_i64(&params, job);
    if (db_query(db, STATEMENT_JOB_LOCK, &params, RESULT_BINARY, &row, err) < 0)
        return -1;
    if (result_rows(&row) == 0) {
        char id[ID_TEXT_SIZE];
        id_format('j', job, id);
        return err_set(err, ERR_NOT_FOUND, "job '%s' does not exist", id);
    }
    *out = (struct locked_job){
        .job = job,
        .outcome = (int)result_i64_or(&row, 0, 0, OUTCOME_NONE),
        .cleanup = result_i32(&row, 0, 1),
        .phase = result_i32(&row, 0, 2),
        .closed = result_bool(&row, 0, 3),
        .paused = result_bool(&row, 0, 4),
        .stop_requested = result_bool(&row, 0, 5),
        .delete_requested = result_bool(&row, 0, 6),
        .kept_until = result_bool(&row, 0, 7),
        .event_count = result_i32(&row, 0, 8),
    };
    return result_ok(&row, err);
}

int job_lock_all(struct db *db, int64_t *jobs, size_t count, struct err *err)
{
    if (count == 0)
        return 0;
    AUTO_PARAMS struct params params = PARAMS_INIT;
    AUTO_RESULT struct result rows = RESULT_INIT;
    params_i64_array(&params, jobs, count);
    if (db_query(db, STATEMENT_JOB_LOCK_ALL, &params, RESULT_BINARY, &rows, err) < 0)
        return -1;
    for (int row = 0; row < result_rows(&rows); row++)
        jobs[row] = result_i64(&rows, row, 0);
    return result_ok(&rows, err) < 0 ? -1 : result_rows(&rows);
}

void event_by(const char *by, char out[static EVENT_BY_SIZE])
{
    if (by)
        snprintf(out, EVENT_BY_SIZE, "{\"by\":\"%s\"}", by);
    else
        snprintf(out, EVENT_BY_SIZE, "{}");
}

int job_add_event(struct db *db, struct locked_job *job, const char *kind, const char *data, struct err *err)
{
    AUTO_PARAMS struct params params = PARAMS_INIT;
    params_i64(&params, job->job);
    params_i32(&params, ++job->event_count);
    params_text(&params, kind);
    params_text(&params, data);
    return db_execute(db, STATEMENT_JOB_ADD_EVENT, &params, NULL, err);
}
