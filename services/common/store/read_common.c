#include "services/common/store/read_common.h"

#include "services/common/base/id.h"
#include "services/common/db/transaction.h"

struct snapshot {
    snapshot_fn function;
    void *context;
    struct strbuf *out;
};

static int run_snapshot(struct db *db, void *context, struct err *err)
{
    const struct snapshot *snapshot = context;
    strbuf_clear(snapshot->out);
    // no statement of the table: what is prepared there can be planned and explained
    if (db_sql(db, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY", NULL, RESULT_TEXT, NULL, err) < 0)
        return -1;
    return snapshot->function(db, snapshot->context, snapshot->out, err);
}

int snapshot_run(struct db *db, snapshot_fn function, void *context, struct strbuf *out, struct err *err)
{
    struct snapshot snapshot = {.function = function, .context = context, .out = out};
    return db_transaction(db, run_snapshot, &snapshot, err);
}

int read_no_such_job(int64_t job, struct err *err)
{
    char id[ID_TEXT_SIZE];
    id_format('j', job, id);
    return err_set(err, ERR_NOT_FOUND, "job '%s' does not exist", id);
}

int read_of_job(struct db *db, enum statement statement, int64_t job, struct result *rows, struct err *err)
{
    AUTO_PARAMS struct params params = PARAMS_INIT;
    params_i64(&params, job);
    return db_query(db, statement, &params, RESULT_BINARY, rows, err);
}

int read_done(const struct result *rows, const struct strbuf *out, struct err *err)
{
    return result_ok(rows, err) < 0 ? -1 : strbuf_ok(out, err);
}

int64_t row_time(struct result *rows, int row, int column)
{
    return result_is_null(rows, row, column) ? 0 : result_time_us(rows, row, column);
}

void row_text(struct strbuf *out, const char *key, struct result *rows, int row, int column)
{
    json_text(out, key, result_text_or_null(rows, row, column));
}

void row_i64(struct strbuf *out, const char *key, struct result *rows, int row, int column)
{
    if (result_is_null(rows, row, column))
        json_null(out, key);
    else
        json_i64(out, key, result_i64(rows, row, column));
}

void row_when(struct strbuf *out, const char *key, struct result *rows, int row, int column)
{
    json_time(out, key, row_time(rows, row, column));
}

void row_raw(struct strbuf *out, const char *key, struct result *rows, int row, int column, const char *fallback)
{
    const char *json = result_text_or_null(rows, row, column);
    json_raw(out, key, json ? json : fallback);
}

void row_job(struct strbuf *out, const char *key, int64_t job)
{
    char id[ID_TEXT_SIZE];
    id_format('j', job, id);
    json_text(out, key, id);
}
