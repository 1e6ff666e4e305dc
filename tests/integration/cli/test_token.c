// Tokens from commands: run without a shell, with the first line as the token.
#include "services/cli/token.h"

#include "services/common/base/cleanup.h"
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_line_is_the_token),
        cmocka_unit_test(there_is_no_shell),
        cmocka_unit_test(what_fails_is_no_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
