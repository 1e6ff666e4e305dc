// What becomes of a job: from the facts in the database to the next step. The heart of Curfew's promise.
//
// Level-triggered: whoever changes a fact about a job (a task is done, a service died, the user said stop, a deadline
// passed) does so under the job's row lock and then, in the same transaction, settles the job: loads this view, asks
// settle_decide() for the plan, and applies it. Deciding twice is the same as once, so a crash anywhere loses nothing,
// and the reaper settles again whatever time alone has changed.
//
// Pure: no I/O, no clock but `now_us`.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SETTLE_MAX 64 // stages and services of a job: masks are 64 bits wide

struct settle_stage {
    const char *name;
    int from_stage; // -1: none
    uint64_t after_mask;
    bool fail_job;
    int64_t open, failed;
    bool released, closed;
};

struct settle_service {
    uint64_t depends_mask;
    int on_failure; // enum service_failure
    int restart_max;
    int64_t restart_window_ms, restart_backoff_ms;
    const char *name;
};

// Instances of all epochs, ordered by (service, epoch).
struct settle_instance {
    int service;
    int epoch;
    int state;   // enum instance_state
    bool failed; // never became ready, or ended without being asked
    bool stop_requested;
    int64_t not_before_us;
    int64_t ready_by_us; // 0: not placed yet
    int64_t created_at_us;
    int64_t ended_at_us; // stopped_at; 0: not yet
    const char *error;   // for the reason's message; may be NULL
};

// All times are the database's, microseconds since 1970; 0 means not set.
struct settle_view {
    int64_t now_us;
    int outcome; // OUTCOME_NONE while the work goes on
    int cleanup;
    int phase;
    bool paused, stop_requested;
    unsigned autostop_on; // a bit per outcome
    int64_t linger_ms, keep_on_failure_ms;
    int64_t timeout_ms; // 0: none
    int64_t max_lifetime_ms;
    int64_t created_at_us, started_at_us, keep_until_us;
    int64_t first_placed_at_us; // of the earliest instance; 0: none was placed
    int64_t attention_at_us;    // as stored; 0: none
    bool closed;
    const struct settle_stage *stages;
    size_t stage_count;
    const struct settle_service *services;
    size_t service_count;
    const struct settle_instance *instances;
    size_t instance_count;
};

struct settle_start {
    int service, epoch;
    int64_t not_before_us;
};

struct settle_stop {
    int service, epoch;
    const char *reason; // static: "succeeded", "failed", ..., "never_ready", "unhealthy", "max_lifetime"
    bool failed;        // sets instance.failed
    bool never_placed;  // it was pending: goes straight to verified
};

struct settle_plan {
    bool sets_outcome;
    int outcome;
    char reason_code[32]; // "" when the outcome is succeeded
    char reason_message[256];
    int cleanup; // the new value, or the old one
    int64_t keep_until_us;
    int phase; // the new value: WAITING -> RELEASED makes held slices of released stages ready, back holds the ready
               // ones
    bool sets_started;       // job.started_at is set now
    uint64_t release_stages; // bits: become released; their held slices become ready when phase is RELEASED
    uint64_t close_stages;
    bool cancel_tasks; // with an outcome: all that is not leased becomes cancelled, what is leased is asked to end.
                       // The stages' `open` counts change by that: decide again with the new view, in the same
                       // transaction
    struct settle_start starts[SETTLE_MAX];
    size_t start_count;
    struct settle_stop stops[SETTLE_MAX];
    size_t stop_count;
    bool closes;
    int64_t attention_at_us; // when to settle again though nothing happens; 0: not
    bool wakes_pending;      // a pending instance may be placed now: wake workers of its demand
    bool changes;            // false: nothing of the above differs from the view
};

// After an outcome is set and its cancel_tasks is applied, a stage's `open` counts leased tasks and nothing else, so
// `open > 0` says that tasks still have to end before the services may stop.
//
// Applying a plan and deciding again gives a plan that changes nothing, but for the second decision after cancel_tasks.
void settle_decide(const struct settle_view *view, struct settle_plan *plan);
