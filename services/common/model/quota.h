// How much the jobs of one token may be together: which limits there are, and what is said when one is reached. No I/O.
#pragma once

#include "services/common/base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum quota_kind {
    QUOTA_JOBS,      // that are not closed
    QUOTA_TASKS,     // of those, finished ones included
    QUOTA_SERVICES,  // that those declare
    QUOTA_LOG_BYTES, // of all jobs that are not deleted yet
};
#define QUOTA_KINDS ((int)QUOTA_LOG_BYTES + 1)
#define QUOTA_MAX INT64_C(1000000000000000)

// A number for each kind: limits (0: none), or how much there is.
struct quota {
    int64_t of[QUOTA_KINDS];
};

// Whose job it will be.
struct quota_holder {
    int64_t token;              // 0: nobody's, or the operator's own; has no limits
    const char *name;           // of the token; NULL: nobody needed one
    const struct quota *limits; // NULL: none; borrowed
};

const char *quota_name(enum quota_kind kind); // "max_jobs", as the API and the column have it
bool quota_has_limits(const struct quota *limits);
// Whether the holder, who has `used`, may have `wanted` more (log bytes: 1, there has to be room). ERR_TOO_LARGE:
// never, it alone is above a limit. ERR_LIMIT: not now. Both name the limit and the token.
int quota_check(const struct quota_holder *holder, const struct quota *used, const struct quota *wanted,
                struct err *err) WARN_UNUSED;
