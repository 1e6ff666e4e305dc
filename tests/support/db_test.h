// A cluster per test program and short helpers over struct db, for integration tests. Failing fails the test.
#pragma once

#include "services/common/db/db.h"
#include "tests/support/pg.h"
#include "tests/support/test.h"

extern struct pg *test_pg; // between db_test_start and db_test_stop

// cmocka group setup and teardown
int db_test_start(void **state);
int db_test_stop(void **state);

struct db *db_test_open(const char *conninfo, const struct db_statement *statements, unsigned count);
void db_test_sql(struct db *db, const char *sql);
int64_t db_test_i64(struct db *db, const char *sql); // first column of the first row
int64_t db_test_backend(struct db *db);              // its process id
// Ends the backend from another connection and waits until it is gone.
void db_test_terminate(int64_t backend);
