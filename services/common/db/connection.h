// What a struct db is made of, and the steps that its parts share. Internal to common/db.
#pragma once

#include "services/common/base/backoff.h"
#include "services/common/db/bind.h"
#include "services/common/db/db.h"

#include <libpq-fe.h>

struct prepared {
    bool ready; // on the current connection
    struct signature signature;
};

struct db {
    char *conninfo;
    char *application_name;
    const struct db_statement *statements;
    unsigned statement_count;
    int64_t connect_timeout_ms, network_timeout_ms, statement_timeout_ms, lock_timeout_ms,
        idle_in_transaction_timeout_ms;

    PGconn *connection; // NULL while not connected
    struct prepared *prepared;
    bool in_transaction; // as of the last answer: a lost connection must not be replaced silently
    bool exclusive;      // a pipeline is open
    bool hung_up;        // the server said goodbye
    bool plans_by_index; // see db_set_plans_by_index()
    unsigned generation; // counts connections
    int64_t round_trips; // see db_round_trips()
    struct backoff backoff;
    int64_t retry_at_ms; // CLOCK_BOOTTIME; no attempt to connect before
    struct err connect_problem;

    struct db_error error;
    struct pipeline *pipeline; // made on first use
};

// Forgets the last error.
void connection_clear_error(struct db *db);
// Ends the connection because it is of no use any more; fills in db->error and err. Returns -1.
int connection_lose(struct db *db, const char *what, struct err *err);
// Records the error of `result` (or of the connection itself when NULL), which happened in `what`. Returns -1.
int connection_fail(struct db *db, const PGresult *result, const char *what, struct err *err);
// The statement's name, for errors.
const char *connection_statement_name(const struct db *db, unsigned statement);
// Remembers whether a transaction is open, after all answers were read.
void connection_note_state(struct db *db);

// -- exchange.c: waiting for the server without ever blocking for good

// CLOCK_BOOTTIME until which an answer is waited for; -1: no limit.
int64_t exchange_deadline(const struct db *db);
// Sends everything that is buffered, reading meanwhile.
int exchange_flush(struct db *db, int64_t deadline_ms, struct err *err) WARN_UNUSED;
// The next answer, or NULL where libpq says that a statement's answers have ended.
int exchange_next(struct db *db, int64_t deadline_ms, PGresult **out, struct err *err) WARN_UNUSED;
// Sends and reads without waiting.
int exchange_pump(struct db *db, struct err *err) WARN_UNUSED;
// Reads the answers of one statement outside a pipeline to their end. *out (may be NULL) is the last one.
int exchange_collect(struct db *db, const char *what, PGresult **out, struct err *err) WARN_UNUSED;

// -- prepare.c

// Prepares the statement on this connection unless it is. In pipeline mode the caller has collected everything before.
int prepare_statement(struct db *db, unsigned statement, struct err *err) WARN_UNUSED;

void pipeline_free(struct pipeline *pipeline); // takes NULL
// db_query() inside the open pipeline.
int pipeline_query(struct pipeline *pipeline, unsigned statement, const struct params *params,
                   enum result_format format, struct result *out, struct err *err) WARN_UNUSED;

static inline void cleanup_pg_result(PGresult **result)
{
    PQclear(*result);
}
#define AUTO_PG_RESULT CLEANUP(cleanup_pg_result)
