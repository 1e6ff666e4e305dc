// Settings: sources and their order, types, secrets, errors, what is printed.
#include "tests/support/test.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/config.h"
#include "services/common/base/fd.h"
#include "services/common/base/strbuf.h"
#include "tests/support/temp_dir.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct settings {
    char *database_url;
    int64_t slots;
    int64_t poll_ms;
    int64_t log_bytes;
    bool json;
    char *token;
};

static const struct config_setting rows[] = {
    {.name = "database-url",
     .type = CONFIG_TEXT,
     .offset = offsetof(struct settings, database_url),
     .required = true,
     .meaning = "Where PostgreSQL is."},
    {.name = "slots",
     .type = CONFIG_INTEGER,
     .offset = offsetof(struct settings, slots),
     .fallback = "4",
     .min = 1,
     .max = 64,
     .meaning = "Tasks at a time."},
    {.name = "poll",
     .type = CONFIG_DURATION,
     .offset = offsetof(struct settings, poll_ms),
     .fallback = "5s",
     .min = 100,
     .max = 60000,
     .meaning = "Time between polls."},
    {.name = "log-limit",
     .type = CONFIG_SIZE,
     .offset = offsetof(struct settings, log_bytes),
     .fallback = "1Mi",
     .meaning = "Log bytes kept."},
    {.name = "json",
     .type = CONFIG_BOOLEAN,
     .offset = offsetof(struct settings, json),
     .fallback = "no",
     .meaning = "Log as JSON."},
    {.name = "token",
     .type = CONFIG_SECRET,
     .offset = offsetof(struct settings, token),
     .meaning = "The worker's token."},
};

static const struct config_table table = {
    .program = "curfew-test", .synopsis = "Tests.", .settings = rows, .count = ARRAY_LEN(rows)};

static void cleanup_settings(struct settings *settings)
{
    config_release(&table, settings);
}

#define AUTO_SETTINGS CLEANUP(cleanup_settings)

static const char *const variables[] = {"CURFEW_DATABASE_URL", "CURFEW_SLOTS", "CURFEW_POLL",      "CURFEW_LOG_LIMIT",
                                        "CURFEW_JSON",         "CURFEW_TOKEN", "CURFEW_TOKEN_FILE"};

static int clear_environment(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(variables); i++)
        unsetenv(variables[i]);
    return temp_dir_setup(state);
}

// config_load with a NULL-terminated list of arguments behind the program's name.
static int load(const char *const *arguments, struct settings *settings, int *rest, struct err *err)
{
    char *argv[16] = {"curfew-test"};
    int argc = 1;
    for (; arguments[argc - 1]; argc++)
        argv[argc] = (char *)(uintptr_t)arguments[argc - 1];
    return config_load(&table, argc, argv, settings, rest, err);
}

#define ARGUMENTS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define NO_ARGUMENTS ((const char *const[]){NULL})

static void defaults_apply(void **state)
{
    UNUSED(state);
    AUTO_SETTINGS struct settings settings = {0};
    struct err err = {0};
    assert_int_equal(load(ARGUMENTS("--database-url", "x"), &settings, NULL, &err), 0);
    assert_string_equal(settings.database_url, "x");
    assert_int_equal(settings.slots, 4);
    assert_int_equal(settings.poll_ms, 5000);
    assert_int_equal(settings.log_bytes, 1 << 20);
    assert_false(settings.json);
    assert_null(settings.token);
}

static void the_environment_wins_over_defaults(void **state)
{
    UNUSED(state);
    AUTO_SETTINGS struct settings settings = {0};
    struct err err = {0};
    setenv("CURFEW_DATABASE_URL", "postgres:///a", 1);
    setenv("CURFEW_SLOTS", "8", 1);
    setenv("CURFEW_POLL", "250ms", 1);
    setenv("CURFEW_LOG_LIMIT", "64Ki", 1);
    setenv("CURFEW_JSON", "TRUE", 1);
    assert_ok(load(NO_ARGUMENTS, &settings, NULL, &err), err);
    assert_string_equal(settings.database_url, "postgres:///a");
    assert_int_equal(settings.slots, 8);
    assert_int_equal(settings.poll_ms, 250);
    assert_int_equal(settings.log_bytes, 65536);
    assert_true(settings.json);
}

static void flags_win_and_the_last_one_counts(void **state)
{
    UNUSED(state);
    AUTO_SETTINGS struct settings settings = {0};
    struct err err = {0};
    setenv("CURFEW_DATABASE_URL", "environment", 1);
    setenv("CURFEW_JSON", "yes", 1);
    assert_ok(load(ARGUMENTS("--database-url=first=1", "--slots", "2", "--database-url", "last", "--json=false"),
                   &settings, NULL, &err),
              err);
    assert_string_equal(settings.database_url, "last");
    assert_int_equal(settings.slots, 2);
    assert_false(settings.json);
}

static void an_empty_variable_is_as_good_as_none(void **state)
{
    UNUSED(state);
    AUTO_SETTINGS struct settings settings = {0};
    struct err err = {0};
    setenv("CURFEW_SLOTS", "", 1);
    setenv("CURFEW_DATABASE_URL", "", 1);
    assert_error(load(NO_ARGUMENTS, &settings, NULL, &err), err, ERR_INVALID, "database-url is required");
}

static void a_boolean_flag_alone_is_true(void **state)
{
    UNUSED(state);
    AUTO_SETTINGS struct settings settings = {0};
    struct err err = {0};
    int rest = 0;
    assert_ok(load(ARGUMENTS("--json", "--database-url", "x"), &settings, &rest, &err), err);
    assert_true(settings.json);
    assert_int_equal(rest, 4);
}

static void positionals_follow_the_flags(void **state)
{
    UNUSED(state);
    AUTO_SETTINGS struct settings settings = {0};
    AUTO_SETTINGS struct settings more = {0};
    struct err err = {0};
    int rest = 0;
    assert_ok(load(ARGUMENTS("--database-url", "x", "job.yaml", "--slots", "9"), &settings, &rest, &err), err);
    assert_int_equal(rest, 3);
    assert_int_equal(settings.slots, 4);
    assert_ok(load(ARGUMENTS("--database-url", "x", "--", "--slots"), &more, &rest, &err), err);
    assert_int_equal(rest, 4);
    AUTO_SETTINGS struct settings from_stdin = {0};
    assert_ok(load(ARGUMENTS("--database-url", "x", "-"), &from_stdin, &rest, &err), err);
    assert_int_equal(rest, 3);
}

struct mistake {
    const char *arguments[4];
    const char *text;
};

static void names_the_flag_that_is_wrong(void **state)
{
    UNUSED(state);
    static const struct mistake mistakes[] = {
        {{"--slots", "many"}, "flag --slots: 'many' is not"},
        {{"--slots", "0"}, "flag --slots: 0 is not within 1 and 64"},
        {{"--slots", "65"}, "flag --slots: 65 is not within 1 and 64"},
        {{"--slots"}, "flag --slots needs a value"},
        {{"--poll", "5"}, "flag --poll: '5' is not a duration"},
        {{"--poll", "2m"}, "flag --poll: 2m is not within 100ms and 1m"},
        {{"--log-limit", "-1"}, "flag --log-limit: '-1' is not a size"},
        {{"--json=maybe"}, "flag --json: 'maybe' is not true or false"},
        {{"--slot", "1"}, "flag --slot does not exist"},
        {{"-s"}, "flag -s does not exist"},
        {{"--token", "hunter2"}, "flag --token does not exist: a secret is read from a file"},
        {{"--token=hunter2"}, "flag --token does not exist: a secret is read from a file"},
        {{"more"}, "argument 'more' is not expected"},
    };
    for (size_t i = 0; i < ARRAY_LEN(mistakes); i++) {
        AUTO_SETTINGS struct settings settings = {0};
        struct err err = {0};
        setenv("CURFEW_DATABASE_URL", "x", 1);
        assert_error(load(mistakes[i].arguments, &settings, NULL, &err), err, ERR_INVALID, mistakes[i].text);
        assert_null(strstr(err.text, "hunter2"));
        assert_null(settings.database_url);
    }
}

static void names_the_variable_that_is_wrong(void **state)
{
    UNUSED(state);
    AUTO_SETTINGS struct settings settings = {0};
    struct err err = {0};
    setenv("CURFEW_POLL", "soon", 1);
    assert_error(load(NO_ARGUMENTS, &settings, NULL, &err), err, ERR_INVALID, "environment CURFEW_POLL: 'soon'");
}

static void write_secret(void **state, const void *bytes, size_t length)
{
    struct err err = {0};
    assert_ok(file_replace(temp_path(state, "secret"), bytes, length, 0600, &err), err);
}

static void secrets_come_from_files(void **state)
{
    AUTO_SETTINGS struct settings settings = {0};
    AUTO_SETTINGS struct settings again = {0};
    struct err err = {0};
    setenv("CURFEW_DATABASE_URL", "x", 1);
    write_secret(state, "s3cret\r\n", 8);
    setenv("CURFEW_TOKEN_FILE", temp_path(state, "secret"), 1);
    assert_ok(load(NO_ARGUMENTS, &settings, NULL, &err), err);
    assert_string_equal(settings.token, "s3cret");
    unsetenv("CURFEW_TOKEN_FILE");
    assert_ok(load(ARGUMENTS("--token-file", temp_path(state, "secret")), &again, NULL, &err), err);
    assert_string_equal(again.token, "s3cret");
}

static void bad_secret_files_are_named(void **state)
{
    AUTO_SETTINGS struct settings settings = {0};
    struct err err = {0};
    setenv("CURFEW_DATABASE_URL", "x", 1);
    setenv("CURFEW_TOKEN_FILE", temp_path(state, "secret"), 1);
    assert_error(load(NO_ARGUMENTS, &settings, NULL, &err), err, ERR_NOT_FOUND, "environment CURFEW_TOKEN_FILE");
    write_secret(state, "\n", 1);
    assert_error(load(NO_ARGUMENTS, &settings, NULL, &err), err, ERR_INVALID, "is empty");
    write_secret(state, "a\0b", 3);
    assert_error(load(NO_ARGUMENTS, &settings, NULL, &err), err, ERR_INVALID, "NUL");
}

static void a_secret_in_the_environment_is_refused(void **state)
{
    UNUSED(state);
    AUTO_SETTINGS struct settings settings = {0};
    struct err err = {0};
    setenv("CURFEW_DATABASE_URL", "x", 1);
    setenv("CURFEW_TOKEN", "hunter2", 1);
    assert_error(load(NO_ARGUMENTS, &settings, NULL, &err), err, ERR_INVALID, "CURFEW_TOKEN is not read");
    assert_null(strstr(err.text, "hunter2"));
}

// What config_load prints to stdout for one flag.
static char *printed(void **state, const char *flag)
{
    struct settings settings = {0};
    struct err err = {0};
    char *text = NULL;
    size_t length = 0;
    fflush(stdout);
    int kept = dup(STDOUT_FILENO);
    int fd = open(temp_path(state, "out"), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    dup2(fd, STDOUT_FILENO);
    close(fd);
    int outcome = load(ARGUMENTS("--slots", "2", flag), &settings, NULL, &err);
    fflush(stdout);
    dup2(kept, STDOUT_FILENO);
    close(kept);
    assert_int_equal(outcome, 1);
    assert_ok(file_read(temp_path(state, "out"), 1 << 16, &text, &length, &err), err);
    return text;
}

static void prints_help(void **state)
{
    AUTO_FREE char *help = printed(state, "--help");
    AUTO_FREE char *short_help = printed(state, "-h");
    assert_string_equal(help, short_help);
    assert_memory_equal(help, "usage: curfew-test [SETTINGS]\n\nTests.\n", 38);
    assert_non_null(
        strstr(help, "--poll duration\n      Time between polls.\n      environment CURFEW_POLL, default 5s\n"));
    assert_non_null(strstr(help, "environment CURFEW_DATABASE_URL, required\n"));
    assert_non_null(strstr(help, "--token-file file\n"));
    assert_null(strstr(help, "markdown"));
}

static void prints_version(void **state)
{
    AUTO_FREE char *version = printed(state, "--version");
    assert_memory_equal(version, "curfew-test ", 12);
    assert_true(version[12] >= '0' && version[12] <= '9');
}

static void prints_markdown(void **state)
{
    AUTO_FREE char *markdown = printed(state, "--help-markdown");
    assert_memory_equal(markdown, "## curfew-test\n", 15);
    assert_non_null(strstr(markdown, "| `--slots` | `CURFEW_SLOTS` | integer | `4` | Tasks at a time. |\n"));
    assert_non_null(strstr(markdown, "| `--token-file` | `CURFEW_TOKEN_FILE` | file |  | The worker's token. |\n"));
    assert_non_null(strstr(markdown, "| `--database-url` | `CURFEW_DATABASE_URL` | text | required |"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(defaults_apply, clear_environment, temp_dir_teardown),
        cmocka_unit_test_setup_teardown(the_environment_wins_over_defaults, clear_environment, temp_dir_teardown),
        cmocka_unit_test_setup_teardown(flags_win_and_the_last_one_counts, clear_environment, temp_dir_teardown),
        cmocka_unit_test_setup_teardown(an_empty_variable_is_as_good_as_none, clear_environment, temp_dir_teardown),
        cmocka_unit_test_setup_teardown(a_boolean_flag_alone_is_true, clear_environment, temp_dir_teardown),
        cmocka_unit_test_setup_teardown(positionals_follow_the_flags, clear_environment, temp_dir_teardown),
        cmocka_unit_test_setup_teardown(names_the_flag_that_is_wrong, clear_environment, temp_dir_teardown),
        cmocka_unit_test_setup_teardown(names_the_variable_that_is_wrong, clear_environment, temp_dir_teardown),
        cmocka_unit_test_setup_teardown(secrets_come_from_files, clear_environment, temp_dir_teardown),
        cmocka_unit_test_setup_teardown(bad_secret_files_are_named, clear_environment, temp_dir_teardown),
        cmocka_unit_test_setup_teardown(a_secret_in_the_environment_is_refused, clear_environment, temp_dir_teardown),
        cmocka_unit_test_setup_teardown(prints_help, clear_environment, temp_dir_teardown),
        cmocka_unit_test_setup_teardown(prints_version, clear_environment, temp_dir_teardown),
        cmocka_unit_test_setup_teardown(prints_markdown, clear_environment, temp_dir_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
