#include "services/common/store/bundles.h"

#include "services/common/db/db.h"
#include "services/common/store/embedded.h"

int bundles_put(struct db *db, const char *hash, const void *content, size_t length, struct err *err)
{
    AUTO_PARAMS struct params params = PARAMS_INIT;
    AUTO_RESULT struct result row = RESULT_INIT;
    params_text(&params, hash);
    params_bytea(&params, content, length);
    if (db_query(db, STATEMENT_BUNDLE_PUT, &params, RESULT_BINARY, &row, err) < 0)
        return -1;
    bool created = result_bool(&row, 0, 0);
    if (result_ok(&row, err) < 0)
        return -1;
    return created ? BUNDLE_CREATED : BUNDLE_EXISTS;
}

int bundles_touch(struct db *db, const char *hash, struct err *err)
{
    AUTO_PARAMS struct params params = PARAMS_INIT;
    int64_t touched = 0;
    params_text(&params, hash);
    if (db_execute(db, STATEMENT_BUNDLE_TOUCH, &params, &touched, err) < 0)
        return -1;
    return touched == 1 ? 0 : err_set(err, ERR_NOT_FOUND, "bundle '%s' is not here", hash);
}

int bundles_read(struct db *db, const char *hash, struct bundle_piece *piece, struct err *err)
{
    AUTO_PARAMS struct params params = PARAMS_INIT;
    params_text(&params, hash);
    params_i32(&params, (int32_t)piece->from + 1);
    params_i32(&params, (int32_t)piece->most);
    result_release(&piece->owner);
    if (db_query(db, STATEMENT_BUNDLE_READ, &params, RESULT_BINARY, &piece->owner, err) < 0)
        return -1;
    if (result_rows(&piece->owner) == 0)
        return err_set(err, ERR_NOT_FOUND, "bundle '%s' is not here", hash);
    piece->total = (size_t)result_i32(&piece->owner, 0, 0);
    piece->content = result_bytea(&piece->owner, 0, 1, &piece->length);
    return result_ok(&piece->owner, err);
}
