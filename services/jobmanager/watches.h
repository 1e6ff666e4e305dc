// Watches on jobs: whoever waits for something to happen to a job (a long-poll, a stream that follows) is fired when it
// did, and now and then anyway, since a wake may get lost.
//
// A watch runs (its owner looks at the job) or rests. A wake that comes while it runs is kept: it cannot come to rest
// before having looked again. Thread-safe.
#pragma once

#include "services/common/base/err.h"
#include "services/jobmanager/deadlines.h"
#include "services/jobmanager/int_map.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Part of its owner.
struct watch {
    void (*fire)(struct watch *watch); // it runs again: on any thread, no lock held; must not block
    // private
    struct int_node by_job;
    struct deadline deadline;
    bool resting, woken;
    struct watch *next_fired;
};

struct watches;

int watches_new(struct watches **out, struct err *err) WARN_UNUSED;
void watches_free(struct watches *watches); // no watch may be left; takes NULL

// Adds a watch on `job`, running: its owner looks now.
int watches_add(struct watches *watches, struct watch *watch, int64_t job, struct err *err) WARN_UNUSED;
void watches_remove(struct watches *watches, struct watch *watch); // it must be running

enum rest_outcome { REST_RESTS, REST_AGAIN };
// REST_RESTS: it will be fired by a wake, or at `due_ms` (clock_boot_ms); it may run on another thread already.
// REST_AGAIN: it was woken meanwhile and still runs: look again.
enum rest_outcome watches_rest(struct watches *watches, struct watch *watch, int64_t due_ms);
// As a wake of the job, but for this watch alone.
void watches_poke(struct watches *watches, struct watch *watch);

void watches_wake(struct watches *watches, int64_t job);
void watches_wake_all(struct watches *watches);
size_t watches_count(const struct watches *watches);
