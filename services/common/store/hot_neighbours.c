// Runs of succeeded tasks: those of a batch become one where they meet, and take in the ones beside them.
//
// What is beside them is asked for together with the locks when the batch reports nothing but successes of leases that
// the lane remembers; whether the ranges are those that were foreseen is looked at once everything is known.
#include "services/common/base/macros.h"
#include "services/common/model/states.h"
#include "services/common/store/hot_foreseen.h"

#include <stdlib.h>

static int compare_ranges(const void *left, const void *right)
{
    const struct succeeded_range *a = left, *b = right;
    if (a->stage != b->stage)
        return a->stage < b->stage ? -1 : 1;
    return (a->from > b->from) - (a->from < b->from);
}

static void merge_ranges(struct batch *batch)
{
    struct succeeded_range *ranges = batch->ranges.items;
    if (batch->ranges.count == 0)
        return;
    qsort(ranges, batch->ranges.count, sizeof *ranges, compare_ranges);
    size_t last = 0;
    for (size_t i = 1; i < batch->ranges.count; i++) {
        if (ranges[i].stage == ranges[last].stage && ranges[i].from <= ranges[last].to) {
            ranges[last].to = MAX(ranges[last].to, ranges[i].to);
            ranges[last].attempt = MAX(ranges[last].attempt, ranges[i].attempt);
        } else {
            ranges[++last] = ranges[i];
        }
    }
    batch->ranges.count = last + 1;
}

// ---- asking

struct asked_list {
    struct asked_range *items;
    size_t count, capacity;
};

static bool same_stage(const struct asked_range *left, const struct asked_range *right)
{
    return left->job == right->job && left->stage == right->stage;
}

static void count_tasks(struct asked_list *asked)
{
    for (size_t i = 0, next; i < asked->count; i = next) {
        int64_t tasks = 0;
        for (next = i; next < asked->count && same_stage(&asked->items[next], &asked->items[i]); next++)
            tasks += asked->items[next].to - asked->items[next].from;
        for (size_t n = i; n < next; n++)
            asked->items[n].tasks = tasks;
    }
}

static void note_asked(struct batch *batch, struct asked_list *asked)
{
    count_tasks(asked);
    batch->ranges_asked.items = asked->items;
    batch->ranges_asked.count = asked->count;
}

static int ask_neighbours(struct batch *batch, struct asked_list *asked, struct err *err)
{
    note_asked(batch, asked);
    batch->at.neighbours = -1;
    if (asked->count == 0)
        return 0;
    struct params *params = batch_params(batch);
    PARAM_I64_FIELD(params, asked, job);
    PARAM_I16_FIELD(params, asked, stage);
    PARAM_I64_FIELD(params, asked, from);
    PARAM_I64_FIELD(params, asked, to);
    PARAM_I64_FIELD(params, asked, tasks);
    batch->at.neighbours = batch_ask(batch, STATEMENT_HOT_NEIGHBOURS, err);
    return batch->at.neighbours < 0 ? -1 : 0;
}

// ---- with the locks

static int compare_asked(const void *left, const void *right)
{
    const struct asked_range *a = left, *b = right;
    if (a->job != b->job)
        return a->job < b->job ? -1 : 1;
    if (a->stage != b->stage)
        return a->stage < b->stage ? -1 : 1;
    return (a->from > b->from) - (a->from < b->from);
}

static void merge_asked(struct asked_list *asked)
{
    qsort(asked->items, asked->count, sizeof *asked->items, compare_asked);
    size_t last = 0;
    for (size_t i = 1; i < asked->count; i++) {
        struct asked_range *range = &asked->items[i];
        struct asked_range *before = &asked->items[last];
        if (same_stage(range, before) && range->from <= before->to) {
            before->to = MAX(before->to, range->to);
            before->attempt = MAX(before->attempt, range->attempt);
        } else {
            asked->items[++last] = *range;
        }
    }
    asked->count = last + 1;
}

// What begins a stage and was not cut from more may be all of it.
static bool is_foreseen(const struct batch_lease *lease)
{
    return lease->remembered && lease->result->all_succeeded && (lease->known.first > 0 || lease->known.cut);
}

// The ranges that the leases of the batch make; none when they cannot be foreseen.
static int foresee(struct batch *batch, struct asked_list *asked, struct err *err)
{
    for (size_t i = 0; i < batch->leases.count; i++) {
        const struct batch_lease *lease = &batch->leases.items[i];
        if (!is_foreseen(lease)) {
            asked->count = 0;
            return 0;
        }
        struct asked_range *range = LIST_ADD(batch->arena, asked);
        if (!range)
            return batch_no_memory(err);
        *range = (struct asked_range){.job = lease->known.job,
                                      .stage = lease->known.stage,
                                      .from = lease->known.first,
                                      .to = lease->known.first + lease->known.count,
                                      .attempt = lease->known.attempt};
    }
    if (asked->count > 0)
        merge_asked(asked);
    return 0;
}

int hot_neighbours_foresee(struct batch *batch, struct err *err)
{
    struct asked_list asked = {0};
    if (foresee(batch, &asked, err) < 0)
        return -1;
    return asked.count > 0 ? ask_neighbours(batch, &asked, err) : 0;
}

int hot_ranges_foresee(struct batch *batch, struct err *err)
{
    struct asked_list asked = {0};
    if (foresee(batch, &asked, err) < 0)
        return -1;
    note_asked(batch, &asked);
    return 0;
}

// ---- after them

// What is all of a stage has no neighbours.
static bool may_have_neighbours(const struct succeeded_range *range)
{
    return range->from > 0 || range->to < range->stage->total;
}

static bool was_foreseen(const struct batch *batch, const struct asked_list *wanted)
{
    if (wanted->count != batch->ranges_asked.count)
        return false;
    for (size_t i = 0; i < wanted->count; i++) {
        const struct asked_range *asked = &batch->ranges_asked.items[i], *range = &wanted->items[i];
        if (!same_stage(asked, range) || asked->from != range->from || asked->to != range->to)
            return false;
    }
    return true;
}

int hot_neighbours_ask(struct batch *batch, struct err *err)
{
    struct asked_list wanted = {0};
    merge_ranges(batch);
    for (size_t i = 0; i < batch->ranges.count; i++) {
        const struct succeeded_range *range = &batch->ranges.items[i];
        if (!may_have_neighbours(range))
            continue;
        struct asked_range *asked = LIST_ADD(batch->arena, &wanted);
        if (!asked)
            return batch_no_memory(err);
        *asked = (struct asked_range){
            .job = range->stage->job, .stage = range->stage->stage, .from = range->from, .to = range->to, .index = i};
    }
    if (!was_foreseen(batch, &wanted))
        return ask_neighbours(batch, &wanted, err);
    batch->ranges_asked.items = wanted.items; // with their places
    return 0;
}

enum neighbour_column { NEIGHBOUR_ORDINAL, NEIGHBOUR_FIRST, NEIGHBOUR_COUNT };

static int absorb(struct batch *batch, struct result *rows, int row, struct succeeded_range *range, struct err *err)
{
    struct slice_row old = {
        .job = range->stage->job,
        .stage = range->stage->stage,
        .first = result_i64(rows, row, NEIGHBOUR_FIRST),
        .count = result_i64(rows, row, NEIGHBOUR_COUNT),
    };
    range->from = MIN(range->from, old.first);
    range->to = MAX(range->to, old.first + old.count);
    return batch_old_slice(batch, &old, err);
}

int hot_neighbours_read(struct batch *batch, struct err *err)
{
    if (batch->at.neighbours < 0)
        return 0;
    struct result *rows = pipeline_result(batch->pipeline, batch->at.neighbours);
    for (int row = 0; row < result_rows(rows); row++) {
        size_t at = (size_t)result_i64(rows, row, NEIGHBOUR_ORDINAL) - 1;
        if (at >= batch->ranges_asked.count)
            continue;
        size_t range = batch->ranges_asked.items[at].index;
        if (absorb(batch, rows, row, &batch->ranges.items[range], err) < 0)
            return -1;
    }
    merge_ranges(batch); // two of them may have the same neighbour between them
    return result_ok(rows, err);
}
