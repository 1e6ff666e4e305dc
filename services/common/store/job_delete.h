// Deletes closed jobs with everything that belongs to them.
#pragma once

#include "services/common/base/err.h"

#include <stddef.h>
#include <stdint.h>

struct db;

// Inside a transaction that holds the jobs' row locks and knows that they are closed.
int job_delete_all(struct db *db, const int64_t *jobs, size_t count, struct err *err) WARN_UNUSED;
