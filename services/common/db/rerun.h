// When a transaction that failed runs again, and after which pause. Internal to common/db.
#pragma once

#include "services/common/base/backoff.h"
#include "services/common/db/db.h"

struct rerun {
    int failures;
    struct backoff backoff;
};
#define RERUN_INIT {.backoff = {.base_ms = 2, .max_ms = 100}}

// After a failed run: false when it is final. Otherwise sleeps for a few milliseconds and true.
bool rerun_wait(struct rerun *rerun, const struct db_error *error);
