// The numbers of /metrics that only the database knows. Cheap: small indexes and partial scans, whatever has finished.
#pragma once

#include "services/common/base/err.h"
#include "services/common/model/states.h"

#include <stdint.h>

struct db;

// What the time of services went into.
struct service_seconds {
    double warming, useful, idle;
    double leaked; // after their stop was asked for and the 60 s of the number above were over
};

struct store_metrics {
    double queue_oldest_ready_seconds;                   // age of the oldest job with a ready slice; 0: none
    int64_t ready_slices, leased_slices, delayed_slices; // ready ones are counted up to 10,000
    int64_t jobs_open;                                   // without outcome
    int64_t jobs_paused, jobs_waiting;                   // of these
    int64_t jobs_cleaning, jobs_kept, jobs_stuck;        // with an outcome, not closed
    int64_t live_instances;
    int64_t leaked_services;      // instances of closed jobs that may exist, or that should be gone since 60 s
    int64_t engine_orphans;       // containers that no row wants, as the reapers have last seen
    int64_t engines_refused;      // of which so much is unknown that nothing is removed
    int64_t engine_networks_kept; // that engines refuse to remove and list nothing in
    double reaper_lag_seconds;    // how long the longest due attention, retry or lost worker has been waiting; 0: none
    struct service_seconds seconds; // of the instances that may exist
    int64_t workers[WORKER_STATE_COUNT];
};

int metrics_read(struct db *db, struct store_metrics *out, struct err *err) WARN_UNUSED;
