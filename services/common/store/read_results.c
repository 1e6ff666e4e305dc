// The results of a job; the cursor is "<stage number>.<task>.<ordinal>" of the last one.
#include "services/common/store/read_common.h"

#include <inttypes.h>
#include <stdio.h>

#define PAGE_BYTES (256 << 10) // but for the last of a page, which may be as large as outputs are

struct position {
    int stage;
    int64_t task;
    int ordinal;
};

static int parse_cursor(const char *cursor, struct position *out, struct err *err)
{
    int length = 0;
    *out = (struct position){.stage = -1};
    if (*cursor == '\0')
        return 0;
    if (sscanf(cursor, "%2d.%18" SCNd64 ".%9d%n", &out->stage, &out->task, &out->ordinal, &length) != 3 ||
        cursor[length] != '\0')
        return err_set(err, ERR_INVALID, "cursor '%.40s' is not one of ours", cursor);
    return 0;
}

static void write_result(struct strbuf *out, struct result *rows, int row)
{
    AUTO_STRBUF struct strbuf line = STRBUF_INIT;
    json_open(&line, NULL, '{');
    row_text(&line, "stage", rows, row, 3);
    row_i64(&line, "task", rows, row, 1);
    row_raw(&line, "output", rows, row, 4, "null");
    json_close(&line, '}');
    strbuf_add_char(&line, '\n');
    strbuf_add(out, strbuf_text(&line), line.length);
    out->failed |= line.failed;
}

// Results come in any order, and a cursor goes one way: *out is where those begin that may still come.
static int read_horizon(struct db *db, int64_t job, struct position *out, struct err *err)
{
    AUTO_RESULT struct result row = RESULT_INIT;
    if (read_of_job(db, STATEMENT_READ_RESULTS_HORIZON, job, &row, err) < 0)
        return -1;
    if (result_rows(&row) > 0)
        *out = (struct position){.stage = result_i32(&row, 0, 0), .task = result_i64(&row, 0, 1)};
    return result_ok(&row, err);
}

int read_results(struct db *db, int64_t job, int limit, bool whole, char cursor[static READ_CURSOR_SIZE], bool *end,
                 struct strbuf *out, struct err *err)
{
    AUTO_PARAMS struct params params = PARAMS_INIT;
    AUTO_RESULT struct result about = RESULT_INIT;
    AUTO_RESULT struct result rows = RESULT_INIT;
    struct position after, before = {.stage = INT16_MAX};
    if (parse_cursor(cursor, &after, err) < 0 || read_of_job(db, STATEMENT_READ_JOB_EXISTS, job, &about, err) < 0)
        return -1;
    if (result_rows(&about) == 0)
        return read_no_such_job(job, err);
    bool ended = result_bool(&about, 0, 1);
    if (result_ok(&about, err) < 0 || (whole && !ended && read_horizon(db, job, &before, err) < 0))
        return -1;
    params_i64(&params, job);
    params_i16(&params, (int16_t)after.stage);
    params_i64(&params, after.task);
    params_i32(&params, after.ordinal);
    params_i64(&params, limit);
    params_i16(&params, (int16_t)before.stage);
    params_i64(&params, before.task);
    params_i64(&params, PAGE_BYTES);
    if (db_query(db, STATEMENT_READ_RESULTS, &params, RESULT_BINARY, &rows, err) < 0)
        return -1;
    int count = result_rows(&rows);
    for (int row = 0; row < count; row++)
        write_result(out, &rows, row);
    if (count > 0)
        snprintf(cursor, READ_CURSOR_SIZE, "%d.%" PRId64 ".%d", result_i32(&rows, count - 1, 0),
                 result_i64(&rows, count - 1, 1), result_i32(&rows, count - 1, 2));
    *end = ended && count == 0;
    return read_done(&rows, out, err);
}
