#include "services/common/db/db.h"

#include "services/common/base/clock.h"
#include "tests/support/db_test.h"
#include "tests/support/process.h"

#include <limits.h>
#include <string.h>

enum { ONE, ECHO_I64, ECHO_TEXT, INSERT, COUNT, BACKEND, BROKEN, SLEEP, STATEMENTS };

static const struct db_statement statements[] = {
    [ONE] = {"one", "SELECT 1::bigint"},
    [ECHO_I64] = {"echo_i64", "SELECT $1::bigint"},
    [ECHO_TEXT] = {"echo_text", "SELECT $1::text"},
    [INSERT] = {"insert", "INSERT INTO thing (id, name) VALUES ($1, $2)"},
    [COUNT] = {"count", "SELECT count(*) FROM thing"},
    [BACKEND] = {"backend", "SELECT pg_backend_pid()"},
    [BROKEN] = {"broken", "SELECT nothing FROM nowhere"},
    [SLEEP] = {"sleep", "SELECT pg_sleep($1)"},
};

static const char *conninfo;

static int fresh(void **state)
{
    UNUSED(state);
    conninfo = pg_database_empty(test_pg);
    return 0;
}

static struct db *open_with(struct db_options options)
{
    struct err err = {0};
    struct db *db = NULL;
    options.statements = statements;
    options.statement_count = STATEMENTS;
    assert_ok(db_open(conninfo, &options, &db, &err), err);
    return db;
}

static struct db *open_db(void)
{
    return open_with((struct db_options){0});
}

static int64_t query_i64(struct db *db, unsigned statement)
{
    struct err err = {0};
    struct result result AUTO_RESULT = RESULT_INIT;
    assert_ok(db_query(db, statement, NULL, RESULT_BINARY, &result, &err), err);
    int64_t value = result_i64(&result, 0, 0);
    assert_ok(result_ok(&result, &err), err);
    return value;
}

static void executes_statements_by_index(void **state)
{
    UNUSED(state);
    struct db *db AUTO_DB = open_db();
    assert_false(db_is_connected(db));
    assert_int_equal(query_i64(db, ONE), 1);
    assert_true(db_is_connected(db));
    assert_true(db_server_version(db) >= 130000);
}

static void sets_the_session_up(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct result result AUTO_RESULT = RESULT_INIT;
    struct db *db AUTO_DB = open_with((struct db_options){.application_name = "me", .lock_timeout_ms = 1234});
    assert_ok(db_sql(db,
                     "SELECT current_setting('search_path'), current_setting('TimeZone'),"
                     " current_setting('client_encoding'), current_setting('application_name'),"
                     " current_setting('lock_timeout'), current_setting('statement_timeout'),"
                     " current_setting('idle_in_transaction_session_timeout')",
                     NULL, RESULT_TEXT, &result, &err),
              err);
    static const char *const expected[] = {"curfew", "UTC", "UTF8", "me", "1234ms", "30s", "30s"};
    for (int i = 0; i < (int)ARRAY_LEN(expected); i++)
        assert_string_equal(result_text(&result, 0, i), expected[i]);
    assert_ok(result_ok(&result, &err), err);
}

static void refuses_what_is_no_connection_string(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct db *db = NULL;
    assert_error(db_open("host=/tmp password", NULL, &db, &err), err, ERR_INVALID, "connection string");
    assert_null(db);
    db_close(NULL);
}

static void an_unreachable_database_is_unavailable(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct db *db AUTO_DB = NULL;
    assert_ok(db_open("host=/nowhere/at/all dbname=x", NULL, &db, &err), err);
    assert_error(db_ensure(db, &err), err, ERR_UNAVAILABLE, "not reachable");
    assert_error(db_ensure(db, &err), err, ERR_UNAVAILABLE, "not reachable"); // from memory, within the backoff
    int64_t before = clock_boot_ms();
    assert_error(db_wait_connected(db, 150, &err), err, ERR_UNAVAILABLE, "not reachable");
    assert_true(clock_boot_ms() - before >= 150);
}

static void prepares_all_and_names_what_does_not_prepare(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct db *db AUTO_DB = open_db();
    db_test_sql(db, "CREATE SCHEMA curfew; CREATE TABLE thing (id bigint PRIMARY KEY, name text)");
    assert_error(db_prepare_all(db, &err), err, ERR_INTERNAL, "broken: relation \"nowhere\" does not exist (42P01)");
    assert_int_equal(query_i64(db, ONE), 1);
}

static void compares_parameters_with_the_statement(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct params params AUTO_PARAMS = PARAMS_INIT;
    struct db *db AUTO_DB = open_db();
    assert_error(db_query(db, ECHO_I64, NULL, RESULT_TEXT, NULL, &err), err, ERR_INTERNAL,
                 "'echo_i64': takes 1 parameters, 0 are given");
    params_i32(&params, 1);
    assert_error(db_query(db, ECHO_I64, &params, RESULT_TEXT, NULL, &err), err, ERR_INTERNAL,
                 "parameter 1 is bigint, integer is given");
    assert_error(db_query(db, STATEMENTS, NULL, RESULT_TEXT, NULL, &err), err, ERR_INTERNAL, "not in the table");
    params_clear(&params);
    params_array_begin(&params, PARAM_I64);
    assert_error(db_query(db, ECHO_I64, &params, RESULT_TEXT, NULL, &err), err, ERR_INTERNAL, "not ended");
    assert_int_equal(query_i64(db, ONE), 1);
}

static void reports_constraints(void **state)
{
    UNUSED(state);
    struct err err = {0};
    int64_t affected = 0;
    struct params params AUTO_PARAMS = PARAMS_INIT;
    struct db *db AUTO_DB = open_db();
    db_test_sql(db, "CREATE SCHEMA curfew; CREATE TABLE thing (id bigint PRIMARY KEY, name text)");
    params_i64(&params, 1);
    params_null(&params);
    assert_ok(db_execute(db, INSERT, &params, &affected, &err), err);
    assert_int_equal(affected, 1);
    assert_error(db_execute(db, INSERT, &params, &affected, &err), err, ERR_CONFLICT, "thing_pkey");
    assert_true(sqlstate_is_unique_violation(db_last_error(db)->sqlstate));
    assert_string_equal(db_last_error(db)->constraint, "thing_pkey");
    assert_false(db_last_error(db)->connection_lost);
    assert_int_equal(query_i64(db, COUNT), 1);
    assert_string_equal(db_last_error(db)->sqlstate, "");
}

static void bad_text_is_the_callers_fault(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct params params AUTO_PARAMS = PARAMS_INIT;
    struct db *db AUTO_DB = open_db();
    params_text(&params, "\xff\xfe");
    assert_error(db_query(db, ECHO_TEXT, &params, RESULT_TEXT, NULL, &err), err, ERR_INVALID, "echo_text");
    params_clear(&params);
    params_text_n(&params, "a\0b", 3);
    assert_error(db_query(db, ECHO_TEXT, &params, RESULT_TEXT, NULL, &err), err, ERR_INVALID, "echo_text");
    assert_true(db_is_connected(db));
}

static void an_ended_connection_is_replaced(void **state)
{
    UNUSED(state);
    struct db *db AUTO_DB = open_db();
    int64_t backend = query_i64(db, BACKEND);
    assert_int_equal(query_i64(db, ONE), 1);
    db_test_terminate(backend);
    assert_int_not_equal(query_i64(db, BACKEND), backend); // prepared again
    assert_int_equal(query_i64(db, ONE), 1);
}

static void a_lost_transaction_is_not_continued_on_a_new_connection(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct db *db AUTO_DB = open_db();
    db_test_sql(db, "CREATE SCHEMA curfew; CREATE TABLE thing (id bigint PRIMARY KEY, name text)");
    int64_t backend = query_i64(db, BACKEND);
    db_test_sql(db, "BEGIN");
    db_test_terminate(backend);
    assert_error(db_sql(db, "INSERT INTO thing VALUES (1)", NULL, RESULT_TEXT, NULL, &err), err, ERR_UNAVAILABLE,
                 "in a transaction");
    assert_true(db_last_error(db)->connection_lost);
    assert_false(db_last_error(db)->outcome_unknown);
    assert_int_equal(query_i64(db, COUNT), 0);
}

static void a_statement_that_takes_too_long_is_ended(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct params params AUTO_PARAMS = PARAMS_INIT;
    struct db *db AUTO_DB = open_with((struct db_options){.statement_timeout_ms = 100});
    params_double(&params, 60);
    assert_error(db_query(db, SLEEP, &params, RESULT_TEXT, NULL, &err), err, ERR_TIMEOUT, "57014");
    assert_ok(db_set_statement_timeout(db, 20000, &err), err);
    params_clear(&params);
    params_double(&params, 0.15);
    assert_ok(db_query(db, SLEEP, &params, RESULT_TEXT, NULL, &err), err);
}

static void a_lock_that_is_held_too_long_is_given_up(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct db *holder AUTO_DB = open_db();
    struct db *waiter AUTO_DB = open_with((struct db_options){.lock_timeout_ms = 50});
    db_test_sql(holder, "CREATE SCHEMA curfew; CREATE TABLE thing (id bigint PRIMARY KEY, name text)");
    db_test_sql(holder, "BEGIN; LOCK TABLE thing");
    assert_error(db_sql(waiter, "SELECT * FROM thing", NULL, RESULT_TEXT, NULL, &err), err, ERR_UNAVAILABLE, "55P03");
}

static void a_killed_server_is_noticed_and_found_again(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct db *db AUTO_DB = open_db();
    db_test_sql(db, "CREATE SCHEMA curfew; CREATE TABLE thing (id bigint PRIMARY KEY, name text)");
    assert_int_equal(query_i64(db, COUNT), 0);
    pg_kill(test_pg);
    assert_int_equal(db_query(db, COUNT, NULL, RESULT_TEXT, NULL, &err), -1);
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    pg_restart(test_pg);
    assert_ok(db_wait_connected(db, 30000, &err), err);
    assert_int_equal(query_i64(db, COUNT), 0);
}

// The server is stopped, not dead: sockets stay open and nothing answers. A slow machine connects within that.
static void a_frozen_server_costs_a_bounded_time(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct db *db AUTO_DB = open_with((struct db_options){.statement_timeout_ms = 1000, .network_timeout_ms = 2000});
    assert_int_equal(query_i64(db, ONE), 1);
    pg_freeze(test_pg);
    int64_t before = clock_boot_ms();
    int outcome = db_query(db, ONE, NULL, RESULT_TEXT, NULL, &err);
    int64_t took = clock_boot_ms() - before;
    pg_thaw(test_pg);
    assert_int_equal(outcome, -1);
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    assert_true(db_last_error(db)->outcome_unknown);
    assert_in_range(took, 2900, 20000);
    assert_ok(db_wait_connected(db, 30000, &err), err);
    assert_int_equal(query_i64(db, ONE), 1);
}

static void a_changed_table_costs_one_failure_at_most(void **state)
{
    UNUSED(state);
    struct err err = {0};
    static const struct db_statement star[] = {{"star", "SELECT * FROM thing"}};
    struct db *db AUTO_DB = NULL;
    assert_ok(db_open(conninfo, &(struct db_options){.statements = star, .statement_count = 1}, &db, &err), err);
    db_test_sql(db, "CREATE SCHEMA curfew; CREATE TABLE thing (id bigint PRIMARY KEY)");
    assert_ok(db_query(db, 0, NULL, RESULT_TEXT, NULL, &err), err);
    db_test_sql(db, "ALTER TABLE thing ADD COLUMN more text");
    assert_int_equal(db_query(db, 0, NULL, RESULT_TEXT, NULL, &err), -1);
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    assert_true(db_last_error(db)->retryable);
    assert_ok(db_query(db, 0, NULL, RESULT_TEXT, NULL, &err), err);
}

static void copy_is_refused(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct db *db AUTO_DB = open_db();
    assert_int_equal(db_sql(db, "COPY pg_class TO STDOUT", NULL, RESULT_TEXT, NULL, &err), -1);
    assert_int_equal(query_i64(db, ONE), 1);
}

static bool scans_sequentially(struct db *db)
{
    return db_test_i64(db, "SELECT (current_setting('enable_seqscan') = 'on')::int::bigint");
}

static void plans_by_index_are_asked_for_again(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct db *db AUTO_DB = open_db();
    struct db *early AUTO_DB = open_db();
    assert_true(scans_sequentially(db));
    assert_ok(db_set_plans_by_index(db, &err), err);
    assert_false(scans_sequentially(db));
    db_disconnect(db);
    assert_false(scans_sequentially(db));
    assert_ok(db_set_plans_by_index(early, &err), err); // before it is connected
    assert_false(db_is_connected(early));
    assert_false(scans_sequentially(early));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(executes_statements_by_index, fresh),
        cmocka_unit_test_setup(sets_the_session_up, fresh),
        cmocka_unit_test_setup(plans_by_index_are_asked_for_again, fresh),
        cmocka_unit_test(refuses_what_is_no_connection_string),
        cmocka_unit_test(an_unreachable_database_is_unavailable),
        cmocka_unit_test_setup(prepares_all_and_names_what_does_not_prepare, fresh),
        cmocka_unit_test_setup(compares_parameters_with_the_statement, fresh),
        cmocka_unit_test_setup(reports_constraints, fresh),
        cmocka_unit_test_setup(bad_text_is_the_callers_fault, fresh),
        cmocka_unit_test_setup(an_ended_connection_is_replaced, fresh),
        cmocka_unit_test_setup(a_lost_transaction_is_not_continued_on_a_new_connection, fresh),
        cmocka_unit_test_setup(a_statement_that_takes_too_long_is_ended, fresh),
        cmocka_unit_test_setup(a_lock_that_is_held_too_long_is_given_up, fresh),
        cmocka_unit_test_setup(a_killed_server_is_noticed_and_found_again, fresh),
        cmocka_unit_test_setup(a_frozen_server_costs_a_bounded_time, fresh),
        cmocka_unit_test_setup(a_changed_table_costs_one_failure_at_most, fresh),
        cmocka_unit_test_setup(copy_is_refused, fresh),
    };
    return cmocka_run_group_tests(tests, db_test_start, db_test_stop);
}
