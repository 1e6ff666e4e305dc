// What a task has written to the file of CURFEW_OUTPUT: lines of JSON.
#pragma once

#include "services/common/base/arena.h"
#include "services/common/base/err.h"
#include "services/common/model/job_spec.h"

#include <stddef.h>

#define TASK_OUTPUT_BYTES_MAX ((size_t)1 << 20) // of one task
#define TASK_OUTPUT_LINES_MAX ((size_t)10000)

struct task_outputs {
    const char **json; // compact, one line each
    size_t count;
};

// Reads the file; one that does not exist holds no outputs. Texts live in the arena. ERR_INVALID: a line is no JSON, or
// too long for an item, or the file is no file; ERR_TOO_LARGE: too much in all. The text names the line.
int task_outputs_read(const char *path, struct arena *arena, struct task_outputs *out, struct err *err) WARN_UNUSED;
