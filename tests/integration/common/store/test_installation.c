#include "services/common/store/embedded.h"
#include "services/common/store/installation.h"
#include "tests/support/db_test.h"

#include <string.h>

static void what_is_true_of_it(void **state)
{
    UNUSED(state);
    AUTO_DB struct db *db = db_test_open(pg_database_new(test_pg), store_statements, STATEMENT_COUNT);
    struct installation first, second;
    struct err err;
    assert_ok(installation_read(db, &first, &err), err);
    assert_int_equal(strlen(first.deployment), 12);
    assert_false(first.fsync); // the cluster of tests
    db_test_sql(db, "SET synchronous_commit = off");
    assert_ok(installation_read(db, &second, &err), err);
    assert_false(second.synchronous_commit);
    assert_string_equal(first.deployment, second.deployment);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_true_of_it)};
    return cmocka_run_group_tests(tests, db_test_start, db_test_stop);
}
