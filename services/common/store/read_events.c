// The history of a job. Events are numbered under the job's lock: who has seen n has seen all before n.
#include "services/common/store/read_common.h"

#include <string.h>

static void write_json(struct strbuf *out, struct result *rows, int row)
{
    json_open(out, NULL, '{');
    row_i64(out, "seq", rows, row, 0);
    row_when(out, "at", rows, row, 1);
    row_text(out, "kind", rows, row, 2);
    row_raw(out, "data", rows, row, 3, "{}");
    json_close(out, '}');
}

static void write_event(struct strbuf *out, struct result *rows, int row, enum event_format format)
{
    if (format == EVENT_SSE)
        strbuf_add_format(out, "id: %d\nevent: %s\ndata: ", result_i32(rows, row, 0), result_text(rows, row, 2));
    AUTO_STRBUF struct strbuf json = STRBUF_INIT; // on its own: the line before it is no JSON
    write_json(&json, rows, row);
    out->failed |= json.failed;
    strbuf_add_text(out, strbuf_text(&json));
    strbuf_add_text(out, format == EVENT_SSE ? "\n\n" : "\n");
}

int read_events(struct db *db, int64_t job, enum event_format format, int limit, int64_t *seq, bool *end,
                struct strbuf *out, struct err *err)
{
    AUTO_PARAMS struct params params = PARAMS_INIT;
    AUTO_RESULT struct result about = RESULT_INIT;
    AUTO_RESULT struct result rows = RESULT_INIT;
    params_i64(&params, job);
    params_i32(&params, (int32_t)MIN(*seq, (int64_t)INT32_MAX));
    params_i64(&params, limit);
    if (read_of_job(db, STATEMENT_READ_JOB_EXISTS, job, &about, err) < 0)
        return -1;
    if (result_rows(&about) == 0)
        return read_no_such_job(job, err);
    if (db_query(db, STATEMENT_READ_EVENTS, &params, RESULT_BINARY, &rows, err) < 0)
        return -1;
    int count = result_rows(&rows);
    for (int row = 0; row < count; row++)
        write_event(out, &rows, row, format);
    if (count > 0)
        *seq = result_i32(&rows, count - 1, 0);
    *end = result_bool(&about, 0, 0) && count < limit;
    return result_ok(&about, err) < 0 ? -1 : read_done(&rows, out, err);
}
