#include "tests/support/pg.h"

#include "tests/support/db_test.h"
#include "tests/support/process.h"

#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void databases_are_apart(void **state)
{
    UNUSED(state);
    struct db *first AUTO_DB = db_test_open(pg_database_new(test_pg), NULL, 0);
    struct db *second AUTO_DB = db_test_open(pg_database_new(test_pg), NULL, 0);
    db_test_sql(first, "CREATE TABLE only_here (id bigint)");
    assert_int_equal(db_test_i64(second, "SELECT count(*) FROM pg_class WHERE relname = 'only_here'"), 0);
    assert_int_equal(db_test_i64(second, "SELECT count(*) FROM pg_namespace WHERE nspname = 'curfew'"), 1);
}

static void data_survives_kill_and_restart(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct db *db AUTO_DB = db_test_open(pg_database_empty(test_pg), NULL, 0);
    db_test_sql(db, "CREATE TABLE public.t (id bigint); INSERT INTO public.t VALUES (7)");
    pg_kill(test_pg);
    pg_restart(test_pg);
    assert_ok(db_wait_connected(db, 30000, &err), err);
    assert_int_equal(db_test_i64(db, "SELECT id FROM public.t"), 7);
    pg_restart(test_pg); // without a kill
    assert_ok(db_wait_connected(db, 30000, &err), err);
    assert_int_equal(db_test_i64(db, "SELECT id FROM public.t"), 7);
}

static void fsync_is_on_when_asked_for(void **state)
{
    UNUSED(state);
    struct pg *pg AUTO_PG = pg_start(PG_FSYNC);
    struct db *db AUTO_DB = db_test_open(pg_admin(pg), NULL, 0);
    assert_int_equal(db_test_i64(db, "SELECT count(*) FROM pg_settings WHERE name = 'fsync' AND setting = 'on'"), 1);
}

static bool is_removed(void *context)
{
    return access(context, F_OK) < 0;
}

// A test program that is killed leaves neither server nor directory.
static void a_killed_program_leaves_nothing(void **state)
{
    UNUSED(state);
    int ends[2];
    char directory[64] = {0};
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const char *path = pg_socket_dir(pg_start(0));
        if (write(ends[1], path, strlen(path)) < 0)
            _exit(1);
        raise(SIGKILL);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_true(read(ends[0], directory, sizeof directory - 1) > 0);
    close(ends[0]);
    close(ends[1]);
    assert_true(wait_until(is_removed, directory, 60000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(databases_are_apart),
        cmocka_unit_test(data_survives_kill_and_restart),
        cmocka_unit_test(fsync_is_on_when_asked_for),
        cmocka_unit_test(a_killed_program_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, db_test_start, db_test_stop);
}
