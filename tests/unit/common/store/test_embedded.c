#include "services/common/store/embedded.h"

#include "services/common/base/fd.h"
#include "tests/support/process.h"
#include "tests/support/test.h"

#include <limits.h>
#include <string.h>

#define SCRIPT "services/common/store/embed_sql.sh"

static char *directory;
static struct process *script;

static int setup(void **state)
{
    UNUSED(state);
    struct err err = {0};
    char path[PATH_MAX];
    directory = temp_dir_new();
    snprintf(path, sizeof path, "%s/sql", directory);
    assert_ok(dir_make(path, 0755, &err), err);
    snprintf(path, sizeof path, "%s/migrations", directory);
    assert_ok(dir_make(path, 0755, &err), err);
    return 0;
}

static int teardown(void **state)
{
    UNUSED(state);
    process_free(script);
    script = NULL;
    temp_dir_free(directory);
    return 0;
}

static void put(const char *name, const char *content)
{
    struct err err = {0};
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    assert_ok(file_replace(path, content, strlen(content), 0644, &err), err);
}

static int run(void)
{
    script = process_start((const char *const[]){SCRIPT, directory, NULL}, NULL);
    return process_wait(script, 60000);
}

static void assert_printed(const char *text)
{
    if (!strstr(process_stdout(script), text))
        fail_msg("'%s' is not in:\n%s", text, process_stdout(script));
}

static void assert_refused(const char *text)
{
    assert_int_equal(run(), 1);
    if (!strstr(process_stderr(script), text))
        fail_msg("'%s' is not in:\n%s", text, process_stderr(script));
    process_free(script);
    script = NULL;
}

static void nothing_is_an_empty_table(void **state)
{
    UNUSED(state);
    assert_int_equal(run(), 0);
    assert_printed("enum statement {\n    STATEMENT_COUNT\n};");
    assert_printed("store_statements[STATEMENT_COUNT + 1] = {\n{0},\n};");
    assert_printed("store_migrations[] = {\n{0},\n};");
}

static void statements_are_embedded_as_they_are(void **state)
{
    UNUSED(state);
    put("sql/b.sql", "-- name: last\nSELECT 2;\n");
    put("sql/a.sql",
        "-- About the file.\n\n-- name: first_one\n-- What it does.\nSELECT 'a\\b', \"c\"\n  -- why\nFROM t;\n\n");
    assert_int_equal(run(), 0);
    assert_printed("    // What it does.\n    STATEMENT_FIRST_ONE,\n    STATEMENT_LAST,\n    STATEMENT_COUNT\n");
    assert_printed(
        "{\"first_one\",\n\"SELECT 'a\\\\b', \\\"c\\\"\\n\"\n\"FROM t;\\n\"\n},\n{\"last\",\n\"SELECT 2;\\n\"\n},");
}

static void migrations_are_embedded_to_the_byte(void **state)
{
    UNUSED(state);
    put("migrations/0001_start.sql", "-- comments stay\n\nSELECT 1;\n");
    put("migrations/0002_more.sql", "SELECT 2;\n");
    assert_int_equal(run(), 0);
    assert_printed(
        "{1, \"start\",\n\"-- comments stay\\n\"\n\"\\n\"\n\"SELECT 1;\\n\"\n},\n{2, \"more\",\n\"SELECT 2;\\n\"\n},");
}

static void mistakes_are_refused(void **state)
{
    UNUSED(state);
    put("sql/a.sql", "SELECT 1;\n-- name: x\nSELECT 1;\n");
    assert_refused("SQL before the first");
    put("sql/a.sql", "-- name: X y\nSELECT 1;\n");
    assert_refused("not a statement name: X y");
    put("sql/a.sql", "-- name: twice\nSELECT 1;\n-- name: twice\nSELECT 1;\n");
    assert_refused("twice exists already");
    put("sql/a.sql", "-- name: nothing\n-- name: something\nSELECT 1;\n");
    assert_refused("statement nothing is empty");
    put("sql/a.sql", "-- name: nothing\n");
    assert_refused("statement nothing is empty");
    put("sql/a.sql", "-- name: fine\nSELECT 1;\n");
    put("migrations/0002_gap.sql", "SELECT 1;\n");
    assert_refused("without gaps, expected 1");
    put("migrations/0001.sql", "SELECT 1;\n");
    assert_refused("not a migration name");
}

static void the_tables_of_this_build_agree(void **state)
{
    UNUSED(state);
    for (unsigned i = 0; i < STATEMENT_COUNT; i++)
        assert_true(store_statements[i].name && store_statements[i].sql);
    assert_null(store_statements[STATEMENT_COUNT].name);
    for (size_t i = 0; i < store_migration_count; i++)
        assert_int_equal(store_migrations[i].version, i + 1);
    assert_null(store_migrations[store_migration_count].name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_is_an_empty_table, setup, teardown),
        cmocka_unit_test_setup_teardown(statements_are_embedded_as_they_are, setup, teardown),
        cmocka_unit_test_setup_teardown(migrations_are_embedded_to_the_byte, setup, teardown),
        cmocka_unit_test_setup_teardown(mistakes_are_refused, setup, teardown),
        cmocka_unit_test(the_tables_of_this_build_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
