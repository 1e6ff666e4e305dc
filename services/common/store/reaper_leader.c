#include "services/common/db/db.h"
#include "services/common/store/embedded.h"
#include "services/common/store/reaper.h"

int leader_acquire(struct db *db, const char *name, const char *holder, int64_t term_ms, int64_t *epoch,
                   struct err *err)
{
    AUTO_PARAMS struct params params = PARAMS_INIT;
    AUTO_RESULT struct result row = RESULT_INIT;
    params_text(&params, name);
    params_text(&params, holder);
    params_i64(&params, term_ms);
    params_i64(&params, *epoch);
    if (db_query(db, STATEMENT_LEADER_ACQUIRE, &params, RESULT_BINARY, &row, err) < 0)
        return -1;
    if (result_rows(&row) == 0)
        return LEADER_OTHER;
    int64_t now = result_i64(&row, 0, 0);
    if (result_ok(&row, err) < 0)
        return -1;
    bool renewed = now == *epoch;
    *epoch = now;
    return renewed ? LEADER_RENEWED : LEADER_ACQUIRED;
}

int leader_release(struct db *db, const char *name, int64_t epoch, struct err *err)
{
    AUTO_PARAMS struct params params = PARAMS_INIT;
    params_text(&params, name);
    params_i64(&params, epoch);
    return db_execute(db, STATEMENT_LEADER_RELEASE, &params, NULL, err);
}
