// The logs of a job: chunks in the order in which they came; an offset counts the bytes of all of them.
#include "services/common/store/read_common.h"

#include <inttypes.h>
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

// What is left of a chunk when its first `skipped` bytes were read already.
struct rest {
    const char *bytes;
    size_t length, skipped;
};

static void write_json(struct strbuf *out, struct result *rows, int row, const struct rest *rest)
{
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    AUTO_STRBUF struct strbuf line = STRBUF_INIT; // on its own: a raw chunk may be in front of it
    mend(&text, (const unsigned char *)rest->bytes, rest->length);
    json_open(&line, NULL, '{');
    json_i64(&line, "offset", result_i64(rows, row, 0) + (int64_t)rest->skipped);
    row_when(&line, "at", rows, row, 1);
    row_text(&line, "source", rows, row, 2);
    json_i64(&line, "position", result_i64(rows, row, 3) + (int64_t)rest->skipped);
    json_text_n(&line, "text", strbuf_text(&text), text.length);
    json_close(&line, '}');
    strbuf_add(out, strbuf_text(&line), line.length);
    out->failed |= text.failed || line.failed;
}

static void write_chunk(struct strbuf *out, struct result *rows, int row, enum log_page_format format, int64_t *offset)
{
    size_t length = 0;
    int64_t seq = result_i64(rows, row, 0);
    const char *content = result_bytea(rows, row, 4, &length);
    size_t skipped = *offset > seq ? MIN((size_t)(*offset - seq), length) : 0;
    struct rest rest = {content + skipped, length - skipped, skipped};
    *offset = seq + (int64_t)length;
    switch (format) {
    case LOG_PAGE_RAW:
        strbuf_add(out, rest.bytes, rest.length);
        break;
    case LOG_PAGE_JSON:
        write_json(out, rows, row, &rest);
        strbuf_add_char(out, '\n');
        break;
    case LOG_PAGE_SSE:
        strbuf_add_format(out, "id: %" PRId64 "\nevent: log\ndata: ", *offset);
        write_json(out, rows, row, &rest);
        strbuf_add_text(out, "\n\n");
        break;
    }
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
        result_ok(&rows, err) < 0)
        return -1;
    for (int row = 0; row < result_rows(&rows); row++)
        write_chunk(out, &rows, row, format, offset);
    bool nothing_new = result_rows(&rows) == 0;
    if (nothing_new && *offset < log_bytes)
        *offset = log_bytes; // what was there by then is of other sources, or was dropped
    *end = closed && nothing_new;
    return read_done(&rows, out, err);
}
