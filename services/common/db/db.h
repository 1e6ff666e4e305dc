// A connection to PostgreSQL that repairs itself.
//
// Promises: no call waits for ever, whatever the server or the network does; prepared statements are prepared when they
// are first used and again after a reconnect; statements run with search_path `curfew`, TimeZone UTC, encoding UTF8.
// Does not: run a statement again whose fate is unknown; share a connection between threads (one thread at a time).
#pragma once

#include "services/common/base/cleanup.h"
#include "services/common/base/err.h"
#include "services/common/db/params.h"
#include "services/common/db/result.h"
#include "services/common/db/sqlstate.h"
#include "services/common/db/statement.h"

#include <stdbool.h>
#include <stdint.h>

struct db;

// Zero means the default that is given in brackets; a negative timeout means none.
struct db_options {
    const char *application_name;          // ["curfew"]
    const struct db_statement *statements; // must stay valid; may be NULL
    unsigned statement_count;
    int64_t connect_timeout_ms;             // [5 s] rounded up to seconds, at least 2
    int64_t network_timeout_ms;             // [10 s] a peer that does not answer packets
    int64_t statement_timeout_ms;           // [30 s]
    int64_t lock_timeout_ms;                // [5 s]
    int64_t idle_in_transaction_timeout_ms; // [30 s]
};

// What the server said about the last failure; valid until the next call with this connection.
struct db_error {
    char sqlstate[SQLSTATE_SIZE]; // "" when the server said nothing (connection lost, timeout, our own check)
    char constraint[64];          // name of the violated constraint, or ""
    bool retryable;               // serialization failure or deadlock
    bool connection_lost;
    bool outcome_unknown; // the connection was lost while the server may have been committing
};

// Checks conninfo (URI or keywords) and makes the handle; connects on first use. The server is 13 or newer, else
// ERR_UNSUPPORTED.
int db_open(const char *conninfo, const struct db_options *options, struct db **out, struct err *err) WARN_UNUSED;
// The password of every connection of this process whose conninfo has none; NULL changes nothing. Call before there are
// threads.
int db_password_use(const char *password, struct err *err) WARN_UNUSED;
void db_close(struct db *db); // takes NULL
DEFINE_CLEANUP(struct db *, db_close);
#define AUTO_DB CLEANUP(cleanup_db_close)

// Connects unless connected; notices a connection that the server has closed. While the backoff after a failed attempt
// lasts it fails at once with ERR_UNAVAILABLE. All calls below do this by themselves.
int db_ensure(struct db *db, struct err *err) WARN_UNUSED;
// Like db_ensure, but tries again until it is connected or `timeout_ms` have passed: for programs that start.
int db_wait_connected(struct db *db, int64_t timeout_ms, struct err *err) WARN_UNUSED;
void db_disconnect(struct db *db); // the next use connects again
bool db_is_connected(const struct db *db);
int db_server_version(const struct db *db); // 150004; 0 while not connected

// Executes statement `statement` of the table. `params` may be NULL for none; `out` may be NULL and is otherwise filled
// with a result to be released by the caller. Outside a transaction it commits by itself.
int db_query(struct db *db, unsigned statement, const struct params *params, enum result_format format,
             struct result *out, struct err *err) WARN_UNUSED;
// The same for changes: *affected (may be NULL) is the number of rows.
int db_execute(struct db *db, unsigned statement, const struct params *params, int64_t *affected,
               struct err *err) WARN_UNUSED;
// SQL that is in no table: migrations, tests. Without params it may be several statements; `out` is the last one's.
int db_sql(struct db *db, const char *sql, const struct params *params, enum result_format format, struct result *out,
           struct err *err) WARN_UNUSED;
// Prepares every statement of the table now. For tests, and for the first moments of a program.
int db_prepare_all(struct db *db, struct err *err) WARN_UNUSED;
// For this connection from now on, reconnects included; negative: none.
int db_set_statement_timeout(struct db *db, int64_t timeout_ms, struct err *err) WARN_UNUSED;

// For statements that find a few rows by index in tables of any size: no other scans, no hash or merge joins, one plan
// each, whatever the server believes of a table (docs/decisions/0030-one-plan.md). For this connection from now on,
// reconnects included; statements that were prepared before may keep their plans.
int db_set_plans_by_index(struct db *db, struct err *err) WARN_UNUSED;

// Counts connections: what was read over an earlier one may have been another server's. 0: none so far.
unsigned db_generation(const struct db *db);
// How often its pipelines have waited for the server so far.
int64_t db_round_trips(const struct db *db);
const struct db_error *db_last_error(const struct db *db);
