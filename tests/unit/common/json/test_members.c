#include "services/common/json/members.h"
#include "tests/support/test.h"

#include <stdio.h>

static void finds_the_later_of_two(void **state)
{
    UNUSED(state);
    static const char text[] = "\"b\" \"a\" \"\\u0062\" \"c\"";
    struct json_members members;
    json_members_init(&members);
    assert_true(json_members_push(&members, text));
    assert_true(json_members_push(&members, text + 4));
    assert_null(json_members_duplicate(&members, 0));
    assert_true(json_members_push(&members, text + 8));
    assert_true(json_members_push(&members, text + 17));
    assert_ptr_equal(json_members_duplicate(&members, 0), text + 8);
    json_members_release(&members);
}

static void looks_at_the_innermost_object_only(void **state)
{
    UNUSED(state);
    struct json_members members;
    json_members_init(&members);
    assert_true(json_members_push(&members, "\"a\""));
    assert_true(json_members_push(&members, "\"a\""));
    assert_true(json_members_push(&members, "\"b\""));
    assert_null(json_members_duplicate(&members, 1));
    json_members_pop(&members, 1);
    assert_int_equal(members.count, 1);
    json_members_release(&members);
}

static void grows(void **state)
{
    UNUSED(state);
    static char keys[5000][8];
    struct json_members members;
    json_members_init(&members);
    for (size_t i = 0; i < 5000; i++) {
        snprintf(keys[i], sizeof keys[i], "\"%zu\"", i);
        assert_true(json_members_push(&members, keys[i]));
    }
    assert_null(json_members_duplicate(&members, 0));
    assert_true(json_members_push(&members, "\"4711\""));
    assert_non_null(json_members_duplicate(&members, 0));
    json_members_release(&members);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_later_of_two),
        cmocka_unit_test(looks_at_the_innermost_object_only),
        cmocka_unit_test(grows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
