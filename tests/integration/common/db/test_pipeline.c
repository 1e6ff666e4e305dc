#include "services/common/db/pipeline.h"

#include "services/common/base/clock.h"
#include "tests/support/db_test.h"

#include <limits.h>
#include <pthread.h>
#include <string.h>

enum { INSERT, SELECT_ALL, BIG, ECHO, DIVIDE, BROKEN, STATEMENTS };

static const struct db_statement statements[] = {
    [INSERT] = {"insert", "INSERT INTO thing (id, name) VALUES ($1, $2)"},
    [SELECT_ALL] = {"select_all", "SELECT id, name FROM thing ORDER BY id"},
    [BIG] = {"big", "SELECT repeat('x', $1) AS text"},
    [ECHO] = {"echo", "SELECT $1::text"},
    [DIVIDE] = {"divide", "SELECT 10 / $1::bigint"},
    [BROKEN] = {"broken", "SELECT nothing FROM nowhere"},
};

static struct db *db;
static const char *conninfo;

static int fresh(void **state)
{
    UNUSED(state);
    conninfo = pg_database_empty(test_pg);
    db = db_test_open(conninfo, statements, STATEMENTS);
    db_test_sql(db, "CREATE SCHEMA curfew; CREATE TABLE thing (id bigint PRIMARY KEY, name text)");
    return 0;
}

static int done(void **state)
{
    UNUSED(state);
    db_close(db);
    return 0;
}

static struct pipeline *begin(void)
{
    struct err err = {0};
    struct pipeline *pipeline = NULL;
    assert_ok(pipeline_begin(db, &pipeline, &err), err);
    return pipeline;
}

static int add(struct pipeline *pipeline, unsigned statement, const struct params *params)
{
    struct err err = {0};
    int index = pipeline_add(pipeline, statement, params, RESULT_BINARY, &err);
    assert_ok(index, err);
    return index;
}

static int add_i64(struct pipeline *pipeline, unsigned statement, int64_t value)
{
    struct params params AUTO_PARAMS = PARAMS_INIT;
    params_i64(&params, value);
    return add(pipeline, statement, &params);
}

static int insert(struct pipeline *pipeline, int64_t id, const char *name)
{
    struct params params AUTO_PARAMS = PARAMS_INIT;
    params_i64(&params, id);
    params_text(&params, name);
    return add(pipeline, INSERT, &params);
}

static int64_t count(void)
{
    struct db *other AUTO_DB = db_test_open(conninfo, NULL, 0);
    return db_test_i64(other, "SELECT count(*) FROM thing");
}

static void writes_and_reads_in_one_transaction(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct pipeline *pipeline = begin();
    assert_int_equal(insert(pipeline, 1, "a"), 0);
    assert_int_equal(insert(pipeline, 2, NULL), 1);
    assert_int_equal(add(pipeline, SELECT_ALL, NULL), 2);
    assert_ok(pipeline_collect(pipeline, &err), err);
    struct result *rows = pipeline_result(pipeline, 2);
    assert_int_equal(result_rows(rows), 2);
    assert_int_equal(result_i64(rows, 1, 0), 2);
    assert_string_equal(result_text(rows, 0, 1), "a");
    assert_null(result_text_or_null(rows, 1, 1));
    assert_ok(result_ok(rows, &err), err);
    assert_int_equal(count(), 0); // not committed
    insert(pipeline, 3, "later");
    assert_ok(pipeline_commit(pipeline, &err), err);
    assert_int_equal(count(), 3);
    assert_int_equal(result_affected(pipeline_result(pipeline, 3)), 1);
    assert_int_equal(db_test_i64(db, "SELECT count(*) FROM thing"), 3); // usable as before
}

static void an_empty_pipeline_commits(void **state)
{
    UNUSED(state);
    struct err err = {0};
    assert_ok(pipeline_commit(begin(), &err), err);
    struct pipeline *pipeline = begin();
    assert_ok(pipeline_collect(pipeline, &err), err);
    assert_ok(pipeline_collect(pipeline, &err), err);
    assert_ok(pipeline_commit(pipeline, &err), err);
    assert_error(pipeline_commit(pipeline, &err), err, ERR_INTERNAL, "over");
    assert_error(pipeline_add(pipeline, SELECT_ALL, NULL, RESULT_TEXT, &err), err, ERR_INTERNAL, "over");
    assert_error(pipeline_collect(pipeline, &err), err, ERR_INTERNAL, "over");
}

static void an_abort_rolls_back(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct pipeline *pipeline = begin();
    insert(pipeline, 1, "a");
    assert_ok(pipeline_collect(pipeline, &err), err);
    insert(pipeline, 2, "b");
    pipeline_abort(pipeline);
    pipeline_abort(pipeline);
    pipeline_abort(NULL);
    assert_int_equal(count(), 0);
    assert_int_equal(db_test_i64(db, "SELECT count(*) FROM thing"), 0);
}

static void ten_thousand_statements(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct pipeline *pipeline = begin();
    for (int i = 0; i < 10000; i++)
        assert_int_equal(insert(pipeline, i, "name"), i);
    assert_ok(pipeline_commit(pipeline, &err), err);
    assert_int_equal(count(), 10000);
    assert_int_equal(result_affected(pipeline_result(pipeline, 9999)), 1);
}

// 64 MiB each way: both sides would wait for ever if they did not read while they write.
static void large_batches_both_ways_do_not_block(void **state)
{
    UNUSED(state);
    struct err err = {0};
    enum { BATCH = 128, BYTES = 512 * 1024 };
    char *text AUTO_FREE = malloc(BYTES);
    assert_non_null(text);
    memset(text, 'y', BYTES);
    struct pipeline *pipeline = begin();
    for (int i = 0; i < BATCH; i++) {
        struct params params AUTO_PARAMS = PARAMS_INIT;
        params_text_n(&params, text, BYTES);
        add(pipeline, ECHO, &params);
    }
    assert_ok(pipeline_commit(pipeline, &err), err);
    for (int i = 0; i < BATCH; i++) {
        size_t length;
        assert_int_equal(result_text_n(pipeline_result(pipeline, i), 0, 0, &length)[BYTES - 1], 'y');
        assert_int_equal(length, BYTES);
    }
}

static void small_requests_with_big_results(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct pipeline *pipeline = begin();
    for (int i = 0; i < 100; i++) {
        struct params params AUTO_PARAMS = PARAMS_INIT;
        params_i32(&params, 1024 * 1024);
        add(pipeline, BIG, &params);
    }
    assert_ok(pipeline_collect(pipeline, &err), err);
    size_t length;
    result_text_n(pipeline_result(pipeline, 99), 0, 0, &length);
    assert_int_equal(length, 1024 * 1024);
    assert_ok(pipeline_commit(pipeline, &err), err);
}

static void the_first_failure_is_reported_and_everything_rolled_back(void **state)
{
    UNUSED(state);
    struct err err = {0};
    for (int statements_before = 0; statements_before < 200; statements_before += 66) {
        struct pipeline *pipeline = begin();
        for (int i = 0; i < statements_before; i++)
            insert(pipeline, i, "name");
        add_i64(pipeline, DIVIDE, 0);
        int outcome = 0;
        for (int i = 0; i < 200 && outcome >= 0; i++)
            outcome = pipeline_add(pipeline, SELECT_ALL, NULL, RESULT_BINARY, &err);
        if (outcome >= 0)
            outcome = pipeline_commit(pipeline, &err);
        assert_error(outcome < 0 ? -1 : 0, err, ERR_INVALID, "divide: division by zero (22012)");
        assert_string_equal(db_last_error(db)->sqlstate, "22012");
        assert_false(db_last_error(db)->outcome_unknown);
        assert_int_equal(count(), 0);
        assert_int_equal(db_test_i64(db, "SELECT count(*) FROM thing"), 0);
    }
}

static void a_failure_in_a_later_phase_rolls_the_first_back(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct pipeline *pipeline = begin();
    insert(pipeline, 1, "a");
    assert_ok(pipeline_collect(pipeline, &err), err);
    insert(pipeline, 1, "again");
    assert_error(pipeline_collect(pipeline, &err), err, ERR_CONFLICT, "insert");
    assert_string_equal(db_last_error(db)->constraint, "thing_pkey");
    assert_error(pipeline_collect(pipeline, &err), err, ERR_INTERNAL, "over");
    assert_int_equal(count(), 0);
    pipeline = begin();
    insert(pipeline, 1, "a");
    assert_ok(pipeline_commit(pipeline, &err), err);
    assert_int_equal(count(), 1);
}

static void a_statement_that_does_not_prepare_ends_it(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct pipeline *pipeline = begin();
    insert(pipeline, 1, "a");
    assert_error(pipeline_add(pipeline, BROKEN, NULL, RESULT_TEXT, &err), err, ERR_INTERNAL, "broken");
    assert_int_equal(count(), 0);
    pipeline = begin();
    struct params params AUTO_PARAMS = PARAMS_INIT;
    params_text(&params, "no number");
    assert_error(pipeline_add(pipeline, DIVIDE, &params, RESULT_TEXT, &err), err, ERR_INTERNAL, "parameter 1");
    assert_int_equal(db_test_i64(db, "SELECT count(*) FROM thing"), 0);
}

static void the_connection_is_used_for_nothing_else(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct pipeline *pipeline = begin();
    struct pipeline *second = NULL;
    assert_error(db_sql(db, "SELECT 1", NULL, RESULT_TEXT, NULL, &err), err, ERR_INTERNAL, "pipeline is open");
    assert_error(pipeline_begin(db, &second, &err), err, ERR_INTERNAL, "transaction is open");
    assert_ok(pipeline_commit(pipeline, &err), err);
}

static void results_that_were_not_collected_are_errors(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct pipeline *pipeline = begin();
    assert_int_equal(result_i64(pipeline_result(pipeline, 5), 0, 0), 0);
    assert_error(result_ok(pipeline_result(pipeline, 5), &err), err, ERR_INTERNAL, "not collected");
    pipeline_abort(pipeline);
}

static void a_lost_connection_ends_it_and_the_next_one_works(void **state)
{
    UNUSED(state);
    struct err err = {0};
    int64_t backend = db_test_backend(db);
    struct pipeline *pipeline = begin();
    insert(pipeline, 1, "a");
    assert_ok(pipeline_collect(pipeline, &err), err);
    db_test_terminate(backend);
    assert_ok(insert(pipeline, 2, "b"), err);
    assert_int_equal(pipeline_collect(pipeline, &err), -1);
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    assert_true(db_last_error(db)->connection_lost);
    assert_false(db_last_error(db)->outcome_unknown);
    pipeline = begin();
    insert(pipeline, 3, "c");
    assert_ok(pipeline_commit(pipeline, &err), err);
    assert_int_equal(count(), 1);
}

static void a_client_that_sleeps_in_a_transaction_loses_it(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct db_options options = {
        .statements = statements, .statement_count = STATEMENTS, .idle_in_transaction_timeout_ms = 1000};
    struct db *sleeper AUTO_DB = NULL;
    struct pipeline *pipeline = NULL;
    struct params params AUTO_PARAMS = PARAMS_INIT;
    assert_ok(db_open(conninfo, &options, &sleeper, &err), err);
    assert_ok(pipeline_begin(sleeper, &pipeline, &err), err);
    params_i64(&params, 1);
    params_text(&params, "x");
    assert_ok(pipeline_add(pipeline, INSERT, &params, RESULT_TEXT, &err), err);
    assert_ok(pipeline_collect(pipeline, &err), err);
    db_test_sql(db, "SET lock_timeout = '20s'; INSERT INTO thing VALUES (1, 'waits for the row of the sleeper')");
    assert_int_equal(pipeline_commit(pipeline, &err), -1);
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    assert_int_equal(count(), 1);
}

static void *end_slow_commit(void *context)
{
    UNUSED(context);
    struct err err = {0};
    struct db *other AUTO_DB = NULL;
    if (db_open(conninfo, NULL, &other, &err) < 0)
        return "failed";
    int64_t deadline_ms = clock_boot_ms() + 20000;
    while (clock_boot_ms() < deadline_ms) {
        struct result result AUTO_RESULT = RESULT_INIT;
        if (db_sql(other, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'", NULL,
                   RESULT_TEXT, &result, &err) == 0 &&
            result_rows(&result) == 1)
            return NULL;
    }
    return "no commit was seen";
}

static void a_connection_lost_in_the_commit_is_unknown(void **state)
{
    UNUSED(state);
    struct err err = {0};
    pthread_t thread;
    void *problem;
    db_test_sql(db, "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS"
                    " $$ BEGIN PERFORM pg_sleep(60); RETURN NULL; END $$;"
                    "CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON thing DEFERRABLE INITIALLY DEFERRED"
                    " FOR EACH ROW EXECUTE FUNCTION slow()");
    struct pipeline *pipeline = begin();
    insert(pipeline, 1, "a");
    assert_int_equal(pthread_create(&thread, NULL, end_slow_commit, NULL), 0);
    int outcome = pipeline_commit(pipeline, &err);
    pthread_join(thread, &problem);
    assert_null(problem);
    assert_int_equal(outcome, -1);
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    assert_true(db_last_error(db)->outcome_unknown);
    assert_int_equal(count(), 0);
}

struct rival {
    struct db *db;
    int runs;
};

static int insert_after_rival(struct pipeline *pipeline, void *context, struct err *err)
{
    struct rival *rival = context;
    rival->runs++;
    if (pipeline_add(pipeline, SELECT_ALL, NULL, RESULT_BINARY, err) < 0 || pipeline_collect(pipeline, err) < 0)
        return -1;
    if (rival->runs == 1)
        db_test_sql(rival->db,
                    "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE state LIKE 'idle in %'");
    struct params params AUTO_PARAMS = PARAMS_INIT;
    params_i64(&params, 1);
    params_null(&params);
    return pipeline_add(pipeline, INSERT, &params, RESULT_TEXT, err) < 0 ? -1 : 5;
}

static void db_pipeline_runs_again(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct db *other AUTO_DB = db_test_open(conninfo, NULL, 0);
    struct rival rival = {.db = other};
    assert_int_equal(db_pipeline(db, insert_after_rival, &rival, &err), 5);
    assert_int_equal(rival.runs, 2);
    assert_int_equal(count(), 1);
}

static int fail_with_stale(struct pipeline *pipeline, void *context, struct err *err)
{
    UNUSED(context);
    insert(pipeline, 1, "a");
    return err_set(err, ERR_STALE, "moved on");
}

static void db_pipeline_hands_failures_on(void **state)
{
    UNUSED(state);
    struct err err = {0};
    assert_error(db_pipeline(db, fail_with_stale, NULL, &err), err, ERR_STALE, "moved on");
    assert_int_equal(count(), 0);
}

static void a_killed_server_ends_it(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct pipeline *pipeline = begin();
    insert(pipeline, 1, "a");
    pg_kill(test_pg);
    assert_int_equal(pipeline_commit(pipeline, &err), -1);
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    pg_restart(test_pg);
    assert_ok(db_wait_connected(db, 30000, &err), err);
    assert_int_equal(count(), 0);
    pipeline = begin();
    insert(pipeline, 1, "a");
    assert_ok(pipeline_commit(pipeline, &err), err);
    assert_int_equal(count(), 1);
}

// Code for ordinary transactions works inside a pipeline: its statements come after those that were added before.
static void queries_are_part_of_the_pipeline(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct result rows AUTO_RESULT = RESULT_INIT;
    struct pipeline *pipeline = begin();
    insert(pipeline, 1, "one");
    assert_ok(db_query(db, SELECT_ALL, NULL, RESULT_BINARY, &rows, &err), err);
    assert_int_equal(result_rows(&rows), 1);
    int added = insert(pipeline, 2, "two");
    assert_int_equal(count(), 0);
    assert_ok(pipeline_commit(pipeline, &err), err);
    assert_int_equal(result_affected(pipeline_result(pipeline, added)), 1);
    assert_string_equal(result_text(&rows, 0, 1), "one"); // it is the caller's
    assert_int_equal(count(), 2);

    struct params zero AUTO_PARAMS = PARAMS_INIT;
    params_i64(&zero, 0);
    pipeline = begin();
    insert(pipeline, 3, "three");
    assert_int_equal(db_query(db, DIVIDE, &zero, RESULT_BINARY, NULL, &err), -1);
    assert_int_equal(pipeline_commit(pipeline, &err), -1); // it is over
    assert_int_equal(count(), 2);
}

// One statement without BEGIN: all of it is recorded by the commit, or nothing ever is.
static void a_statement_may_be_alone(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct pipeline *pipeline = begin();
    pipeline_alone(pipeline);
    int index = insert(pipeline, 1, "a");
    assert_int_equal(count(), 0);
    assert_ok(pipeline_commit(pipeline, &err), err);
    assert_int_equal(result_affected(pipeline_result(pipeline, index)), 1);
    assert_int_equal(count(), 1);

    pipeline = begin();
    pipeline_alone(pipeline);
    insert(pipeline, 1, "again");
    assert_error(pipeline_commit(pipeline, &err), err, ERR_CONFLICT, "insert");

    pipeline = begin();
    pipeline_alone(pipeline);
    insert(pipeline, 2, "b");
    pipeline_abort(pipeline);

    pipeline = begin();
    pipeline_alone(pipeline);
    insert(pipeline, 3, "c");
    assert_error(pipeline_collect(pipeline, &err), err, ERR_INTERNAL, "alone");

    pipeline = begin();
    pipeline_alone(pipeline);
    insert(pipeline, 4, "d");
    assert_error(pipeline_add(pipeline, SELECT_ALL, NULL, RESULT_BINARY, &err), err, ERR_INTERNAL, "alone");
    assert_int_equal(count(), 1);

    pipeline = begin();
    insert(pipeline, 5, "e");
    pipeline_alone(pipeline); // too late
    insert(pipeline, 6, "f");
    assert_ok(pipeline_collect(pipeline, &err), err);
    assert_int_equal(count(), 1);
    assert_ok(pipeline_commit(pipeline, &err), err);
    assert_int_equal(count(), 3);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fresh, done)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(queries_are_part_of_the_pipeline),
        TEST(writes_and_reads_in_one_transaction),
        TEST(an_empty_pipeline_commits),
        TEST(an_abort_rolls_back),
        TEST(a_statement_may_be_alone),
        TEST(ten_thousand_statements),
        TEST(large_batches_both_ways_do_not_block),
        TEST(small_requests_with_big_results),
        TEST(the_first_failure_is_reported_and_everything_rolled_back),
        TEST(a_failure_in_a_later_phase_rolls_the_first_back),
        TEST(a_statement_that_does_not_prepare_ends_it),
        TEST(the_connection_is_used_for_nothing_else),
        TEST(results_that_were_not_collected_are_errors),
        TEST(a_lost_connection_ends_it_and_the_next_one_works),
        TEST(a_client_that_sleeps_in_a_transaction_loses_it),
        TEST(a_connection_lost_in_the_commit_is_unknown),
        TEST(db_pipeline_runs_again),
        TEST(db_pipeline_hands_failures_on),
        TEST(a_killed_server_ends_it),
    };
    return cmocka_run_group_tests(tests, db_test_start, db_test_stop);
}
