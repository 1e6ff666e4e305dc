// Who has to look again after a transaction: collected inside it, delivered after its commit. A lost wake costs one
// poll interval, nothing else. Not thread-safe.
#pragma once

#include "services/common/base/cleanup.h"
#include "services/common/base/err.h"

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
#define WAKES_INIT {0}
#define AUTO_WAKES CLEANUP(wakes_release)

void wakes_release(struct wakes *wakes);
void wakes_clear(struct wakes *wakes); // for the rerun of a transaction
// Merges with an equal one of the last few. Running out of memory drops the wake: that is allowed (see above).
void wakes_add(struct wakes *wakes, enum wake_kind kind, int64_t id, int64_t tasks);
void wakes_drop(struct wakes *wakes, enum wake_kind kind, int64_t id);

// As one item of a notification: "d3:100", "w7", "j123".
#define WAKE_TEXT_SIZE 48
void wake_format(const struct wake *wake, char out[static WAKE_TEXT_SIZE]);
int wake_parse(const char *text, struct wake *out, struct err *err) WARN_UNUSED; // ERR_INVALID on nonsense
