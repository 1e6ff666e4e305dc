// Lanes: threads with one connection each that run all hot calls that have queued up as one transaction.
//
// One lane is for submissions, the others for the calls of workers. An entry is in their queue until a lane takes it,
// runs it with many others, and calls `done` for each. The wakes of what was committed are delivered after that. Queues
// are bounded: above the limit entries are refused.
#pragma once

#include "services/common/base/err.h"
#include "services/common/store/hot.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lanes;

// Part of its owner; exactly one of submit and work is set.
struct lane_entry {
    struct submit_operation *submit;
    struct work_operation *work;
    bool patient; // it may wait a moment for others to share a transaction with
    // Asked right before it is run, on the lane's thread: false leaves it out (`done` is called with outcome 1). May be
    // NULL.
    bool (*wanted)(struct lane_entry *entry);
    // On the lane's thread; must not block. outcome 0: committed, look at the operation; 1: it was not wanted;
    // negative: nothing is known to be recorded, and `err` says why.
    void (*done)(struct lane_entry *entry, int outcome, const struct err *err);
    uint64_t mark; // polls_mark() from before its transaction
    int64_t queued_ms;
    struct lane_entry *next;
};

struct lanes_settings {
    const char *database_url;
    int count;                   // for the calls of workers
    size_t batch_max, queue_max; // queue_max: of submissions, and as many calls of workers
    int64_t patience_ms;         // how long the queue waits when all in it are patient
    int64_t wait_max_ms;         // in the queue; then it fails as unavailable
    struct hot_settings hot;
    uint64_t (*mark)(void *context);
    // Polls that wait for what a batch will release, to share its transaction: takes at most `room` of them and returns
    // how many. On the lane's thread. NULL: none.
    size_t (*invite)(void *context, const struct wakes *wakes, struct lane_entry **out, size_t room);
    void (*deliver)(void *context, const struct wakes *wakes); // after a commit
    void *context;
};

struct lanes_stats {
    int64_t queued;
    int64_t transactions, operations, failures; // since the start
    int64_t refused;
    int64_t falls; // see struct hot_falls
};

int lanes_start(const struct lanes_settings *settings, struct lanes **out, struct err *err) WARN_UNUSED;
// Runs what is queued, then ends the threads. Takes NULL.
void lanes_stop(struct lanes *lanes);
// ERR_UNAVAILABLE when the queue is full: the caller answers with Retry-After.
int lanes_add(struct lanes *lanes, struct lane_entry *entry, struct err *err) WARN_UNUSED;
void lanes_stats(struct lanes *lanes, struct lanes_stats *out);
