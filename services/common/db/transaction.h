// Transactions that run again when PostgreSQL asks for it.
#pragma once

#include "services/common/db/db.h"

#define TRANSACTION_ATTEMPTS 6

// The body of a transaction. It is run again after serialization failures, deadlocks and connections lost before the
// commit, so it starts from its context afresh each time and does nothing that a rollback does not undo.
// Negative rolls back; zero and above commit and are handed on.
typedef int (*transaction_fn)(struct db *db, void *context, struct err *err);

// BEGIN, function, COMMIT, up to TRANSACTION_ATTEMPTS times with growing pauses of milliseconds in between.
// What function returned, once it is committed. Otherwise negative and nothing happened, with one exception: when the
// connection is lost during COMMIT the code is ERR_UNAVAILABLE and db_last_error(db)->outcome_unknown is true: the
// caller finds out by its idempotency key or token; it is never tried again here.
int db_transaction(struct db *db, transaction_fn function, void *context, struct err *err) WARN_UNUSED;
