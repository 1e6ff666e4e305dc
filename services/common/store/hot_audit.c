// What is leased to a worker that does not hold it: the reply that granted it was lost. It goes back, as not started.
#include "services/common/base/clock.h"
#include "services/common/store/hot_batch.h"

static bool audits(const struct batch_work *work)
{
    return work->operation->polls && work->operation->says_held;
}

int hot_audit_ask(struct batch *batch, struct err *err)
{
    size_t count = 0;
    struct params *params = batch_params(batch);
    params_array_begin(params, PARAM_I64);
    for (size_t i = 0; i < batch->work_count; i++)
        if (audits(&batch->works[i])) {
            params_add_i64(params, batch->works[i].operation->worker);
            count++;
        }
    params_array_end(params);
    if (count == 0)
        return 0;
    batch->at.held = batch_ask(batch, STATEMENT_HOT_HELD, err);
    return batch->at.held < 0 ? -1 : 0;
}

// Held, or reported in this very call.
static bool accounts_for(const struct work_operation *operation, int64_t token)
{
    for (size_t i = 0; i < operation->held_count; i++)
        if (operation->held[i] == token)
            return true;
    for (size_t i = 0; i < operation->result_count; i++)
        if (operation->results[i].token == token)
            return true;
    return false;
}

enum held_column { HELD_WORKER, HELD_TOKEN, HELD_INCARNATION, HELD_JOB, HELD_AGE };

// Leased after the list was made: by a later request of the worker, which overtook this one or its rerun.
static bool is_younger(const struct work_operation *operation, int64_t lease_age_ms)
{
    return operation->arrived_ms != 0 && lease_age_ms < clock_boot_ms() - operation->arrived_ms;
}

// Leases of a former incarnation are the business of whoever registered the new one, and of the reaper: they count as
// started.
static int audit_row(struct batch *batch, struct batch_work *work, struct result *rows, int row, struct err *err)
{
    int64_t token = result_i64(rows, row, HELD_TOKEN);
    if (result_i64(rows, row, HELD_WORKER) != work->operation->worker ||
        result_i32(rows, row, HELD_INCARNATION) != work->operation->incarnation ||
        accounts_for(work->operation, token) || is_younger(work->operation, result_i64_or(rows, row, HELD_AGE, 0)))
        return 0;
    struct batch_lease *lease = LIST_ADD(batch->arena, &batch->leases);
    if (!lease)
        return batch_no_memory(err);
    lease->work = work;
    lease->token = token;
    return batch_lock_job(batch, result_i64(rows, row, HELD_JOB), err);
}

int hot_audit_read(struct batch *batch, struct err *err)
{
    if (batch->at.held < 0)
        return 0;
    struct result *rows = pipeline_result(batch->pipeline, batch->at.held);
    for (size_t i = 0; i < batch->work_count; i++) {
        struct batch_work *work = &batch->works[i];
        for (int row = 0; audits(work) && !work->dead && row < result_rows(rows); row++)
            if (audit_row(batch, work, rows, row, err) < 0)
                return -1;
    }
    return result_ok(rows, err);
}
