// What settle_jobs() is made of: a batch of jobs with their views and plans. Private to store/settle*.c.
#pragma once

#include "services/common/base/arena.h"
#include "services/common/db/params.h"
#include "services/common/db/result.h"
#include "services/common/model/settle.h"
#include "services/common/store/wakes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct db;

struct settle_entry {
    int64_t job;
    int stored_event_count;  // as loaded
    int event_count;         // with the plan's events
    int64_t started_us;      // what started_at becomes besides the plan; 0: nothing
    bool has_windows;        // stages with max_parallel
    const bool *windows;     // per stage
    const int *demands;      // per service
    struct settle_view view; // texts belong to the batch's results
    struct settle_plan plan;
};

struct settle_batch {
    struct db *db;
    struct wakes *wakes; // borrowed
    struct arena *arena;
    struct settle_entry *entries; // by rising job
    size_t count;
    bool withdraws; // it has cancelled or held waiting tasks
    struct result jobs, stages, services, instances;
};

// Loads the views; `batch` has db and wakes only, and is released by the caller whatever is returned.
int settle_batch_load(struct settle_batch *batch, const int64_t *jobs, size_t count, struct err *err) WARN_UNUSED;
void settle_batch_release(struct settle_batch *batch);
#define AUTO_SETTLE_BATCH CLEANUP(settle_batch_release)

// Applies all plans of the batch and adds the wakes.
int settle_batch_apply(struct settle_batch *batch, struct err *err) WARN_UNUSED;
// Its parts: stages and their slices; starts and stops; events, which move each entry's event_count.
int settle_apply_stages(struct settle_batch *batch, struct err *err) WARN_UNUSED;
int settle_apply_instances(struct settle_batch *batch, struct err *err) WARN_UNUSED;
int settle_apply_events(struct settle_batch *batch, struct err *err) WARN_UNUSED;
