// The logs of a job: chunks in the order in which they came; an offset counts the bytes of all of them.
#include "services/common/store/read_common.h"

#include <string.h>

// Length of the valid UTF-8 character at `bytes`, or 0.
static size_t character(const unsigned char *bytes, size_t left)
{
    unsigned char c = bytes[0];
    size_t length = c < 0x80                ? 1
                    : c >= 0xc2 && c < 0xe0 ? 2
                    : c >= 0xe0 && c < 0xf0 ? 3
                    : c >= 0xf0 && c < 0xf5 ? 4
                                            : 0;
    if (length == 0 || length > left)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((bytes[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (c == 0xe0 && bytes[1] < 0xa0) || (c == 0xf0 && bytes[1] < 0x90);
    bool beyond = (c == 0xed && bytes[1] >= 0xa0) || (c == 0xf4 && bytes[1] >= 0x90);
    return overlong || beyond ? 0 : length;
}

// A copy in which what is not UTF-8 has become U+FFFD.
static void mend(struct strbuf *out, const unsigned char *bytes, size_t length)
{
    for (size_t at = 0; at < length;) {
        size_t next = character(bytes + at, length - at);
        if (next > 0)
            strbuf_add(out, bytes + at, next);
        else
            strbuf_add(out, "\xef\xbf\xbd", 3);
        at += next > 0 ? next : 1;
    }
}

static void write_json(struct strbuf *out, struct result *rows, int row, const void *content, size_t length)
{
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    AUTO_STRBUF struct strbuf line = STRBUF_INIT; // on its own: a raw chunk may be in front of it
    mend(&text, content, length);
    json_open(&line, NULL, '{');
    row_i64(&line, "offset", rows, row, 0);
    row_when(&line, "at", rows, row, 1);
    row_text(&line, "source", rows, row, 2);
    row_i64(&line, "position", rows, row, 3);
    json_text_n(&line, "text", strbuf_text(&text), text.length);
    json_close(&line, '}');
    strbuf_add_char(&line, '\n');
    strbuf_add(out, strbuf_text(&line), line.length);
    out->failed |= text.failed || line.failed;
}

static int write_chunks(struct result *rows, enum log_page_format format, int64_t *offset, struct strbuf *out,
                        struct err *err)
{
    for (int row = 0; row < result_rows(rows); row++) {
        size_t length = 0;
        const void *content = result_bytea(rows, row, 4, &length);
        if (format == LOG_PAGE_RAW)
            strbuf_add(out, content, length);
        else
            write_json(out, rows, row, content, length);
        *offset = result_i64(rows, row, 0) + (int64_t)length;
    }
    return read_done(rows, out, err);
}

int read_logs(struct db *db, int64_t job, const char *source, enum log_page_format format, int64_t bytes,
              int64_t *offset, bool *end, struct strbuf *out, struct err *err)
{
    AUTO_PARAMS struct params params = PARAMS_INIT;
    AUTO_RESULT struct result about = RESULT_INIT;
    AUTO_RESULT struct result rows = RESULT_INIT;
    params_i64(&params, job);
    params_i64(&params, *offset);
    params_text(&params, source);
    params_i64(&params, MAX(bytes, (int64_t)1));
    if (read_of_job(db, STATEMENT_READ_JOB_EXISTS, job, &about, err) < 0)
        return -1;
    if (result_rows(&about) == 0)
        return read_no_such_job(job, err);
    bool closed = result_bool(&about, 0, 0);
    int64_t log_bytes = result_i64(&about, 0, 2);
    if (result_ok(&about, err) < 0 || db_query(db, STATEMENT_READ_LOGS, &params, RESULT_BINARY, &rows, err) < 0 ||
        write_chunks(&rows, format, offset, out, err) < 0)
        return -1;
    bool nothing_new = result_rows(&rows) == 0;
    if (nothing_new && source && *offset < log_bytes)
        *offset = log_bytes; // what was there by then is of other sources
    *end = closed && nothing_new;
    return 0;
}
