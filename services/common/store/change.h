// What the store's transactions on jobs have in common: wakes that are only kept when it commits, locked jobs,
// settling.
#pragma once

#include "services/common/base/err.h"
#include "services/common/store/wakes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct db;

// The body of a transaction. May run several times: `wakes` is empty at the start of each.
typedef int (*change_fn)(struct db *db, void *context, struct wakes *wakes, struct err *err);

// Runs it as db_transaction() does; adds its wakes to `wakes` once it is committed.
int change_run(struct db *db, change_fn function, void *context, struct wakes *wakes, struct err *err) WARN_UNUSED;

// A job under its row lock.
struct locked_job {
    int64_t job;
    int outcome; // enum outcome or OUTCOME_NONE
    int cleanup; // enum cleanup
    int phase;   // enum job_phase
    bool closed, paused, stop_requested, delete_requested;
    bool kept_until; // kept services have a deadline
    int event_count;
};

// Locks the job until the transaction ends. ERR_NOT_FOUND when there is none.
int job_lock(struct db *db, int64_t job, struct locked_job *out, struct err *err) WARN_UNUSED;
// Locks many by rising id; those that do not exist any more are left out. Sorts `jobs` and takes out duplicates in
// place; returns how many are locked.
int job_lock_all(struct db *db, int64_t *jobs, size_t count, struct err *err) WARN_UNUSED;
// The data of an event that somebody asked for: {"by":"ci"}, or {} when nobody needed a token (NULL). Names of tokens
// are plain (token_text.h).
#define EVENT_BY_SIZE 80
void event_by(const char *by, char out[static EVENT_BY_SIZE]);
// Adds one event under the job's lock and counts it in the row.
int job_add_event(struct db *db, struct locked_job *job, const char *kind, const char *data,
                  struct err *err) WARN_UNUSED;
