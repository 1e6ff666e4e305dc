// Jobs of which nothing has to be asked first, as one statement, and so in one round trip. Their tasks are written as
// leases of the polls of the batch, which wait for them.
//
// What is taken for granted the statement looks at itself: that keys are new, that workers may be given tasks, that
// nobody else's wait in the queue. What turns out otherwise is left to the transaction of many steps.
#include "services/common/base/macros.h"
#include "services/common/model/states.h"
#include "services/common/store/hot_items.h"
#include "services/common/store/hot_runs.h"
#include "services/common/store/hot_submit.h"

#include <stdlib.h>

// A slice of a new job, that is written as the lease of a grant when there is one.
struct direct_slice {
    struct slice_row row;
    int64_t worker, token; // 0: nobody shall have it
    int32_t incarnation;
    size_t grant;                        // plus 1
    int64_t leased_at_us, lease_ends_us; // once it is written so
};

static bool only_polls(const struct batch_work *work)
{
    const struct work_operation *operation = work->operation;
    return operation->polls && !operation->draining && !operation->says_held && operation->result_count == 0 &&
           operation->observation_count == 0 && operation->log_count == 0;
}

bool hot_direct_may(const struct batch *batch)
{
    for (size_t i = 0; i < batch->work_count; i++)
        if (!only_polls(&batch->works[i]))
            return false;
    return batch->submit_count > 0 && hot_submit_is_sure(batch) && hot_workers_rest(batch);
}

// ---- the submissions

static int compare_jobs(const void *left, const void *right)
{
    const struct batch_submit *const *a = left, *const *b = right;
    int64_t x = (*a)->operation->job, y = (*b)->operation->job;
    return (x > y) - (x < y);
}

// Nothing may be lacking once it is committed: room is made before.
static int prepare(struct batch *batch, struct err *err)
{
    size_t submits = batch->submit_count + 1, works = batch->work_count + 1;
    batch->by_job = arena_alloc(batch->arena, submits * sizeof *batch->by_job);
    batch->left.submits = arena_alloc(batch->arena, submits * sizeof *batch->left.submits);
    batch->left.works = arena_alloc(batch->arena, works * sizeof *batch->left.works);
    if (!batch->by_job || !batch->left.submits || !batch->left.works)
        return batch_no_memory(err);
    for (size_t i = 0; i < batch->submit_count; i++) {
        batch->by_job[i] = &batch->submits[i];
        batch->submits[i].inserted = true; // as far as anybody knows
    }
    qsort(batch->by_job, batch->submit_count, sizeof *batch->by_job, compare_jobs);
    for (size_t i = 0; i < batch->worker_count; i++)
        batch->workers[i].current = batch->workers[i].takes_work = true;
    return 0;
}

static struct batch_submit *submit_of(const struct batch *batch, int64_t job)
{
    struct submit_operation operation = {.job = job};
    struct batch_submit key = {.operation = &operation}, *wanted = &key;
    return *(struct batch_submit **)bsearch(&wanted, batch->by_job, batch->submit_count, sizeof wanted, compare_jobs);
}

// ---- who shall have what

static int by_turn(const void *left, const void *right)
{
    const struct candidate *a = left, *b = right;
    if (a->priority != b->priority)
        return a->priority > b->priority ? -1 : 1;
    if (a->rank != b->rank)
        return a->rank < b->rank ? -1 : 1;
    if (a->job != b->job)
        return a->job < b->job ? -1 : 1;
    return (a->stage > b->stage) - (a->stage < b->stage);
}

static int add_candidate(struct batch *batch, const struct slice_row *slice, struct err *err)
{
    struct candidate *candidate = LIST_ADD(batch->arena, &batch->candidates);
    if (!candidate)
        return batch_no_memory(err);
    *candidate = (struct candidate){.job = slice->job,
                                    .stage = slice->stage,
                                    .first = slice->first,
                                    .count = slice->count,
                                    .demand = slice->demand,
                                    .priority = slice->priority,
                                    .rank = slice->rank};
    for (size_t i = 0; i < batch->queues.count; i++)
        if (batch->queues.items[i].demand == slice->demand)
            return 0;
    struct demand_queue *queue = LIST_ADD(batch->arena, &batch->queues);
    if (!queue)
        return batch_no_memory(err);
    queue->demand = slice->demand;
    return 0;
}

static int distribute(struct batch *batch, struct err *err)
{
    for (size_t i = 0; i < batch->new_slices.count; i++)
        if (batch->new_slices.items[i].state == SLICE_READY &&
            add_candidate(batch, &batch->new_slices.items[i], err) < 0)
            return -1;
    if (batch->candidates.count > 0)
        qsort(batch->candidates.items, batch->candidates.count, sizeof *batch->candidates.items, by_turn);
    return hot_cut(batch, err);
}

// ---- rows

static struct direct_slice *add_row(struct batch *batch, const struct slice_row *slice, struct err *err)
{
    struct direct_slice *row = LIST_ADD(batch->arena, &batch->direct);
    if (row)
        row->row = *slice;
    else
        batch_no_memory(err);
    return row;
}

// Of a ready slice so many tasks, after those that are passed over.
static struct slice_row part_of(const struct candidate *candidate, int64_t passed, int64_t count)
{
    return (struct slice_row){.job = candidate->job,
                              .stage = candidate->stage,
                              .first = candidate->first + passed,
                              .count = count,
                              .state = SLICE_READY,
                              .rank = candidate->rank + passed,
                              .demand = candidate->demand,
                              .priority = candidate->priority};
}

static int add_lease(struct batch *batch, size_t index, struct err *err)
{
    struct batch_grant *grant = &batch->grants.items[index];
    const struct work_operation *operation = grant->work->operation;
    const struct candidate *candidate = &batch->candidates.items[grant->candidate];
    struct slice_row slice = part_of(candidate, grant->first - candidate->first, grant->count);
    struct direct_slice *row = add_row(batch, &slice, err);
    struct hot_run *run = arena_alloc(batch->arena, sizeof *run);
    if (!row || hot_token_take(batch, &grant->token, err) < 0)
        return -1;
    if (!run)
        return batch_no_memory(err);
    *run = hot_submit_run(submit_of(batch, grant->job), (size_t)grant->stage);
    grant->run = run;
    row->worker = operation->worker;
    row->incarnation = operation->incarnation;
    row->token = grant->token;
    row->grant = index + 1;
    return 0;
}

static int add_rest(struct batch *batch, const struct candidate *candidate, struct err *err)
{
    struct slice_row slice = part_of(candidate, candidate->taken, candidate->count - candidate->taken);
    return slice.count == 0 || add_row(batch, &slice, err) ? 0 : -1;
}

static int make_rows(struct batch *batch, struct err *err)
{
    for (size_t i = 0; i < batch->new_slices.count; i++)
        if (batch->new_slices.items[i].state != SLICE_READY && !add_row(batch, &batch->new_slices.items[i], err))
            return -1;
    for (size_t i = 0; i < batch->grants.count; i++)
        if (add_lease(batch, i, err) < 0)
            return -1;
    for (size_t i = 0; i < batch->candidates.count; i++)
        if (add_rest(batch, &batch->candidates.items[i], err) < 0)
            return -1;
    return 0;
}

static void add_slice_params(const struct batch *batch, struct params *params)
{
    PARAM_I64_FIELD(params, &batch->direct, row.job);
    PARAM_I16_FIELD(params, &batch->direct, row.stage);
    PARAM_I64_FIELD(params, &batch->direct, row.first);
    PARAM_I64_FIELD(params, &batch->direct, row.count);
    PARAM_I16_FIELD(params, &batch->direct, row.state);
    PARAM_I32_FIELD(params, &batch->direct, row.demand);
    PARAM_I16_FIELD(params, &batch->direct, row.priority);
    PARAM_I64_FIELD(params, &batch->direct, row.rank);
    PARAM_I64_FIELD(params, &batch->direct, worker);
    PARAM_I32_FIELD(params, &batch->direct, incarnation);
    PARAM_I64_FIELD(params, &batch->direct, token);
}

static int by_place(const void *left, const void *right)
{
    const struct slice_row *a = &((const struct direct_slice *)left)->row,
                           *b = &((const struct direct_slice *)right)->row;
    if (a->job != b->job)
        return a->job < b->job ? -1 : 1;
    if (a->stage != b->stage)
        return a->stage < b->stage ? -1 : 1;
    return (a->first > b->first) - (a->first < b->first);
}

int hot_direct_ask(struct batch *batch, struct err *err)
{
    struct submit_rows rows = {0};
    if (prepare(batch, err) < 0 || hot_submit_rows(batch, &rows, err) < 0 || distribute(batch, err) < 0 ||
        make_rows(batch, err) < 0)
        return -1;
    if (batch->direct.count > 0)
        qsort(batch->direct.items, batch->direct.count, sizeof *batch->direct.items, by_place);
    struct params *params = batch_params(batch);
    hot_submit_rows_params(&rows, params);
    add_slice_params(batch, params);
    hot_items_params(batch, params);
    hot_events_params(batch, params);
    PARAM_I32_FIELD(params, &batch->ranks, demand);
    PARAM_I16_FIELD(params, &batch->ranks, priority);
    pipeline_alone(batch->pipeline);
    batch->at.direct = batch_ask(batch, STATEMENT_HOT_SUBMIT, err);
    return batch->at.direct < 0 ? -1 : 0;
}

// ---- what it has come to

enum direct_column { DIRECT_JOB, DIRECT_STAGE, DIRECT_FIRST, DIRECT_LEASED_AT, DIRECT_LEASE_UNTIL };

static bool is_row(struct result *rows, int row, const struct slice_row *slice)
{
    return row < result_rows(rows) && result_i64(rows, row, DIRECT_JOB) == slice->job &&
           result_i32(rows, row, DIRECT_STAGE) == slice->stage && result_i64(rows, row, DIRECT_FIRST) == slice->first;
}

static void read_row(struct batch *batch, struct result *rows, int row, struct direct_slice *slice)
{
    struct batch_submit *submit = submit_of(batch, slice->row.job);
    submit->inserted = submit->operation->created = true;
    if (!result_is_null(rows, row, DIRECT_LEASED_AT)) {
        slice->leased_at_us = result_time_us(rows, row, DIRECT_LEASED_AT);
        slice->lease_ends_us = result_time_us(rows, row, DIRECT_LEASE_UNTIL);
    } else if (slice->row.state == SLICE_READY) {
        wakes_add(batch->wakes, WAKE_DEMAND, slice->row.demand, slice->row.count);
    }
}

static int by_grant(const void *left, const void *right)
{
    size_t a = ((const struct direct_slice *)left)->grant, b = ((const struct direct_slice *)right)->grant;
    return (a > b) - (a < b);
}

// Grants that were refused are passed over: what is kept moves up.
static void keep_grants(struct batch *batch)
{
    if (batch->direct.count > 0)
        qsort(batch->direct.items, batch->direct.count, sizeof *batch->direct.items, by_grant);
    for (size_t i = 0; i < batch->direct.count; i++) {
        const struct direct_slice *slice = &batch->direct.items[i];
        if (slice->leased_at_us == 0)
            continue;
        struct batch_grant *grant = &batch->grants.items[batch->grants.count++];
        *grant = batch->grants.items[slice->grant - 1];
        batch->now_us = slice->leased_at_us;
        grant->work->operation->lease_ms = (slice->lease_ends_us - slice->leased_at_us) / 1000;
    }
}

static int read_rows(struct batch *batch, struct err *err)
{
    struct result *rows = pipeline_result(batch->pipeline, batch->at.direct);
    int row = 0;
    for (size_t i = 0; i < batch->direct.count; i++)
        if (is_row(rows, row, &batch->direct.items[i].row))
            read_row(batch, rows, row++, &batch->direct.items[i]);
    keep_grants(batch);
    if (row != result_rows(rows))
        return err_set(err, ERR_INTERNAL, "new slices came back that nobody had");
    return result_ok(rows, err);
}

int hot_direct_read(struct batch *batch, struct err *err)
{
    for (size_t i = 0; i < batch->submit_count; i++)
        batch->submits[i].inserted = false;
    wakes_clear(batch->wakes);
    batch->grants.count = 0;
    int outcome = read_rows(batch, err);
    for (size_t i = 0; outcome < 0 && i < batch->submit_count; i++) {
        batch->submits[i].operation->failed = true;
        batch->submits[i].operation->err = *err;
    }
    return outcome;
}
