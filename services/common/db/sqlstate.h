// SQLSTATE -> what it means to us: the only place that knows the server's error codes.
#pragma once

#include "services/common/base/err.h"

#include <stdbool.h>

#define SQLSTATE_SIZE 6 // five characters and NUL; "" when the server did not answer with one

// The code under which an error of the server is reported. Unknown states are ERR_INTERNAL.
enum err_code sqlstate_code(const char *sqlstate);
// Serialization failures and deadlocks: the same transaction may succeed when it runs again.
bool sqlstate_is_retryable(const char *sqlstate);
// The server ended the session, or does not take writes any more: only a new connection helps.
bool sqlstate_is_connection_lost(const char *sqlstate);
// The session's prepared statements do not fit the database any more (schema changed, statements discarded).
bool sqlstate_is_stale_session(const char *sqlstate);
bool sqlstate_is_unique_violation(const char *sqlstate);
