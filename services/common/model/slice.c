#include "services/common/model/slice.h"

#include "services/common/base/backoff.h"
#include "services/common/base/macros.h"
#include "services/common/model/states.h"

#include <stdlib.h>

#define STAGE_SLICES_MAX 1024
#define SLICE_WIDTH_MIN 10000

// The parts of a leased slice as they are found, from its first task to its last.
struct partition {
    const struct slice_report *report;
    const struct slice_policy *policy;
    struct slice_part *parts;
    size_t capacity, count;
    int64_t next; // the first task that has no part yet
};

static int add_part(struct partition *partition, const struct slice_part *part, struct err *err)
{
    struct slice_part *last = partition->count > 0 ? &partition->parts[partition->count - 1] : NULL;
    partition->next = part->range.to;
    if (last && last->state == SLICE_SUCCEEDED && part->state == SLICE_SUCCEEDED) {
        last->range.to = part->range.to;
        return 0;
    }
    if (partition->count == partition->capacity)
        return err_set(err, ERR_INTERNAL, "no room for the parts of a slice");
    partition->parts[partition->count++] = *part;
    return 0;
}

// Tasks that the report does not name were not started.
static int add_unnamed(struct partition *partition, int64_t to, struct err *err)
{
    if (partition->next == to)
        return 0;
    struct slice_part part = {
        .range = {partition->next, to},
        .state = SLICE_READY,
        .attempt = MAX(partition->report->attempt - 1, 0),
        .failures = partition->report->failures,
        .position = -1,
    };
    return add_part(partition, &part, err);
}

static int add_succeeded(struct partition *partition, const struct slice_range *range, struct err *err)
{
    if (range->from < partition->next || range->to <= range->from || range->to > partition->report->leased.to)
        return err_set(err, ERR_INVALID, "succeeded tasks [%lld, %lld) are empty, out of order or not in the slice",
                       (long long)range->from, (long long)range->to);
    struct slice_part part = {
        .range = *range,
        .state = SLICE_SUCCEEDED,
        .attempt = partition->report->attempt,
        .failures = partition->report->failures,
        .position = -1,
    };
    return add_unnamed(partition, range->from, err) < 0 ? -1 : add_part(partition, &part, err);
}

// Decides between another attempt and the end. An attempt that does not count waits, too: longer with each, so that a
// task which always asks for another one does not spin.
static void judge_failure(const struct partition *partition, enum slice_retry retry, struct slice_part *part)
{
    const struct slice_policy *policy = partition->policy;
    unsigned waits = (unsigned)MAX(part->attempt, 1);
    if (retry != SLICE_RETRY_UNCOUNTED) {
        part->failures++;
        waits = (unsigned)part->failures;
    }
    bool ends = retry == SLICE_RETRY_NEVER || (retry == SLICE_RETRY_COUNTED && part->failures > policy->retries_max);
    part->state = ends ? SLICE_FAILED : SLICE_DELAYED;
    part->delay_ms = ends ? 0 : backoff_delay_ms(policy->backoff_ms, policy->backoff_max_ms, waits);
}

static int add_failed(struct partition *partition, const struct slice_failure *failure, struct err *err)
{
    if (failure->task < partition->next || failure->task >= partition->report->leased.to)
        return err_set(err, ERR_INVALID, "failed task %lld is out of order or not in the slice",
                       (long long)failure->task);
    struct slice_part part = {
        .range = {failure->task, failure->task + 1},
        .attempt = partition->report->attempt,
        .failures = partition->report->failures,
        .position = failure->position,
    };
    judge_failure(partition, failure->retry, &part);
    return add_unnamed(partition, failure->task, err) < 0 ? -1 : add_part(partition, &part, err);
}

int slice_partition(const struct slice_report *report, const struct slice_policy *policy, struct slice_part *parts,
                    size_t capacity, struct err *err)
{
    struct partition partition = {
        .report = report, .policy = policy, .parts = parts, .capacity = capacity, .next = report->leased.from};
    size_t succeeded = 0, failed = 0;
    while (succeeded < report->succeeded_count || failed < report->failed_count) {
        bool succeeds =
            succeeded < report->succeeded_count &&
            (failed == report->failed_count || report->succeeded[succeeded].from <= report->failed[failed].task);
        int added = succeeds ? add_succeeded(&partition, &report->succeeded[succeeded++], err)
                             : add_failed(&partition, &report->failed[failed++], err);
        if (added < 0)
            return -1;
    }
    if (add_unnamed(&partition, report->leased.to, err) < 0)
        return -1;
    return (int)partition.count;
}

static int compare_ranges(const void *left, const void *right)
{
    const struct slice_range *a = left, *b = right;
    return (a->from > b->from) - (a->from < b->from);
}

size_t slice_merge_ranges(struct slice_range *ranges, size_t count)
{
    if (count == 0)
        return 0;
    qsort(ranges, count, sizeof *ranges, compare_ranges);
    size_t last = 0;
    for (size_t i = 1; i < count; i++) {
        if (ranges[i].from <= ranges[last].to)
            ranges[last].to = MAX(ranges[last].to, ranges[i].to);
        else
            ranges[++last] = ranges[i];
    }
    return last + 1;
}

int64_t slice_initial_width(int64_t total)
{
    int64_t width = total / STAGE_SLICES_MAX + (total % STAGE_SLICES_MAX != 0);
    return MAX(width, (int64_t)SLICE_WIDTH_MIN);
}
