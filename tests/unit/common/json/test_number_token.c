#include "services/common/base/macros.h"
#include "services/common/json/number_token.h"
#include "tests/support/test.h"

#include <string.h>

static void takes_numbers_to_their_end(void **state)
{
    UNUSED(state);
    static const struct {
        const char *text;
        size_t length;
        bool is_integer;
    } cases[] = {
        {"0", 1, true},
        {"-0", 2, true},
        {"12,", 2, true},
        {"9223372036854775807]", 19, true},
        {"1.5 ", 3, false},
        {"1e5}", 3, false},
        {"-2.5E-3", 7, false},
        {"-9223372036854775808", 20, true},
        {"0.0", 3, false},
        {"1e-400", 6, false},
        {"10000000000000000000.0", 22, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct json_number number;
        assert_null(json_number_check(cases[i].text, cases[i].text + strlen(cases[i].text), &number));
        assert_int_equal(number.end - cases[i].text, cases[i].length);
        assert_int_equal(number.is_integer, cases[i].is_integer);
    }
}

static void says_what_is_wrong(void **state)
{
    UNUSED(state);
    static const char *const cases[][2] = {
        {"-", "digit"},
        {"01", "begin with a zero"},
        {"-00", "begin with a zero"},
        {"1.", "point"},
        {"1e", "exponent"},
        {"1e+", "exponent"},
        {"1e309", "double"},
        {"9223372036854775808", "64 bits"},
        {"-9223372036854775809", "64 bits"},
        {"1.e5", "point"},
        {"-x", "digit"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct json_number number;
        const char *problem = json_number_check(cases[i][0], cases[i][0] + strlen(cases[i][0]), &number);
        assert_non_null(problem);
        assert_non_null(strstr(problem, cases[i][1]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_numbers_to_their_end),
        cmocka_unit_test(says_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
