#include "services/common/db/type.h"

#include "tests/support/test.h"

static void types_have_names(void **state)
{
    UNUSED(state);
    char buffer[TYPE_NAME_SIZE];
    assert_string_equal(type_name(TYPE_INT8, buffer), "bigint");
    assert_string_equal(type_name(TYPE_TEXT_ARRAY, buffer), "text[]");
    assert_string_equal(type_name(4294967295U, buffer), "type 4294967295");
}

static void knows_what_is_text(void **state)
{
    UNUSED(state);
    assert_true(type_is_text(TYPE_VARCHAR));
    assert_true(type_is_text(TYPE_JSONB));
    assert_true(type_is_text(TYPE_FIRST_OF_USERS));
    assert_false(type_is_text(TYPE_BYTEA));
    assert_false(type_is_text(TYPE_NUMERIC));
}

static void the_wire_is_big_endian(void **state)
{
    UNUSED(state);
    const unsigned char bytes[] = {1, 2, 3, 4, 5, 6, 7, 8};
    assert_int_equal(wire_u16(bytes), 0x0102);
    assert_int_equal(wire_u32(bytes), 0x01020304);
    assert_int_equal(wire_u64(bytes), 0x0102030405060708);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types_have_names),
        cmocka_unit_test(knows_what_is_text),
        cmocka_unit_test(the_wire_is_big_endian),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
