#include "services/common/db/pipeline.h"

#include "services/common/db/connection.h"
#include "services/common/db/rerun.h"

#include <string.h>

// So often statements that are being added are sent and answers read.
#define PUMP_EVERY 32

static const char begin_text[] = "BEGIN", commit_text[] = "COMMIT";

struct pipeline {
    struct db *db;
    struct result *items; // by index of the statement
    int count;
    int collected; // their answers are in `items`
    int capacity;
    int syncs;         // sent and not answered yet
    bool open;         // between begin and commit or abort
    bool begun;        // BEGIN was said
    bool alone;        // it will not be: one statement is all
    bool begin_unread; // the answer to BEGIN is outstanding
    bool passed;       // a transaction before the present one was sent
    bool refused;      // the server refused a statement: nothing can have been committed
};

static void forget_results(struct pipeline *pipeline)
{
    for (int i = 0; i < pipeline->count; i++)
        result_release(&pipeline->items[i]);
    pipeline->count = 0;
    pipeline->collected = 0;
}

void pipeline_free(struct pipeline *pipeline)
{
    if (!pipeline)
        return;
    forget_results(pipeline);
    free(pipeline->items);
    free(pipeline);
}

// Reads the answer of one statement.
static int read_answer(struct db *db, const char *what, int64_t deadline_ms, PGresult **out, struct err *err)
{
    PGresult *answer AUTO_PG_RESULT = NULL;
    PGresult *end AUTO_PG_RESULT = NULL;
    if (exchange_next(db, deadline_ms, &answer, err) < 0 || exchange_next(db, deadline_ms, &end, err) < 0)
        return -1;
    ExecStatusType status = PQresultStatus(answer);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
        return connection_fail(db, answer, what, err);
    *out = TAKE_PTR(answer);
    return 0;
}

static int check_commit(const PGresult *answer, struct err *err)
{
    if (strcmp(PQcmdStatus((PGresult *)answer), "COMMIT") == 0)
        return 0;
    return err_set(err, ERR_INTERNAL, "a transaction was committed in which a statement had failed");
}

static int read_begin(struct pipeline *pipeline, int64_t deadline_ms, struct err *err)
{
    PGresult *answer AUTO_PG_RESULT = NULL;
    if (!pipeline->begin_unread)
        return 0;
    pipeline->begin_unread = false;
    return read_answer(pipeline->db, begin_text, deadline_ms, &answer, err);
}

static int read_item(struct pipeline *pipeline, int64_t deadline_ms, struct err *err)
{
    struct result *item = &pipeline->items[pipeline->collected++];
    if (read_answer(pipeline->db, item->statement, deadline_ms, &item->handle, err) < 0) {
        pipeline->refused = pipeline->db->error.sqlstate[0] != '\0'; // without one nobody knows how far it came
        return -1;
    }
    return item->statement == commit_text ? check_commit(item->handle, err) : 0;
}

// Each statement may take as long as one alone.
static int read_items(struct pipeline *pipeline, struct err *err)
{
    if (read_begin(pipeline, exchange_deadline(pipeline->db), err) < 0)
        return -1;
    while (pipeline->collected < pipeline->count)
        if (read_item(pipeline, exchange_deadline(pipeline->db), err) < 0)
            return -1;
    return 0;
}

static int read_sync(struct pipeline *pipeline, int64_t deadline_ms, struct err *err)
{
    PGresult *answer AUTO_PG_RESULT = NULL;
    if (exchange_next(pipeline->db, deadline_ms, &answer, err) < 0)
        return -1;
    if (PQresultStatus(answer) != PGRES_PIPELINE_SYNC)
        return connection_lose(pipeline->db, "the database connection is lost", err);
    pipeline->syncs--;
    return 0;
}

static int send_sync(struct pipeline *pipeline, struct err *err)
{
    if (!PQpipelineSync(pipeline->db->connection))
        return connection_fail(pipeline->db, NULL, "sync", err);
    pipeline->syncs++;
    pipeline->db->round_trips++;
    return 0;
}

// Reads everything that is outstanding, whatever it is.
static int drain(struct pipeline *pipeline)
{
    struct db *db = pipeline->db;
    int64_t deadline_ms = exchange_deadline(db);
    int nothing = 0;
    if (pipeline->syncs == 0 && send_sync(pipeline, NULL) < 0)
        return -1;
    if (exchange_flush(db, deadline_ms, NULL) < 0)
        return -1;
    while (pipeline->syncs > 0) {
        PGresult *answer AUTO_PG_RESULT = NULL;
        if (exchange_next(db, deadline_ms, &answer, NULL) < 0)
            return -1;
        nothing = answer ? 0 : nothing + 1;
        if (nothing > 2) // every statement ends with one: nothing more will come
            return -1;
        if (PQresultStatus(answer) == PGRES_PIPELINE_SYNC)
            pipeline->syncs--;
    }
    return 0;
}

// Leaves pipeline mode and the transaction.
static int leave(struct db *db)
{
    if (!PQexitPipelineMode(db->connection))
        return -1;
    if (PQtransactionStatus(db->connection) == PQTRANS_IDLE)
        return 0;
    if (!PQsendQuery(db->connection, "ROLLBACK"))
        return -1;
    return exchange_collect(db, "ROLLBACK", NULL, NULL);
}

void pipeline_abort(struct pipeline *pipeline)
{
    if (!pipeline || !pipeline->open)
        return;
    struct db *db = pipeline->db;
    struct db_error error = db->error; // what led here
    pipeline->open = false;
    db->exclusive = false;
    // A sync would commit what is alone.
    bool is_unsaid = pipeline->alone && pipeline->count > 0 && pipeline->syncs == 0;
    if (db->connection && (is_unsaid || drain(pipeline) < 0 || leave(db) < 0))
        db_disconnect(db);
    db->in_transaction = false;
    db->error = error;
}

static int fail(struct pipeline *pipeline, struct err *err)
{
    if (pipeline->passed && pipeline->db->error.connection_lost) {
        pipeline->db->error.outcome_unknown = true;
        err_prefix(err, "the outcome of a commit is unknown");
    }
    pipeline_abort(pipeline);
    return -1;
}

static int queue_command(struct pipeline *pipeline, const char *sql, struct err *err)
{
    PGconn *connection = pipeline->db->connection;
    if (!PQsendQueryParams(connection, sql, 0, NULL, NULL, NULL, NULL, 0))
        return connection_fail(pipeline->db, NULL, sql, err);
    return 0;
}

static int get_pipeline(struct db *db, struct pipeline **out, struct err *err)
{
    if (!db->pipeline)
        db->pipeline = calloc(1, sizeof *db->pipeline);
    if (!db->pipeline)
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    struct pipeline *pipeline = db->pipeline;
    forget_results(pipeline);
    pipeline->db = db;
    pipeline->syncs = 0;
    pipeline->begun = pipeline->alone = pipeline->begin_unread = false;
    pipeline->refused = pipeline->passed = false;
    *out = pipeline;
    return 0;
}

int pipeline_begin(struct db *db, struct pipeline **out, struct err *err)
{
    struct pipeline *pipeline = NULL;
    if (db->exclusive || (db->in_transaction && db->connection))
        return err_set(err, ERR_INTERNAL, "a transaction is open on this connection");
    if (db_ensure(db, err) < 0 || get_pipeline(db, &pipeline, err) < 0)
        return -1;
    if (!PQenterPipelineMode(db->connection))
        return connection_fail(db, NULL, "pipeline", err);
    pipeline->open = true;
    db->exclusive = true;
    *out = pipeline;
    return 0;
}

void pipeline_alone(struct pipeline *pipeline)
{
    pipeline->alone = !pipeline->begun;
}

// Before the first statement.
static int say_begin(struct pipeline *pipeline, struct err *err)
{
    if (pipeline->begun || pipeline->alone)
        return 0;
    pipeline->begun = pipeline->begin_unread = true;
    return queue_command(pipeline, begin_text, err);
}

static int check_open(const struct pipeline *pipeline, struct err *err)
{
    return pipeline->open ? 0 : err_set(err, ERR_INTERNAL, "the pipeline is over");
}

// What is alone would be committed by any sync but the last.
static int check_goes_on(const struct pipeline *pipeline, struct err *err)
{
    return pipeline->alone && pipeline->count > 0
               ? err_set(err, ERR_INTERNAL, "a statement that is to be alone is followed by the commit")
               : 0;
}

static int grow(struct pipeline *pipeline, struct err *err)
{
    if (pipeline->count < pipeline->capacity)
        return 0;
    int capacity = MAX(pipeline->capacity * 2, 64);
    struct result *items = reallocarray(pipeline->items, (size_t)capacity, sizeof *items);
    if (!items)
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    pipeline->items = items;
    pipeline->capacity = capacity;
    return 0;
}

// Sends what the socket takes and keeps the answers that have come, so that neither side's buffers grow without bound.
static int pump(struct pipeline *pipeline, struct err *err)
{
    struct db *db = pipeline->db;
    if (exchange_pump(db, err) < 0)
        return -1;
    while (pipeline->collected < pipeline->count && !PQisBusy(db->connection)) {
        int64_t deadline_ms = exchange_deadline(db);
        if (pipeline->begin_unread ? read_begin(pipeline, deadline_ms, err) < 0
                                   : read_item(pipeline, deadline_ms, err) < 0)
            return -1;
    }
    return 0;
}

static int collect(struct pipeline *pipeline, struct err *err)
{
    struct db *db = pipeline->db;
    if (send_sync(pipeline, err) < 0 || exchange_flush(db, exchange_deadline(db), err) < 0)
        return -1;
    if (read_items(pipeline, err) < 0)
        return -1;
    return read_sync(pipeline, exchange_deadline(db), err);
}

int pipeline_collect(struct pipeline *pipeline, struct err *err)
{
    if (check_open(pipeline, err) < 0)
        return -1;
    return check_goes_on(pipeline, err) < 0 || collect(pipeline, err) < 0 ? fail(pipeline, err) : 0;
}

static int prepare(struct pipeline *pipeline, unsigned statement, struct err *err)
{
    struct db *db = pipeline->db;
    if (statement < db->statement_count && db->prepared[statement].ready)
        return 0;
    if (collect(pipeline, err) < 0)
        return -1;
    return prepare_statement(db, statement, err);
}

static int add(struct pipeline *pipeline, unsigned statement, const struct params *params, enum result_format format,
               struct err *err)
{
    struct db *db = pipeline->db;
    struct bound bound;
    if (prepare(pipeline, statement, err) < 0)
        return -1;
    const char *name = connection_statement_name(db, statement);
    if (bind_params(params, &bound, err) < 0 || bind_check(params, &db->prepared[statement].signature, err) < 0)
        return err_prefix(err, "statement '%s'", name);
    if (grow(pipeline, err) < 0 || say_begin(pipeline, err) < 0)
        return -1;
    if (!PQsendQueryPrepared(db->connection, name, bound.count, bound.values, bound.lengths, bound.formats,
                             format == RESULT_BINARY))
        return connection_fail(db, NULL, name, err);
    pipeline->items[pipeline->count++] = (struct result){.statement = name};
    return pipeline->count % PUMP_EVERY == 0 ? pump(pipeline, err) : 0;
}

int pipeline_add(struct pipeline *pipeline, unsigned statement, const struct params *params, enum result_format format,
                 struct err *err)
{
    if (check_open(pipeline, err) < 0)
        return -1;
    if (check_goes_on(pipeline, err) < 0 || add(pipeline, statement, params, format, err) < 0)
        return fail(pipeline, err);
    return pipeline->count - 1;
}

static int add_command(struct pipeline *pipeline, const char *sql, struct err *err)
{
    if (grow(pipeline, err) < 0 || queue_command(pipeline, sql, err) < 0)
        return -1;
    pipeline->items[pipeline->count++] = (struct result){.statement = sql};
    return 0;
}

int pipeline_pass(struct pipeline *pipeline, struct err *err)
{
    if (check_open(pipeline, err) < 0)
        return -1;
    if (say_begin(pipeline, err) < 0 || add_command(pipeline, commit_text, err) < 0 ||
        add_command(pipeline, begin_text, err) < 0)
        return fail(pipeline, err);
    pipeline->passed = true;
    return pipeline->count - 2;
}

bool pipeline_has(const struct pipeline *pipeline, int index)
{
    return index >= 0 && index < pipeline->collected && pipeline->items[index].handle;
}

int pipeline_query(struct pipeline *pipeline, unsigned statement, const struct params *params,
                   enum result_format format, struct result *out, struct err *err)
{
    int index = pipeline_add(pipeline, statement, params, format, err);
    if (index < 0 || pipeline_collect(pipeline, err) < 0)
        return -1;
    if (out) {
        *out = pipeline->items[index];
        pipeline->items[index] = (struct result)RESULT_INIT;
    }
    return 0;
}

struct result *pipeline_result(struct pipeline *pipeline, int index)
{
    static struct result none;
    if (pipeline_has(pipeline, index))
        return &pipeline->items[index];
    none = (struct result){.problem = "a result that was not collected", .row = -1};
    return &none;
}

// Without BEGIN the sync ends the transaction.
static int commit_alone(struct pipeline *pipeline, struct err *err)
{
    struct db *db = pipeline->db;
    if (send_sync(pipeline, err) < 0 || exchange_flush(db, exchange_deadline(db), err) < 0 ||
        read_items(pipeline, err) < 0)
        return -1;
    return read_sync(pipeline, exchange_deadline(db), err);
}

static int commit(struct pipeline *pipeline, struct err *err)
{
    PGresult *answer AUTO_PG_RESULT = NULL;
    struct db *db = pipeline->db;
    if (queue_command(pipeline, commit_text, err) < 0 || send_sync(pipeline, err) < 0 ||
        exchange_flush(db, exchange_deadline(db), err) < 0 || read_items(pipeline, err) < 0)
        return -1;
    int64_t deadline_ms = exchange_deadline(db);
    if (read_answer(db, commit_text, deadline_ms, &answer, err) < 0 || check_commit(answer, err) < 0)
        return -1;
    return read_sync(pipeline, deadline_ms, err);
}

int pipeline_commit(struct pipeline *pipeline, struct err *err)
{
    struct db *db = pipeline->db;
    if (check_open(pipeline, err) < 0)
        return -1;
    if ((pipeline->begun ? commit(pipeline, err) : commit_alone(pipeline, err)) < 0) {
        pipeline->passed |= !pipeline->refused;
        return fail(pipeline, err);
    }
    pipeline->open = false;
    db->exclusive = false;
    if (leave(db) < 0)
        db_disconnect(db);
    db->in_transaction = false;
    return 0;
}

static int run_once(struct db *db, pipeline_fn function, void *context, struct err *err)
{
    struct pipeline *pipeline = NULL;
    if (pipeline_begin(db, &pipeline, err) < 0)
        return -1;
    int outcome = function(pipeline, context, err);
    if (outcome < 0) {
        pipeline_abort(pipeline);
        return outcome;
    }
    return pipeline_commit(pipeline, err) < 0 ? -1 : outcome;
}

int db_pipeline(struct db *db, pipeline_fn function, void *context, struct err *err)
{
    struct rerun rerun = RERUN_INIT;
    int outcome;
    do
        outcome = run_once(db, function, context, err);
    while (outcome < 0 && rerun_wait(&rerun, db_last_error(db)));
    return outcome;
}
