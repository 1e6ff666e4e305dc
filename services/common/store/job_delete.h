// Deletes closed jobs with everything that belongs to them.
#pragma once

#include "services/common/base/err.h"

#include <stddef.h>
#include <stdint.h>

struct db;

#define JOB_DELETE_ROWS 20000 // of each table: well below any statement timeout

enum job_delete_outcome {
    JOB_DELETE_DONE,
    JOB_DELETE_MORE, // they have more rows than may go at once: the jobs are still there, with less; call again
};

// Inside a transaction that holds the jobs' row locks and knows that they are closed. At most `rows` of each table.
// Returns an enum job_delete_outcome.
int job_delete_all(struct db *db, const int64_t *jobs, size_t count, int64_t rows, struct err *err) WARN_UNUSED;
