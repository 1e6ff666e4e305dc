// Loads the views of many jobs with four statements, two when none of them declares services. Rows come ordered by job,
// so that each entry's stages, services and instances are one run of the rows.
#include "services/common/db/db.h"
#include "services/common/model/states.h"
#include "services/common/store/embedded.h"
#include "services/common/store/settle_batch.h"

enum job_column {
    JOB_ID,
    JOB_NOW,
    JOB_OUTCOME,
    JOB_CLEANUP,
    JOB_PHASE,
    JOB_PAUSED_FLAG,
    JOB_STOP_REQUESTED,
    JOB_AUTOSTOP_ON,
    JOB_LINGER,
    JOB_KEEP_ON_FAILURE,
    JOB_TIMEOUT,
    JOB_MAX_LIFETIME,
    JOB_CREATED,
    JOB_STARTED,
    JOB_KEEP_UNTIL,
    JOB_ATTENTION,
    JOB_CLOSED,
    JOB_EVENT_COUNT,
    JOB_SERVICES,
};

static int64_t time_or_zero(struct result *rows, int row, int column)
{
    return result_is_null(rows, row, column) ? 0 : result_time_us(rows, row, column);
}

static void read_entry(struct result *rows, int row, struct settle_entry *entry)
{
    entry->job = result_i64(rows, row, JOB_ID);
    entry->event_count = entry->stored_event_count = result_i32(rows, row, JOB_EVENT_COUNT);
    entry->view = (struct settle_view){
        .now_us = result_time_us(rows, row, JOB_NOW),
        .outcome = (int)result_i64_or(rows, row, JOB_OUTCOME, OUTCOME_NONE),
        .cleanup = result_i32(rows, row, JOB_CLEANUP),
        .phase = result_i32(rows, row, JOB_PHASE),
        .paused = result_bool(rows, row, JOB_PAUSED_FLAG),
        .stop_requested = result_bool(rows, row, JOB_STOP_REQUESTED),
        .autostop_on = (unsigned)result_i32(rows, row, JOB_AUTOSTOP_ON),
        .linger_ms = result_i64(rows, row, JOB_LINGER),
        .keep_on_failure_ms = result_i64(rows, row, JOB_KEEP_ON_FAILURE),
        .timeout_ms = result_i64(rows, row, JOB_TIMEOUT),
        .max_lifetime_ms = result_i64(rows, row, JOB_MAX_LIFETIME),
        .created_at_us = result_time_us(rows, row, JOB_CREATED),
        .started_at_us = time_or_zero(rows, row, JOB_STARTED),
        .keep_until_us = time_or_zero(rows, row, JOB_KEEP_UNTIL),
        .attention_at_us = time_or_zero(rows, row, JOB_ATTENTION),
        .closed = result_bool(rows, row, JOB_CLOSED),
    };
}

static int load_entries(struct settle_batch *batch, const struct params *ids, struct err *err)
{
    struct result *rows = &batch->jobs;
    if (db_query(batch->db, STATEMENT_SETTLE_LOAD_JOBS, ids, RESULT_BINARY, rows, err) < 0)
        return -1;
    batch->count = (size_t)result_rows(rows);
    batch->entries = arena_alloc_zero(batch->arena, batch->count + 1, sizeof *batch->entries);
    if (!batch->entries)
        return err_set(err, ERR_NO_MEMORY, "settling %zu jobs", batch->count);
    for (size_t i = 0; i < batch->count; i++)
        read_entry(rows, (int)i, &batch->entries[i]);
    return result_ok(rows, err);
}

// How many rows from `row` on belong to the job; rows have the job in column 0 and are ordered by it.
static size_t rows_of(struct result *rows, int row, int64_t job)
{
    int end = row;
    while (end < result_rows(rows) && result_i64(rows, end, 0) == job)
        end++;
    return (size_t)(end - row);
}

static int too_many(struct err *err, int64_t job)
{
    return err_set(err, ERR_INTERNAL, "job %lld has more stages or services than there may be", (long long)job);
}

static int load_stages(struct settle_batch *batch, const struct params *ids, struct err *err)
{
    struct result *rows = &batch->stages;
    if (db_query(batch->db, STATEMENT_SETTLE_LOAD_STAGES, ids, RESULT_BINARY, rows, err) < 0)
        return -1;
    size_t total = (size_t)result_rows(rows);
    struct settle_stage *stages = arena_alloc_zero(batch->arena, total + 1, sizeof *stages);
    bool *windows = arena_alloc_zero(batch->arena, total + 1, sizeof *windows);
    if (!stages || !windows)
        return err_set(err, ERR_NO_MEMORY, "settling %zu stages", total);
    int row = 0;
    for (size_t i = 0; i < batch->count; i++) {
        struct settle_entry *entry = &batch->entries[i];
        entry->view.stages = &stages[row];
        entry->windows = &windows[row];
        entry->view.stage_count = rows_of(rows, row, entry->job);
        if (entry->view.stage_count > SETTLE_MAX)
            return too_many(err, entry->job);
        for (size_t n = 0; n < entry->view.stage_count; n++, row++) {
            stages[row] = (struct settle_stage){
                .name = result_text(rows, row, 1),
                .from_stage = (int)result_i64_or(rows, row, 2, -1),
                .after_mask = (uint64_t)result_i64(rows, row, 3),
                .fail_job = result_bool(rows, row, 4),
                .open = result_i64(rows, row, 5),
                .failed = result_i64(rows, row, 6),
                .released = result_bool(rows, row, 7),
                .closed = result_bool(rows, row, 8),
            };
            windows[row] = result_i32(rows, row, 9) > 0;
            entry->has_windows |= windows[row];
        }
    }
    return result_ok(rows, err);
}

static int load_services(struct settle_batch *batch, const struct params *ids, struct err *err)
{
    struct result *rows = &batch->services;
    if (db_query(batch->db, STATEMENT_SETTLE_LOAD_SERVICES, ids, RESULT_BINARY, rows, err) < 0)
        return -1;
    size_t total = (size_t)result_rows(rows);
    struct settle_service *services = arena_alloc_zero(batch->arena, total + 1, sizeof *services);
    int *demands = arena_alloc_zero(batch->arena, total + 1, sizeof *demands);
    if (!services || !demands)
        return err_set(err, ERR_NO_MEMORY, "settling %zu services", total);
    int row = 0;
    for (size_t i = 0; i < batch->count; i++) {
        struct settle_entry *entry = &batch->entries[i];
        entry->view.services = &services[row];
        entry->demands = &demands[row];
        entry->view.service_count = rows_of(rows, row, entry->job);
        if (entry->view.service_count > SETTLE_MAX)
            return too_many(err, entry->job);
        for (size_t n = 0; n < entry->view.service_count; n++, row++) {
            services[row] = (struct settle_service){
                .name = result_text(rows, row, 1),
                .depends_mask = (uint64_t)result_i64(rows, row, 2),
                .on_failure = result_i32(rows, row, 3),
                .restart_max = result_i32(rows, row, 4),
                .restart_window_ms = result_i64(rows, row, 5),
                .restart_backoff_ms = result_i64(rows, row, 6),
            };
            demands[row] = result_i32(rows, row, 7);
        }
    }
    return result_ok(rows, err);
}

static void note_placed(struct settle_view *view, int64_t placed_at_us)
{
    if (placed_at_us != 0 && (view->first_placed_at_us == 0 || placed_at_us < view->first_placed_at_us))
        view->first_placed_at_us = placed_at_us;
}

static int load_instances(struct settle_batch *batch, const struct params *ids, struct err *err)
{
    struct result *rows = &batch->instances;
    if (db_query(batch->db, STATEMENT_SETTLE_LOAD_INSTANCES, ids, RESULT_BINARY, rows, err) < 0)
        return -1;
    size_t total = (size_t)result_rows(rows);
    struct settle_instance *instances = arena_alloc_zero(batch->arena, total + 1, sizeof *instances);
    if (!instances)
        return err_set(err, ERR_NO_MEMORY, "settling %zu instances", total);
    int row = 0;
    for (size_t i = 0; i < batch->count; i++) {
        struct settle_view *view = &batch->entries[i].view;
        view->instances = &instances[row];
        view->instance_count = rows_of(rows, row, batch->entries[i].job);
        for (size_t n = 0; n < view->instance_count; n++, row++) {
            instances[row] = (struct settle_instance){
                .service = result_i32(rows, row, 1),
                .epoch = result_i32(rows, row, 2),
                .state = result_i32(rows, row, 3),
                .failed = result_bool(rows, row, 4),
                .stop_requested = result_bool(rows, row, 5),
                .not_before_us = result_time_us(rows, row, 6),
                .ready_by_us = time_or_zero(rows, row, 7),
                .created_at_us = result_time_us(rows, row, 8),
                .ended_at_us = time_or_zero(rows, row, 9),
                .error = result_text_or_null(rows, row, 11),
            };
            note_placed(view, time_or_zero(rows, row, 10));
        }
    }
    return result_ok(rows, err);
}

// The jobs that declare services, as parameters; false when there are none.
static bool with_services(struct settle_batch *batch, struct params *ids)
{
    bool any = false;
    params_array_begin(ids, PARAM_I64);
    for (size_t i = 0; i < batch->count; i++) {
        if (result_i32(&batch->jobs, (int)i, JOB_SERVICES) == 0)
            continue;
        params_add_i64(ids, batch->entries[i].job);
        any = true;
    }
    params_array_end(ids);
    return any;
}

int settle_batch_load(struct settle_batch *batch, const int64_t *jobs, size_t count, struct err *err)
{
    AUTO_PARAMS struct params all = PARAMS_INIT;
    AUTO_PARAMS struct params some = PARAMS_INIT;
    batch->arena = arena_new(4096 + count * (sizeof *batch->entries + 256));
    if (!batch->arena)
        return err_set(err, ERR_NO_MEMORY, "settling %zu jobs", count);
    params_i64_array(&all, jobs, count);
    if (load_entries(batch, &all, err) < 0 || load_stages(batch, &all, err) < 0)
        return -1;
    if (!with_services(batch, &some))
        return 0;
    return load_services(batch, &some, err) < 0 ? -1 : load_instances(batch, &some, err);
}

void settle_batch_release(struct settle_batch *batch)
{
    arena_free(batch->arena);
    result_release(&batch->jobs);
    result_release(&batch->stages);
    result_release(&batch->services);
    result_release(&batch->instances);
}
