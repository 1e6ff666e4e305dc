// The rows of new jobs. A plain job's are final; any other begins with everything held and is settled in the same
// transaction, which releases what may be released and starts its services.
#include "services/common/base/macros.h"
#include "services/common/base/strbuf.h"
#include "services/common/model/namespace.h"
#include "services/common/model/states.h"
#include "services/common/model/traceparent.h"
#include "services/common/store/change.h"
#include "services/common/store/hot_items.h"
#include "services/common/store/hot_runs.h"
#include "services/common/store/hot_submit.h"

#include <string.h>

#define TRACE_VARIABLE "TRACEPARENT"

// ---- jobs

struct job_row {
    int64_t id;
    const char *name, *labels;
    int16_t priority;
    const char *spec, *bundle, *key, *fingerprint;
    int16_t autostop_on;
    int64_t linger_ms, keep_on_failure_ms, timeout_ms, max_lifetime_ms;
    int16_t services, phase;
    int32_t events;
    const char *space, *traceparent;
    int64_t owner;
};

static void fill_job(const struct batch_submit *submit, struct job_row *row)
{
    const struct submit_operation *operation = submit->operation;
    const struct job_spec *spec = operation->spec;
    *row = (struct job_row){
        .id = operation->job,
        .name = spec->name,
        .labels = submit->labels,
        .priority = (int16_t)spec->priority,
        .spec = submit->spec,
        .bundle = submit->bundle,
        .key = operation->idempotency_key,
        .fingerprint = operation->fingerprint,
        .autostop_on = (int16_t)spec->autostop.on,
        .linger_ms = spec->autostop.linger_ms,
        .keep_on_failure_ms = spec->autostop.keep_on_failure_ms,
        .timeout_ms = spec->timeout_ms,
        .max_lifetime_ms = spec->max_lifetime_ms,
        .services = (int16_t)spec->service_count,
        .phase = submit->plain ? PHASE_RELEASED : PHASE_WAITING,
        .events = submit->events,
        .space = operation->space ? operation->space : NAMESPACE_DEFAULT,
        .traceparent = operation->traceparent,
        .owner = operation->by.token,
    };
}

// The heads of the queues that the tasks of plain jobs join.
static int want_ranks(struct batch *batch, const struct batch_submit *submit, struct err *err)
{
    const struct job_spec *spec = submit->operation->spec;
    for (size_t i = 0; i < spec->stage_count; i++)
        if (hot_submit_releases(submit, i) &&
            batch_want_rank(batch, hot_submit_demand(batch, submit, i), (int16_t)spec->priority, err) < 0)
            return -1;
    return 0;
}

static int collect_jobs(struct batch *batch, struct submit_rows *rows, struct err *err)
{
    for (size_t i = 0; i < batch->submit_count; i++) {
        if (batch->submits[i].dead || batch->submits[i].over)
            continue;
        struct job_row *row = LIST_ADD(batch->arena, &rows->jobs);
        if (!row)
            return batch_no_memory(err);
        fill_job(&batch->submits[i], row);
        if (want_ranks(batch, &batch->submits[i], err) < 0)
            return -1;
    }
    return 0;
}

static void add_job_params(struct params *params, const struct submit_rows *rows)
{
    PARAM_I64_FIELD(params, &rows->jobs, id);
    PARAM_TEXT_FIELD(params, &rows->jobs, name);
    PARAM_TEXT_FIELD(params, &rows->jobs, labels);
    PARAM_I16_FIELD(params, &rows->jobs, priority);
    PARAM_TEXT_FIELD(params, &rows->jobs, spec);
    PARAM_TEXT_FIELD(params, &rows->jobs, bundle);
    PARAM_TEXT_FIELD(params, &rows->jobs, key);
    PARAM_TEXT_FIELD(params, &rows->jobs, fingerprint);
    PARAM_I16_FIELD(params, &rows->jobs, autostop_on);
    PARAM_I64_FIELD(params, &rows->jobs, linger_ms);
    PARAM_I64_FIELD(params, &rows->jobs, keep_on_failure_ms);
    PARAM_I64_FIELD(params, &rows->jobs, timeout_ms);
    PARAM_I64_FIELD(params, &rows->jobs, max_lifetime_ms);
    PARAM_I16_FIELD(params, &rows->jobs, services);
    PARAM_I16_FIELD(params, &rows->jobs, phase);
    PARAM_I32_FIELD(params, &rows->jobs, events);
    PARAM_TEXT_FIELD(params, &rows->jobs, space);
    PARAM_I64_FIELD(params, &rows->jobs, owner);
    PARAM_TEXT_FIELD(params, &rows->jobs, traceparent);
}

int hot_submit_insert(struct batch *batch, struct err *err)
{
    struct submit_rows rows = {0};
    if (collect_jobs(batch, &rows, err) < 0)
        return -1;
    if (rows.jobs.count == 0)
        return 0;
    add_job_params(batch_params(batch), &rows);
    batch->at.jobs_insert = batch_ask(batch, STATEMENT_HOT_JOBS_INSERT, err);
    return batch->at.jobs_insert < 0 ? -1 : 0;
}

// ---- stages

struct stage_row {
    int64_t job;
    int16_t stage;
    const char *name;
    int32_t demand;
    int16_t priority;
    const char *run;
    int16_t from_stage;
    int64_t after_mask;
    bool fail_job;
    int32_t retries_max;
    int64_t backoff_ms, backoff_max_ms;
    int32_t max_parallel;
    int64_t total;
    bool released;
    int64_t rank;
};

static int64_t mask_of(const struct job_spec *spec, const struct text_list *names,
                       int (*find)(const struct job_spec *, const char *))
{
    uint64_t mask = 0;
    for (size_t i = 0; i < names->count; i++) {
        int position = find(spec, names->items[i]);
        mask |= position >= 0 ? UINT64_C(1) << position : 0;
    }
    return (int64_t)mask;
}

// Adds TRACEPARENT to what the spec has run, unless it sets its own. `run` is a copy, whose variables are the spec's.
static int add_trace(struct batch *batch, const struct submit_operation *operation, struct run_spec *run,
                     struct err *err)
{
    struct traceparent parent;
    if (!traceparent_read(operation->traceparent, &parent))
        return 0;
    for (size_t i = 0; i < run->env.count; i++)
        if (strcmp(run->env.items[i].name, TRACE_VARIABLE) == 0)
            return 0;
    struct text_pair *items = arena_alloc(batch->arena, (run->env.count + 1) * sizeof *items);
    char *value = arena_alloc(batch->arena, TRACEPARENT_SIZE);
    if (!items || !value)
        return batch_no_memory(err);
    traceparent_of_job(&parent, operation->job, value);
    if (run->env.count)
        memcpy(items, run->env.items, run->env.count * sizeof *items);
    items[run->env.count] = (struct text_pair){(char *)TRACE_VARIABLE, value};
    run->env = (struct text_pairs){items, run->env.count + 1};
    return 0;
}

static int write_run(struct batch *batch, const struct submit_operation *operation, const struct stage_spec *stage,
                     const char **out, struct err *err)
{
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    struct stage_spec copy = *stage;
    *out = NULL;
    if (stage->mode == STAGE_PULL)
        return 0;
    if (add_trace(batch, operation, &copy.run, err) < 0)
        return -1;
    stage_spec_write(&copy, &text);
    return batch_copy(batch, &text, out, err);
}

static int32_t to_i32(int64_t value)
{
    return (int32_t)MIN(value, (int64_t)INT32_MAX);
}

static int add_stage_row(struct batch *batch, struct batch_submit *submit, size_t index, int64_t head,
                         struct submit_rows *rows, struct err *err)
{
    const struct job_spec *spec = submit->operation->spec;
    const struct stage_spec *stage = &spec->stages[index];
    bool released = hot_submit_releases(submit, index);
    struct stage_row *row = LIST_ADD(batch->arena, &rows->stages);
    if (!row)
        return batch_no_memory(err);
    *row = (struct stage_row){
        .job = submit->operation->job,
        .stage = (int16_t)index,
        .name = stage->name,
        .demand = hot_submit_demand(batch, submit, index),
        .priority = (int16_t)spec->priority,
        .from_stage = (int16_t)(stage->from ? job_spec_stage(spec, stage->from) : -1),
        .after_mask = mask_of(spec, &stage->after, job_spec_stage),
        .fail_job = stage->on_failure == STAGE_FAILURE_FAIL_JOB,
        .retries_max = to_i32(stage->retries.max),
        .backoff_ms = stage->retries.backoff_ms,
        .backoff_max_ms = stage->retries.backoff_max_ms,
        .max_parallel = to_i32(stage->max_parallel),
        .total = stage->task_count,
        .released = released,
        .rank = released ? head + stage->task_count : 0,
    };
    if (write_run(batch, submit->operation, stage, &row->run, err) < 0)
        return -1;
    submit->runs[index] = row->run;
    return 0;
}

static int add_slices(struct batch *batch, const struct batch_submit *submit, size_t index, int64_t head,
                      struct err *err)
{
    const struct stage_spec *stage = &submit->operation->spec->stages[index];
    int64_t width = slice_initial_width(stage->task_count);
    bool released = hot_submit_releases(submit, index);
    for (int64_t first = 0; first < stage->task_count; first += width) {
        struct slice_row *row = LIST_ADD(batch->arena, &batch->new_slices);
        if (!row)
            return batch_no_memory(err);
        *row = (struct slice_row){
            .job = submit->operation->job,
            .stage = (int16_t)index,
            .first = first,
            .count = MIN(width, stage->task_count - first),
            .state = released ? SLICE_READY : SLICE_HELD,
            .rank = released ? head + first : 0,
            .demand = hot_submit_demand(batch, submit, index),
            .priority = (int16_t)submit->operation->spec->priority,
        };
    }
    if (released && stage->task_count > 0)
        wakes_add(batch->wakes, WAKE_DEMAND, hot_submit_demand(batch, submit, index), stage->task_count);
    return 0;
}

static int add_items(struct batch *batch, const struct batch_submit *submit, size_t index, struct err *err)
{
    const struct spec_items *items = &submit->operation->spec->stages[index].items;
    if (submit->operation->spec->stages[index].tasks != TASKS_LISTED || items->count == 0)
        return 0;
    struct output_line *lines = arena_alloc(batch->arena, items->count * sizeof *lines);
    if (!lines)
        return batch_no_memory(err);
    for (size_t i = 0; i < items->count; i++)
        lines[i] = (struct output_line){items->text + items->starts[i], items->starts[i + 1] - 1 - items->starts[i]};
    return hot_items_add(batch, submit->operation->job, (int16_t)index, 0, lines, items->count, err);
}

// ---- services

struct service_row {
    int64_t job;
    int16_t service;
    const char *name;
    int32_t demand;
    const char *run;
    int64_t depends_mask;
    int16_t on_failure;
    int32_t restart_max;
    int64_t window_ms, backoff_ms, deadline_ms;
};

static int add_service_row(struct batch *batch, const struct batch_submit *submit, size_t index,
                           struct submit_rows *rows, struct err *err)
{
    const struct job_spec *spec = submit->operation->spec;
    const struct service_spec *service = &spec->services[index];
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    struct service_row *row = LIST_ADD(batch->arena, &rows->services);
    if (!row)
        return batch_no_memory(err);
    *row = (struct service_row){
        .job = submit->operation->job,
        .service = (int16_t)index,
        .name = service->name,
        .demand = hot_submit_demand(batch, submit, spec->stage_count + index),
        .depends_mask = mask_of(spec, &service->depends_on, job_spec_service),
        .on_failure = (int16_t)service->on_failure,
        .restart_max = to_i32(service->restart.max),
        .window_ms = service->restart.window_ms,
        .backoff_ms = service->restart.backoff_ms,
        .deadline_ms = service->ready.deadline_ms,
    };
    struct service_spec copy = *service;
    if (add_trace(batch, submit->operation, &copy.run, err) < 0)
        return -1;
    service_spec_write(&copy, &text);
    return batch_copy(batch, &text, &row->run, err);
}

// ---- events

static int add_event(struct batch *batch, const struct batch_submit *submit, int32_t seq, const char *kind,
                     const char *data, struct err *err)
{
    struct event_row *row = LIST_ADD(batch->arena, &batch->events);
    if (!row)
        return batch_no_memory(err);
    *row = (struct event_row){submit->operation->job, seq, kind, data};
    return 0;
}

// NULL without memory.
static const char *who_submits(struct batch *batch, const char *by)
{
    char *data = by ? arena_alloc(batch->arena, EVENT_BY_SIZE) : NULL;
    if (data)
        event_by(by, data);
    return by ? data : "{}";
}

static int add_events(struct batch *batch, const struct batch_submit *submit, struct err *err)
{
    const struct job_spec *spec = submit->operation->spec;
    int32_t seq = 1;
    const char *who = who_submits(batch, submit->operation->by.name);
    if (!who)
        return batch_no_memory(err);
    if (add_event(batch, submit, seq, "job.submitted", who, err) < 0)
        return -1;
    for (size_t i = 0; i < spec->stage_count; i++) {
        const char *data = NULL;
        AUTO_STRBUF struct strbuf text = STRBUF_INIT;
        if (!hot_submit_releases(submit, i))
            continue;
        strbuf_add_format(&text, "{\"stage\":\"%s\"}", spec->stages[i].name);
        if (batch_copy(batch, &text, &data, err) < 0 ||
            add_event(batch, submit, ++seq, "stage.released", data, err) < 0)
            return -1;
    }
    return 0;
}

// ---- writing

static int add_job(struct batch *batch, struct batch_submit *submit, struct submit_rows *rows, struct err *err)
{
    const struct job_spec *spec = submit->operation->spec;
    submit->runs = arena_alloc_zero(batch->arena, spec->stage_count + 1, sizeof *submit->runs);
    if (!submit->runs)
        return batch_no_memory(err);
    for (size_t i = 0; i < spec->stage_count; i++) {
        int64_t head = batch_rank(batch, hot_submit_demand(batch, submit, i), (int16_t)spec->priority);
        if (add_stage_row(batch, submit, i, head, rows, err) < 0 || add_slices(batch, submit, i, head, err) < 0 ||
            add_items(batch, submit, i, err) < 0)
            return -1;
    }
    for (size_t i = 0; i < spec->service_count; i++)
        if (add_service_row(batch, submit, i, rows, err) < 0)
            return -1;
    if (!submit->plain) {
        int64_t *job = LIST_ADD(batch->arena, &batch->settles);
        if (!job)
            return batch_no_memory(err);
        *job = submit->operation->job;
    }
    return add_events(batch, submit, err);
}

static void add_stage_params(struct params *params, const struct submit_rows *rows)
{
    PARAM_I64_FIELD(params, &rows->stages, job);
    PARAM_I16_FIELD(params, &rows->stages, stage);
    PARAM_TEXT_FIELD(params, &rows->stages, name);
    PARAM_I32_FIELD(params, &rows->stages, demand);
    PARAM_I16_FIELD(params, &rows->stages, priority);
    PARAM_TEXT_FIELD(params, &rows->stages, run);
    PARAM_I16_FIELD(params, &rows->stages, from_stage);
    PARAM_I64_FIELD(params, &rows->stages, after_mask);
    PARAM_BOOL_FIELD(params, &rows->stages, fail_job);
    PARAM_I32_FIELD(params, &rows->stages, retries_max);
    PARAM_I64_FIELD(params, &rows->stages, backoff_ms);
    PARAM_I64_FIELD(params, &rows->stages, backoff_max_ms);
    PARAM_I32_FIELD(params, &rows->stages, max_parallel);
    PARAM_I64_FIELD(params, &rows->stages, total);
    PARAM_BOOL_FIELD(params, &rows->stages, released);
    PARAM_I64_FIELD(params, &rows->stages, rank);
}

static int write_services(struct batch *batch, const struct submit_rows *rows, struct err *err)
{
    if (rows->services.count == 0)
        return 0;
    struct params *params = batch_params(batch);
    PARAM_I64_FIELD(params, &rows->services, job);
    PARAM_I16_FIELD(params, &rows->services, service);
    PARAM_TEXT_FIELD(params, &rows->services, name);
    PARAM_I32_FIELD(params, &rows->services, demand);
    PARAM_TEXT_FIELD(params, &rows->services, run);
    PARAM_I64_FIELD(params, &rows->services, depends_mask);
    PARAM_I16_FIELD(params, &rows->services, on_failure);
    PARAM_I32_FIELD(params, &rows->services, restart_max);
    PARAM_I64_FIELD(params, &rows->services, window_ms);
    PARAM_I64_FIELD(params, &rows->services, backoff_ms);
    PARAM_I64_FIELD(params, &rows->services, deadline_ms);
    return batch_ask(batch, STATEMENT_HOT_SERVICES_INSERT, err) < 0 ? -1 : 0;
}

static int add_jobs(struct batch *batch, struct submit_rows *rows, struct err *err)
{
    for (size_t i = 0; i < batch->submit_count; i++)
        if (batch->submits[i].inserted && add_job(batch, &batch->submits[i], rows, err) < 0)
            return -1;
    return 0;
}

int hot_submit_write(struct batch *batch, struct err *err)
{
    struct submit_rows rows = {0};
    if (add_jobs(batch, &rows, err) < 0)
        return -1;
    if (rows.stages.count == 0)
        return 0;
    add_stage_params(batch_params(batch), &rows);
    return batch_ask(batch, STATEMENT_HOT_STAGES_INSERT, err) < 0 ? -1 : write_services(batch, &rows, err);
}

int hot_submit_rows(struct batch *batch, struct submit_rows *rows, struct err *err)
{
    return collect_jobs(batch, rows, err) < 0 ? -1 : add_jobs(batch, rows, err);
}

void hot_submit_rows_params(const struct submit_rows *rows, struct params *params)
{
    add_job_params(params, rows);
    add_stage_params(params, rows);
}

// ---- after the commit

struct hot_run hot_submit_run(const struct batch_submit *submit, size_t index)
{
    const struct job_spec *spec = submit->operation->spec;
    const struct stage_spec *stage = &spec->stages[index];
    return (struct hot_run){
        .has_items = stage->tasks == TASKS_LISTED || stage->tasks == TASKS_FROM,
        .has_services = spec->service_count > 0,
        .name = stage->name,
        .run = submit->runs[index],
        .bundle = submit->bundle,
        .traceparent = submit->runs[index] ? NULL : submit->operation->traceparent,
    };
}

// Plain jobs are often claimed at once.
static void remember_stages(struct batch *batch, const struct batch_submit *submit)
{
    for (size_t i = 0; i < submit->operation->spec->stage_count; i++) {
        struct hot_run run = hot_submit_run(submit, i);
        hot_runs_remember(batch->hot->runs, submit->operation->job, (int)i, &run);
    }
}

void hot_submit_remember(struct batch *batch)
{
    for (size_t i = 0; i < batch->submit_count; i++)
        if (batch->submits[i].inserted && batch->submits[i].plain)
            remember_stages(batch, &batch->submits[i]);
}
