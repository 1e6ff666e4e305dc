// What most tests of the store stand on: one PostgreSQL for the program, and for each test a fresh database, a
// connection and a worker that is registered.
//
// A header, so that each program has its own.
#pragma once

#include "tests/support/test.h"

#include "services/common/db/db.h"
#include "tests/support/pg.h"
#include "tests/support/store_db.h"

static struct pg *pg;
static const char *conninfo; // of the test's database
static struct db *db;
static int64_t worker;

static inline int start(void **state)
{
    UNUSED(state);
    pg = pg_start(0);
    return 0;
}

static inline int stop(void **state)
{
    UNUSED(state);
    pg_stop(pg);
    return 0;
}

static inline int fresh(void **state)
{
    UNUSED(state);
    conninfo = pg_database_new(pg);
    db = store_db_again(conninfo);
    worker = store_worker(db, "w1");
    return 0;
}

static inline int done(void **state)
{
    UNUSED(state);
    db_close(db);
    return 0;
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fresh, done)
