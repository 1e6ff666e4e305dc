// Workers, and whether the books are in order.
#include "services/common/base/parse.h"
#include "services/common/model/states.h"
#include "services/common/store/read_common.h"

#include <inttypes.h>
#include <stdio.h>

static void write_worker(struct strbuf *out, struct result *rows, int row)
{
    json_open(out, NULL, '{');
    row_i64(out, "id", rows, row, 0);
    row_text(out, "name", rows, row, 1);
    json_text(out, "state", worker_state_name(result_i32(rows, row, 2)));
    row_text(out, "host", rows, row, 3);
    row_i64(out, "incarnation", rows, row, 4);
    row_raw(out, "runtimes", rows, row, 5, "[]");
    row_raw(out, "queues", rows, row, 6, "[]");
    row_raw(out, "labels", rows, row, 7, "{}");
    row_i64(out, "slots", rows, row, 8);
    row_i64(out, "running", rows, row, 13);
    row_i64(out, "services", rows, row, 14);
    row_when(out, "registered_at", rows, row, 9);
    row_when(out, "lease_until", rows, row, 10);
    json_bool(out, "drain", result_bool(rows, row, 11));
    row_text(out, "note", rows, row, 12);
    json_close(out, '}');
}

static void write_next(struct strbuf *out, int64_t worker)
{
    char cursor[READ_CURSOR_SIZE];
    snprintf(cursor, sizeof cursor, "%" PRId64, worker);
    json_text(out, "next", cursor);
}

static int load_workers(struct db *db, int64_t worker, int64_t after, int limit, struct result *rows, struct err *err)
{
    AUTO_PARAMS struct params params = PARAMS_INIT;
    if (worker == 0)
        params_null(&params);
    else
        params_i64(&params, worker);
    params_i64(&params, after);
    params_i64(&params, limit);
    return db_query(db, STATEMENT_READ_WORKERS, &params, RESULT_BINARY, rows, err);
}

int read_workers(struct db *db, const char *cursor, int limit, struct strbuf *out, struct err *err)
{
    AUTO_RESULT struct result rows = RESULT_INIT;
    int64_t after = 0;
    if (cursor && parse_i64(cursor, 1, INT64_MAX, "cursor", &after, err) < 0)
        return -1;
    if (load_workers(db, 0, after, limit, &rows, err) < 0)
        return -1;
    json_open(out, NULL, '{');
    json_open(out, "workers", '[');
    for (int row = 0; row < result_rows(&rows); row++)
        write_worker(out, &rows, row);
    json_close(out, ']');
    if (result_rows(&rows) < limit)
        json_null(out, "next");
    else
        write_next(out, result_i64(&rows, limit - 1, 0));
    json_close(out, '}');
    return read_done(&rows, out, err);
}

int read_worker(struct db *db, int64_t worker, struct strbuf *out, struct err *err)
{
    AUTO_RESULT struct result rows = RESULT_INIT;
    if (worker != 0 && load_workers(db, worker, 0, 1, &rows, err) < 0)
        return -1;
    if (result_rows(&rows) == 0)
        return err_set(err, ERR_NOT_FOUND, "worker %lld does not exist", (long long)worker);
    write_worker(out, &rows, 0);
    return read_done(&rows, out, err);
}

int read_violations(struct db *db, int64_t job, struct strbuf *out, struct err *err)
{
    AUTO_PARAMS struct params params = PARAMS_INIT;
    AUTO_RESULT struct result rows = RESULT_INIT;
    if (job == 0)
        params_null(&params);
    else
        params_i64(&params, job);
    if (db_query(db, STATEMENT_READ_VIOLATIONS, &params, RESULT_BINARY, &rows, err) < 0)
        return -1;
    json_open(out, NULL, '{');
    json_open(out, "violations", '[');
    for (int row = 0; row < result_rows(&rows); row++) {
        json_open(out, NULL, '{');
        row_job(out, "job", result_i64(&rows, row, 0));
        row_i64(out, "stage", &rows, row, 1);
        row_text(out, "problem", &rows, row, 2);
        json_close(out, '}');
    }
    json_close(out, ']');
    json_close(out, '}');
    return read_done(&rows, out, err) < 0 ? -1 : result_rows(&rows);
}
