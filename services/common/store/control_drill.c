#include "services/common/db/db.h"
#include "services/common/db/transaction.h"
#include "services/common/model/states.h"
#include "services/common/store/control.h"
#include "services/common/store/embedded.h"

struct drill {
    int64_t worker, job;
    bool force;
};

static int look(struct db *db, const struct drill *drill, struct err *err)
{
    AUTO_PARAMS struct params params = PARAMS_INIT;
    AUTO_RESULT struct result row = RESULT_INIT;
    params_i64(&params, drill->worker);
    params_i64(&params, drill->job);
    if (db_query(db, STATEMENT_CONTROL_DRILL_LOOK, &params, RESULT_BINARY, &row, err) < 0)
        return -1;
    if (result_rows(&row) == 0)
        return err_set(err, ERR_NOT_FOUND, "worker %lld does not exist", (long long)drill->worker);
    int state = result_i32(&row, 0, 0);
    int64_t own = result_i64(&row, 0, 1), others = result_i64(&row, 0, 2);
    if (result_ok(&row, err) < 0)
        return -1;
    if (state != WORKER_READY && state != WORKER_DRAINING)
        return err_set(err, ERR_CONFLICT, "worker %lld is %s", (long long)drill->worker, worker_state_name(state));
    if (own == 0)
        return err_set(err, ERR_CONFLICT, "worker %lld has nothing of this job", (long long)drill->worker);
    if (others > 0 && !drill->force)
        return err_set(err, ERR_CONFLICT, "worker %lld has %lld tasks and services of other jobs",
                       (long long)drill->worker, (long long)others);
    return 0;
}

static int order(struct db *db, void *context, struct err *err)
{
    const struct drill *drill = context;
    AUTO_PARAMS struct params params = PARAMS_INIT;
    params_i64(&params, drill->worker);
    if (look(db, drill, err) < 0)
        return -1;
    return db_query(db, STATEMENT_CONTROL_DRILL, &params, RESULT_BINARY, NULL, err);
}

int control_drill(struct db *db, int64_t worker, int64_t job, bool force, struct wakes *wakes, struct err *err)
{
    struct drill drill = {.worker = worker, .job = job, .force = force};
    if (db_transaction(db, order, &drill, err) < 0)
        return -1;
    wakes_add(wakes, WAKE_WORKER, worker, 0);
    return CONTROL_DONE;
}
