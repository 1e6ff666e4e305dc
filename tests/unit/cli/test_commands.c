// The table of commands, and what is printed from it.
#include "tests/support/test.h"

#include "services/cli/cli.h"
#include "services/cli/commands.h"
#include "services/common/base/wrap.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static void assert_sentence(const char *text)
{
    size_t length = strlen(text);
    assert_true(length > 0);
    assert_true(islower((unsigned char)text[0]) || !isalpha((unsigned char)text[0]));
    assert_true(text[length - 1] != '.' && text[length - 1] != ' ');
    assert_null(strstr(text, "  "));
}

static void assert_options(const struct option *options, size_t count)
{
    for (size_t i = 0; i < count && options[i].name; i++) {
        assert_memory_equal(options[i].name, "--", 2);
        assert_true(!options[i].letter || (strlen(options[i].letter) == 2 && options[i].letter[0] == '-'));
        assert_sentence(options[i].text);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(options[i].name, options[j].name);
    }
}

static void test_rows(void **state)
{
    UNUSED(state);
    assert_options(global_options, GLOBAL_OPTIONS_MAX);
    for (size_t i = 0; i < command_count; i++) {
        assert_non_null((void *)(uintptr_t)commands[i].run);
        assert_sentence(commands[i].summary);
        assert_options(commands[i].options, COMMAND_OPTIONS_MAX);
        assert_null(commands[i].options[COMMAND_OPTIONS_MAX - 1].name);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(commands[i].name, commands[j].name);
    }
}

// A command's options would hide those of all commands.
static void test_no_option_is_hidden(void **state)
{
    UNUSED(state);
    for (size_t i = 0; i < command_count; i++)
        for (size_t j = 0; commands[i].options[j].name; j++)
            for (size_t k = 0; k < GLOBAL_OPTIONS_MAX; k++) {
                const struct option *own = &commands[i].options[j], *global = &global_options[k];
                assert_string_not_equal(own->name, global->name);
                assert_false(own->letter && global->letter && strcmp(own->letter, global->letter) == 0);
            }
}

static char *printed(void (*print)(FILE *out))
{
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    print(out);
    fclose(out);
    return text;
}

static void print_all_command_help(FILE *out)
{
    for (size_t i = 0; i < command_count; i++)
        cli_print_command_help(out, &commands[i]);
}

static void assert_wide_at_most(const char *text, size_t width)
{
    for (const char *line = text; *line; line += strcspn(line, "\n") + 1)
        if (strcspn(line, "\n") > width)
            fail_msg("too wide: %.*s", (int)strcspn(line, "\n"), line);
}

static void test_help(void **state)
{
    UNUSED(state);
    char *all = printed(cli_print_help), *each = printed(print_all_command_help);
    assert_wide_at_most(all, WRAP_WIDTH);
    assert_wide_at_most(each, WRAP_WIDTH);
    for (size_t i = 0; i < command_count; i++) {
        assert_non_null(strstr(all, commands[i].name));
        for (size_t j = 0; commands[i].options[j].name; j++)
            assert_non_null(strstr(each, commands[i].options[j].name));
    }
    assert_non_null(strstr(each, "usage: curfew wait [OPTIONS] JOB\n"));
    assert_non_null(strstr(each, "usage: curfew show JOB\n"));
    free(all);
    free(each);
}

static void test_markdown(void **state)
{
    UNUSED(state);
    char *text = printed(cli_print_markdown), heading[64];
    for (size_t i = 0; i < command_count; i++) {
        snprintf(heading, sizeof heading, "\n### curfew %s\n", commands[i].name);
        assert_non_null(strstr(text, heading));
    }
    assert_non_null(strstr(text, "| `--for outcome\\|closed` |")); // would end the cell otherwise
    free(text);
}

static void test_exit_status(void **state)
{
    UNUSED(state);
    assert_int_equal(cli_outcome_status("succeeded"), EXIT_JOB_SUCCEEDED);
    assert_int_equal(cli_outcome_status("failed"), EXIT_JOB_FAILED);
    assert_int_equal(cli_outcome_status("stopped"), EXIT_JOB_STOPPED);
    assert_int_equal(cli_outcome_status("timed_out"), EXIT_JOB_TIMED_OUT);
    assert_int_equal(cli_outcome_status(""), EXIT_UNFINISHED);
    assert_int_equal(cli_outcome_status(NULL), EXIT_UNFINISHED);
    assert_int_equal(cli_outcome_status("of a newer manager"), EXIT_ERROR);
    for (int code = 0; code < ERR_CODE_COUNT; code++) {
        const struct err err = {.code = (enum err_code)code, .text = "what the exit status is for"};
        int status = cli_fail(&err);
        assert_in_range(status, EXIT_USAGE, EXIT_ERROR);
        assert_true(status != EXIT_JOB_STOPPED && status != EXIT_JOB_TIMED_OUT && status != EXIT_UNFINISHED);
    }
    for (size_t i = 0; i < exit_meaning_count; i++)
        assert_sentence(exit_meanings[i].text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),     cmocka_unit_test(test_no_option_is_hidden), cmocka_unit_test(test_help),
        cmocka_unit_test(test_markdown), cmocka_unit_test(test_exit_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
