#include "services/common/store/quotas.h"

#include "services/common/base/macros.h"
#include "services/common/db/db.h"
#include "services/common/store/embedded.h"

static int ask(struct db *db, enum statement statement, int64_t token, struct result *out, struct err *err)
{
    AUTO_PARAMS struct params params = PARAMS_INIT;
    params_i64_array(&params, &token, 1);
    return db_query(db, statement, &params, RESULT_BINARY, out, err);
}

int quota_lock(struct db *db, const struct quota_holder *holder, struct err *err)
{
    AUTO_RESULT struct result row = RESULT_INIT;
    return quota_has_limits(holder->limits) ? ask(db, STATEMENT_QUOTA_LOCK, holder->token, &row, err) : 0;
}

void quota_read(struct result *rows, int row, int64_t *token, int64_t *first, struct quota *out)
{
    *token = result_i64(rows, row, 0);
    *first = result_i64(rows, row, 1);
    out->of[QUOTA_JOBS] = result_i64(rows, row, 2);
    out->of[QUOTA_TASKS] = result_i64(rows, row, 3);
    out->of[QUOTA_SERVICES] = result_i64(rows, row, 4);
}

int quota_admit(struct db *db, const struct quota_holder *holder, const struct quota *wanted, struct err *err)
{
    AUTO_RESULT struct result use = RESULT_INIT;
    AUTO_RESULT struct result logs = RESULT_INIT;
    struct quota used = {{0}};
    int64_t token, first;
    if (!quota_has_limits(holder->limits))
        return 0;
    if (ask(db, STATEMENT_QUOTA_USE, holder->token, &use, err) < 0 ||
        ask(db, STATEMENT_QUOTA_LOGS, holder->token, &logs, err) < 0)
        return -1;
    quota_read(&use, 0, &token, &first, &used);
    used.of[QUOTA_LOG_BYTES] = result_i64(&logs, 0, 1);
    if (result_ok(&use, err) < 0 || result_ok(&logs, err) < 0)
        return -1;
    return quota_check(holder, &used, wanted, err);
}
