// The pool: threads with a connection each for all calls that are not hot.
//
// Tasks run in the order in which they came. The queue is bounded for tasks that may be refused; those that may not are
// bounded by what their owners have admitted before (parked requests, streams).
#pragma once

#include "services/common/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct db;
struct pool;

// Part of its owner.
struct pool_task {
    void (*run)(struct pool_task *task, struct db *db); // on a pool thread; the task is the owner's again
    struct pool_task *next;
};

struct pool_settings {
    const char *database_url;
    int threads;
    size_t queue_max;
    int64_t statement_timeout_ms, network_timeout_ms; // as of struct db_options; 0: its defaults
};

int pool_start(const struct pool_settings *settings, struct pool **out, struct err *err) WARN_UNUSED;
// Runs what is queued, then ends the threads. Takes NULL.
void pool_stop(struct pool *pool);
// ERR_UNAVAILABLE when the queue is full.
int pool_add(struct pool *pool, struct pool_task *task, struct err *err) WARN_UNUSED;
void pool_add_admitted(struct pool *pool, struct pool_task *task); // never refused
int64_t pool_queued(struct pool *pool);
