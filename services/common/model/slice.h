// Slice arithmetic: how a claim cuts a ready slice, how a report takes a leased one apart, how runs of succeeded tasks
// merge.
//
// Pure: no I/O, no clock. What goes in covers exactly what comes out; the invariant (the slices of a stage are disjoint
// and cover [0, total)) follows from that, and a property test holds it against millions of random operations.
#pragma once

#include "services/common/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct slice_range {
    int64_t from, to; // [from, to)
};

// How a task's failure counts.
enum slice_retry {
    SLICE_RETRY_COUNTED,   // one of retries.max
    SLICE_RETRY_UNCOUNTED, // exit 75, or a worker that never started it
    SLICE_RETRY_NEVER,
};

struct slice_failure {
    int64_t task;
    enum slice_retry retry;
    int64_t position; // index into the caller's own list, carried along
};

// What a report says of one leased slice. Tasks that it names neither as succeeded nor as failed go back to ready, as
// not started (a worker that drains hands them back so).
struct slice_report {
    struct slice_range leased;
    int attempt;  // of this lease, from 1
    int failures; // counted ones before this lease
    const struct slice_range *succeeded;
    size_t succeeded_count;
    const struct slice_failure *failed;
    size_t failed_count;
};

struct slice_policy {
    int retries_max;
    int64_t backoff_ms, backoff_max_ms;
};

// One slice that takes the place of (a part of) the leased one.
struct slice_part {
    struct slice_range range;
    int state;   // SLICE_SUCCEEDED, SLICE_FAILED, SLICE_DELAYED or SLICE_READY
    int attempt; // as stored: attempts so far
    int failures;
    int64_t delay_ms; // for SLICE_DELAYED
    int64_t position; // of the failure it comes from, or -1
};

// Takes the leased slice apart. Parts come in rising order, neighbours of equal kind merged (failures stay of width 1).
// Writes at most `capacity` parts; 2 * (succeeded_count + failed_count) + 1 always suffices.
// Returns the number of parts. ERR_INVALID when ranges are empty, unordered, overlap, or leave the leased slice.
int slice_partition(const struct slice_report *report, const struct slice_policy *policy, struct slice_part *parts,
                    size_t capacity, struct err *err) WARN_UNUSED;

// Sorts by `from` and merges what touches or overlaps, in place; returns the new count.
size_t slice_merge_ranges(struct slice_range *ranges, size_t count);

// How wide the slices of a new stage are: 10,000, so that a transaction of a lane seldom needs more than one, or wider,
// so that a stage has at most about 1,024 of them.
int64_t slice_initial_width(int64_t total);
