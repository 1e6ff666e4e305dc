#include "services/common/db/migrate.h"

#include "services/common/store/embedded.h"
#include "tests/support/db_test.h"
#include "tests/support/process.h"

#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct db_migration three[] = {
    {1, "first", "CREATE TABLE curfew.a (id bigint PRIMARY KEY); INSERT INTO a VALUES (1)"},
    {2, "second", "ALTER TABLE a ADD COLUMN name text;\n-- more\nUPDATE a SET name = 'x'"},
    {3, "third", "CREATE TABLE b (id bigint)"},
};

static const char *conninfo;
static struct db *db;

static int fresh(void **state)
{
    UNUSED(state);
    conninfo = pg_database_empty(test_pg);
    db = db_test_open(conninfo, NULL, 0);
    return 0;
}

static int done(void **state)
{
    UNUSED(state);
    db_close(db);
    return 0;
}

static int migrate(size_t count, struct err *err)
{
    return migrate_run(db, three, count, 20000, err);
}

static void assert_version(int expected)
{
    struct err err = {0};
    int version = -1;
    assert_ok(migrate_version(db, &version, &err), err);
    assert_int_equal(version, expected);
}

static bool nothing_is_locked(void *context)
{
    UNUSED(context);
    return db_test_i64(db, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == 0;
}

static void applies_what_is_missing_and_nothing_twice(void **state)
{
    UNUSED(state);
    struct err err = {0};
    assert_version(0);
    assert_int_equal(migrate(2, &err), 2);
    assert_version(2);
    assert_int_equal(migrate(2, &err), 0);
    assert_int_equal(migrate(3, &err), 1);
    assert_int_equal(migrate(3, &err), 0);
    assert_version(3);
    assert_int_equal(db_test_i64(db, "SELECT count(*) FROM a WHERE name = 'x'"), 1);
    assert_true(wait_until(nothing_is_locked, NULL, 60000)); // whose session has been closed may need a moment to go
}

static void the_session_is_as_before(void **state)
{
    UNUSED(state);
    struct err err = {0};
    assert_int_equal(migrate(3, &err), 3);
    assert_int_equal(db_test_i64(db, "SELECT setting::bigint FROM pg_settings WHERE name = 'statement_timeout'"),
                     30000);
    assert_int_equal(db_test_i64(db, "SELECT setting::bigint FROM pg_settings WHERE name = 'lock_timeout'"), 5000);
}

static void a_migration_that_fails_leaves_nothing_of_itself(void **state)
{
    UNUSED(state);
    struct err err = {0};
    const struct db_migration broken[] = {three[0], {2, "broken", "CREATE TABLE c (id bigint); SELECT 1 / 0"}};
    assert_error(migrate_run(db, broken, 2, 20000, &err), err, ERR_INVALID,
                 "migration 2 (broken): sql: division by zero");
    assert_version(1);
    assert_int_equal(db_test_i64(db, "SELECT count(*) FROM pg_class WHERE relname = 'c'"), 0);
    assert_int_equal(migrate(3, &err), 2);
}

static void a_changed_migration_is_refused(void **state)
{
    UNUSED(state);
    struct err err = {0};
    const struct db_migration changed[] = {{1, "first", "CREATE TABLE a (id integer)"}, three[1], three[2]};
    assert_int_equal(migrate(2, &err), 2);
    assert_error(migrate_run(db, changed, 3, 20000, &err), err, ERR_CONFLICT,
                 "migration 1 (first) was applied with another text");
    assert_version(2);
}

static void a_tampered_checksum_is_refused(void **state)
{
    UNUSED(state);
    struct err err = {0};
    assert_int_equal(migrate(2, &err), 2);
    db_test_sql(db, "UPDATE migration SET checksum = 'x' WHERE version = 2");
    assert_error(migrate(3, &err), err, ERR_CONFLICT, "migration 2 (second)");
    assert_version(2);
}

static void a_newer_schema_is_refused_by_migrate_and_fine_for_serve(void **state)
{
    UNUSED(state);
    struct err err = {0};
    assert_int_equal(migrate(3, &err), 3);
    assert_error(migrate(2, &err), err, ERR_CONFLICT, "version 3, newer than this program's 2");
    assert_ok(migrate_check(db, three, 2, &err), err);
    assert_ok(migrate_check(db, three, 3, &err), err);
}

static void an_older_schema_is_refused_by_serve(void **state)
{
    UNUSED(state);
    struct err err = {0};
    assert_error(migrate_check(db, three, 3, &err), err, ERR_CONFLICT, "run 'curfew-jobmanager migrate'");
    assert_int_equal(migrate(2, &err), 2);
    assert_error(migrate_check(db, three, 3, &err), err, ERR_CONFLICT, "version 2, this program needs 3");
}

static void a_gap_is_refused(void **state)
{
    UNUSED(state);
    struct err err = {0};
    assert_int_equal(migrate(3, &err), 3);
    db_test_sql(db, "DELETE FROM migration WHERE version = 2");
    assert_error(migrate(3, &err), err, ERR_CONFLICT, "migration 2 is missing below version 3");
}

static void waits_for_another_one_only_so_long(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct db *other AUTO_DB = db_test_open(conninfo, NULL, 0);
    db_test_sql(other, "SELECT pg_advisory_lock(109356814624119)");
    assert_error(migrate_run(db, three, 3, 100, &err), err, ERR_TIMEOUT, "another program is migrating");
    db_test_sql(other, "SELECT pg_advisory_unlock(109356814624119)");
    assert_int_equal(migrate(3, &err), 3);
}

// Somebody reads a table for longer than anybody has patience, as a dump of the database does.
static void what_uses_a_table_is_waited_for_only_so_long(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct db *other AUTO_DB = db_test_open(conninfo, NULL, 0);
    struct db *third AUTO_DB = db_test_open(conninfo, NULL, 0);
    assert_int_equal(migrate(1, &err), 1);
    db_test_sql(other, "BEGIN");
    assert_int_equal(db_test_i64(other, "SELECT count(*) FROM a"), 1);
    assert_error(migrate_run(db, three, 3, 1000, &err), err, ERR_TIMEOUT,
                 "migration 2 (second): its tables are in use");
    assert_int_equal(db_test_i64(third, "SELECT count(*) FROM a"), 1);
    assert_version(1);
    db_test_sql(other, "COMMIT");
    assert_int_equal(migrate(3, &err), 2);
}

struct reader {
    struct db *reads, *looks;
};

static bool migration_waits(void *context)
{
    return db_test_i64(context, "SELECT count(*) FROM pg_locks WHERE relation = 'a'::regclass AND NOT granted") > 0;
}

static bool migration_has_given_way(void *context)
{
    return !migration_waits(context);
}

static void *read_for_longer_than_a_try(void *context)
{
    struct reader *reader = context;
    bool tried =
        wait_until(migration_waits, reader->looks, 60000) && wait_until(migration_has_given_way, reader->looks, 60000);
    db_test_sql(reader->reads, "COMMIT");
    return tried ? NULL : context;
}

static void a_table_that_becomes_free_is_changed(void **state)
{
    UNUSED(state);
    struct err err = {0};
    pthread_t thread;
    void *failed = NULL;
    struct db *reads AUTO_DB = db_test_open(conninfo, NULL, 0);
    struct db *looks AUTO_DB = db_test_open(conninfo, NULL, 0);
    struct reader reader = {reads, looks};
    assert_int_equal(migrate(1, &err), 1);
    db_test_sql(reads, "BEGIN");
    assert_int_equal(db_test_i64(reads, "SELECT count(*) FROM a"), 1);
    assert_int_equal(pthread_create(&thread, NULL, read_for_longer_than_a_try, &reader), 0);
    assert_int_equal(migrate_run(db, three, 3, 120000, &err), 2);
    pthread_join(thread, &failed);
    assert_null(failed);
}

// Exit status: 0 to 3 migrations applied, 100 failed.
static _Noreturn void migrate_in_child(int gate)
{
    char byte;
    struct err err = {0};
    struct db *own = NULL;
    if (read(gate, &byte, 1) != 0 || db_open(conninfo, NULL, &own, &err) < 0)
        _exit(101);
    int applied = migrate_run(own, three, 3, 120000, &err);
    if (applied < 0)
        fprintf(stderr, "%s\n", err.text);
    _exit(applied < 0 ? 100 : applied);
}

static void many_processes_at_once_apply_each_once(void **state)
{
    UNUSED(state);
    enum { PROCESSES = 6 };
    pid_t children[PROCESSES];
    int gate[2], applied = 0;
    db_disconnect(db);
    assert_int_equal(pipe(gate), 0);
    for (int i = 0; i < PROCESSES; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0) {
            close(gate[1]);
            migrate_in_child(gate[0]);
        }
    }
    close(gate[0]);
    close(gate[1]);
    for (int i = 0; i < PROCESSES; i++) {
        int status;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) <= 3);
        applied += WEXITSTATUS(status);
    }
    assert_int_equal(applied, 3);
    assert_int_equal(db_test_i64(db, "SELECT count(*) FROM migration"), 3);
    assert_int_equal(db_test_i64(db, "SELECT count(*) FROM a"), 1);
}

static void the_checksum_is_fnv_1a(void **state)
{
    UNUSED(state);
    char checksum[MIGRATE_CHECKSUM_SIZE];
    migrate_checksum("", checksum);
    assert_string_equal(checksum, "cbf29ce484222325");
    migrate_checksum("foobar", checksum);
    assert_string_equal(checksum, "85944171f73967e8");
}

static void the_schema_of_this_program_applies(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct db *migrated AUTO_DB = db_test_open(pg_database_new(test_pg), store_statements, STATEMENT_COUNT);
    assert_ok(migrate_check(migrated, store_migrations, store_migration_count, &err), err);
    assert_ok(db_prepare_all(migrated, &err), err);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fresh, done)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(applies_what_is_missing_and_nothing_twice),
        TEST(the_session_is_as_before),
        TEST(a_migration_that_fails_leaves_nothing_of_itself),
        TEST(a_changed_migration_is_refused),
        TEST(a_tampered_checksum_is_refused),
        TEST(a_newer_schema_is_refused_by_migrate_and_fine_for_serve),
        TEST(an_older_schema_is_refused_by_serve),
        TEST(a_gap_is_refused),
        TEST(waits_for_another_one_only_so_long),
        TEST(what_uses_a_table_is_waited_for_only_so_long),
        TEST(a_table_that_becomes_free_is_changed),
        TEST(many_processes_at_once_apply_each_once),
        cmocka_unit_test(the_checksum_is_fnv_1a),
        cmocka_unit_test(the_schema_of_this_program_applies),
    };
    return cmocka_run_group_tests(tests, db_test_start, db_test_stop);
}
