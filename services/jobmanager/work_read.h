// Reads the bodies of poll and report (direct readers: no tree) into the operation that a lane runs.
//
// Everything that the operation points to lives in the arena or in the body, which both have to outlive it. Pure.
#pragma once

#include "services/common/base/arena.h"
#include "services/common/base/err.h"
#include "services/common/json/faults.h"
#include "services/common/store/hot.h"

#include <stddef.h>
#include <stdint.h>

#define POLL_BODY_LIMIT_BYTES ((size_t)1 << 20)
#define REPORT_BODY_LIMIT_BYTES ((size_t)8 << 20)
#define WORK_SLICES_MAX 10000
#define WORK_TASKS_MAX 200000 // ranges, failures and outputs of one slice, each
#define WORK_INSTANCES_MAX 2000
#define WORK_LOGS_MAX 2000
#define WORK_QUEUES_MAX 64
#define WORK_HELD_MAX 100000
#define WORK_WANT_MAX 1000000
#define WORK_ERROR_BYTES_MAX 2000
#define WORK_OUTPUT_BYTES_MAX 65536

struct work_body {
    struct work_operation operation; // its input; `worker` is left to the caller
    int64_t wait_ms;                 // of the poll; 0 unless said
    int64_t want_tasks;              // sum of the wants
};

// On failure `faults` has what is wrong. Outcomes: 0; ERR_INVALID, ERR_TOO_LARGE, ERR_NO_MEMORY.
int poll_read(const char *text, size_t length, struct arena *arena, struct work_body *out, struct faults *faults,
              struct err *err) WARN_UNUSED;
int report_read(const char *text, size_t length, struct arena *arena, struct work_body *out, struct faults *faults,
                struct err *err) WARN_UNUSED;
