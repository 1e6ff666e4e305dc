#include "services/common/db/transaction.h"

#include "services/common/db/connection.h"
#include "services/common/db/rerun.h"

#include <string.h>

// Keeps what is known about the failure that led here.
static void roll_back(struct db *db)
{
    struct db_error error = db->error;
    if (db->connection && db->in_transaction && db_sql(db, "ROLLBACK", NULL, RESULT_TEXT, NULL, NULL) < 0)
        db_disconnect(db);
    db->in_transaction = false;
    db->error = error;
}

static int commit(struct db *db, struct err *err)
{
    struct result result AUTO_RESULT = RESULT_INIT;
    if (db_ensure(db, err) < 0) // lost before COMMIT was sent: nothing happened
        return -1;
    if (db_sql(db, "COMMIT", NULL, RESULT_TEXT, &result, err) < 0) {
        db->error.outcome_unknown = db->error.connection_lost;
        return db->error.outcome_unknown ? err_prefix(err, "the outcome of a commit is unknown") : -1;
    }
    if (strcmp(PQcmdStatus(result.handle), "COMMIT") != 0)
        return err_set(err, ERR_INTERNAL, "a transaction was committed in which a statement had failed");
    return 0;
}

static int run_once(struct db *db, transaction_fn function, void *context, struct err *err)
{
    if (db_sql(db, "BEGIN", NULL, RESULT_TEXT, NULL, err) < 0) {
        db->error.outcome_unknown = false;
        return -1;
    }
    int outcome = function(db, context, err);
    if (outcome >= 0 && commit(db, err) < 0)
        outcome = -1;
    if (outcome < 0)
        roll_back(db);
    return outcome;
}

int db_transaction(struct db *db, transaction_fn function, void *context, struct err *err)
{
    if (db->in_transaction && db->connection)
        return err_set(err, ERR_INTERNAL, "a transaction is open on this connection");
    db->in_transaction = false;
    struct rerun rerun = RERUN_INIT;
    int outcome;
    do
        outcome = run_once(db, function, context, err);
    while (outcome < 0 && rerun_wait(&rerun, db_last_error(db)));
    return outcome;
}
