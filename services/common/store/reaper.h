// The reaper's work in the database: leadership, and one function per sweep.
//
// A sweep is level-triggered: it looks for what is not as it should be and repairs at most `limit` rows of it in one
// transaction. Each such transaction first holds the leader's row against the sweep's epoch (FOR SHARE), so that a
// reaper which was deposed changes nothing. Returns how many rows it handled: `limit` means that there may be more;
// ERR_STALE: not the leader any more. Wakes are for after the commit. One thread per connection.
#pragma once

#include "services/common/base/err.h"
#include "services/common/store/wakes.h"

#include <stdint.h>

struct db;

// ---- leadership

enum leader_outcome { LEADER_OTHER, LEADER_ACQUIRED, LEADER_RENEWED };

// Takes the leadership `name` when it is free, expired, or ours already (`*epoch` is what the last call gave, 0 at
// first), for `term_ms` from now. Returns an enum leader_outcome; *epoch is ours unless LEADER_OTHER. Whoever leads
// trusts itself only until the start of its last renewal plus the term minus a margin.
int leader_acquire(struct db *db, const char *name, const char *holder, int64_t term_ms, int64_t *epoch,
                   struct err *err) WARN_UNUSED;
// Gives it up, so that another need not wait for the term. Harmless when it is not ours any more.
int leader_release(struct db *db, const char *name, int64_t epoch, struct err *err) WARN_UNUSED;

// ---- sweeps

struct sweep {
    struct db *db;
    const char *leader; // name of the leadership
    int64_t epoch;
    int limit; // rows per transaction
    struct wakes *wakes;
};

// Delayed slices that are due become ready; demands of instances that may be placed now are woken.
int sweep_retries(const struct sweep *sweep, struct err *err) WARN_UNUSED;
// Workers whose lease is over become suspect; `skew_ms` later lost, and what they had is taken back
// (workers_take_back). One lost worker per transaction, `limit` per call.
int sweep_workers(const struct sweep *sweep, int64_t skew_ms, struct err *err) WARN_UNUSED;
// What former incarnations and lost workers still have is taken back, process instances of theirs are presumed gone
// `skew_ms` after the next incarnation came; leased slices of ended jobs get their cancel flag.
int sweep_leases(const struct sweep *sweep, int64_t skew_ms, struct err *err) WARN_UNUSED;
// Settles jobs whose attention is due: timeouts, start deadlines, lifetimes, linger, restarts.
int sweep_deadlines(const struct sweep *sweep, struct err *err) WARN_UNUSED;
// Settles jobs that have ended and are not closed, kept ones left out: a second look at what settling does by itself.
// Takes `limit` of them at random, so that each has its turn, and returns 0: having looked is no reason to look again
// at once.
int sweep_services(const struct sweep *sweep, struct err *err) WARN_UNUSED;
// Instances whose worker was asked to stop or to verify them `patience_ms` ago and has not answered: wakes it. Writes
// nothing.
int sweep_verify(const struct sweep *sweep, int64_t patience_ms, struct err *err) WARN_UNUSED;
// Deletes jobs that were closed `retention_ms` ago, those that users wanted deleted, and workers that are long gone.
int sweep_retention(const struct sweep *sweep, int64_t retention_ms, struct err *err) WARN_UNUSED;
// Deletes bundles that no job refers to and that were not used for `retention_ms`.
int sweep_bundles(const struct sweep *sweep, int64_t retention_ms, struct err *err) WARN_UNUSED;
