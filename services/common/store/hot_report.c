// Reports: which leases still hold, and what the reports make of them.
#include "services/common/model/states.h"
#include "services/common/store/hot_foreseen.h"

#include <stdlib.h>

static int add_lease(struct batch *batch, struct batch_work *work, struct slice_result *result, struct err *err)
{
    struct batch_lease *lease = LIST_ADD(batch->arena, &batch->leases);
    if (!lease)
        return batch_no_memory(err);
    *lease = (struct batch_lease){.work = work, .result = result, .token = result->token};
    return batch_lock_job(batch, result->job, err);
}

static int collect_work(struct batch *batch, struct batch_work *work, struct err *err)
{
    const struct work_operation *operation = work->operation;
    for (size_t i = 0; !operation->recorded && i < operation->result_count; i++)
        if (add_lease(batch, work, &operation->results[i], err) < 0)
            return -1;
    for (size_t i = 0; i < operation->observation_count; i++)
        if (batch_lock_job(batch, operation->observations[i].job, err) < 0)
            return -1;
    for (size_t i = 0; i < operation->log_count; i++)
        if (batch_lock_job(batch, operation->logs[i].job, err) < 0)
            return -1;
    return 0;
}

int hot_report_collect(struct batch *batch, struct err *err)
{
    for (size_t i = 0; i < batch->work_count; i++)
        if (!batch->works[i].dead && collect_work(batch, &batch->works[i], err) < 0)
            return -1;
    return 0;
}

// What the lane has granted itself need not be asked for: the row is held against the memory when it is changed.
static void recall_lease(struct batch *batch, struct batch_lease *lease)
{
    const struct work_operation *operation = lease->work->operation;
    const struct hot_lease *known = hot_lease_find(batch->hot, operation->worker, lease->token);
    if (!lease->result || !known || known->job != lease->result->job || known->incarnation != operation->incarnation)
        return;
    lease->remembered = true;
    lease->known = *known;
}

bool hot_report_recall(struct batch *batch)
{
    bool all = true;
    for (size_t i = 0; i < batch->leases.count; i++) {
        recall_lease(batch, &batch->leases.items[i]);
        all &= batch->leases.items[i].remembered;
    }
    return all;
}

int hot_report_ask(struct batch *batch, struct err *err)
{
    if (hot_report_recall(batch))
        return 0;
    for (size_t i = 0; i < batch->leases.count; i++) {
        struct batch_lease *lease = &batch->leases.items[i];
        if (lease->remembered)
            continue;
        struct asked_lease *asked = LIST_ADD(batch->arena, &batch->leases_asked);
        if (!asked)
            return batch_no_memory(err);
        *asked = (struct asked_lease){lease->work->operation->worker, lease->token, i};
    }
    struct params *params = batch_params(batch);
    PARAM_I64_FIELD(params, &batch->leases_asked, worker);
    PARAM_I64_FIELD(params, &batch->leases_asked, token);
    batch->at.leased = batch_ask(batch, STATEMENT_HOT_LEASED, err);
    return batch->at.leased < 0 ? -1 : 0;
}

// ---- which leases hold

enum leased_column {
    LEASED_ORDINAL,
    LEASED_JOB,
    LEASED_STAGE,
    LEASED_FIRST,
    LEASED_COUNT,
    LEASED_ATTEMPT,
    LEASED_FAILURES,
    LEASED_INCARNATION,
    LEASED_AT,
};

static void read_lease(struct batch *batch, struct result *rows, int row)
{
    size_t at = (size_t)result_i64(rows, row, LEASED_ORDINAL) - 1;
    if (at >= batch->leases_asked.count)
        return;
    struct batch_lease *lease = &batch->leases.items[batch->leases_asked.items[at].index];
    lease->known = (struct hot_lease){
        .job = result_i64(rows, row, LEASED_JOB),
        .stage = (int16_t)result_i32(rows, row, LEASED_STAGE),
        .first = result_i64(rows, row, LEASED_FIRST),
        .count = result_i64(rows, row, LEASED_COUNT),
        .attempt = result_i32(rows, row, LEASED_ATTEMPT),
        .failures = result_i32(rows, row, LEASED_FAILURES),
        .incarnation = result_i32(rows, row, LEASED_INCARNATION),
        .leased_us = result_time_us(rows, row, LEASED_AT),
    };
}

// A lease of a job that is not locked is one that the caller misnamed: it does not hold for this call.
static void find_lease(struct batch *batch, struct batch_lease *lease)
{
    lease->job = lease->known.count > 0 ? batch_job(batch, lease->known.job) : NULL;
    if (!lease->job || lease->known.incarnation != lease->work->operation->incarnation)
        return;
    lease->stage = batch_stage(lease->job, lease->known.stage);
    lease->found = lease->stage != NULL;
}

// By token, reports before audits, the first report first.
static int compare_leases(const void *left, const void *right)
{
    const struct batch_lease *a = *(const struct batch_lease *const *)left;
    const struct batch_lease *b = *(const struct batch_lease *const *)right;
    if (a->token != b->token)
        return a->token < b->token ? -1 : 1;
    if (!a->result != !b->result)
        return a->result ? -1 : 1;
    return (a > b) - (a < b);
}

// One lease ends once, even when a batch has two reports of it.
static int drop_repeated(struct batch *batch, struct err *err)
{
    size_t count = batch->leases.count;
    if (count < 2)
        return 0;
    struct batch_lease **order = arena_alloc(batch->arena, count * sizeof *order);
    if (!order)
        return batch_no_memory(err);
    for (size_t i = 0; i < count; i++)
        order[i] = &batch->leases.items[i];
    qsort(order, count, sizeof *order, compare_leases);
    bool ends = order[0]->found;
    for (size_t i = 1; i < count; i++) {
        ends &= order[i]->token == order[i - 1]->token;
        order[i]->found &= !ends;
        ends |= order[i]->found;
    }
    return 0;
}

// ---- what the reports say

static int partition_lease(struct batch *batch, struct batch_lease *lease, struct err *err)
{
    const struct slice_result *result = lease->result;
    const struct hot_lease *known = &lease->known;
    struct slice_range all = {known->first, known->first + known->count};
    struct slice_report report = {.leased = all, .attempt = known->attempt, .failures = known->failures};
    size_t failed_count = result ? result->failed_count : 0;
    struct slice_failure *failed = arena_alloc(batch->arena, (failed_count + 1) * sizeof *failed);
    if (!failed)
        return batch_no_memory(err);
    for (size_t i = 0; i < failed_count; i++)
        failed[i] = (struct slice_failure){result->failed[i].task, result->failed[i].retry, (int64_t)i};
    if (result) {
        report.succeeded = result->all_succeeded ? &all : result->succeeded;
        report.succeeded_count = result->all_succeeded ? 1 : result->succeeded_count;
        report.failed = failed;
        report.failed_count = failed_count;
    }
    size_t capacity = 2 * (report.succeeded_count + report.failed_count) + 1;
    lease->parts = arena_alloc(batch->arena, capacity * sizeof *lease->parts);
    if (!lease->parts)
        return batch_no_memory(err);
    int count = slice_partition(&report, &lease->stage->policy, lease->parts, capacity, err);
    lease->part_count = count < 0 ? 0 : (size_t)count;
    return count;
}

// A report that makes no sense fails its whole operation, and nothing else.
static int partition_all(struct batch *batch, struct err *err)
{
    for (size_t i = 0; i < batch->leases.count; i++) {
        struct batch_lease *lease = &batch->leases.items[i];
        struct batch_work *work = lease->work;
        if (!lease->found || work->dead || partition_lease(batch, lease, err) >= 0)
            continue;
        if (err->code != ERR_INVALID)
            return -1;
        work->dead = work->operation->failed = true;
        work->operation->err = *err;
        err_prefix(&work->operation->err, "slice '%s'", lease->result->slice);
    }
    return 0;
}

static void mark_stale(struct batch *batch)
{
    for (size_t i = 0; i < batch->leases.count; i++) {
        struct batch_lease *lease = &batch->leases.items[i];
        lease->found = lease->found && !lease->work->dead;
        if (lease->result)
            lease->result->stale = !lease->found;
    }
}

// A part as it will be stored: what the job's state makes of it.
static void place_part(const struct batch_lease *lease, struct slice_part *part)
{
    bool waits = part->state == SLICE_READY || part->state == SLICE_DELAYED;
    if (waits && lease->job->outcome != OUTCOME_NONE)
        part->state = SLICE_CANCELLED;
    else if (part->state == SLICE_READY && !(lease->job->runs && lease->stage->released))
        part->state = SLICE_HELD;
}

static int note_part(struct batch *batch, const struct batch_lease *lease, struct slice_part *part, struct err *err)
{
    place_part(lease, part);
    if (part->state == SLICE_READY)
        return batch_want_rank(batch, lease->stage->demand, lease->stage->priority, err);
    if (part->state != SLICE_SUCCEEDED)
        return 0;
    struct succeeded_range *range = LIST_ADD(batch->arena, &batch->ranges);
    if (!range)
        return batch_no_memory(err);
    *range = (struct succeeded_range){lease->stage, part->range.from, part->range.to, part->attempt};
    return 0;
}

static int note_lease(struct batch *batch, const struct batch_lease *lease, struct err *err)
{
    for (size_t i = 0; i < lease->part_count; i++)
        if (note_part(batch, lease, &lease->parts[i], err) < 0)
            return -1;
    return lease->result && lease->result->output_count > 0 ? hot_output_collect(batch, lease, err) : 0;
}

static int read_leases(struct batch *batch, struct err *err)
{
    if (batch->at.leased < 0)
        return 0;
    struct result *rows = pipeline_result(batch->pipeline, batch->at.leased);
    for (int row = 0; row < result_rows(rows); row++)
        read_lease(batch, rows, row);
    return result_ok(rows, err);
}

int hot_report_read(struct batch *batch, struct err *err)
{
    if (read_leases(batch, err) < 0)
        return -1;
    for (size_t i = 0; i < batch->leases.count; i++)
        find_lease(batch, &batch->leases.items[i]);
    if (drop_repeated(batch, err) < 0 || partition_all(batch, err) < 0)
        return -1;
    mark_stale(batch);
    for (size_t i = 0; i < batch->leases.count; i++)
        if (batch->leases.items[i].found && note_lease(batch, &batch->leases.items[i], err) < 0)
            return -1;
    return 0;
}
