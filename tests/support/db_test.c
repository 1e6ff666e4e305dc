#include "tests/support/db_test.h"

#include <limits.h>

struct pg *test_pg;

int db_test_start(void **state)
{
    UNUSED(state);
    test_pg = pg_start(0);
    return 0;
}

int db_test_stop(void **state)
{
    UNUSED(state);
    pg_stop(test_pg);
    test_pg = NULL;
    return 0;
}

struct db *db_test_open(const char *conninfo, const struct db_statement *statements, unsigned count)
{
    struct err err = {0};
    struct db *db = NULL;
    struct db_options options = {.statements = statements, .statement_count = count};
    assert_ok(db_open(conninfo, &options, &db, &err), err);
    return db;
}

void db_test_sql(struct db *db, const char *sql)
{
    struct err err = {0};
    assert_ok(db_sql(db, sql, NULL, RESULT_TEXT, NULL, &err), err);
}

int64_t db_test_i64(struct db *db, const char *sql)
{
    struct err err = {0};
    struct result result AUTO_RESULT = RESULT_INIT;
    assert_ok(db_sql(db, sql, NULL, RESULT_TEXT, &result, &err), err);
    int64_t value = result_i64(&result, 0, 0);
    assert_ok(result_ok(&result, &err), err);
    return value;
}

int64_t db_test_backend(struct db *db)
{
    return db_test_i64(db, "SELECT pg_backend_pid()");
}

void db_test_terminate(int64_t backend)
{
    struct err err = {0};
    struct params params AUTO_PARAMS = PARAMS_INIT;
    struct db *admin AUTO_DB = db_test_open(pg_admin(test_pg), NULL, 0);
    params_i32(&params, (int32_t)backend);
    params_literal(&params, "10000");
    assert_ok(db_sql(admin, "SELECT pg_terminate_backend($1, $2)", &params, RESULT_TEXT, NULL, &err), err);
}
