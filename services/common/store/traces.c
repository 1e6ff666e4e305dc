#include "services/common/store/traces.h"

#include "services/common/base/id.h"
#include "services/common/base/macros.h"
#include "services/common/base/version.h"
#include "services/common/model/states.h"
#include "services/common/model/traceparent.h"
#include "services/common/store/read_common.h"

#include <inttypes.h>
#include <stdio.h>

// A job may have been closed so long before its transaction is committed. No transaction may take longer.
#define COMMIT_LAG_US (INT64_C(300) * 1000 * 1000)
#define ERRORS_MAX 100
#define RUNS_MAX 5000
#define STATUS_OK 1
#define STATUS_ERROR 2

// ---- which

int traces_start(struct db *db, struct err *err)
{
    return db_execute(db, STATEMENT_TRACE_START, NULL, NULL, err);
}

int traces_pending(struct db *db, int limit, int64_t *jobs, struct err *err)
{
    AUTO_RESULT struct result rows = RESULT_INIT;
    if (read_of_job(db, STATEMENT_TRACE_PENDING, limit, &rows, err) < 0)
        return -1;
    for (int row = 0; row < result_rows(&rows); row++)
        jobs[row] = result_i64(&rows, row, 0);
    return result_ok(&rows, err) < 0 ? -1 : result_rows(&rows);
}

static int execute_with(struct db *db, enum statement statement, int64_t number, struct err *err)
{
    AUTO_PARAMS struct params params = PARAMS_INIT;
    params_i64(&params, number);
    return db_execute(db, statement, &params, NULL, err);
}

int traces_done(struct db *db, int64_t job, struct err *err)
{
    return execute_with(db, STATEMENT_TRACE_DONE, job, err);
}

int traces_advance(struct db *db, struct err *err)
{
    return execute_with(db, STATEMENT_TRACE_ADVANCE, COMMIT_LAG_US, err);
}

// ---- the parts of OTLP

static void attribute(struct strbuf *out, const char *key, const char *text)
{
    if (!text)
        return;
    json_open(out, NULL, '{');
    json_text(out, "key", key);
    json_open(out, "value", '{');
    json_text(out, "stringValue", text);
    json_close(out, '}');
    json_close(out, '}');
}

// OTLP writes numbers of 64 bits as texts.
static void number_text(struct strbuf *out, const char *key, int64_t number, const char *zeros)
{
    char text[32];
    snprintf(text, sizeof text, "%" PRId64 "%s", number, zeros);
    json_text(out, key, text);
}

static void attribute_i64(struct strbuf *out, const char *key, int64_t number)
{
    json_open(out, NULL, '{');
    json_text(out, "key", key);
    json_open(out, "value", '{');
    number_text(out, "intValue", number, "");
    json_close(out, '}');
    json_close(out, '}');
}

static void attribute_number(struct strbuf *out, const char *key, struct result *rows, int row, int column)
{
    if (!result_is_null(rows, row, column))
        attribute_i64(out, key, result_i64(rows, row, column));
}

static void event_open(struct strbuf *out, const char *name, int64_t at_us)
{
    json_open(out, NULL, '{');
    number_text(out, "timeUnixNano", at_us, "000");
    json_text(out, "name", name);
}

static void status(struct strbuf *out, bool failed, const char *message)
{
    json_open(out, "status", '{');
    json_i64(out, "code", failed ? STATUS_ERROR : STATUS_OK);
    if (failed && message)
        json_text(out, "message", message);
    json_close(out, '}');
}

// What all spans of one job have in common.
struct trace {
    int64_t job;
    const char *id;          // of the trace
    char span[SPAN_ID_SIZE]; // of the job
    int64_t begin_us, end_us;
};

static void span_open(struct strbuf *out, const struct trace *trace, const char *id, const char *parent,
                      const char *name, int64_t begin_us, int64_t end_us)
{
    json_open(out, NULL, '{');
    json_text(out, "traceId", trace->id);
    json_text(out, "spanId", id);
    if (parent)
        json_text(out, "parentSpanId", parent);
    json_text(out, "name", name);
    json_i64(out, "kind", 1); // internal
    number_text(out, "startTimeUnixNano", begin_us, "000");
    number_text(out, "endTimeUnixNano", end_us > begin_us ? end_us : begin_us, "000");
}

// ---- job

static void write_job(struct strbuf *out, const struct trace *trace, const char *parent, struct result *job)
{
    char id[ID_TEXT_SIZE];
    int outcome = (int)result_i64_or(job, 0, 2, OUTCOME_NONE);
    id_format('j', trace->job, id);
    span_open(out, trace, trace->span, parent, result_text(job, 0, 0), trace->begin_us, trace->end_us);
    json_open(out, "attributes", '[');
    attribute(out, "curfew.job", id);
    attribute(out, "curfew.namespace", result_text(job, 0, 1));
    attribute(out, "curfew.outcome", outcome_name(outcome));
    attribute(out, "curfew.cleanup", cleanup_name(result_i32(job, 0, 3)));
    attribute(out, "curfew.reason", result_text_or_null(job, 0, 4));
    json_close(out, ']');
    status(out, outcome != OUTCOME_SUCCEEDED, result_text_or_null(job, 0, 5));
    json_close(out, '}');
}

// ---- stages

static void write_errors(struct strbuf *out, int stage, struct result *errors)
{
    json_open(out, "events", '[');
    for (int row = 0; row < result_rows(errors); row++) {
        if (result_i32(errors, row, 0) != stage)
            continue;
        event_open(out, "task failed", row_time(errors, row, 5));
        json_open(out, "attributes", '[');
        attribute_number(out, "curfew.task", errors, row, 1);
        attribute_number(out, "curfew.attempt", errors, row, 2);
        attribute(out, "curfew.error", result_text(errors, row, 3));
        attribute_number(out, "curfew.exit", errors, row, 4);
        json_close(out, ']');
        json_close(out, '}');
    }
    json_close(out, ']');
}

// How many of a stage's tasks are in no run.
static int64_t tasks_left_out(int stage, int64_t tasks, struct result *runs)
{
    int64_t end = 0;
    for (int row = 0; row < result_rows(runs); row++) {
        int64_t first = result_i64(runs, row, 1), behind = first + result_i64(runs, row, 2);
        if (result_i32(runs, row, 0) != stage || behind <= end)
            continue;
        tasks -= behind - MAX(first, end);
        end = behind;
    }
    return tasks;
}

// A stage that was never released has no span.
static void write_stages(struct strbuf *out, const struct trace *trace, struct result *stages, struct result *errors,
                         struct result *runs)
{
    static const char *const counts[] = {"curfew.tasks", "curfew.succeeded", "curfew.failed", "curfew.cancelled"};
    for (int row = 0; row < result_rows(stages); row++) {
        int64_t begin_us = row_time(stages, row, 7), end_us = row_time(stages, row, 8);
        if (begin_us == 0)
            continue;
        span_open(out, trace, result_text(stages, row, 0), trace->span, result_text(stages, row, 2), begin_us,
                  end_us ? end_us : trace->end_us);
        json_open(out, "attributes", '[');
        attribute(out, "curfew.stage", result_text(stages, row, 2));
        for (size_t i = 0; i < ARRAY_LEN(counts); i++)
            attribute_number(out, counts[i], stages, row, 3 + (int)i);
        if (result_rows(runs) > 0)
            attribute_i64(out, "curfew.tasks_left_out",
                          tasks_left_out(result_i32(stages, row, 1), result_i64(stages, row, 3), runs));
        json_close(out, ']');
        write_errors(out, result_i32(stages, row, 1), errors);
        status(out, result_i64(stages, row, 5) > 0, "tasks failed");
        json_close(out, '}');
    }
}

// ---- runs of tasks

static void write_run(struct strbuf *out, const struct trace *trace, const char *stage, const char *parent,
                      struct result *runs, int row)
{
    char name[300];
    int64_t first = result_i64(runs, row, 1), count = result_i64(runs, row, 2);
    const char *error = result_text_or_null(runs, row, 10);
    if (count == 1)
        snprintf(name, sizeof name, "%s/%" PRId64, stage, first);
    else
        snprintf(name, sizeof name, "%s/%" PRId64 "-%" PRId64, stage, first, first + count - 1);
    span_open(out, trace, result_text(runs, row, 9), parent, name, row_time(runs, row, 7), row_time(runs, row, 8));
    json_open(out, "attributes", '[');
    attribute(out, "curfew.stage", stage);
    attribute_i64(out, "curfew.task", first);
    attribute_i64(out, "curfew.tasks", count);
    attribute_number(out, "curfew.attempt", runs, row, 3);
    attribute(out, "curfew.worker", result_text_or_null(runs, row, 4));
    attribute_number(out, "curfew.succeeded", runs, row, 5);
    attribute_number(out, "curfew.failed", runs, row, 6);
    json_close(out, ']');
    status(out, result_i64(runs, row, 6) > 0, error ? error : "tasks failed");
    json_close(out, '}');
}

// Each below its stage; both are ordered by stages.
static void write_runs(struct strbuf *out, const struct trace *trace, struct result *stages, struct result *runs)
{
    int stage = 0;
    for (int row = 0; row < result_rows(runs); row++) {
        while (stage < result_rows(stages) && result_i32(stages, stage, 1) < result_i32(runs, row, 0))
            stage++;
        if (stage < result_rows(stages))
            write_run(out, trace, result_text(stages, stage, 2), result_text(stages, stage, 0), runs, row);
    }
}

// ---- services

static void write_moments(struct strbuf *out, struct result *services, int row)
{
    static const char *const names[] = {"placed", "started", "ready", "stop requested", "stopped"};
    json_open(out, "events", '[');
    for (int i = 0; i < (int)ARRAY_LEN(names); i++) {
        if (result_is_null(services, row, 7 + i))
            continue;
        event_open(out, names[i], row_time(services, row, 7 + i));
        json_close(out, '}');
    }
    json_close(out, ']');
}

static void write_services(struct strbuf *out, const struct trace *trace, struct result *services)
{
    for (int row = 0; row < result_rows(services); row++) {
        int64_t verified_us = row_time(services, row, 12);
        span_open(out, trace, result_text(services, row, 0), trace->span, result_text(services, row, 1),
                  row_time(services, row, 6), verified_us ? verified_us : trace->end_us);
        json_open(out, "attributes", '[');
        attribute(out, "curfew.service", result_text(services, row, 1));
        attribute_number(out, "curfew.epoch", services, row, 2);
        attribute(out, "curfew.runtime", result_text_or_null(services, row, 3));
        attribute(out, "curfew.object", result_text_or_null(services, row, 4));
        attribute(out, "curfew.worker", result_text_or_null(services, row, 5));
        attribute(out, "curfew.stop_reason", result_text_or_null(services, row, 13));
        attribute_number(out, "curfew.exit", services, row, 14);
        attribute_number(out, "curfew.signal", services, row, 15);
        json_close(out, ']');
        write_moments(out, services, row);
        status(out, result_bool(services, row, 16), result_text_or_null(services, row, 17));
        json_close(out, '}');
    }
}

// ---- all of it

static void write_resource(struct strbuf *out, const char *deployment)
{
    json_open(out, "resource", '{');
    json_open(out, "attributes", '[');
    attribute(out, "service.name", "curfew");
    attribute(out, "service.version", CURFEW_VERSION);
    attribute(out, "curfew.deployment", deployment);
    json_close(out, ']');
    json_close(out, '}');
}

static int read_most(struct db *db, enum statement statement, int64_t job, int64_t most, struct result *out,
                     struct err *err)
{
    AUTO_PARAMS struct params params = PARAMS_INIT;
    params_i64(&params, job);
    params_i64(&params, most);
    return db_query(db, statement, &params, RESULT_BINARY, out, err);
}

static int write_spans(struct db *db, struct trace *trace, struct result *job, struct strbuf *out, struct err *err)
{
    AUTO_RESULT struct result stages = RESULT_INIT;
    AUTO_RESULT struct result errors = RESULT_INIT;
    AUTO_RESULT struct result runs = RESULT_INIT;
    AUTO_RESULT struct result services = RESULT_INIT;
    struct traceparent parent;
    bool has_parent = traceparent_read(result_text_or_null(job, 0, 8), &parent);
    if (read_of_job(db, STATEMENT_TRACE_STAGES, trace->job, &stages, err) < 0 ||
        read_most(db, STATEMENT_TRACE_ERRORS, trace->job, ERRORS_MAX, &errors, err) < 0 ||
        read_most(db, STATEMENT_TRACE_RUNS, trace->job, RUNS_MAX, &runs, err) < 0 ||
        read_of_job(db, STATEMENT_TRACE_SERVICES, trace->job, &services, err) < 0)
        return -1;
    trace->id = has_parent ? parent.trace : result_text(job, 0, 9);
    json_open(out, "spans", '[');
    write_job(out, trace, has_parent ? parent.span : NULL, job);
    write_stages(out, trace, &stages, &errors, &runs);
    write_runs(out, trace, &stages, &runs);
    write_services(out, trace, &services);
    json_close(out, ']');
    if (result_ok(&stages, err) < 0 || result_ok(&errors, err) < 0 || result_ok(&runs, err) < 0)
        return -1;
    return result_ok(&services, err);
}

static int write_request(struct db *db, void *context, struct strbuf *out, struct err *err)
{
    struct trace trace = {.job = *(const int64_t *)context};
    AUTO_RESULT struct result job = RESULT_INIT;
    if (read_of_job(db, STATEMENT_TRACE_JOB, trace.job, &job, err) < 0)
        return -1;
    if (result_rows(&job) == 0)
        return read_no_such_job(trace.job, err);
    span_of_job(trace.job, trace.span);
    trace.begin_us = row_time(&job, 0, 6);
    trace.end_us = row_time(&job, 0, 7);
    json_open(out, NULL, '{');
    json_open(out, "resourceSpans", '[');
    json_open(out, NULL, '{');
    write_resource(out, result_text(&job, 0, 10));
    json_open(out, "scopeSpans", '[');
    json_open(out, NULL, '{');
    json_open(out, "scope", '{');
    json_text(out, "name", "curfew");
    json_close(out, '}');
    if (write_spans(db, &trace, &job, out, err) < 0)
        return -1;
    json_close(out, '}');
    json_close(out, ']');
    json_close(out, '}');
    json_close(out, ']');
    json_close(out, '}');
    return read_done(&job, out, err);
}

int traces_read(struct db *db, int64_t job, struct strbuf *out, struct err *err)
{
    return snapshot_run(db, write_request, &job, out, err);
}
