#include "services/common/base/macros.h"
#include "services/common/json/string_token.h"
#include "tests/support/test.h"

#include <string.h>

static void decodes_every_escape(void **state)
{
    UNUSED(state);
    static const char *const cases[][2] = {
        {"\"\"", ""},
        {"\"plain\"", "plain"},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"},
        {"\"\\u0041\\u00e9\\u20AC\"", "A\xc3\xa9\xe2\x82\xac"},
        {"\"\\ud83d\\uDE00\"", "\xf0\x9f\x98\x80"},
        {"\"\xf0\x9f\x98\x80\"", "\xf0\x9f\x98\x80"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *literal = cases[i][0], *end = NULL;
        char text[64];
        assert_null(json_string_check(literal, literal + strlen(literal), &end));
        assert_ptr_equal(end, literal + strlen(literal));
        assert_int_equal(json_string_decode(literal, text, sizeof text), strlen(cases[i][1]));
        assert_string_equal(text, cases[i][1]);
        assert_true(json_string_equals(literal, cases[i][1]));
        struct strbuf all AUTO_STRBUF = STRBUF_INIT;
        json_string_append(literal, &all);
        assert_string_equal(strbuf_text(&all), cases[i][1]);
        assert_false(json_string_equals(literal, "something else"));
    }
}

static void cuts_between_characters(void **state)
{
    UNUSED(state);
    char text[4];
    assert_int_equal(json_string_decode("\"ab\xe2\x82\xac\"", text, sizeof text), 2);
    assert_string_equal(text, "ab");
}

static void compares_what_is_meant(void **state)
{
    UNUSED(state);
    assert_int_equal(json_string_compare("\"a\\u0062\"", "\"ab\""), 0);
    assert_true(json_string_hash("\"a\\u0062\"") == json_string_hash("\"ab\""));
    assert_int_equal(json_string_compare("\"\\ud834\\udd1e\"", "\"\xf0\x9d\x84\x9e\""), 0);
    assert_true(json_string_compare("\"a\"", "\"ab\"") < 0);
    assert_true(json_string_compare("\"b\"", "\"ab\"") > 0);
    assert_true(json_string_compare("\"\"", "\"a\"") < 0);
    assert_true(json_string_compare("\"\xc3\xa9\"", "\"z\"") > 0);
    assert_false(json_string_equals("\"ab\"", "abc"));
    assert_false(json_string_equals("\"abc\"", "ab"));
}

static void points_at_what_is_wrong(void **state)
{
    UNUSED(state);
    static const struct {
        const char *literal;
        size_t place;
        const char *part;
    } cases[] = {
        {"\"abc", 4, "does not end"},
        {"\"a\nb\"", 2, "control"},
        {"\"a\\x\"", 2, "escape"},
        {"\"\\u12g4\"", 1, "four hex digits"},
        {"\"a\\u0000\"", 2, "u0000"},
        {"\"\\udc00\"", 1, "low surrogate"},
        {"\"\\ud800x\"", 1, "high surrogate"},
        {"\"ab\xff\"", 3, "UTF-8"},
        {"\"\\", 1, "does not end"},
        {"\"\xe2\x82\"", 1, "UTF-8"},
        {"\"\\ud800\\ud800\"", 1, "high surrogate"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *literal = cases[i].literal, *end = NULL;
        const char *problem = json_string_check(literal, literal + strlen(literal), &end);
        assert_non_null(problem);
        assert_non_null(strstr(problem, cases[i].part));
        assert_int_equal(end - literal, cases[i].place);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decodes_every_escape),
        cmocka_unit_test(cuts_between_characters),
        cmocka_unit_test(compares_what_is_meant),
        cmocka_unit_test(points_at_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
