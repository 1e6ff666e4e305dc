#include "services/common/db/channel.h"

#include "tests/support/test.h"

#include <string.h>

static void identifiers_are_accepted(void **state)
{
    UNUSED(state);
    struct err err = {0};
    assert_ok(channel_check("curfew_wake2", &err), err);
    assert_ok(channel_check("a", &err), err);
}

static void everything_else_is_refused(void **state)
{
    UNUSED(state);
    struct err err = {0};
    char too_long[CHANNEL_SIZE + 1] = {0};
    memset(too_long, 'x', CHANNEL_SIZE);
    const char *const wrong[] = {"", "_x", "1x", "X", "x-y", "x y", "x;", "x'", "\xc3\xa9", too_long};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        assert_error(channel_check(wrong[i], &err), err, ERR_INVALID, "not the name of a channel");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(identifiers_are_accepted),
        cmocka_unit_test(everything_else_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
