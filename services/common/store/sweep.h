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
