// Starts and stops instances as the plans say.
#include "services/common/db/db.h"
#include "services/common/store/embedded.h"
#include "services/common/store/settle_batch.h"

static int no_memory(const struct settle_batch *batch, struct err *err)
{
    return err_set(err, ERR_NO_MEMORY, "settling %zu jobs", batch->count);
}

static size_t starts_of(const struct settle_batch *batch)
{
    size_t count = 0;
    for (size_t i = 0; i < batch->count; i++)
        count += batch->entries[i].plan.start_count;
    return count;
}

static int apply_starts(struct settle_batch *batch, struct err *err)
{
    size_t most = starts_of(batch), count = 0;
    if (most == 0)
        return 0;
    int64_t *jobs = arena_alloc(batch->arena, most * sizeof *jobs);
    int16_t *services = arena_alloc(batch->arena, most * sizeof *services);
    int32_t *epochs = arena_alloc(batch->arena, most * sizeof *epochs);
    int64_t *not_before = arena_alloc(batch->arena, most * sizeof *not_before);
    if (!jobs || !services || !epochs || !not_before)
        return no_memory(batch, err);
    for (size_t i = 0; i < batch->count; i++) {
        const struct settle_plan *plan = &batch->entries[i].plan;
        for (size_t n = 0; n < plan->start_count; n++, count++) {
            jobs[count] = batch->entries[i].job;
            services[count] = (int16_t)plan->starts[n].service;
            epochs[count] = plan->starts[n].epoch;
            not_before[count] = plan->starts[n].not_before_us;
        }
    }
    AUTO_PARAMS struct params params = PARAMS_INIT;
    params_i64_array(&params, jobs, count);
    params_i16_array(&params, services, count);
    params_i32_array(&params, epochs, count);
    params_i64_array(&params, not_before, count);
    return db_execute(batch->db, STATEMENT_SETTLE_START, &params, NULL, err);
}

static size_t stops_of(const struct settle_batch *batch)
{
    size_t count = 0;
    for (size_t i = 0; i < batch->count; i++)
        count += batch->entries[i].plan.stop_count;
    return count;
}

static int apply_stops(struct settle_batch *batch, struct err *err)
{
    size_t most = stops_of(batch), count = 0;
    if (most == 0)
        return 0;
    int64_t *jobs = arena_alloc(batch->arena, most * sizeof *jobs);
    int16_t *services = arena_alloc(batch->arena, most * sizeof *services);
    int32_t *epochs = arena_alloc(batch->arena, most * sizeof *epochs);
    const char **reasons = arena_alloc(batch->arena, most * sizeof *reasons);
    bool *failed = arena_alloc(batch->arena, most * sizeof *failed);
    if (!jobs || !services || !epochs || !reasons || !failed)
        return no_memory(batch, err);
    for (size_t i = 0; i < batch->count; i++) {
        const struct settle_plan *plan = &batch->entries[i].plan;
        for (size_t n = 0; n < plan->stop_count; n++, count++) {
            jobs[count] = batch->entries[i].job;
            services[count] = (int16_t)plan->stops[n].service;
            epochs[count] = plan->stops[n].epoch;
            reasons[count] = plan->stops[n].reason;
            failed[count] = plan->stops[n].failed;
        }
    }
    AUTO_PARAMS struct params params = PARAMS_INIT;
    AUTO_RESULT struct result workers = RESULT_INIT;
    params_i64_array(&params, jobs, count);
    params_i16_array(&params, services, count);
    params_i32_array(&params, epochs, count);
    params_text_array(&params, reasons, count);
    params_bool_array(&params, failed, count);
    if (db_query(batch->db, STATEMENT_SETTLE_STOP, &params, RESULT_BINARY, &workers, err) < 0)
        return -1;
    for (int row = 0; row < result_rows(&workers); row++)
        if (!result_is_null(&workers, row, 0))
            wakes_add(batch->wakes, WAKE_WORKER, result_i64(&workers, row, 0), 0);
    return result_ok(&workers, err);
}

int settle_apply_instances(struct settle_batch *batch, struct err *err)
{
    return apply_starts(batch, err) < 0 ? -1 : apply_stops(batch, err);
}
