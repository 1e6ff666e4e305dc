#include "services/common/json/source.h"
#include "tests/support/test.h"

#include <string.h>

static void takes_json_as_it_is(void **state)
{
    UNUSED(state);
    static const char text[] = "\n{\n  \"a\": {\"b\": 1}\n}\n";
    struct source source AUTO_SOURCE = SOURCE_INIT;
    struct err err = {0};
    size_t line = 0, column = 0;
    assert_ok(source_read(text, strlen(text), NULL, &source, NULL, &err), err);
    assert_false(source.is_yaml);
    assert_ptr_equal(source.json, text);
    source_locate(&source, "/a/b", &line, &column);
    assert_int_equal(line, 3);
    assert_int_equal(column, 9);
}

static void turns_yaml_into_json(void **state)
{
    UNUSED(state);
    static const char text[] = "a:\n  b: 1\n";
    struct source source AUTO_SOURCE = SOURCE_INIT;
    struct err err = {0};
    size_t line = 0, column = 0;
    assert_ok(source_read(text, strlen(text), NULL, &source, NULL, &err), err);
    assert_true(source.is_yaml);
    assert_string_equal(source.json, "{\"a\":{\"b\":1}}");
    source_locate(&source, "/a/b", &line, &column);
    assert_int_equal(line, 2);
    assert_int_equal(column, 3);
}

static void says_where_either_is_wrong(void **state)
{
    UNUSED(state);
    static const char *const texts[] = {"{\"a\": 1,\n \"a\": 2}", "a: 1\n a: 2\n", "{\n x}"};
    for (size_t i = 0; i < 3; i++) {
        struct source source AUTO_SOURCE = SOURCE_INIT;
        struct yaml_fault fault = {0};
        struct err err = {0};
        assert_error(source_read(texts[i], strlen(texts[i]), NULL, &source, &fault, &err), err, ERR_INVALID, "");
        assert_int_equal(fault.line, 2);
        assert_null(strstr(err.text, "line"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_json_as_it_is),
        cmocka_unit_test(turns_yaml_into_json),
        cmocka_unit_test(says_where_either_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
