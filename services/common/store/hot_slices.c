// What became of slices, as rows: the old ones and the new ones of a batch are held against each other, so that a row
// whose place stays is updated and not written anew. Which leases they were is looked at again when they are changed.
#include "services/common/base/macros.h"
#include "services/common/model/states.h"
#include "services/common/store/hot_foreseen.h"

#include <stdlib.h>

// ---- ranks

int hot_ranks_ask(struct batch *batch, struct err *err)
{
    size_t unknown = 0;
    for (size_t i = 0; i < batch->ranks.count; i++)
        unknown += batch->ranks.items[i].rank < 0;
    batch->at.ranks = -1;
    if (unknown == 0)
        return 0;
    struct params *params = batch_params(batch);
    PARAM_I32_FIELD(params, &batch->ranks, demand);
    PARAM_I16_FIELD(params, &batch->ranks, priority);
    batch->at.ranks = batch_ask(batch, STATEMENT_HOT_RANKS, err);
    return batch->at.ranks < 0 ? -1 : 0;
}

int hot_ranks_read(struct batch *batch, struct err *err)
{
    if (batch->at.ranks < 0)
        return 0;
    struct result *rows = pipeline_result(batch->pipeline, batch->at.ranks);
    for (int row = 0; row < result_rows(rows); row++) {
        size_t at = (size_t)result_i64(rows, row, 0) - 1;
        if (at < batch->ranks.count)
            batch->ranks.items[at].rank = result_i64(rows, row, 1);
    }
    return result_ok(rows, err);
}

// ---- rows

static int compare_rows(const void *left, const void *right)
{
    const struct slice_row *a = left, *b = right;
    if (a->job != b->job)
        return a->job < b->job ? -1 : 1;
    if (a->stage != b->stage)
        return a->stage < b->stage ? -1 : 1;
    return (a->first > b->first) - (a->first < b->first);
}

struct changes {
    LIST(struct slice_row) gone;
    LIST(struct slice_row) changed;
    LIST(struct slice_row) made;
};

static int add_change(struct batch *batch, struct changes *changes, const struct slice_row *old,
                      const struct slice_row *new, struct err *err)
{
    struct slice_row *row = !new  ? LIST_ADD(batch->arena, &changes->gone)
                            : old ? LIST_ADD(batch->arena, &changes->changed)
                                  : LIST_ADD(batch->arena, &changes->made);
    if (!row)
        return batch_no_memory(err);
    *row = new ? *new : *old;
    row->token = old ? old->token : 0;
    row->incarnation = old ? old->incarnation : 0;
    return 0;
}

static int taken_back(struct err *err)
{
    return err_set(err, ERR_INTERNAL, "a reported slice was taken back at the same time");
}

// Behind all old rows of one place. Neighbours of two ranges are listed twice; of a place that was remembered as a
// lease, and is another one or a neighbour, the memory is wrong.
static int skip_place(const struct slice_row **old, const struct slice_row *end, struct err *err)
{
    const struct slice_row *seen = *old;
    for (; *old < end && compare_rows(seen, *old) == 0; ++*old)
        if ((*old)->token != seen->token)
            return taken_back(err);
    return 0;
}

static int compare_lists(struct batch *batch, struct changes *changes, struct err *err)
{
    const struct slice_row *old = batch->old_slices.items, *new = batch->new_slices.items;
    const struct slice_row *old_end = old + batch->old_slices.count, *new_end = new + batch->new_slices.count;
    while (old < old_end || new < new_end) {
        int order = old == old_end ? 1 : new == new_end ? -1 : compare_rows(old, new);
        if (add_change(batch, changes, order <= 0 ? old : NULL, order >= 0 ? new : NULL, err) < 0)
            return -1;
        if (order <= 0 && skip_place(&old, old_end, err) < 0)
            return -1;
        new += order >= 0;
    }
    return 0;
}

// Rows that lie side by side and were leased one after the other, as one: no other leases have these tokens.
struct gone_range {
    int64_t job;
    int16_t stage;
    int64_t from, to, token, token_last;
    int32_t incarnation;
};

static bool goes_on(const struct gone_range *range, const struct slice_row *row)
{
    return range->job == row->job && range->stage == row->stage && range->to == row->first && row->token != 0 &&
           range->token_last + 1 == row->token && range->incarnation == row->incarnation;
}

struct gone_list {
    struct gone_range *items;
    size_t count, capacity;
};

static int find_gone(struct batch *batch, const struct slice_row *rows, size_t count, struct gone_list *ranges,
                     struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        const struct slice_row *row = &rows[i];
        struct gone_range *last = ranges->count ? &ranges->items[ranges->count - 1] : NULL;
        if (!last || !goes_on(last, row)) {
            last = LIST_ADD(batch->arena, ranges);
            if (!last)
                return batch_no_memory(err);
            *last = (struct gone_range){.job = row->job,
                                        .stage = row->stage,
                                        .from = row->first,
                                        .token = row->token,
                                        .incarnation = row->incarnation};
        }
        last->to = row->first + row->count;
        last->token_last = row->token;
    }
    return 0;
}

static void add_gone(const struct gone_list *ranges, struct params *params)
{
    PARAM_I64_FIELD(params, ranges, job);
    PARAM_I16_FIELD(params, ranges, stage);
    PARAM_I64_FIELD(params, ranges, from);
    PARAM_I64_FIELD(params, ranges, to);
    PARAM_I64_FIELD(params, ranges, token);
    PARAM_I64_FIELD(params, ranges, token_last);
    PARAM_I32_FIELD(params, ranges, incarnation);
}

int hot_slices_leased(struct batch *batch, struct params *params, struct err *err)
{
    struct gone_list ranges = {0};
    size_t count = batch->old_slices.count;
    qsort(batch->old_slices.items, count, sizeof(struct slice_row), compare_rows);
    if (find_gone(batch, batch->old_slices.items, count, &ranges, err) < 0)
        return -1;
    add_gone(&ranges, params);
    params_i64(params, (int64_t)count);
    return 0;
}

static int write_gone(struct batch *batch, const struct changes *changes, struct err *err)
{
    struct gone_list ranges = {0};
    if (find_gone(batch, changes->gone.items, changes->gone.count, &ranges, err) < 0)
        return -1;
    batch->gone_expected = (int64_t)changes->gone.count;
    if (ranges.count == 0)
        return 0;
    add_gone(&ranges, batch_params(batch));
    batch->at.gone = batch_ask(batch, STATEMENT_HOT_SLICES_DELETE, err);
    return batch->at.gone < 0 ? -1 : 0;
}

#define PARAM_SLICES(params, list)               \
    do {                                         \
        PARAM_I64_FIELD(params, list, job);      \
        PARAM_I16_FIELD(params, list, stage);    \
        PARAM_I64_FIELD(params, list, first);    \
        PARAM_I64_FIELD(params, list, count);    \
        PARAM_I16_FIELD(params, list, state);    \
        PARAM_I32_FIELD(params, list, attempt);  \
        PARAM_I32_FIELD(params, list, failures); \
        PARAM_I64_FIELD(params, list, rank);     \
        PARAM_I64_FIELD(params, list, delay_ms); \
    } while (0)

static int write_changed(struct batch *batch, const struct changes *changes, struct err *err)
{
    if (changes->changed.count == 0)
        return 0;
    struct params *params = batch_params(batch);
    PARAM_SLICES(params, &changes->changed);
    PARAM_I64_FIELD(params, &changes->changed, token);
    PARAM_I32_FIELD(params, &changes->changed, incarnation);
    batch->changed_expected = (int64_t)changes->changed.count;
    batch->at.changed = batch_ask(batch, STATEMENT_HOT_SLICES_UPDATE, err);
    return batch->at.changed < 0 ? -1 : 0;
}

static int write_made(struct batch *batch, const struct changes *changes, struct err *err)
{
    if (changes->made.count == 0)
        return 0;
    struct params *params = batch_params(batch);
    PARAM_SLICES(params, &changes->made);
    PARAM_I32_FIELD(params, &changes->made, demand);
    PARAM_I16_FIELD(params, &changes->made, priority);
    return batch_ask(batch, STATEMENT_HOT_SLICES_INSERT, err) < 0 ? -1 : 0;
}

int hot_slices_write(struct batch *batch, struct err *err)
{
    struct changes changes = {0};
    if (batch->old_slices.count > 0)
        qsort(batch->old_slices.items, batch->old_slices.count, sizeof(struct slice_row), compare_rows);
    if (batch->new_slices.count > 0)
        qsort(batch->new_slices.items, batch->new_slices.count, sizeof(struct slice_row), compare_rows);
    if (compare_lists(batch, &changes, err) < 0 || write_gone(batch, &changes, err) < 0 ||
        write_changed(batch, &changes, err) < 0)
        return -1;
    return write_made(batch, &changes, err);
}

static bool is_as_expected(const struct batch *batch, int index, int64_t expected)
{
    return index < 0 || result_affected(pipeline_result(batch->pipeline, index)) == expected;
}

int hot_slices_verify(struct batch *batch, struct err *err)
{
    int last = MAX(batch->at.gone, batch->at.changed);
    if (last >= 0 && !pipeline_has(batch->pipeline, last) && batch_collect(batch, err) < 0)
        return -1;
    if (is_as_expected(batch, batch->at.gone, batch->gone_expected) &&
        is_as_expected(batch, batch->at.changed, batch->changed_expected))
        return 0;
    return taken_back(err);
}
