#include "services/common/db/transaction.h"

#include "services/common/base/clock.h"
#include "tests/support/db_test.h"
#include "tests/support/process.h"

#include <pthread.h>
#include <string.h>

static const char *conninfo;

static int fresh(void **state)
{
    UNUSED(state);
    conninfo = pg_database_empty(test_pg);
    struct db *db AUTO_DB = db_test_open(conninfo, NULL, 0);
    db_test_sql(db, "CREATE SCHEMA curfew; CREATE TABLE counter (id bigint PRIMARY KEY, value bigint NOT NULL);"
                    "INSERT INTO counter VALUES (1, 0), (2, 0)");
    return 0;
}

static int run_sql(struct db *db, const char *sql, struct err *err)
{
    return db_sql(db, sql, NULL, RESULT_TEXT, NULL, err);
}

static int64_t value_of(int id)
{
    struct db *db AUTO_DB = db_test_open(conninfo, NULL, 0);
    return db_test_i64(db,
                       id == 1 ? "SELECT value FROM counter WHERE id = 1" : "SELECT value FROM counter WHERE id = 2");
}

static int add_one(struct db *db, void *context, struct err *err)
{
    UNUSED(context);
    return run_sql(db, "UPDATE counter SET value = value + 1 WHERE id = 1", err) < 0 ? -1 : 7;
}

static void commits_and_hands_the_outcome_on(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct db *db AUTO_DB = db_test_open(conninfo, NULL, 0);
    assert_int_equal(db_transaction(db, add_one, NULL, &err), 7);
    assert_int_equal(value_of(1), 1);
}

static int add_and_fail(struct db *db, void *context, struct err *err)
{
    if (add_one(db, context, err) < 0)
        return -1;
    return err_set(err, ERR_STALE, "moved on");
}

static void a_failing_function_rolls_back(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct db *db AUTO_DB = db_test_open(conninfo, NULL, 0);
    assert_error(db_transaction(db, add_and_fail, NULL, &err), err, ERR_STALE, "moved on");
    assert_int_equal(value_of(1), 0);
    assert_int_equal(db_transaction(db, add_one, NULL, &err), 7);
}

static int swallow_an_error(struct db *db, void *context, struct err *err)
{
    if (add_one(db, context, err) < 0)
        return -1;
    UNUSED(run_sql(db, "SELECT 1 / 0", err) < 0);
    return 0;
}

static void a_swallowed_error_is_no_success(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct db *db AUTO_DB = db_test_open(conninfo, NULL, 0);
    assert_error(db_transaction(db, swallow_an_error, NULL, &err), err, ERR_INTERNAL, "a statement had failed");
    assert_int_equal(value_of(1), 0);
}

static int nest(struct db *db, void *context, struct err *err)
{
    return db_transaction(db, add_one, context, err);
}

static void transactions_do_not_nest(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct db *db AUTO_DB = db_test_open(conninfo, NULL, 0);
    assert_error(db_transaction(db, nest, NULL, &err), err, ERR_INTERNAL, "transaction is open");
}

struct rival {
    struct db *db;
    int runs;
    int conflicts; // so many runs meet a conflict
};

// Reads, lets a rival write what was read, writes: 40001 under repeatable read.
static int read_then_write(struct db *db, void *context, struct err *err)
{
    struct rival *rival = context;
    rival->runs++;
    if (run_sql(db, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", err) < 0 ||
        run_sql(db, "SELECT value FROM counter WHERE id = 1", err) < 0)
        return -1;
    if (rival->runs <= rival->conflicts)
        db_test_sql(rival->db, "UPDATE counter SET value = value + 100 WHERE id = 1");
    return add_one(db, NULL, err);
}

static void runs_again_after_a_serialization_failure(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct db *db AUTO_DB = db_test_open(conninfo, NULL, 0);
    struct db *other AUTO_DB = db_test_open(conninfo, NULL, 0);
    struct rival rival = {.db = other, .conflicts = 2};
    assert_ok(db_transaction(db, read_then_write, &rival, &err), err);
    assert_int_equal(rival.runs, 3);
    assert_int_equal(value_of(1), 201);
}

static void gives_up_after_some_runs(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct db *db AUTO_DB = db_test_open(conninfo, NULL, 0);
    struct db *other AUTO_DB = db_test_open(conninfo, NULL, 0);
    struct rival rival = {.db = other, .conflicts = 1000};
    assert_error(db_transaction(db, read_then_write, &rival, &err), err, ERR_UNAVAILABLE, "40001");
    assert_int_equal(rival.runs, TRANSACTION_ATTEMPTS);
    assert_true(db_last_error(db)->retryable);
    assert_int_equal(value_of(1), 100 * TRANSACTION_ATTEMPTS);
}

struct crossing {
    int first;
    pthread_barrier_t *barrier;
    bool met;
};

static int update_both(struct db *db, void *context, struct err *err)
{
    struct crossing *crossing = context;
    static const char *const updates[] = {"UPDATE counter SET value = value + 1 WHERE id = 1",
                                          "UPDATE counter SET value = value + 1 WHERE id = 2"};
    if (run_sql(db, updates[crossing->first], err) < 0)
        return -1;
    if (!crossing->met)
        pthread_barrier_wait(crossing->barrier); // both hold their first row now
    crossing->met = true;
    return run_sql(db, updates[1 - crossing->first], err);
}

static void *cross(void *context)
{
    struct err err = {0};
    struct db *db AUTO_DB = NULL;
    if (db_open(conninfo, NULL, &db, &err) < 0 || db_transaction(db, update_both, context, &err) < 0)
        return "failed";
    return NULL;
}

static void deadlocks_resolve_themselves(void **state)
{
    UNUSED(state);
    pthread_barrier_t barrier;
    pthread_t threads[2];
    struct crossing crossings[2] = {{.first = 0, .barrier = &barrier}, {.first = 1, .barrier = &barrier}};
    pthread_barrier_init(&barrier, NULL, 2);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, cross, &crossings[i]), 0);
    for (int i = 0; i < 2; i++) {
        void *problem;
        pthread_join(threads[i], &problem);
        assert_null(problem);
    }
    pthread_barrier_destroy(&barrier);
    assert_int_equal(value_of(1), 2);
    assert_int_equal(value_of(2), 2);
}

static int lose_connection_once(struct db *db, void *context, struct err *err)
{
    int *runs = context;
    if (add_one(db, NULL, err) < 0)
        return -1;
    if (++*runs == 1)
        db_test_terminate(db_test_backend(db));
    return run_sql(db, "UPDATE counter SET value = value + 10 WHERE id = 1", err);
}

static void a_connection_lost_before_the_commit_runs_again(void **state)
{
    UNUSED(state);
    struct err err = {0};
    int runs = 0;
    struct db *db AUTO_DB = db_test_open(conninfo, NULL, 0);
    assert_ok(db_transaction(db, lose_connection_once, &runs, &err), err);
    assert_int_equal(runs, 2);
    assert_int_equal(value_of(1), 11);
}

// A deferred trigger makes COMMIT itself last long enough to cut it off.
static void *end_slow_commit(void *context)
{
    UNUSED(context);
    struct db *db AUTO_DB = NULL;
    struct err err = {0};
    if (db_open(conninfo, NULL, &db, &err) < 0)
        return "failed";
    int64_t deadline_ms = clock_boot_ms() + 20000;
    while (clock_boot_ms() < deadline_ms) {
        struct result result AUTO_RESULT = RESULT_INIT;
        if (db_sql(db,
                   "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                   " WHERE wait_event = 'PgSleep' AND query = 'COMMIT'",
                   NULL, RESULT_TEXT, &result, &err) == 0 &&
            result_rows(&result) == 1)
            return NULL;
    }
    return "no commit was seen";
}

static void a_connection_lost_in_the_commit_is_unknown_and_not_repeated(void **state)
{
    UNUSED(state);
    struct err err = {0};
    pthread_t thread;
    void *problem;
    struct db *db AUTO_DB = db_test_open(conninfo, NULL, 0);
    db_test_sql(db, "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS"
                    " $$ BEGIN PERFORM pg_sleep(60); RETURN NULL; END $$;"
                    "CREATE CONSTRAINT TRIGGER slow AFTER UPDATE ON counter DEFERRABLE INITIALLY DEFERRED"
                    " FOR EACH ROW EXECUTE FUNCTION slow()");
    assert_int_equal(pthread_create(&thread, NULL, end_slow_commit, NULL), 0);
    assert_error(db_transaction(db, add_one, NULL, &err), err, ERR_UNAVAILABLE, "the outcome of a commit is unknown");
    assert_true(db_last_error(db)->outcome_unknown);
    pthread_join(thread, &problem);
    assert_null(problem);
    assert_int_equal(value_of(1), 0);
}

static int kill_server(struct db *db, void *context, struct err *err)
{
    int *runs = context;
    ++*runs;
    if (add_one(db, NULL, err) < 0)
        return -1;
    pg_kill(test_pg);
    return 0;
}

static void a_killed_server_is_reported_and_nothing_is_half_done(void **state)
{
    UNUSED(state);
    struct err err = {0};
    int runs = 0;
    struct db *db AUTO_DB = db_test_open(conninfo, NULL, 0);
    assert_int_equal(db_transaction(db, kill_server, &runs, &err), -1);
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    assert_int_equal(runs, 1); // there is nothing to run again on
    pg_restart(test_pg);
    assert_ok(db_wait_connected(db, 30000, &err), err);
    assert_int_equal(value_of(1), 0);
    assert_int_equal(db_transaction(db, add_one, NULL, &err), 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(commits_and_hands_the_outcome_on, fresh),
        cmocka_unit_test_setup(a_failing_function_rolls_back, fresh),
        cmocka_unit_test_setup(a_swallowed_error_is_no_success, fresh),
        cmocka_unit_test_setup(transactions_do_not_nest, fresh),
        cmocka_unit_test_setup(runs_again_after_a_serialization_failure, fresh),
        cmocka_unit_test_setup(gives_up_after_some_runs, fresh),
        cmocka_unit_test_setup(deadlocks_resolve_themselves, fresh),
        cmocka_unit_test_setup(a_connection_lost_before_the_commit_runs_again, fresh),
        cmocka_unit_test_setup(a_connection_lost_in_the_commit_is_unknown_and_not_repeated, fresh),
        cmocka_unit_test_setup(a_killed_server_is_reported_and_nothing_is_half_done, fresh),
    };
    return cmocka_run_group_tests(tests, db_test_start, db_test_stop);
}
