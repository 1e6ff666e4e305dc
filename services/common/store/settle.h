// Settles jobs in the database: loads the views of many jobs at once, asks settle_decide() for each plan, applies all
// plans with merged statements. See services/common/model/settle.h for what that means.
#pragma once

#include "services/common/base/err.h"
#include "services/common/store/wakes.h"

#include <stddef.h>
#include <stdint.h>

struct db;

// To be called inside a transaction that holds the row locks of all these jobs (ids rising, no duplicates) and has
// already written its own facts. The number of statements does not depend on the number of jobs; jobs without services
// cost no statements on services and instances. Adds wakes for the jobs that changed, for workers that have instances
// to stop or tasks to cancel, and for demands that got ready tasks or pending instances.
int settle_jobs(struct db *db, const int64_t *jobs, size_t count, struct wakes *wakes, struct err *err) WARN_UNUSED;
// The same, and says of each job since when its tasks have been running (microseconds since 1970; 0: nothing is said of
// it), which becomes started_at where that is not set: what would otherwise be another change of the same row. 1:
// waiting tasks of some of them were cancelled or held.
int settle_jobs_started(struct db *db, const int64_t *jobs, const int64_t *started_us, size_t count,
                        struct wakes *wakes, struct err *err) WARN_UNUSED;
