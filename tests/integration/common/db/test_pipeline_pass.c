// Two transactions in one pipeline: pipeline_pass().
#include "services/common/db/pipeline.h"

#include "tests/support/db_test.h"

#include <string.h>

enum { INSERT, TIMES, DIVIDE, STATEMENTS };

static const struct db_statement statements[] = {
    [INSERT] = {"insert", "INSERT INTO thing (id) VALUES ($1)"},
    [TIMES] = {"times", "SELECT count(*) * $1::bigint FROM thing"},
    [DIVIDE] = {"divide", "SELECT 10 / $1::bigint"},
};

static struct db *db;
static const char *conninfo;

static int fresh(void **state)
{
    UNUSED(state);
    conninfo = pg_database_empty(test_pg);
    db = db_test_open(conninfo, statements, STATEMENTS);
    db_test_sql(db, "CREATE SCHEMA curfew; CREATE TABLE thing (id bigint PRIMARY KEY)");
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

static int add(struct pipeline *pipeline, unsigned statement, int64_t value)
{
    struct err err = {0};
    struct params params AUTO_PARAMS = PARAMS_INIT;
    params_i64(&params, value);
    int index = pipeline_add(pipeline, statement, &params, RESULT_BINARY, &err);
    assert_ok(index, err);
    return index;
}

static int64_t count(void)
{
    struct db *other AUTO_DB = db_test_open(conninfo, NULL, 0);
    return db_test_i64(other, "SELECT count(*) FROM thing");
}

// What was passed stays, whatever becomes of the rest.
static void what_is_passed_is_committed_first(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct pipeline *pipeline = begin();
    add(pipeline, INSERT, 1);
    int passed = pipeline_pass(pipeline, &err), rows = add(pipeline, TIMES, 1);
    add(pipeline, INSERT, 2);
    assert_ok(pipeline_collect(pipeline, &err), err);
    assert_true(pipeline_has(pipeline, passed));
    assert_int_equal(result_i64(pipeline_result(pipeline, rows), 0, 0), 1);
    assert_int_equal(count(), 1);
    pipeline_abort(pipeline);
    assert_int_equal(count(), 1);

    pipeline = begin();
    passed = pipeline_pass(pipeline, &err); // of nothing
    add(pipeline, INSERT, 3);
    assert_ok(pipeline_commit(pipeline, &err), err);
    assert_true(pipeline_has(pipeline, passed));
    assert_int_equal(count(), 2);
}

static void a_failure_after_what_is_passed_is_its_own(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct pipeline *pipeline = begin();
    add(pipeline, INSERT, 1);
    int passed = pipeline_pass(pipeline, &err);
    add(pipeline, INSERT, 2);
    add(pipeline, DIVIDE, 0);
    assert_int_equal(pipeline_collect(pipeline, &err), -1);
    assert_true(pipeline_has(pipeline, passed));
    assert_int_equal(count(), 1);

    pipeline = begin();
    add(pipeline, DIVIDE, 0);
    passed = pipeline_pass(pipeline, &err);
    add(pipeline, INSERT, 3);
    assert_int_equal(pipeline_collect(pipeline, &err), -1);
    assert_false(pipeline_has(pipeline, passed));
    assert_int_equal(count(), 1);
}

static void a_connection_lost_after_what_is_passed_is_unknown(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct pipeline *pipeline = begin();
    add(pipeline, INSERT, 1);
    assert_true(pipeline_pass(pipeline, &err) >= 0);
    assert_ok(pipeline_collect(pipeline, &err), err);
    struct db *other AUTO_DB = db_test_open(conninfo, NULL, 0);
    db_test_sql(other,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'");
    add(pipeline, INSERT, 2);
    assert_error(pipeline_collect(pipeline, &err), err, ERR_UNAVAILABLE, "unknown");
    assert_true(db_last_error(db)->outcome_unknown);
    assert_int_equal(count(), 1);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fresh, done)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_passed_is_committed_first),
        TEST(a_failure_after_what_is_passed_is_its_own),
        TEST(a_connection_lost_after_what_is_passed_is_unknown),
    };
    return cmocka_run_group_tests(tests, db_test_start, db_test_stop);
}
