// The command line is read by the commands' own table.
#include "tests/support/test.h"

#include "services/cli/cli.h"

#include <string.h>

#define WORDS_MAX 12

// Parses words that are separated by blanks.
static int parse(struct cli *cli, const char *line, struct err *err)
{
    static char text[512];
    static char *words[WORDS_MAX];
    int count = 0;
    *cli = (struct cli){0};
    snprintf(text, sizeof text, "curfew %s", line);
    for (char *word = strtok(text, " "); word && count < WORDS_MAX; word = strtok(NULL, " "))
        words[count++] = word;
    return cli_parse(cli, count, words, err);
}

static void test_command_and_argument(void **state)
{
    UNUSED(state);
    struct cli cli;
    struct err err;
    assert_ok(parse(&cli, "wait j1 --timeout 30s", &err), err);
    assert_string_equal(cli.command->name, "wait");
    assert_string_equal(cli.argument, "j1");
    assert_string_equal(cli_option(&cli, "--timeout"), "30s");
    assert_null(cli_option(&cli, "--for"));
    assert_false(cli.json);
}

static void test_forms(void **state)
{
    UNUSED(state);
    struct cli cli;
    struct err err;
    assert_ok(parse(&cli, "submit --key=a=b -d -- -", &err), err);
    assert_string_equal(cli_option(&cli, "--key"), "a=b");
    assert_non_null(cli_option(&cli, "--detach"));
    assert_null(cli_option(&cli, "--quiet"));
    assert_string_equal(cli.argument, "-");
    assert_ok(parse(&cli, "submit -- --key", &err), err);
    assert_string_equal(cli.argument, "--key");
    assert_null(cli_option(&cli, "--key"));
    assert_ok(parse(&cli, "submit --key a --key b -", &err), err);
    assert_string_equal(cli_option(&cli, "--key"), "b");
}

static void test_global_options(void **state)
{
    UNUSED(state);
    struct cli cli;
    struct err err;
    assert_ok(parse(&cli, "--server http://a -o json list --token-file f", &err), err);
    assert_string_equal(cli_global(&cli, "--server"), "http://a");
    assert_string_equal(cli_global(&cli, "--token-file"), "f");
    assert_true(cli.json);
    assert_ok(parse(&cli, "list --output=json --server=http://b", &err), err);
    assert_true(cli.json);
    assert_string_equal(cli_global(&cli, "--server"), "http://b");
    assert_ok(parse(&cli, "why j stage/3", &err), err);
    assert_string_equal(cli.argument, "j");
    assert_string_equal(cli.second, "stage/3");
    assert_ok(parse(&cli, "why --worker 3", &err), err);
    assert_null(cli.argument);
}

static void test_wrong(void **state)
{
    UNUSED(state);
    static const struct {
        const char *line, *part;
    } cases[] = {
        {"frobnicate", "no command 'frobnicate'"},
        {"--dir x up", "no option '--dir'"}, // a command's options stand behind it
        {"list x", "options only, not 'x'"},
        {"show", "needs a JOB"},
        {"show a b", "'b' is one too many"},
        {"why", "needs a JOB"},
        {"why a b c", "'c' is one too many"},
        {"why a --worker 3", "takes --worker or a JOB, not both"},
        {"wait j --timeout", "'--timeout' needs a value"},
        {"stop j --wait=yes", "'--wait' takes no value"},
        {"stop j --waiting", "no option '--waiting'"},
        {"stop j -w", "no option '-w'"},
        {"list -o yaml", "knows json only"},
        {"--server", "'--server' needs a value"},
        {"up --key=1", "no option '--key'"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct cli cli;
        struct err err;
        assert_error(parse(&cli, cases[i].line, &err), err, ERR_INVALID, cases[i].part);
    }
}

// Nothing else is asked for then.
static void test_help(void **state)
{
    UNUSED(state);
    struct cli cli;
    struct err err;
    assert_ok(parse(&cli, "show --help", &err), err);
    assert_non_null(cli_global(&cli, "--help"));
    assert_string_equal(cli.command->name, "show");
    assert_ok(parse(&cli, "-h", &err), err);
    assert_null(cli.command);
    assert_ok(parse(&cli, "--version", &err), err);
    assert_non_null(cli_global(&cli, "--version"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_command_and_argument),
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_global_options),
        cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_help),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
