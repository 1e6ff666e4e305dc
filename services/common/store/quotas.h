// What the jobs of tokens are together, held still: until the transaction ends nobody else adds a job to them.
#pragma once

#include "services/common/base/err.h"
#include "services/common/model/quota.h"

struct db;
struct result;

// In a transaction, before any job is locked: waits for whoever else submits with this token. Nothing for a holder
// without limits.
int quota_lock(struct db *db, const struct quota_holder *holder, struct err *err) WARN_UNUSED;
// Behind quota_lock(): quota_check() against what there is.
int quota_admit(struct db *db, const struct quota_holder *holder, const struct quota *wanted,
                struct err *err) WARN_UNUSED;
// A row of quota_use; *token is whose. Log bytes stay as they are.
void quota_read(struct result *rows, int row, int64_t *token, struct quota *out);
