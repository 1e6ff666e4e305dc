// Instances of services, and the certificates of those that are gone.
#include "services/common/base/id.h"
#include "services/common/model/states.h"
#include "services/common/store/read_common.h"

#include <stdio.h>
#include <string.h>

enum instance_column {
    JOB,
    NAME,
    EPOCH,
    STATE,
    RUNTIME,
    OBJECT,
    WORKER,
    HOST,
    PORTS,
    CREATED_AT,
    PLACED_AT,
    STARTED_AT,
    READY_AT,
    STOP_REQUESTED_AT,
    STOP_REASON,
    STOPPED_AT,
    VERIFIED_AT,
    EXIT_CODE,
    EXIT_SIGNAL,
    FAILED,
    ERROR,
    SERVICE,
};

static void write_exit(struct strbuf *out, struct result *rows, int row, int code, int signal)
{
    if (result_is_null(rows, row, code) && result_is_null(rows, row, signal)) {
        json_null(out, "exit");
        return;
    }
    json_open(out, "exit", '{');
    row_i64(out, "code", rows, row, code);
    row_i64(out, "signal", rows, row, signal);
    json_close(out, '}');
}

static void write_instance(struct strbuf *out, struct result *rows, int row)
{
    json_open(out, NULL, '{');
    row_job(out, "job", result_i64(rows, row, JOB));
    row_text(out, "name", rows, row, NAME);
    row_i64(out, "epoch", rows, row, EPOCH);
    json_text(out, "state", instance_state_name(result_i32(rows, row, STATE)));
    row_text(out, "runtime", rows, row, RUNTIME);
    row_text(out, "object", rows, row, OBJECT);
    row_text(out, "worker", rows, row, WORKER);
    row_text(out, "host", rows, row, HOST);
    row_raw(out, "ports", rows, row, PORTS, "{}");
    row_when(out, "created_at", rows, row, CREATED_AT);
    row_when(out, "placed_at", rows, row, PLACED_AT);
    row_when(out, "started_at", rows, row, STARTED_AT);
    row_when(out, "ready_at", rows, row, READY_AT);
    row_when(out, "stop_requested_at", rows, row, STOP_REQUESTED_AT);
    row_text(out, "stop_reason", rows, row, STOP_REASON);
    row_when(out, "stopped_at", rows, row, STOPPED_AT);
    row_when(out, "verified_at", rows, row, VERIFIED_AT);
    write_exit(out, rows, row, EXIT_CODE, EXIT_SIGNAL);
    json_bool(out, "failed", result_bool(rows, row, FAILED));
    row_text(out, "error", rows, row, ERROR);
    json_close(out, '}');
}

static void write_instances(struct strbuf *out, const char *key, struct result *rows)
{
    json_open(out, key, '[');
    for (int row = 0; row < result_rows(rows); row++)
        write_instance(out, rows, row);
    json_close(out, ']');
}

// ---- of one job

static int read_job_services(struct db *db, void *context, struct strbuf *out, struct err *err)
{
    const int64_t *job = context;
    AUTO_RESULT struct result exists = RESULT_INIT;
    AUTO_RESULT struct result rows = RESULT_INIT;
    if (read_of_job(db, STATEMENT_READ_JOB_EXISTS, *job, &exists, err) < 0)
        return -1;
    if (result_rows(&exists) == 0)
        return read_no_such_job(*job, err);
    if (read_of_job(db, STATEMENT_READ_SERVICES, *job, &rows, err) < 0)
        return -1;
    json_open(out, NULL, '{');
    write_instances(out, "services", &rows);
    json_close(out, '}');
    return read_done(&rows, out, err);
}

int read_services(struct db *db, int64_t job, struct strbuf *out, struct err *err)
{
    return snapshot_run(db, read_job_services, &job, out, err);
}

// ---- of all jobs

struct live_position {
    int64_t job;
    int service, epoch;
};

// "<job>.<service number>.<epoch>"
static int parse_cursor(const char *cursor, struct live_position *out, struct err *err)
{
    char id[ID_TEXT_SIZE];
    int length = 0;
    *out = (struct live_position){0};
    if (!cursor)
        return 0;
    if (sscanf(cursor, "%15[^.].%2d.%9d%n", id, &out->service, &out->epoch, &length) != 3 || cursor[length] != '\0' ||
        id_parse('j', id, &out->job) < 0)
        return err_set(err, ERR_INVALID, "cursor '%.40s' is not one of ours", cursor);
    return 0;
}

static void write_next(struct strbuf *out, struct result *rows, int limit)
{
    char id[ID_TEXT_SIZE], cursor[READ_CURSOR_SIZE];
    int last = result_rows(rows) - 1;
    if (last + 1 < limit) {
        json_null(out, "next");
        return;
    }
    id_format('j', result_i64(rows, last, JOB), id);
    snprintf(cursor, sizeof cursor, "%s.%d.%d", id, result_i32(rows, last, SERVICE), result_i32(rows, last, EPOCH));
    json_text(out, "next", cursor);
}

// A page behind `cursor`; `overdue_ms` is for leaks: negative, all that may exist.
static int read_page(struct db *db, const char *cursor, int limit, int64_t overdue_ms, struct strbuf *out,
                     struct err *err)
{
    AUTO_PARAMS struct params params = PARAMS_INIT;
    AUTO_RESULT struct result rows = RESULT_INIT;
    bool leaks = overdue_ms >= 0;
    struct live_position after;
    if (parse_cursor(cursor, &after, err) < 0)
        return -1;
    params_i64(&params, after.job);
    params_i16(&params, (int16_t)after.service);
    params_i32(&params, after.epoch);
    params_i64(&params, limit);
    if (leaks)
        params_i64(&params, overdue_ms);
    if (db_query(db, leaks ? STATEMENT_READ_LEAKS : STATEMENT_READ_LIVE_SERVICES, &params, RESULT_BINARY, &rows, err) <
        0)
        return -1;
    json_open(out, NULL, '{');
    write_instances(out, leaks ? "leaks" : "services", &rows);
    write_next(out, &rows, limit);
    json_close(out, '}');
    return read_done(&rows, out, err);
}

int read_live_services(struct db *db, const char *cursor, int limit, struct strbuf *out, struct err *err)
{
    return read_page(db, cursor, limit, -1, out, err);
}

int read_leaks(struct db *db, int64_t overdue_ms, const char *cursor, int limit, struct strbuf *out, struct err *err)
{
    return read_page(db, cursor, limit, overdue_ms, out, err);
}

// ---- certificates

#define LEAKED_AFTER_MS 60000
#define SECONDS_COLUMN 18 // and the three behind it

static const char *const seconds_names[] = {"warming", "useful", "idle", "leaked"};

static void write_seconds(struct strbuf *out, const double seconds[static ARRAY_LEN(seconds_names)])
{
    char text[64];
    json_open(out, "seconds", '{');
    for (size_t i = 0; i < ARRAY_LEN(seconds_names); i++) {
        snprintf(text, sizeof text, "%.3f", seconds[i]);
        json_raw(out, seconds_names[i], text);
    }
    json_close(out, '}');
}

static void write_certificate(struct strbuf *out, struct result *rows, int row,
                              double total[static ARRAY_LEN(seconds_names)])
{
    double seconds[ARRAY_LEN(seconds_names)];
    for (size_t i = 0; i < ARRAY_LEN(seconds); i++)
        total[i] += seconds[i] = result_double(rows, row, SECONDS_COLUMN + (int)i);
    json_open(out, NULL, '{');
    row_text(out, "service", rows, row, 1);
    row_i64(out, "epoch", rows, row, 2);
    json_text(out, "state", instance_state_name(result_i32(rows, row, 13)));
    row_text(out, "runtime", rows, row, 3);
    row_text(out, "object", rows, row, 4);
    row_text(out, "worker", rows, row, 5);
    row_when(out, "requested_at", rows, row, 6);
    row_text(out, "reason", rows, row, 7);
    row_raw(out, "signals", rows, row, 8, "[]");
    write_exit(out, rows, row, 9, 10);
    if (result_is_null(rows, row, 11))
        json_null(out, "grade");
    else
        json_text(out, "grade", grade_name(result_i32(rows, row, 11)));
    row_text(out, "boundary", rows, row, 14);
    json_bool(out, "failed", result_bool(rows, row, 16));
    row_text(out, "error", rows, row, 17);
    row_when(out, "stopped_at", rows, row, 15);
    row_when(out, "verified_at", rows, row, 12);
    write_seconds(out, seconds);
    json_close(out, '}');
}

int read_cleanup(struct db *db, int64_t job, struct strbuf *out, struct err *err)
{
    AUTO_PARAMS struct params params = PARAMS_INIT;
    AUTO_RESULT struct result rows = RESULT_INIT;
    double total[ARRAY_LEN(seconds_names)] = {0};
    params_i64(&params, job);
    params_i64(&params, LEAKED_AFTER_MS);
    if (db_query(db, STATEMENT_READ_CLEANUP, &params, RESULT_BINARY, &rows, err) < 0)
        return -1;
    if (result_rows(&rows) == 0)
        return read_no_such_job(job, err);
    json_open(out, NULL, '{');
    json_text(out, "cleanup", cleanup_name(result_i32(&rows, 0, 0)));
    json_open(out, "certificates", '[');
    for (int row = 0; row < result_rows(&rows); row++)
        if (!result_is_null(&rows, row, 1))
            write_certificate(out, &rows, row, total);
    json_close(out, ']');
    write_seconds(out, total);
    json_close(out, '}');
    return read_done(&rows, out, err);
}
