// What the sweeps have in common: a transaction under the leader's epoch, and lists of ids. Private to store/sweep*.c.
#pragma once

#include "services/common/base/cleanup.h"
#include "services/common/db/db.h"
#include "services/common/store/change.h"
#include "services/common/store/embedded.h"
#include "services/common/store/reaper.h"

// One transaction of a sweep; `argument` is the caller's. Returns how many rows it handled.
typedef int (*sweep_fn)(const struct sweep *sweep, void *argument, struct wakes *wakes, struct err *err);

// Runs it under the leader's epoch: ERR_STALE when that has moved on. Its wakes are kept when it commits.
int sweep_run(const struct sweep *sweep, sweep_fn function, void *argument, struct err *err) WARN_UNUSED;

// Column 0 of a statement's rows; *ids is the caller's to free, never NULL on success. Returns how many.
int sweep_ids(const struct sweep *sweep, enum statement statement, const struct params *params, int64_t **ids,
              struct err *err) WARN_UNUSED;

// What a sweep_fn of sweep_each() gets.
struct sweep_one {
    int64_t id;      // of the worker, or the job
    int64_t skew_ms; // as the sweep has it
};
// One transaction for each of them. What is wrong with one does not hold up the others: its error is returned when all
// have had their turn, unless it is the database's or the leadership's. Returns the sum of what `function` did.
int sweep_each(const struct sweep *sweep, sweep_fn function, const char *what, const int64_t *ids, int count,
               int64_t skew_ms, struct err *err) WARN_UNUSED;
// Whether what failed like that is wrong with some rows, and others may go well.
bool sweep_may_go_on(const struct err *err);
