#include "services/common/db/bind.h"

#include "services/common/db/type.h"
#include "tests/support/test.h"

#include <string.h>

static void nothing_binds_to_nothing(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct bound bound;
    assert_ok(bind_params(NULL, &bound, &err), err);
    assert_int_equal(bound.count, 0);
    assert_ok(bind_check(NULL, &(struct signature){0}, &err), err);
}

static void an_empty_text_is_not_null(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct bound bound;
    struct params params AUTO_PARAMS = PARAMS_INIT;
    params_text(&params, "");
    params_null(&params);
    params_literal(&params, "1 hour");
    assert_ok(bind_params(&params, &bound, &err), err);
    assert_int_equal(bound.count, 3);
    assert_non_null(bound.values[0]);
    assert_int_equal(bound.lengths[0], 0);
    assert_int_equal(bound.types[0], TYPE_TEXT);
    assert_int_equal(bound.formats[0], 1);
    assert_null(bound.values[1]);
    assert_string_equal(bound.values[2], "1 hour");
    assert_int_equal(bound.formats[2], 0);
    assert_int_equal(bound.types[2], 0);
}

static void texts_fit_what_is_text_on_the_wire(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct params params AUTO_PARAMS = PARAMS_INIT;
    params_text(&params, "x");
    static const unsigned fitting[] = {TYPE_TEXT, TYPE_VARCHAR, TYPE_NAME, TYPE_JSON, TYPE_FIRST_OF_USERS};
    for (size_t i = 0; i < ARRAY_LEN(fitting); i++)
        assert_ok(bind_check(&params, &(struct signature){.count = 1, .types = {fitting[i]}}, &err), err);
    static const unsigned others[] = {TYPE_JSONB, TYPE_INT8, TYPE_BYTEA, TYPE_TEXT_ARRAY, TYPE_TIMESTAMPTZ};
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        assert_error(bind_check(&params, &(struct signature){.count = 1, .types = {others[i]}}, &err), err,
                     ERR_INTERNAL, "text is given");
}

static void arrays_fit_arrays_only(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct params params AUTO_PARAMS = PARAMS_INIT;
    params_i64_array(&params, NULL, 0);
    assert_ok(bind_check(&params, &(struct signature){.count = 1, .types = {TYPE_INT8_ARRAY}}, &err), err);
    assert_error(bind_check(&params, &(struct signature){.count = 1, .types = {TYPE_INT8}}, &err), err, ERR_INTERNAL,
                 "parameter 1 is bigint, bigint[] is given");
    assert_error(bind_check(&params, &(struct signature){.count = 1, .types = {600}}, &err), err, ERR_INTERNAL,
                 "type 600");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_binds_to_nothing),
        cmocka_unit_test(an_empty_text_is_not_null),
        cmocka_unit_test(texts_fit_what_is_text_on_the_wire),
        cmocka_unit_test(arrays_fit_arrays_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
