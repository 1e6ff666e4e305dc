#include "services/common/store/read_job_view.h"

#include "services/common/base/parse.h"
#include "services/common/model/states.h"

#include <stdio.h>

#define AUTOSTOP_ALWAYS_BITS 15

enum job_column {
    ID,
    NAME,
    LABELS,
    PRIORITY,
    AUTOSTOP_ON,
    LINGER,
    KEEP_ON_FAILURE,
    BUNDLE,
    PAUSED,
    OUTCOME,
    CLEANUP_,
    REASON_CODE,
    REASON_MESSAGE,
    CREATED_AT,
    STARTED_AT,
    FINISHED_AT,
    CLOSED_AT,
    STOP_REQUESTED_AT,
    KEEP_UNTIL,
    EVENT_COUNT,
    LOG_BYTES,
    DELETE_REQUESTED,
    NAMESPACE,
};

enum stage_column {
    STAGE_JOB,
    STAGE_NAME,
    STAGE_TOTAL,
    STAGE_OPEN,
    STAGE_SUCCEEDED,
    STAGE_FAILED,
    STAGE_CANCELLED,
    STAGE_RELEASED,
    STAGE_CLOSED,
    STAGE_READY,
    STAGE_RUNNING,
    STAGE_DELAYED,
};

enum service_column {
    SERVICE_JOB,
    SERVICE_NAME,
    SERVICE_EPOCH,
    SERVICE_RUNTIME,
    SERVICE_STATE,
    SERVICE_HOST,
    SERVICE_PORTS,
    SERVICE_PLACED,
};

void job_views_release(struct job_views *views)
{
    result_release(&views->jobs);
    result_release(&views->stages);
    result_release(&views->services);
}

int job_views_load(struct job_views *views, struct db *db, const int64_t *jobs, size_t count, struct err *err)
{
    AUTO_PARAMS struct params ids = PARAMS_INIT;
    params_i64_array(&ids, jobs, count);
    if (db_query(db, STATEMENT_READ_JOBS, &ids, RESULT_BINARY, &views->jobs, err) < 0 ||
        db_query(db, STATEMENT_READ_JOB_STAGES, &ids, RESULT_BINARY, &views->stages, err) < 0)
        return -1;
    return db_query(db, STATEMENT_READ_JOB_SERVICES, &ids, RESULT_BINARY, &views->services, err);
}

int job_views_count(const struct job_views *views)
{
    return result_rows(&views->jobs);
}

int job_views_done(const struct job_views *views, const struct strbuf *out, struct err *err)
{
    if (result_ok(&views->jobs, err) < 0 || result_ok(&views->stages, err) < 0)
        return -1;
    return read_done(&views->services, out, err);
}

// ---- facts

static bool stage_has_begun(struct result *stages, int row)
{
    return result_i64(stages, row, STAGE_RUNNING) > 0 || result_i64(stages, row, STAGE_SUCCEEDED) > 0 ||
           result_i64(stages, row, STAGE_FAILED) > 0;
}

static int rows_end(struct result *rows, int row, int64_t job)
{
    while (row < result_rows(rows) && result_i64(rows, row, 0) == job)
        row++;
    return row;
}

static int state_of(struct job_views *views, int row, int stages_end, int services_end)
{
    struct result *jobs = &views->jobs;
    bool placed = false, begun = false;
    for (int i = views->stage_row; i < stages_end; i++)
        begun |= stage_has_begun(&views->stages, i);
    for (int i = views->service_row; i < services_end; i++)
        placed |= result_bool(&views->services, i, SERVICE_PLACED) ||
                  result_i64_or(&views->services, i, SERVICE_EPOCH, 0) > 1;
    return job_state_of((int)result_i64_or(jobs, row, OUTCOME, OUTCOME_NONE), result_bool(jobs, row, PAUSED),
                        !result_is_null(jobs, row, STARTED_AT), placed, begun);
}

static void fill_progress(struct result *jobs, int row, struct job_progress *progress)
{
    *progress = (struct job_progress){
        .found = true,
        .outcome = (int)result_i64_or(jobs, row, OUTCOME, OUTCOME_NONE),
        .cleanup = result_i32(jobs, row, CLEANUP_),
        .closed = !result_is_null(jobs, row, CLOSED_AT),
        .event_count = result_i32(jobs, row, EVENT_COUNT),
        .log_bytes = result_i64(jobs, row, LOG_BYTES),
    };
    snprintf(progress->space, sizeof(progress->space), "%s", result_text(jobs, row, NAMESPACE));
}

// ---- writing

static void write_duration(struct strbuf *out, const char *key, int64_t ms)
{
    char text[PARSE_DURATION_TEXT_SIZE];
    duration_format(ms, text);
    json_text(out, key, text);
}

// As short as a user would write it: true, false, or the whole policy.
static void write_autostop(struct strbuf *out, struct result *jobs, int row)
{
    int on = result_i32(jobs, row, AUTOSTOP_ON);
    int64_t linger_ms = result_i64(jobs, row, LINGER), keep_ms = result_i64(jobs, row, KEEP_ON_FAILURE);
    if ((on == AUTOSTOP_ALWAYS_BITS && linger_ms == 0 && keep_ms == 0) || on == 0) {
        json_bool(out, "autostop", on != 0);
        return;
    }
    json_open(out, "autostop", '{');
    json_open(out, "on", '[');
    for (int outcome = 0; outcome < OUTCOME_COUNT; outcome++)
        if (on >> outcome & 1)
            json_text(out, NULL, outcome_name(outcome));
    json_close(out, ']');
    write_duration(out, "linger", linger_ms);
    write_duration(out, "keep_on_failure", keep_ms);
    json_close(out, '}');
}

static void write_reason(struct strbuf *out, struct result *jobs, int row)
{
    if (result_is_null(jobs, row, REASON_CODE)) {
        json_null(out, "reason");
        return;
    }
    json_open(out, "reason", '{');
    row_text(out, "code", jobs, row, REASON_CODE);
    row_text(out, "message", jobs, row, REASON_MESSAGE);
    json_close(out, '}');
}

static const char *stage_state(struct result *stages, int row, bool ended)
{
    if (result_bool(stages, row, STAGE_CLOSED) || (ended && result_i64(stages, row, STAGE_OPEN) == 0))
        return "closed";
    return result_bool(stages, row, STAGE_RELEASED) ? "open" : "waiting";
}

static void write_stages(struct strbuf *out, struct result *stages, int row, int end, bool ended)
{
    json_open(out, "stages", '[');
    for (; row < end; row++) {
        json_open(out, NULL, '{');
        row_text(out, "name", stages, row, STAGE_NAME);
        json_text(out, "state", stage_state(stages, row, ended));
        row_i64(out, "total", stages, row, STAGE_TOTAL);
        row_i64(out, "ready", stages, row, STAGE_READY);
        row_i64(out, "running", stages, row, STAGE_RUNNING);
        row_i64(out, "delayed", stages, row, STAGE_DELAYED);
        row_i64(out, "succeeded", stages, row, STAGE_SUCCEEDED);
        row_i64(out, "failed", stages, row, STAGE_FAILED);
        row_i64(out, "cancelled", stages, row, STAGE_CANCELLED);
        json_close(out, '}');
    }
    json_close(out, ']');
}

// A service that has no instance yet waits for others: epoch 0, pending.
static void write_services(struct strbuf *out, struct result *services, int row, int end)
{
    json_open(out, "services", '[');
    for (; row < end; row++) {
        json_open(out, NULL, '{');
        row_text(out, "name", services, row, SERVICE_NAME);
        json_i64(out, "epoch", result_i64_or(services, row, SERVICE_EPOCH, 0));
        row_text(out, "runtime", services, row, SERVICE_RUNTIME);
        json_text(out, "state",
                  instance_state_name((int)result_i64_or(services, row, SERVICE_STATE, INSTANCE_PENDING)));
        row_text(out, "host", services, row, SERVICE_HOST);
        row_raw(out, "ports", services, row, SERVICE_PORTS, "{}");
        json_close(out, '}');
    }
    json_close(out, ']');
}

static void write_job(struct strbuf *out, struct result *jobs, int row, int state)
{
    row_job(out, "id", result_i64(jobs, row, ID));
    row_text(out, "name", jobs, row, NAME);
    row_text(out, "namespace", jobs, row, NAMESPACE);
    row_raw(out, "labels", jobs, row, LABELS, "{}");
    row_i64(out, "priority", jobs, row, PRIORITY);
    write_autostop(out, jobs, row);
    row_text(out, "bundle", jobs, row, BUNDLE);
    json_text(out, "state", job_state_name(state));
    json_text(out, "outcome", outcome_name((int)result_i64_or(jobs, row, OUTCOME, OUTCOME_NONE)));
    json_text(out, "cleanup", cleanup_name(result_i32(jobs, row, CLEANUP_)));
    write_reason(out, jobs, row);
    json_bool(out, "deleting", result_bool(jobs, row, DELETE_REQUESTED));
    row_when(out, "created_at", jobs, row, CREATED_AT);
    row_when(out, "started_at", jobs, row, STARTED_AT);
    row_when(out, "finished_at", jobs, row, FINISHED_AT);
    row_when(out, "closed_at", jobs, row, CLOSED_AT);
    row_when(out, "stop_requested_at", jobs, row, STOP_REQUESTED_AT);
    row_when(out, "keep_until", jobs, row, KEEP_UNTIL);
}

void job_views_write(struct job_views *views, int row, int state, struct job_progress *progress, struct strbuf *out)
{
    int64_t job = result_i64(&views->jobs, row, ID);
    int stages_end = rows_end(&views->stages, views->stage_row, job);
    int services_end = rows_end(&views->services, views->service_row, job);
    int actual = state_of(views, row, stages_end, services_end);
    if (progress)
        fill_progress(&views->jobs, row, progress);
    if (state < 0 || state == actual) {
        json_open(out, NULL, '{');
        write_job(out, &views->jobs, row, actual);
        write_stages(out, &views->stages, views->stage_row, stages_end, actual >= JOB_SUCCEEDED);
        write_services(out, &views->services, views->service_row, services_end);
        json_close(out, '}');
    }
    views->stage_row = stages_end;
    views->service_row = services_end;
}
