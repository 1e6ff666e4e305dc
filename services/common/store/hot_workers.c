// Who is asking: leases, incarnations, and the demands that a worker can serve.
#include "services/common/base/clock.h"
#include "services/common/base/macros.h"
#include "services/common/model/states.h"
#include "services/common/store/hot_foreseen.h"

#include <stdlib.h>
#include <string.h>

// Between two looks at one lease, which falls all the time.
#define SHORTENED_MS 500

// ---- the workers of a batch

static struct batch_worker *find_worker(const struct batch *batch, int64_t id, int incarnation)
{
    for (size_t i = 0; i < batch->worker_count; i++)
        if (batch->workers[i].id == id && batch->workers[i].incarnation == incarnation)
            return &batch->workers[i];
    return NULL;
}

static bool says_stuck(const struct work_operation *operation)
{
    for (size_t i = 0; i < operation->observation_count; i++)
        if (operation->observations[i].state == INSTANCE_STUCK)
            return true;
    return false;
}

static struct hot_key key_of(const struct batch_worker *worker)
{
    return (struct hot_key){worker->id, worker->incarnation, 0};
}

static size_t memory_bytes(size_t demands)
{
    return sizeof(struct worker_memory) + demands * sizeof(struct worker_demand);
}

// The batch works with a copy, which outlives whatever the cache does to its own.
static int copy_memory(struct batch *batch, struct batch_worker *worker, const struct worker_memory *memory,
                       struct err *err)
{
    void *copy = arena_copy(batch->arena, memory, memory_bytes(memory->count));
    worker->memory = copy;
    return copy ? 0 : batch_no_memory(err);
}

static int recall(struct batch *batch, struct batch_worker *worker, struct err *err)
{
    const struct worker_memory *memory = hot_cache_find(&batch->hot->workers, key_of(worker), NULL, NULL);
    return memory ? copy_memory(batch, worker, memory, err) : 0;
}

int hot_workers_collect(struct batch *batch, struct err *err)
{
    batch->workers = arena_alloc_zero(batch->arena, batch->work_count + 1, sizeof *batch->workers);
    if (!batch->workers)
        return batch_no_memory(err);
    for (size_t i = 0; i < batch->work_count; i++) {
        struct batch_work *work = &batch->works[i];
        const struct work_operation *operation = work->operation;
        work->worker = find_worker(batch, operation->worker, operation->incarnation);
        if (!work->worker) {
            work->worker = &batch->workers[batch->worker_count++];
            work->worker->id = operation->worker;
            work->worker->incarnation = operation->incarnation;
        }
        work->worker->draining |= operation->polls && operation->draining;
        work->worker->stuck |= says_stuck(operation);
        if (operation->polls && !work->worker->memory && recall(batch, work->worker, err) < 0)
            return -1;
    }
    return 0;
}

// When a lane has to try to renew a lease again. The database decides whether it is time; this only saves asking it.
struct beat {
    int64_t due_ms; // CLOCK_BOOTTIME
};

static bool is_due(struct hot *hot, const struct batch_worker *worker)
{
    const struct beat *beat = hot_cache_find(&hot->beats, key_of(worker), NULL, NULL);
    return !beat || beat->due_ms <= clock_boot_ms() || worker->draining || worker->stuck;
}

bool hot_workers_rest(const struct batch *batch)
{
    for (size_t i = 0; i < batch->worker_count; i++)
        if (!batch->workers[i].memory || is_due(batch->hot, &batch->workers[i]))
            return false;
    return true;
}

static void remember_beat(struct hot *hot, const struct batch_worker *worker)
{
    int64_t due_ms = clock_boot_ms() + worker->lease_ms - hot->settings.worker_lease_ms * 5 / 6;
    struct beat *beat = hot_cache_find(&hot->beats, key_of(worker), NULL, NULL);
    if (beat) {
        beat->due_ms = due_ms;
        return;
    }
    beat = malloc(sizeof *beat);
    if (!beat)
        return;
    beat->due_ms = due_ms;
    hot_cache_put(&hot->beats, key_of(worker), beat, sizeof *beat);
}

static int ask_renew(struct batch *batch, struct err *err)
{
    LIST(struct batch_worker) due = {0};
    for (size_t i = 0; i < batch->worker_count; i++) {
        if (!is_due(batch->hot, &batch->workers[i]))
            continue;
        struct batch_worker *worker = LIST_ADD(batch->arena, &due);
        if (!worker)
            return batch_no_memory(err);
        *worker = batch->workers[i];
    }
    if (due.count == 0)
        return 0;
    struct params *params = batch_params(batch);
    PARAM_I64_FIELD(params, &due, id);
    PARAM_I32_FIELD(params, &due, incarnation);
    PARAM_BOOL_FIELD(params, &due, draining);
    PARAM_BOOL_FIELD(params, &due, stuck);
    params_i64(params, batch->hot->settings.worker_lease_ms);
    batch->at.renew = batch_ask(batch, STATEMENT_HOT_RENEW, err);
    return batch->at.renew < 0 ? -1 : 0;
}

int hot_workers_ask(struct batch *batch, struct err *err)
{
    struct {
        struct batch_worker *items;
        size_t count;
    } workers = {batch->workers, batch->worker_count};
    if (workers.count == 0)
        return 0;
    if (ask_renew(batch, err) < 0)
        return -1;
    struct params *params = batch_params(batch);
    PARAM_I64_FIELD(params, &workers, id);
    batch->at.workers = batch_ask(batch, STATEMENT_HOT_WORKERS, err);
    return batch->at.workers < 0 ? -1 : 0;
}

enum worker_column {
    WORKER_ID,
    WORKER_INCARNATION,
    WORKER_STATE,
    WORKER_DRAIN,
    WORKER_LEASE_UNTIL,
    WORKER_NOW,
    WORKER_DRILL,
    WORKER_DEMAND_LAST,
    WORKER_MAY_HAVE_ORDERS,
};

static void read_worker(struct result *rows, int row, struct batch_worker *worker)
{
    int state = result_i32(rows, row, WORKER_STATE);
    bool alive = state != WORKER_LOST && state != WORKER_GONE;
    worker->known = true;
    worker->current = alive && result_i32(rows, row, WORKER_INCARNATION) == worker->incarnation;
    worker->drain = result_bool(rows, row, WORKER_DRAIN);
    worker->drill = result_bool(rows, row, WORKER_DRILL);
    worker->suspect = state == WORKER_SUSPECT;
    worker->takes_work = worker->current && state == WORKER_READY && !worker->drain;
    worker->lease_ms = (result_time_us(rows, row, WORKER_LEASE_UNTIL) - result_time_us(rows, row, WORKER_NOW)) / 1000;
}

static void refuse(struct batch_work *work)
{
    struct work_operation *operation = work->operation;
    work->dead = operation->failed = true;
    if (work->worker->known)
        err_set(&operation->err, ERR_STALE, "incarnation %d of worker %lld is not the current one",
                operation->incarnation, (long long)operation->worker);
    else
        err_set(&operation->err, ERR_NOT_FOUND, "worker %lld does not exist", (long long)operation->worker);
}

static int read_workers(struct batch *batch, struct err *err)
{
    struct result *rows = pipeline_result(batch->pipeline, batch->at.workers);
    for (int row = 0; row < result_rows(rows); row++) {
        int64_t id = result_i64(rows, row, WORKER_ID);
        for (size_t i = 0; i < batch->worker_count; i++)
            if (batch->workers[i].id == id)
                read_worker(rows, row, &batch->workers[i]);
        batch->may_have_orders |= result_bool(rows, row, WORKER_MAY_HAVE_ORDERS);
        batch->hot->demand_last = MAX(batch->hot->demand_last, result_i32(rows, row, WORKER_DEMAND_LAST));
    }
    return result_ok(rows, err);
}

// Somebody has shortened a lease, or made its worker suspect, since this lane renewed it: it forgets that it did.
static bool forget_shortened(struct batch *batch)
{
    bool any = false;
    for (size_t i = 0; i < batch->worker_count; i++) {
        const struct batch_worker *worker = &batch->workers[i];
        if (!worker->current || is_due(batch->hot, worker) ||
            (!worker->suspect && worker->lease_ms >= batch->hot->settings.worker_lease_ms * 5 / 6 - SHORTENED_MS))
            continue;
        hot_cache_drop(&batch->hot->beats, key_of(worker));
        any = true;
    }
    return any;
}

static int renew_shortened(struct batch *batch, struct err *err)
{
    if (!forget_shortened(batch))
        return 0;
    if (batch->routine) // jobs are locked: workers are locked before them
        return batch_no_routine(err);
    if (hot_workers_ask(batch, err) < 0 || batch_collect(batch, err) < 0)
        return -1;
    return read_workers(batch, err);
}

static void tell_workers(struct batch *batch)
{
    for (size_t i = 0; i < batch->work_count; i++) {
        struct batch_work *work = &batch->works[i];
        work->operation->lease_ms = MAX(work->worker->lease_ms, (int64_t)0);
        work->operation->drain = work->worker->drain;
        work->operation->drill = work->worker->drill;
        if (!work->worker->current)
            refuse(work);
    }
    for (size_t i = 0; i < batch->worker_count; i++)
        if (batch->workers[i].current)
            remember_beat(batch->hot, &batch->workers[i]);
}

int hot_workers_read(struct batch *batch, struct err *err)
{
    if (batch->at.workers < 0)
        return 0;
    if (read_workers(batch, err) < 0 || renew_shortened(batch, err) < 0)
        return -1;
    tell_workers(batch);
    return 0;
}

// ---- demands

static bool polls(const struct batch *batch, const struct batch_worker *worker)
{
    for (size_t i = 0; i < batch->work_count; i++)
        if (batch->works[i].worker == worker && batch->works[i].operation->polls)
            return true;
    return false;
}

static int seen_by(const struct batch_worker *worker)
{
    return worker->memory ? worker->memory->seen : -1;
}

static bool needs_match(const struct batch *batch, const struct batch_worker *worker)
{
    return worker->current && seen_by(worker) < batch->hot->demand_last && polls(batch, worker);
}

int hot_workers_read_resting(struct batch *batch, struct err *err)
{
    if (read_workers(batch, err) < 0)
        return -1;
    bool rest = !forget_shortened(batch);
    for (size_t i = 0; i < batch->worker_count; i++)
        rest &= batch->workers[i].takes_work && !needs_match(batch, &batch->workers[i]);
    if (rest)
        tell_workers(batch);
    return rest;
}

// How many of the rows, which are ordered by worker, belong to this one from `row` on.
static int rows_of(struct result *rows, int row, int64_t worker)
{
    int count = 0;
    while (row + count < result_rows(rows) && result_i64(rows, row + count, 0) == worker)
        count++;
    return count;
}

static int first_row_of(struct result *rows, int64_t worker)
{
    int row = 0;
    while (row < result_rows(rows) && result_i64(rows, row, 0) != worker)
        row++;
    return row;
}

// The old memory and what the rows add to it.
static int remember(struct batch *batch, struct batch_worker *worker, struct result *rows, struct err *err)
{
    const struct worker_memory *old = worker->memory;
    int row = first_row_of(rows, worker->id), added = rows_of(rows, row, worker->id);
    size_t kept = old ? old->count : 0;
    size_t bytes = memory_bytes(kept + (size_t)added);
    struct worker_memory *memory = calloc(1, bytes);
    if (!memory)
        return batch_no_memory(err);
    memory->seen = batch->hot->demand_last;
    memory->count = kept + (size_t)added;
    if (old)
        memcpy(memory->demands, old->demands, kept * sizeof old->demands[0]);
    for (int i = 0; i < added; i++) {
        struct worker_demand *demand = &memory->demands[kept + (size_t)i];
        demand->id = result_i32(rows, row + i, 1);
        snprintf(demand->queue, sizeof demand->queue, "%s", result_text(rows, row + i, 2));
    }
    int copied = copy_memory(batch, worker, memory, err);
    hot_cache_drop(&batch->hot->workers, key_of(worker));
    hot_cache_put(&batch->hot->workers, key_of(worker), memory, bytes);
    return copied;
}

static int ask_match(struct batch *batch, struct err *err)
{
    struct params *params = batch_params(batch);
    params_array_begin(params, PARAM_I64);
    for (size_t i = 0; i < batch->worker_count; i++)
        if (needs_match(batch, &batch->workers[i]))
            params_add_i64(params, batch->workers[i].id);
    params_array_end(params);
    params_array_begin(params, PARAM_I32);
    for (size_t i = 0; i < batch->worker_count; i++)
        if (needs_match(batch, &batch->workers[i]))
            params_add_i32(params, MAX(seen_by(&batch->workers[i]), 0));
    params_array_end(params);
    params_i32(params, batch->hot->demand_last);
    return batch_ask(batch, STATEMENT_HOT_DEMAND_MATCH, err);
}

int hot_demands_match(struct batch *batch, bool *asked, struct err *err)
{
    *asked = false;
    for (size_t i = 0; i < batch->worker_count; i++)
        *asked |= needs_match(batch, &batch->workers[i]);
    if (!*asked)
        return 0;
    if (batch->routine)
        return batch_no_routine(err);
    int index = ask_match(batch, err);
    if (index < 0 || batch_collect(batch, err) < 0)
        return -1;
    struct result *rows = pipeline_result(batch->pipeline, index);
    for (size_t i = 0; i < batch->worker_count; i++)
        if (needs_match(batch, &batch->workers[i]) && remember(batch, &batch->workers[i], rows, err) < 0)
            return -1;
    return result_ok(rows, err);
}
