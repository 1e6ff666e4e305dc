#include "services/common/base/utf8.h"

#include "services/common/base/macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void accepts_well_formed(void **state)
{
    UNUSED(state);
    static const char *const texts[] = {"",
                                        "plain",
                                        "\xC2\x80",
                                        "\xDF\xBF",
                                        "\xE0\xA0\x80",
                                        "\xED\x9F\xBF",
                                        "\xEE\x80\x80",
                                        "\xEF\xBF\xBF",
                                        "\xF0\x90\x80\x80",
                                        "\xF4\x8F\xBF\xBF"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        assert_true(utf8_valid(texts[i], strlen(texts[i])));
    assert_true(utf8_valid("a\0b", 3));
}

static void refuses_the_rest(void **state)
{
    UNUSED(state);
    static const char *const texts[] = {"\x80",
                                        "\xC0\x80",
                                        "\xC1\xBF",
                                        "\xE0\x9F\xBF",
                                        "\xED\xA0\x80",
                                        "\xED\xBF\xBF",
                                        "\xF0\x8F\xBF\xBF",
                                        "\xF4\x90\x80\x80",
                                        "\xF5\x80\x80\x80",
                                        "\xFF",
                                        "\xC2",
                                        "\xE2\x82",
                                        "\xF0\x9F\x98",
                                        "\xC2x",
                                        "ok\xE2\x28\xA1"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        assert_false(utf8_valid(texts[i], strlen(texts[i])));
}

static void measures_sequences(void **state)
{
    UNUSED(state);
    assert_int_equal(utf8_sequence((const unsigned char *)"a", 1), 1);
    assert_int_equal(utf8_sequence((const unsigned char *)"\xE2\x82\xAC", 3), 3);
    assert_int_equal(utf8_sequence((const unsigned char *)"\xE2\x82\xAC", 2), 0);
}

static void cuts_half_characters(void **state)
{
    UNUSED(state);
    char whole[] = "caf\xC3\xA9", half[] = "caf\xC3", most[] = "a\xF0\x9F\x98", none[] = "";
    utf8_cut(whole);
    utf8_cut(half);
    utf8_cut(most);
    utf8_cut(none);
    assert_string_equal(whole, "caf\xC3\xA9");
    assert_string_equal(half, "caf");
    assert_string_equal(most, "a");
    assert_string_equal(none, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_well_formed),
        cmocka_unit_test(refuses_the_rest),
        cmocka_unit_test(cuts_half_characters),
        cmocka_unit_test(measures_sequences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
