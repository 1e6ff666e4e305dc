// Applies the plans of a batch with merged statements: stages and slices, instances, events, and last the jobs
// themselves.
#include "services/common/db/db.h"
#include "services/common/model/states.h"
#include "services/common/store/embedded.h"
#include "services/common/store/settle_batch.h"

// The columns of settle_jobs, in its order.
struct job_columns {
    size_t count;
    int64_t *job, *now;
    int16_t *outcome;
    const char **reason_code, **reason_message;
    int16_t *cleanup;
    int64_t *keep_until;
    int16_t *phase;
    int64_t *started;
    bool *closes;
    int64_t *attention;
    int32_t *events;
};

static int columns_init(struct job_columns *columns, struct settle_batch *batch, struct err *err)
{
    size_t n = batch->count;
    columns->count = 0;
    bool ok = (columns->job = arena_alloc_zero(batch->arena, n, sizeof *columns->job)) &&
              (columns->now = arena_alloc_zero(batch->arena, n, sizeof *columns->now)) &&
              (columns->outcome = arena_alloc_zero(batch->arena, n, sizeof *columns->outcome)) &&
              (columns->reason_code = arena_alloc_zero(batch->arena, n, sizeof *columns->reason_code)) &&
              (columns->reason_message = arena_alloc_zero(batch->arena, n, sizeof *columns->reason_message)) &&
              (columns->cleanup = arena_alloc_zero(batch->arena, n, sizeof *columns->cleanup)) &&
              (columns->keep_until = arena_alloc_zero(batch->arena, n, sizeof *columns->keep_until)) &&
              (columns->phase = arena_alloc_zero(batch->arena, n, sizeof *columns->phase)) &&
              (columns->started = arena_alloc_zero(batch->arena, n, sizeof *columns->started)) &&
              (columns->closes = arena_alloc_zero(batch->arena, n, sizeof *columns->closes)) &&
              (columns->attention = arena_alloc_zero(batch->arena, n, sizeof *columns->attention)) &&
              (columns->events = arena_alloc_zero(batch->arena, n, sizeof *columns->events));
    return ok ? 0 : err_set(err, ERR_NO_MEMORY, "settling %zu jobs", n);
}

static void columns_add(struct job_columns *columns, const struct settle_entry *entry)
{
    const struct settle_plan *plan = &entry->plan;
    size_t at = columns->count++;
    columns->job[at] = entry->job;
    columns->now[at] = entry->view.now_us;
    columns->outcome[at] = (int16_t)plan->outcome;
    columns->reason_code[at] = plan->reason_code;
    columns->reason_message[at] = plan->reason_message;
    columns->cleanup[at] = (int16_t)plan->cleanup;
    columns->keep_until[at] = plan->keep_until_us;
    columns->phase[at] = (int16_t)plan->phase;
    columns->started[at] = plan->sets_started ? entry->view.now_us : entry->started_us;
    columns->closes[at] = plan->closes;
    columns->attention[at] = plan->attention_at_us;
    columns->events[at] = entry->event_count;
}

static int columns_write(const struct job_columns *columns, struct db *db, struct err *err)
{
    AUTO_PARAMS struct params params = PARAMS_INIT;
    params_i64_array(&params, columns->job, columns->count);
    params_i64_array(&params, columns->now, columns->count);
    params_i16_array(&params, columns->outcome, columns->count);
    params_text_array(&params, columns->reason_code, columns->count);
    params_text_array(&params, columns->reason_message, columns->count);
    params_i16_array(&params, columns->cleanup, columns->count);
    params_i64_array(&params, columns->keep_until, columns->count);
    params_i16_array(&params, columns->phase, columns->count);
    params_i64_array(&params, columns->started, columns->count);
    params_bool_array(&params, columns->closes, columns->count);
    params_i64_array(&params, columns->attention, columns->count);
    params_i32_array(&params, columns->events, columns->count);
    return db_execute(db, STATEMENT_SETTLE_JOBS, &params, NULL, err);
}

// Instances that wait for a worker, now that one may take them.
static void wake_for_pending(struct settle_batch *batch, const struct settle_entry *entry)
{
    const struct settle_view *view = &entry->view;
    for (size_t i = 0; i < entry->plan.start_count; i++)
        if (entry->plan.starts[i].not_before_us <= view->now_us)
            wakes_add(batch->wakes, WAKE_DEMAND, entry->demands[entry->plan.starts[i].service], 1);
    for (size_t i = 0; i < view->instance_count; i++)
        if (view->instances[i].state == INSTANCE_PENDING && view->instances[i].not_before_us <= view->now_us)
            wakes_add(batch->wakes, WAKE_DEMAND, entry->demands[view->instances[i].service], 1);
}

static bool entry_changes(const struct settle_entry *entry)
{
    return entry->plan.changes || entry->started_us != 0 || entry->event_count != entry->stored_event_count;
}

static int apply_jobs(struct settle_batch *batch, struct err *err)
{
    struct job_columns columns = {0};
    if (columns_init(&columns, batch, err) < 0)
        return -1;
    for (size_t i = 0; i < batch->count; i++) {
        const struct settle_entry *entry = &batch->entries[i];
        if (entry->plan.wakes_pending)
            wake_for_pending(batch, entry);
        if (!entry_changes(entry))
            continue;
        columns_add(&columns, entry);
        wakes_add(batch->wakes, WAKE_JOB, entry->job, 0);
    }
    return columns.count == 0 ? 0 : columns_write(&columns, batch->db, err);
}

int settle_batch_apply(struct settle_batch *batch, struct err *err)
{
    if (settle_apply_stages(batch, err) < 0 || settle_apply_instances(batch, err) < 0 ||
        settle_apply_events(batch, err) < 0)
        return -1;
    return apply_jobs(batch, err);
}
