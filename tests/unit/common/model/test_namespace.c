#include "services/common/model/namespace.h"
#include "tests/support/test.h"

#include <string.h>

static void names_are_plain_and_short(void **state)
{
    UNUSED(state);
    char longest[NAMESPACE_SIZE + 1];
    memset(longest, 'a', sizeof(longest));
    longest[NAMESPACE_SIZE] = '\0';
    assert_false(namespace_is_valid(longest));
    longest[NAMESPACE_SIZE - 1] = '\0';
    assert_true(namespace_is_valid(longest));
    static const char *const right[] = {NAMESPACE_DEFAULT, "team-a", "7"};
    static const char *const wrong[] = {"", "a b", "Team", "a/b", "a.b", "a_b", "\xc3\xa4", "a\n"};
    for (size_t i = 0; i < ARRAY_LEN(right); i++)
        assert_true(namespace_is_valid(right[i]));
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        assert_false(namespace_is_valid(wrong[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(names_are_plain_and_short)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
