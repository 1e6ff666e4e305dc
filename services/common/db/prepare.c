#include "services/common/db/connection.h"

// Outside a pipeline the answers end by themselves; inside one the server has to be asked for them.
static int collect_one(struct db *db, const char *name, PGresult **out, struct err *err)
{
    if (PQpipelineStatus(db->connection) == PQ_PIPELINE_OFF)
        return exchange_collect(db, name, out, err);
    PGresult *result AUTO_PG_RESULT = NULL;
    PGresult *nothing AUTO_PG_RESULT = NULL;
    int64_t deadline_ms = exchange_deadline(db);
    if (!PQsendFlushRequest(db->connection))
        return connection_fail(db, NULL, name, err);
    if (exchange_flush(db, deadline_ms, err) < 0 || exchange_next(db, deadline_ms, &result, err) < 0 ||
        exchange_next(db, deadline_ms, &nothing, err) < 0)
        return -1;
    if (!result || PQresultStatus(result) != PGRES_COMMAND_OK)
        return connection_fail(db, result, name, err);
    *out = TAKE_PTR(result);
    return 0;
}

static int read_signature(const PGresult *description, struct signature *signature, struct err *err)
{
    int count = PQnparams(description);
    if (count > PARAMS_MAX)
        return err_set(err, ERR_INTERNAL, "takes %d parameters, %d are possible", count, PARAMS_MAX);
    signature->count = count;
    for (int i = 0; i < count; i++)
        signature->types[i] = PQparamtype(description, i);
    return 0;
}

int prepare_statement(struct db *db, unsigned statement, struct err *err)
{
    if (statement >= db->statement_count)
        return err_set(err, ERR_INTERNAL, "statement %u is not in the table", statement);
    struct prepared *prepared = &db->prepared[statement];
    if (prepared->ready)
        return 0;
    const struct db_statement *text = &db->statements[statement];
    PGresult *parsed AUTO_PG_RESULT = NULL;
    PGresult *description AUTO_PG_RESULT = NULL;
    if (!PQsendPrepare(db->connection, text->name, text->sql, 0, NULL))
        return connection_fail(db, NULL, text->name, err);
    if (collect_one(db, text->name, &parsed, err) < 0)
        return -1;
    if (!PQsendDescribePrepared(db->connection, text->name))
        return connection_fail(db, NULL, text->name, err);
    if (collect_one(db, text->name, &description, err) < 0)
        return -1;
    if (read_signature(description, &prepared->signature, err) < 0)
        return err_prefix(err, "statement '%s'", text->name);
    prepared->ready = true;
    return 0;
}

int db_prepare_all(struct db *db, struct err *err)
{
    if (db_ensure(db, err) < 0)
        return -1;
    for (unsigned i = 0; i < db->statement_count; i++)
        if (prepare_statement(db, i, err) < 0)
            return -1;
    return 0;
}
