// Hot calls that wait for a lane. There are two such queues, one for submissions and one for the calls of workers:
// neither takes the other's room, and a lane that waits for one's rows does not hold up the other.
//
// Bounded. Thread-safe. An entry is the caller's again once it has been taken.
#pragma once

#include "services/jobmanager/gather.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lane_entry;

struct lane_queue {
    pthread_mutex_t mutex; // guards everything below
    pthread_cond_t filled, gathered;
    struct lane_entry *first, *last;
    size_t count, limit;
    size_t urgent; // those that are not patient
    int64_t patience_ms;
    struct gather gather; // since the last transaction
    size_t awaited;       // so many entries somebody waits for, or waited; 0: nobody ever has
    bool stopping;
};

// patience_ms: how long entries wait for company when all of them are patient.
void lane_queue_init(struct lane_queue *queue, size_t limit, int64_t patience_ms);
void lane_queue_release(struct lane_queue *queue); // must be empty, nobody may use it any more

bool lane_queue_add(struct lane_queue *queue, struct lane_entry *entry); // false: it is full
// Waits until there is something, and a moment for company when it is worth it. Moves `most` entries at most to `out`
// and returns how many; 0 once it was stopped and is empty.
size_t lane_queue_take(struct lane_queue *queue, struct lane_entry **out, size_t most);
// After a transaction that began then and answered so many: who takes next, `most` at most, gives them a moment to call
// again.
void lane_queue_answered(struct lane_queue *queue, int64_t began_us, size_t answered, size_t most);
void lane_queue_stop(struct lane_queue *queue); // what is in it is still taken
size_t lane_queue_count(struct lane_queue *queue);
