// The hot calls: submit, and work (report and/or poll). A lane collects what has queued up since its last commit and
// runs it as one transaction with merged statements: the number of statements does not depend on the number of
// operations.
//
// Each operation carries its own outcome. An operation that is wrong (unknown worker, stale token) never fails its
// neighbours; when the database refuses the batch as a whole, it is run again operation by operation.
// Everything here belongs to the calling thread; one `struct hot` per lane, with its own connection.
#pragma once

#include "services/common/base/err.h"
#include "services/common/base/strbuf.h"
#include "services/common/model/job_spec.h"
#include "services/common/model/quota.h"
#include "services/common/model/slice.h"
#include "services/common/model/states.h"
#include "services/common/store/wakes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hot_runs; // hot_runs.h

// ---- submit

struct submit_operation {
    const struct job_spec *spec; // borrowed
    const char *idempotency_key; // NULL: none
    const char *fingerprint;     // of the body, hexadecimal
    const char *space;           // its namespace; NULL: the default
    const char *traceparent;     // W3C trace context of who submits it (model/traceparent.h); NULL: none
    struct quota_holder by;      // whose it will be
    int64_t job;                 // in: a fresh id_new(); out: the job's id (an earlier one's when the key was known)
    // out
    bool created;   // false: the key was known, same body
    struct err err; // ERR_CONFLICT: same key, another body; ERR_NOT_FOUND: the bundle is not there; quota_check()'s
    bool failed;
};

// ---- work

struct task_failure {
    int64_t task;
    const char *error; // borrowed, valid UTF-8, at most 2,000 bytes
    int exit;          // -1: none
    enum slice_retry retry;
};

struct task_output {
    int64_t task;
    const char *json; // one compact line, borrowed
    size_t length;
};

struct slice_result {
    const char *slice; // "<job>/<stage>/<first>" as it came; borrowed; echoed in stale
    int64_t job;       // parsed from it; only a hint for locking
    int64_t token;
    bool all_succeeded;
    const struct slice_range *succeeded;
    size_t succeeded_count;
    const struct task_failure *failed;
    size_t failed_count;
    const struct task_output *outputs; // by rising task
    size_t output_count;
    bool stale; // out: the token does not hold; nothing was recorded
};

struct instance_observation {
    int64_t job;
    const char *service; // name
    int epoch;
    int state;                                                      // enum instance_state
    const char *object, *host, *ports, *boundary, *error, *signals; // NULL: not said; ports and signals are JSON
    int exit_code, exit_signal;                                     // -1: none
    int grade;                                                      // enum grade, -1: none
};

struct log_chunk {
    int64_t job;
    const char *source;
    int64_t position;
    const void *bytes;
    size_t length;
};

struct queue_want {
    const char *queue;
    int64_t tasks;
};

// A slice that a poll was given.
struct grant {
    int64_t job, token;
    int stage;
    const char *stage_name, *run, *bundle; // run, bundle: NULL when none; valid until the operation is released
    int64_t first, count;
    int attempt;
    const char *items;       // JSON array text, or NULL: null items
    const char *services;    // JSON array text, "[]" when none
    const char *traceparent; // for outside workers: NULL when the job has none, and for what is run
};

struct instance_order {
    int64_t job;
    const char *service;
    int epoch;
    const char *reason;                  // stop
    const char *object;                  // start: what the runtime shall call it
    const char *run, *bundle, *services; // start; bundle: NULL when none; services: those that can be reached
    bool adopts;                         // start: it lives on from a former life of the worker, which takes it over
    bool was_ready;                      // with adopts
};

struct cancel_order {
    int64_t job, token, first;
    int stage;
};

struct work_operation {
    // in
    int64_t worker;
    int incarnation;
    struct slice_result *results;
    size_t result_count;
    const struct instance_observation *observations;
    size_t observation_count;
    const struct log_chunk *logs;
    size_t log_count;
    bool polls; // it also wants work; the members below are its
    bool draining;
    const struct queue_want *wants;
    size_t want_count;
    int want_services;
    const int64_t *held; // NULL: not said
    size_t held_count;
    bool says_held;
    int64_t arrived_ms; // CLOCK_BOOTTIME, when `held` was read: what was leased later is not missing from it. 0: now
    // out
    // The connection (db_generation()) on which its results are committed, whatever becomes of the rest; 0: none. For
    // hot_run() alone.
    unsigned recorded;
    bool failed;
    struct err err; // ERR_STALE: the incarnation; ERR_NOT_FOUND: no such worker
    int64_t lease_ms;
    bool drain, drill;
    struct grant *grants;
    size_t grant_count;
    struct instance_order *starts, *stops, *verifies;
    size_t start_count, stop_count, verify_count;
    struct cancel_order *cancels;
    size_t cancel_count;
    const int *demands; // what this poll can be given: park under these when nothing was granted; see HOT_DEMAND_NEW
    size_t demand_count;
    bool again;          // there was work, but others were just taking it: run this poll again instead of parking it
    struct arena *arena; // owns what the outcome points to
};
// Frees what the outcome points to; `failed` and `err` stay, and the input is the caller's.
void work_operation_release(struct work_operation *operation);

// A demand that no worker was compared with before: every poll waits for it, too, and finds out whether it fits.
#define HOT_DEMAND_NEW 0

// ---- the lane's executor

struct hot;
struct db;

struct hot_settings {
    int64_t worker_lease_ms; // 30,000
    int64_t log_limit_bytes; // per job; above it chunks are dropped and a marker is stored once
    int64_t event_limit;     // per job
    int64_t trace_tasks;     // of how many tasks of each stage it is kept when they ran; 0: of none
    // Of each instance that was asked to stop and whose worker says that it has: how long it took. After the commit, on
    // the lane's thread. May be NULL.
    void (*stopped)(void *stopped_context, int64_t milliseconds);
    void *stopped_context;
    struct hot_runs *runs; // borrowed: shared by lanes; NULL: this lane has its own
};

// Batches of plain submissions whose one statement has failed, so that they were run step by step: since the start,
// and why the last one was.
struct hot_falls {
    int64_t count;
    struct err last;
};
const struct hot_falls *hot_falls(const struct hot *hot); // on the lane's thread

int hot_new(struct db *db, const struct hot_settings *settings, struct hot **out, struct err *err) WARN_UNUSED;
void hot_free(struct hot *hot);

// Adds a wake for each demand of which the job would release tasks at once, as far as this lane has met it: polls that
// wait for these can share the transaction of the submission.
void hot_foresee(struct hot *hot, const struct submit_operation *submit, struct wakes *wakes);

// Runs the operations as one transaction. 0: it is committed (look at each operation's `failed`). Failure: nothing is
// known to be recorded: ERR_UNAVAILABLE when the database is away or the commit's outcome is unknown (the client
// resolves that with its key or token). Wakes are added for what was committed and somebody is still to look at.
int hot_run(struct hot *hot, struct submit_operation **submits, size_t submit_count, struct work_operation **works,
            size_t work_count, struct wakes *wakes, struct err *err) WARN_UNUSED;
