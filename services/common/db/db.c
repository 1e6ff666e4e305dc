#include "services/common/base/clock.h"
#include "services/common/db/connection.h"

#include <string.h>

const struct db_error *db_last_error(const struct db *db)
{
    return &db->error;
}

bool db_is_connected(const struct db *db)
{
    return db->connection != NULL;
}

int db_server_version(const struct db *db)
{
    return db->connection ? PQserverVersion(db->connection) : 0;
}

const char *connection_statement_name(const struct db *db, unsigned statement)
{
    return statement < db->statement_count ? db->statements[statement].name : "unknown";
}

void connection_clear_error(struct db *db)
{
    db->error = (struct db_error){0};
}

void connection_note_state(struct db *db)
{
    PGTransactionStatusType status = PQtransactionStatus(db->connection);
    if (status != PQTRANS_UNKNOWN) // the connection is gone: what was open stays known
        db->in_transaction = status != PQTRANS_IDLE;
}

void db_disconnect(struct db *db)
{
    PQfinish(db->connection);
    db->connection = NULL;
    for (unsigned i = 0; i < db->statement_count; i++)
        db->prepared[i].ready = false;
}

int connection_lose(struct db *db, const char *what, struct err *err)
{
    db_disconnect(db);
    db->error.connection_lost = true;
    return err_set(err, ERR_UNAVAILABLE, "%s", what);
}

// The first line of libpq's message, without its newline.
static int first_line(const char *message)
{
    return (int)strcspn(message, "\n");
}

static int fail_without_sqlstate(struct db *db, const PGresult *result, const char *what, struct err *err)
{
    const char *message = result ? PQresultErrorMessage(result) : PQerrorMessage(db->connection);
    if (!*message)
        message = "the connection is lost";
    err_set(err, ERR_UNAVAILABLE, "%s: %.*s", what, first_line(message), message);
    if (PQstatus(db->connection) != CONNECTION_OK) {
        db_disconnect(db);
        db->error.connection_lost = true;
    } else if (err) {
        err->code = ERR_INTERNAL; // libpq refused the call
    }
    return -1;
}

int connection_fail(struct db *db, const PGresult *result, const char *what, struct err *err)
{
    const char *sqlstate = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    if (!sqlstate)
        return fail_without_sqlstate(db, result, what, err);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *constraint = PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME);
    snprintf(db->error.sqlstate, sizeof db->error.sqlstate, "%s", sqlstate);
    snprintf(db->error.constraint, sizeof db->error.constraint, "%s", constraint ? constraint : "");
    db->error.retryable = sqlstate_is_retryable(sqlstate);
    err_set(err, sqlstate_code(sqlstate), "%s: %s (%s)", what, message ? message : "", sqlstate);
    if (sqlstate_is_connection_lost(sqlstate) || PQstatus(db->connection) != CONNECTION_OK) {
        db_disconnect(db);
        db->error.connection_lost = true;
    } else if (sqlstate_is_stale_session(sqlstate)) {
        db->error.retryable = true; // nothing happened, and a fresh session prepares afresh
        db_disconnect(db);
    }
    return -1;
}

// A single statement that commits by itself and whose answer is lost may have been done.
static void note_unknown_outcome(struct db *db, bool was_in_transaction)
{
    if (db->error.connection_lost && !was_in_transaction)
        db->error.outcome_unknown = true;
}

static int run(struct db *db, int sent, const char *what, struct result *out, struct err *err)
{
    PGresult *result AUTO_PG_RESULT = NULL;
    bool was_in_transaction = db->in_transaction;
    if (!sent)
        return connection_fail(db, NULL, what, err);
    if (exchange_collect(db, what, &result, err) < 0) {
        note_unknown_outcome(db, was_in_transaction);
        return -1;
    }
    if (out)
        *out = (struct result){.handle = TAKE_PTR(result), .statement = what};
    return 0;
}

static int ready_for_statement(struct db *db, struct err *err)
{
    if (db->exclusive)
        return err_set(err, ERR_INTERNAL, "a pipeline is open on this connection");
    return db_ensure(db, err);
}

int db_query(struct db *db, unsigned statement, const struct params *params, enum result_format format,
             struct result *out, struct err *err)
{
    struct bound bound;
    const char *name = connection_statement_name(db, statement);
    if (db->exclusive)
        return pipeline_query(db->pipeline, statement, params, format, out, err);
    if (bind_params(params, &bound, err) < 0)
        return err_prefix(err, "statement '%s'", name);
    if (ready_for_statement(db, err) < 0 || prepare_statement(db, statement, err) < 0)
        return -1;
    if (bind_check(params, &db->prepared[statement].signature, err) < 0)
        return err_prefix(err, "statement '%s'", name);
    int sent = PQsendQueryPrepared(db->connection, name, bound.count, bound.values, bound.lengths, bound.formats,
                                   format == RESULT_BINARY);
    return run(db, sent, name, out, err);
}

int db_execute(struct db *db, unsigned statement, const struct params *params, int64_t *affected, struct err *err)
{
    struct result result AUTO_RESULT = RESULT_INIT;
    if (db_query(db, statement, params, RESULT_TEXT, &result, err) < 0)
        return -1;
    if (affected)
        *affected = result_affected(&result);
    return 0;
}

int db_sql(struct db *db, const char *sql, const struct params *params, enum result_format format, struct result *out,
           struct err *err)
{
    struct bound bound;
    if (bind_params(params, &bound, err) < 0)
        return -1;
    if (ready_for_statement(db, err) < 0)
        return -1;
    int sent;
    if (params || format == RESULT_BINARY)
        sent = PQsendQueryParams(db->connection, sql, bound.count, bound.types, bound.values, bound.lengths,
                                 bound.formats, format == RESULT_BINARY);
    else
        sent = PQsendQuery(db->connection, sql);
    return run(db, sent, "sql", out, err);
}
