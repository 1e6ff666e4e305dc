#include "services/common/base/utf8.h"
#include "services/common/json/pointer.h"
#include "tests/support/test.h"

#include <string.h>

static void escapes_names(void **state)
{
    UNUSED(state);
    struct json_pointer pointer;
    json_pointer_init(&pointer);
    assert_string_equal(pointer.text, "");
    json_pointer_add_name(&pointer, "a~b/c", 5);
    json_pointer_add_index(&pointer, 0);
    json_pointer_add_name(&pointer, "", 0);
    json_pointer_add_name(&pointer, "\xff", 1);
    json_pointer_add_index(&pointer, 12345);
    assert_string_equal(pointer.text, "/a~0b~1c/0//?/12345");
    assert_int_equal(pointer.length, strlen(pointer.text));
}

static void stays_whole_when_it_is_full(void **state)
{
    UNUSED(state);
    for (size_t offset = 0; offset < 4; offset++) {
        struct json_pointer pointer;
        json_pointer_init(&pointer);
        json_pointer_add_name(&pointer, "xxxx", offset);
        for (int i = 0; i < 100; i++) {
            json_pointer_add_name(&pointer, "\xe2\x82\xac~", 4);
            json_pointer_add_index(&pointer, (size_t)i);
        }
        assert_true(pointer.length < JSON_POINTER_SIZE);
        assert_true(utf8_valid(pointer.text, pointer.length));
        assert_int_equal(pointer.text[pointer.length], '\0');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(escapes_names),
        cmocka_unit_test(stays_whole_when_it_is_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
