// What stages run, as the lanes of a program remember it together: the lane that has stored a job is another one than
// those that give its tasks out. It never changes, whatever becomes of a connection, and ids of jobs do not come again.
// Bounded in bytes, the longest unused goes first. Thread-safe.
#pragma once

#include "services/common/base/arena.h"
#include "services/common/base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct hot_run {
    bool has_items, has_services;
    const char *name, *run, *bundle, *traceparent; // all but the name: NULL when none
};

struct hot_runs;

int hot_runs_new(struct hot_runs **out, struct err *err) WARN_UNUSED;
void hot_runs_free(struct hot_runs *runs); // nobody uses it any more; takes NULL
void hot_runs_remember(struct hot_runs *runs, int64_t job, int stage, const struct hot_run *run); // copies
// A copy in the arena; NULL when it is not remembered, or there is no memory.
const struct hot_run *hot_runs_recall(struct hot_runs *runs, int64_t job, int stage, struct arena *arena);
