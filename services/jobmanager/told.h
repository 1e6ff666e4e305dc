// Which standing orders a worker has been told: an order is repeated until the worker reports it done, but a poll that
// could only repeat them waits like one without news. Otherwise a service that takes its grace would make its worker
// poll in circles. In memory, for this replica, best effort: forgetting makes a poll answer at once.
#pragma once

#include "services/common/store/hot.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define TOLD_SLOTS 4096

struct told {
    _Atomic uint64_t orders[TOLD_SLOTS]; // hash of worker, incarnation and orders
    _Atomic int64_t idle[TOLD_SLOTS];    // a worker whose last poll waited in vain
};

// False when the operation has no orders, or the worker has been told just these.
bool told_is_news(const struct told *told, const struct work_operation *operation);
void told_set(struct told *told, const struct work_operation *operation); // they are in a reply now
// That a poll of the worker has waited in vain: its next one is most likely a mere heartbeat. Asking takes it back.
void told_nothing(struct told *told, int64_t worker);
bool told_was_nothing(struct told *told, int64_t worker);
bool work_has_orders(const struct work_operation *operation);
