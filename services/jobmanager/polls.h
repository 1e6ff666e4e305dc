// Parked polls: who waits for which demand, and who is woken for new tasks: just enough of them, the longest waiting
// first.
//
// Thread-safe. A poll that was woken looks again by going through its lane; one that has waited long enough is answered
// empty. Wakes that arrive between a poll's look and its parking are not lost: see polls_mark().
#pragma once

#include "services/common/base/err.h"
#include "services/common/store/wakes.h"
#include "services/jobmanager/deadlines.h"
#include "services/jobmanager/int_map.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum poll_end {
    POLL_WOKEN,     // look again
    POLL_DUE,       // it has waited long enough
    POLL_DISPLACED, // its worker has sent a newer one
    POLL_GONE,      // its client has gone
    POLL_STOPPING,  // the manager drains
};

struct poll_link;

// Part of its owner, who fills in the first members before parking.
struct parked_poll {
    int64_t worker;
    uint64_t serial;    // of its arrival: the newer poll of a worker wins
    int64_t capacity;   // how many tasks it would take
    int64_t due_ms;     // clock_boot_ms: then it ends with POLL_DUE
    const int *demands; // copied when it is parked
    size_t demand_count;
    void (*ended)(struct parked_poll *poll, enum poll_end end); // on any thread, no lock held; once per parking
    // private
    struct int_node by_worker;
    struct deadline deadline;
    struct poll_link *links;
    size_t link_count;
    bool parked;
    enum poll_end end;
    struct parked_poll *next_taken;
};

struct polls;

int polls_new(struct polls **out, struct err *err) WARN_UNUSED;
void polls_free(struct polls *polls); // nothing may be parked any more; takes NULL

// When a poll that comes now and asks to wait so long is due: at a moment that others share, never later than it asks
// and at most a tenth of its wait earlier. So the heartbeats of an idle fleet travel together through the server's
// threads, the lane and the database, instead of waking all of them for each one.
int64_t polls_due_ms(int64_t now_ms, int64_t wait_ms);

// A point in the sequence of wakes. Taken before the transaction in which a poll looks for tasks.
uint64_t polls_mark(const struct polls *polls);

enum park_outcome {
    PARK_PARKED,    // `ended` will be called
    PARK_AGAIN,     // something was woken since the mark: look again first
    PARK_DISPLACED, // a newer poll of the same worker is parked already
    PARK_STOPPING,  // nobody is parked any more
};
// Parks it. An older poll of the same worker ends as displaced.
int polls_park(struct polls *polls, struct parked_poll *poll, uint64_t mark, struct err *err) WARN_UNUSED;
// Ends one that is parked; nothing when it is not (any more).
void polls_end(struct polls *polls, struct parked_poll *poll, enum poll_end end);

void polls_stop(struct polls *polls); // the manager drains: from now on nobody is parked; who is, stays
void polls_wake(struct polls *polls, const struct wake *wake); // of a demand or a worker
void polls_wake_all(struct polls *polls);                      // after notifications may have been missed
// Takes those whom this wake would end, `most` of them at most, for a transaction in which the tasks become ready: as a
// list over `next_taken`. They are not parked any more and `ended` is not called; the caller goes on with them.
struct parked_poll *polls_take(struct polls *polls, int64_t demand, int64_t tasks, size_t most);
size_t polls_count(const struct polls *polls);
