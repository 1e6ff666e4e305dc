// Tokens from commands: run without a shell, with the first line as the token.
#include "services/cli/token.h"

#include "services/common/base/cleanup.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test.h"

#include <string.h>

static void the_first_line_is_the_token(void **state)
{
    UNUSED(state);
    struct err err;
    static const char *const commands[] = {"echo curfew_abc", "  printf curfew_abc\\nmore\\n ", "printf curfew_abc"};
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        AUTO_FREE char *token = NULL;
        assert_ok(token_of_command(commands[i], &token, &err), err);
        assert_string_equal(token, "curfew_abc");
    }
}

static void there_is_no_shell(void **state)
{
    UNUSED(state);
    struct err err;
    AUTO_FREE char *token = NULL;
    assert_ok(token_of_command("echo $HOME;`id`|cat>x", &token, &err), err);
    assert_string_equal(token, "$HOME;`id`|cat>x");
}

static void what_fails_is_no_token(void **state)
{
    UNUSED(state);
    struct err err;
    static const struct {
        const char *command, *says;
    } wrong[] = {
        {"", "is empty"},
        {"   ", "is empty"},
        {"/nonexistent/keyring lookup", "start of the token command '/nonexistent/keyring'"},
        {"false", "has failed"},
        {"true", "prints no token"},
        {"cat", "prints no token"}, // its stdin is empty
        {"printf \\ncurfew_abc", "prints no token"},
        {"yes curfew", "has failed"}, // for ever
        {"kill -9 0x", "has failed"},
    };
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        AUTO_FREE char *token = NULL;
        assert_error(token_of_command(wrong[i].command, &token, &err), err, ERR_INVALID, wrong[i].says);
        assert_null(token);
    }
}

// One that says its token, closes its output and stays: not the user waits for it.
static void it_has_to_end(void **state)
{
    UNUSED(state);
    struct err err;
    AUTO_FREE char *token = NULL;
    AUTO_TEMP_DIR char *directory = temp_dir_new();
    char path[128], command[160];
    snprintf(path, sizeof path, "%s/stays", directory);
    snprintf(command, sizeof command, "sh %s", path);
    AUTO_FILE FILE *script = fopen(path, "w");
    assert_non_null(script);
    fputs("echo curfew_abc\nexec sleep 1000 >&-\n", script);
    assert_int_equal(fflush(script), 0);
    assert_error(token_of_command(command, &token, &err), err, ERR_INVALID, "has failed");
    assert_null(token);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_line_is_the_token),
        cmocka_unit_test(there_is_no_shell),
        cmocka_unit_test(what_fails_is_no_token),
        cmocka_unit_test(it_has_to_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
