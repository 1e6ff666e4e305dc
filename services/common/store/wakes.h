// Who has to look again after a transaction: collected inside it, delivered after its commit. A lost wake costs one
// poll interval, nothing else.
#pragma once

#include "services/common/base/err.h"
#include "services/common/base/strbuf.h"

#include <stddef.h>
#include <stdint.h>

enum wake_kind { WAKE_DEMAND, WAKE_WORKER, WAKE_JOB };

struct wake {
    enum wake_kind kind;
    int64_t id;
    int64_t tasks; // WAKE_DEMAND: how many tasks became ready (or instances pending)
};

struct wakes {
    struct wake *items;
    size_t count, capacity;
};
#define WAKES_INIT \
    {              \
        0          \
    }
#define AUTO_WAKES CLEANUP(wakes_release)

void wakes_release(struct wakes *wakes);
void wakes_clear(struct wakes *wakes); // for the rerun of a transaction
// Merges with an equal one. Running out of memory drops the wake: that is allowed (see above).
void wakes_add(struct wakes *wakes, enum wake_kind kind, int64_t id, int64_t tasks);
// "d3:100 w7 j123" texts of at most 7,900 bytes each, one call of `emit` per text.
void wakes_format(const struct wakes *wakes, void (*emit)(void *context, const char *payload), void *context);
int wakes_parse(struct wakes *wakes, const char *payload, struct err *err); // adds; ERR_INVALID on nonsense
