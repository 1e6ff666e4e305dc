// Observations of instances: compared with what is known, written once per instance, with their events.
#include "services/common/base/strbuf.h"
#include "services/common/model/states.h"
#include "services/common/store/hot_batch.h"
#include "services/common/store/hot_observe.h"

#include <string.h>

static int collect(struct batch *batch, struct err *err)
{
    for (size_t i = 0; i < batch->work_count; i++) {
        const struct batch_work *work = &batch->works[i];
        for (size_t n = 0; !work->dead && n < work->operation->observation_count; n++) {
            struct asked_instance *asked = LIST_ADD(batch->arena, &batch->observations);
            if (!asked)
                return batch_no_memory(err);
            *asked = (struct asked_instance){work, &work->operation->observations[n]};
        }
    }
    return 0;
}

int hot_instances_ask(struct batch *batch, struct err *err)
{
    if (collect(batch, err) < 0)
        return -1;
    if (batch->observations.count == 0)
        return 0;
    struct params *params = batch_params(batch);
    PARAM_I64_FIELD(params, &batch->observations, observation->job);
    PARAM_TEXT_FIELD(params, &batch->observations, observation->service);
    PARAM_I32_FIELD(params, &batch->observations, observation->epoch);
    batch->at.instances = batch_ask(batch, STATEMENT_HOT_INSTANCES, err);
    return batch->at.instances < 0 ? -1 : 0;
}

enum instance_column {
    INSTANCE_COLUMN_ORDINAL,
    INSTANCE_COLUMN_SERVICE,
    INSTANCE_COLUMN_STATE,
    INSTANCE_COLUMN_STOP_REQUESTED,
    INSTANCE_COLUMN_WORKER,
    INSTANCE_COLUMN_INCARNATION,
    INSTANCE_COLUMN_ADOPT,
    INSTANCE_COLUMN_UNBOUNDED,
    INSTANCE_COLUMN_STOP_AGE,
};

static struct instance_row *find_row(const struct batch *batch, int64_t job, int service, int epoch)
{
    for (size_t i = 0; i < batch->instances.count; i++) {
        struct instance_row *row = &batch->instances.items[i];
        if (row->job == job && row->service == service && row->epoch == epoch)
            return row;
    }
    return NULL;
}

// The one row of an instance, however many observations of it the batch has.
static struct instance_row *row_of(struct batch *batch, const struct asked_instance *asked, struct result *rows,
                                   int row)
{
    const struct instance_observation *said = asked->observation;
    int16_t service = (int16_t)result_i32(rows, row, INSTANCE_COLUMN_SERVICE);
    struct instance_row *found = find_row(batch, said->job, service, said->epoch);
    if (found)
        return found;
    found = LIST_ADD(batch->arena, &batch->instances);
    if (found)
        *found = (struct instance_row){
            .job = said->job,
            .service = service,
            .epoch = said->epoch,
            .name = said->service,
            .state = (int16_t)result_i32(rows, row, INSTANCE_COLUMN_STATE),
            .stop_requested = result_bool(rows, row, INSTANCE_COLUMN_STOP_REQUESTED),
            .worker = result_i64_or(rows, row, INSTANCE_COLUMN_WORKER, 0),
            .incarnation = (int)result_i64_or(rows, row, INSTANCE_COLUMN_INCARNATION, 0),
            .adopt = result_bool(rows, row, INSTANCE_COLUMN_ADOPT),
            .unbounded = result_bool(rows, row, INSTANCE_COLUMN_UNBOUNDED),
            .stop_age_ms = result_i64_or(rows, row, INSTANCE_COLUMN_STOP_AGE, -1),
            .exit_code = -1,
            .exit_signal = -1,
            .grade = -1,
        };
    return found;
}

static void take_over(struct instance_row *row, const struct instance_observation *said)
{
    row->object = said->object ? said->object : row->object;
    row->host = said->host ? said->host : row->host;
    row->ports = said->ports ? said->ports : row->ports;
    row->boundary = said->boundary ? said->boundary : row->boundary;
    row->error = said->error ? said->error : row->error;
    row->signals = said->signals ? said->signals : row->signals;
    row->exit_code = said->exit_code >= 0 ? said->exit_code : row->exit_code;
    row->exit_signal = said->exit_signal >= 0 ? said->exit_signal : row->exit_signal;
    row->grade = said->grade >= 0 ? (int16_t)said->grade : row->grade;
}

static const char *const event_kinds[INSTANCE_STATE_COUNT] = {
    [INSTANCE_STARTING] = "service.starting",   [INSTANCE_READY] = "service.ready",
    [INSTANCE_UNHEALTHY] = "service.unhealthy", [INSTANCE_KILLING] = "service.killing",
    [INSTANCE_STOPPED] = "service.stopped",     [INSTANCE_FAILED] = "service.failed",
    [INSTANCE_STUCK] = "service.stuck",         [INSTANCE_VERIFIED] = "service.verified",
};

static void write_exit(struct strbuf *text, const struct instance_observation *said)
{
    if (said->exit_code >= 0)
        strbuf_add_format(text, ",\"exit\":{\"code\":%d,\"signal\":null}", said->exit_code);
    else if (said->exit_signal >= 0)
        strbuf_add_format(text, ",\"exit\":{\"code\":null,\"signal\":%d}", said->exit_signal);
}

static int add_event(struct batch *batch, struct batch_job *job, const struct instance_row *row,
                     const struct instance_observation *said, struct err *err)
{
    const char *data = NULL;
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    strbuf_add_format(&text, "{\"service\":\"%s\",\"epoch\":%d,\"worker\":%lld", row->name, row->epoch,
                      (long long)row->worker);
    if (said->error && *said->error) {
        strbuf_add_text(&text, ",\"error\":");
        strbuf_add_json(&text, said->error, strlen(said->error));
    }
    write_exit(&text, said);
    if (row->state == INSTANCE_VERIFIED)
        strbuf_add_format(&text, ",\"grade\":\"%s\"", grade_name(row->grade >= 0 ? row->grade : GRADE_ABSENT));
    strbuf_add_char(&text, '}');
    if (batch_copy(batch, &text, &data, err) < 0)
        return -1;
    return batch_event(batch, job, event_kinds[row->state], data, false, err);
}

// A worker says what it has taken over before it can say anything new of it.
static void note_adoption(struct instance_row *row, const struct instance_observation *said)
{
    if (!row->adopt || !instance_is_up(said->state))
        return;
    row->adopt = false;
    row->changed = true;
    take_over(row, said);
}

// A container has been created and started: only now the time runs in which it has to become ready.
static void note_container(struct batch *batch, struct batch_job *job, struct instance_row *row,
                           const struct instance_observation *said)
{
    bool runs = row->state == INSTANCE_STARTING && said->state == INSTANCE_STARTING && said->boundary &&
                strcmp(said->boundary, "container") == 0;
    if (!runs || !row->unbounded)
        return;
    row->unbounded = false;
    row->changed = true;
    take_over(row, said);
    batch_settle(job);
    wakes_add(batch->wakes, WAKE_JOB, job->id, 0);
}

// What a worker says of one that has not changed: why it waits, what keeps it, or that this is over ("").
static void note_error(struct instance_row *row, const struct instance_observation *said)
{
    if (!said->error || said->state != row->state || instance_is_over(row->state))
        return;
    row->changed = true;
    take_over(row, said);
}

static bool has_ended(int state)
{
    return state == INSTANCE_STOPPED || state == INSTANCE_FAILED || state == INSTANCE_VERIFIED;
}

// How long it took counts when it is committed.
static int note_stop(struct batch *batch, const struct instance_row *row, int next, struct err *err)
{
    if (row->stop_age_ms < 0 || has_ended(row->state) || !has_ended(next))
        return 0;
    int64_t *age_ms = LIST_ADD(batch->arena, &batch->stops_ms);
    if (!age_ms)
        return batch_no_memory(err);
    *age_ms = row->stop_age_ms;
    return 0;
}

// What a worker says of an instance counts when the instance is its own, of its present life.
static int observe(struct batch *batch, const struct asked_instance *asked, struct result *rows, int at,
                   struct err *err)
{
    const struct instance_observation *said = asked->observation;
    struct batch_job *job = batch_job(batch, said->job);
    if (asked->work->dead || !job)
        return 0;
    struct instance_row *row = row_of(batch, asked, rows, at);
    if (!row)
        return batch_no_memory(err);
    const struct work_operation *operation = asked->work->operation;
    if (row->worker != operation->worker || row->incarnation != operation->incarnation)
        return 0;
    int next = observe_next(row->state, row->stop_requested, said->state);
    if (next < 0) {
        note_adoption(row, said);
        note_container(batch, job, row, said);
        note_error(row, said);
        return 0;
    }
    if (note_stop(batch, row, next, err) < 0)
        return -1;
    row->failed |= observe_fails(row->state, row->stop_requested, next);
    row->changed = true;
    row->state = (int16_t)next;
    take_over(row, said);
    batch_settle(job);
    wakes_add(batch->wakes, WAKE_JOB, job->id, 0);
    return add_event(batch, job, row, said, err);
}

int hot_instances_read(struct batch *batch, struct err *err)
{
    if (batch->at.instances < 0)
        return 0;
    struct result *rows = pipeline_result(batch->pipeline, batch->at.instances);
    for (int row = 0; row < result_rows(rows); row++) {
        size_t at = (size_t)result_i64(rows, row, INSTANCE_COLUMN_ORDINAL) - 1;
        if (at < batch->observations.count && observe(batch, &batch->observations.items[at], rows, row, err) < 0)
            return -1;
    }
    return result_ok(rows, err);
}

static int keep_changed(struct batch *batch)
{
    size_t kept = 0;
    for (size_t i = 0; i < batch->instances.count; i++)
        if (batch->instances.items[i].changed)
            batch->instances.items[kept++] = batch->instances.items[i];
    batch->instances.count = kept;
    return kept > 0;
}

int hot_instances_write(struct batch *batch, struct err *err)
{
    if (!keep_changed(batch))
        return 0;
    struct params *params = batch_params(batch);
    PARAM_I64_FIELD(params, &batch->instances, job);
    PARAM_I16_FIELD(params, &batch->instances, service);
    PARAM_I32_FIELD(params, &batch->instances, epoch);
    PARAM_I16_FIELD(params, &batch->instances, state);
    PARAM_BOOL_FIELD(params, &batch->instances, failed);
    PARAM_TEXT_FIELD(params, &batch->instances, object);
    PARAM_TEXT_FIELD(params, &batch->instances, host);
    PARAM_TEXT_FIELD(params, &batch->instances, ports);
    PARAM_TEXT_FIELD(params, &batch->instances, boundary);
    PARAM_TEXT_FIELD(params, &batch->instances, error);
    PARAM_TEXT_FIELD(params, &batch->instances, signals);
    PARAM_I32_FIELD(params, &batch->instances, exit_code);
    PARAM_I32_FIELD(params, &batch->instances, exit_signal);
    PARAM_I16_FIELD(params, &batch->instances, grade);
    return batch_ask(batch, STATEMENT_HOT_INSTANCES_UPDATE, err) < 0 ? -1 : 0;
}
