// What the jobs of tokens are together, held still: until the transaction ends nobody else adds a job to them. Tokens
// of one name and namespace are counted as one, so that the successor of a token starts with what that has.
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
// A row of quota_use: the token, the first one of its holder (tokens of one name and namespace), and what that has. Log
// bytes stay as they are.
void quota_read(struct result *rows, int row, int64_t *token, int64_t *first, struct quota *out);
