#include "services/common/base/macros.h"
#include "services/common/json/nearest.h"
#include "tests/support/test.h"

static void finds_what_was_meant(void **state)
{
    UNUSED(state);
    static const char *const names[] = {"command", "timeout", "env", "retries", "tasks", "stages"};
    static const char *const cases[][2] = {
        {"comand", "command"}, {"commands", "command"}, {"time_out", "timeout"}, {"envs", "env"},
        {"task", "tasks"},     {"stage", "stages"},     {"retires", "retries"},  {"tasks", "tasks"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_string_equal(nearest_name(cases[i][0], names, ARRAY_LEN(names)), cases[i][1]);
}

static void does_not_guess_wildly(void **state)
{
    UNUSED(state);
    static const char *const names[] = {"command", "env", "on"};
    static const char *const cases[] = {
        "", "zebra", "x", "environment", "cmd", "a name that is much longer than any that could be meant"};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_null(nearest_name(cases[i], names, ARRAY_LEN(names)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_was_meant),
        cmocka_unit_test(does_not_guess_wildly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
