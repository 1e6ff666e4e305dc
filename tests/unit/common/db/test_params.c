#include "services/common/db/params.h"

#include "tests/support/test.h"

#include <string.h>

static void assert_bytes(const struct params *params, int index, const void *expected, size_t length)
{
    assert_int_equal(params->values[index].length, length);
    assert_memory_equal(params->bytes.data + params->values[index].offset, expected, length);
}

static void scalars_are_in_wire_order(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct params params AUTO_PARAMS = PARAMS_INIT;
    params_i64(&params, 0x0102030405060708);
    params_i32(&params, -2);
    params_i16(&params, 0x0102);
    params_bool(&params, true);
    params_double(&params, 1.0);
    params_text(&params, "text");
    params_null(&params);
    params_text(&params, NULL);
    params_bytea(&params, NULL, 0);
    params_json(&params, NULL, 0);
    assert_ok(params_ok(&params, &err), err);
    assert_int_equal(params.count, 10);
    assert_bytes(&params, 0, "\1\2\3\4\5\6\7\10", 8);
    assert_bytes(&params, 1, "\377\377\377\376", 4);
    assert_bytes(&params, 2, "\1\2", 2);
    assert_bytes(&params, 3, "\1", 1);
    assert_bytes(&params, 4, "\77\360\0\0\0\0\0\0", 8);
    assert_bytes(&params, 5, "text", 4);
    for (int i = 6; i < 10; i++)
        assert_int_equal(params.values[i].type, PARAM_NULL);
}

static void an_array_has_its_header(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct params params AUTO_PARAMS = PARAMS_INIT;
    const int16_t values[] = {1, -1};
    params_i16_array(&params, values, 2);
    params_i16_array(&params, values, 0);
    params_array_begin(&params, PARAM_TEXT);
    params_add_text(&params, "ab", 2);
    params_add_null(&params);
    params_array_end(&params);
    assert_ok(params_ok(&params, &err), err);
    assert_bytes(&params, 0, "\0\0\0\1\0\0\0\0\0\0\0\25\0\0\0\2\0\0\0\1\0\0\0\2\0\1\0\0\0\2\377\377", 32);
    assert_bytes(&params, 1, "\0\0\0\0\0\0\0\0\0\0\0\25", 12);
    assert_bytes(&params, 2, "\0\0\0\1\0\0\0\1\0\0\0\31\0\0\0\2\0\0\0\1\0\0\0\2ab\377\377\377\377", 30);
}

static void clearing_keeps_the_buffer(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct params params AUTO_PARAMS = PARAMS_INIT;
    params_i64(&params, 1);
    char *buffer = params.bytes.data;
    for (int i = 0; i < 100; i++) {
        params_clear(&params);
        params_i64(&params, i);
        assert_ok(params_ok(&params, &err), err);
    }
    assert_ptr_equal(params.bytes.data, buffer);
    assert_int_equal(params.count, 1);
}

static void misuse_is_reported(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct params params AUTO_PARAMS = PARAMS_INIT;
    params_add_i64(&params, 1);
    assert_error(params_ok(&params, &err), err, ERR_INTERNAL, "outside of an array");
    params_clear(&params);
    params_array_begin(&params, PARAM_I64);
    params_add_i32(&params, 1);
    params_array_end(&params);
    assert_error(params_ok(&params, &err), err, ERR_INTERNAL, "another type than the array");
    params_clear(&params);
    params_array_begin(&params, PARAM_I64);
    assert_error(params_ok(&params, &err), err, ERR_INTERNAL, "not ended");
    params_i64(&params, 1);
    assert_error(params_ok(&params, &err), err, ERR_INTERNAL, "inside an array");
    params_clear(&params);
    params_array_end(&params);
    assert_error(params_ok(&params, &err), err, ERR_INTERNAL, "not begun");
    params_clear(&params);
    params_array_begin(&params, PARAM_LITERAL);
    params_array_end(&params);
    assert_error(params_ok(&params, &err), err, ERR_INTERNAL, "has no arrays");
    params_clear(&params);
    params_json(&params, "{}\0", 3);
    assert_error(params_ok(&params, &err), err, ERR_INTERNAL, "NUL");
    params_clear(&params);
    for (int i = 0; i <= PARAMS_MAX; i++)
        params_i64_array(&params, NULL, 0);
    assert_error(params_ok(&params, &err), err, ERR_INTERNAL, "too many parameters");
    params_clear(&params);
    assert_ok(params_ok(&params, &err), err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalars_are_in_wire_order),
        cmocka_unit_test(an_array_has_its_header),
        cmocka_unit_test(clearing_keeps_the_buffer),
        cmocka_unit_test(misuse_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
