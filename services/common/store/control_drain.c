#include "services/common/db/db.h"
#include "services/common/store/control.h"
#include "services/common/store/embedded.h"

int control_drain(struct db *db, int64_t worker, bool drain, struct wakes *wakes, struct err *err)
{
    AUTO_PARAMS struct params params = PARAMS_INIT;
    AUTO_RESULT struct result changed = RESULT_INIT;
    params_i64(&params, worker);
    params_bool(&params, drain);
    if (db_query(db, STATEMENT_CONTROL_DRAIN, &params, RESULT_BINARY, &changed, err) < 0)
        return -1;
    if (result_rows(&changed) == 0)
        return err_set(err, ERR_NOT_FOUND, "worker %lld does not exist", (long long)worker);
    wakes_add(wakes, WAKE_WORKER, worker, 0);
    bool was_other = result_bool(&changed, 0, 0);
    if (result_ok(&changed, err) < 0)
        return -1;
    return was_other ? CONTROL_DONE : CONTROL_UNCHANGED;
}
