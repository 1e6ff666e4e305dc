// Waiting for a manager that is away for a moment: it is restarted, or its database is.
#pragma once

#include "services/common/base/backoff.h"
#include "services/common/base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct patience {
    struct backoff backoff;
    bool is_known;         // it has answered before, whatever it said
    int64_t away_since_ms; // CLOCK_BOOTTIME; 0: it has answered since
    bool said_away;
};

struct patience patience_new(bool is_known);
// It said something, if only that its database is away.
void patience_answered(struct patience *patience);
// It did what it was asked for: whatever was wrong is over.
void patience_restored(struct patience *patience);
// After a failure. Sleeps a moment and returns true when another attempt may help; the first time in a row the user is
// told. False: it would fail in the same way, nobody has ever answered at this address, or not for two minutes.
bool patience_wait(struct patience *patience, const struct err *err);
