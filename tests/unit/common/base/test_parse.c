// Strict parsers: what they read, what they refuse, what they write.
#include "tests/support/test.h"

#include "services/common/base/parse.h"

#include <stdlib.h>
#include <string.h>

struct number_case {
    const char *text;
    int64_t value;
};

static void reads_integers(void **state)
{
    UNUSED(state);
    static const struct number_case cases[] = {{"0", 0},
                                               {"-0", 0},
                                               {"007", 7},
                                               {"-12", -12},
                                               {"9223372036854775807", INT64_MAX},
                                               {"-9223372036854775808", INT64_MIN}};
    struct err err = {0};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t value = 99;
        assert_ok(parse_i64(cases[i].text, INT64_MIN, INT64_MAX, "n", &value, &err), err);
        assert_true(value == cases[i].value);
    }
}

static void refuses_what_is_no_integer(void **state)
{
    UNUSED(state);
    static const char *const cases[] = {"",
                                        "-",
                                        "+1",
                                        " 1",
                                        "1 ",
                                        "1x",
                                        "0x10",
                                        "1e3",
                                        "1.0",
                                        "--1",
                                        "\xD9\xA1",
                                        "9223372036854775808",
                                        "-9223372036854775809",
                                        "99999999999999999999999"};
    struct err err = {0};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t value = 99;
        assert_error(parse_i64(cases[i], INT64_MIN, INT64_MAX, "--slots", &value, &err), err, ERR_INVALID, "--slots");
        assert_int_equal(value, 99);
    }
}

static void holds_integers_to_their_bounds(void **state)
{
    UNUSED(state);
    struct err err = {0};
    int64_t value = 0;
    assert_ok(parse_i64("1", 1, 5, "n", &value, &err), err);
    assert_ok(parse_i64("5", 1, 5, "n", &value, &err), err);
    assert_error(parse_i64("0", 1, 5, "n", &value, &err), err, ERR_INVALID, "within 1 and 5");
    assert_error(parse_i64("6", 1, 5, "n", &value, &err), err, ERR_INVALID, "within 1 and 5");
}

static void reads_durations(void **state)
{
    UNUSED(state);
    static const struct number_case cases[] = {{"0", 0},
                                               {"0s", 0},
                                               {"250ms", 250},
                                               {"10s", 10000},
                                               {"5m", 300000},
                                               {"2h", 7200000},
                                               {"7d", 604800000},
                                               {"1h30m", 5400000},
                                               {"1d2h3m4s5ms", 93784005},
                                               {"90m", 5400000},
                                               {"3650d", INT64_C(315360000000)}};
    struct err err = {0};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t value = -1;
        assert_ok(parse_duration_ms(cases[i].text, "d", &value, &err), err);
        assert_true(value == cases[i].value);
    }
}

static void refuses_what_is_no_duration(void **state)
{
    UNUSED(state);
    static const char *const cases[] = {"",
                                        "5",
                                        "00",
                                        "s",
                                        "-5s",
                                        "+5s",
                                        "5 s",
                                        " 5s",
                                        "5s ",
                                        "5S",
                                        "5x",
                                        "5sx",
                                        "1.5s",
                                        "30m1h",
                                        "1s1s",
                                        "5ms5s",
                                        "1h30",
                                        "5mss",
                                        "1msm",
                                        "3651d",
                                        "99999999999999999999s",
                                        "9223372036854775807d"};
    struct err err = {0};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t value = -1;
        assert_error(parse_duration_ms(cases[i], "timeout", &value, &err), err, ERR_INVALID, "timeout: ");
        assert_int_equal(value, -1);
    }
}

static void reads_sizes(void **state)
{
    UNUSED(state);
    static const struct number_case cases[] = {{"0", 0},
                                               {"512", 512},
                                               {"64Ki", 65536},
                                               {"512Mi", 536870912},
                                               {"2Gi", INT64_C(2147483648)},
                                               {"1Ti", INT64_C(1099511627776)},
                                               {"8388607Ti", INT64_C(8388607) << 40},
                                               {"9223372036854775807", INT64_MAX}};
    struct err err = {0};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t value = -1;
        assert_ok(parse_size_bytes(cases[i].text, "size", &value, &err), err);
        assert_true(value == cases[i].value);
    }
}

static void refuses_what_is_no_size(void **state)
{
    UNUSED(state);
    static const char *const cases[] = {"",    "Ki",   "-1",  "+1",    "1 Ki",      "1K",
                                        "1kb", "1KiB", "1ki", "1.5Gi", "8388608Ti", "9223372036854775808",
                                        " 1",  "1Pi"};
    struct err err = {0};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t value = -1;
        assert_error(parse_size_bytes(cases[i], "limit", &value, &err), err, ERR_INVALID, "limit: ");
        assert_int_equal(value, -1);
    }
}

static void hex_digits(void **state)
{
    UNUSED(state);
    for (int c = -128; c < 128; c++) {
        const char *digits = "0123456789abcdefABCDEF", *at = c ? strchr(digits, c) : NULL;
        int value = at ? (int)(at - digits) : -1;
        assert_int_equal(parse_hex_digit((char)c), value > 15 ? value - 6 : value);
    }
}

static void check_duration_text(int64_t ms, const char *expected)
{
    char text[PARSE_DURATION_TEXT_SIZE];
    duration_format(ms, text);
    assert_string_equal(text, expected);
}

static void formats_durations(void **state)
{
    UNUSED(state);
    check_duration_text(0, "0s");
    check_duration_text(250, "250ms");
    check_duration_text(1000, "1s");
    check_duration_text(1001, "1s1ms");
    check_duration_text(5400000, "1h30m");
    check_duration_text(86400000, "1d");
    check_duration_text(93784005, "1d2h3m4s5ms");
}

static void formatted_durations_are_read_back(void **state)
{
    UNUSED(state);
    struct err err = {0};
    for (int64_t ms = 0; ms < INT64_C(315360000000); ms = ms * 3 + 1) {
        char text[PARSE_DURATION_TEXT_SIZE];
        int64_t value = -1;
        duration_format(ms, text);
        assert_ok(parse_duration_ms(text, "d", &value, &err), err);
        assert_true(value == ms);
    }
    char text[PARSE_DURATION_TEXT_SIZE];
    duration_format(INT64_MAX, text);
    assert_true(strlen(text) < PARSE_DURATION_TEXT_SIZE);
}

// Texts of random letters: what is accepted is written and read back as the same value, the rest is refused.
static void random_texts_are_refused_or_mean_one_value(void **state)
{
    UNUSED(state);
    static const char letters[] = "0123456789dhmsKiMGT- x";
    struct err err = {0};
    int accepted = 0;
    srandom(11);
    for (int i = 0; i < 300000; i++) {
        char text[12] = "";
        size_t length = (size_t)random() % (sizeof text - 1);
        for (size_t at = 0; at < length; at++)
            text[at] = letters[(size_t)random() % (sizeof letters - 1)];
        int64_t value = -1, back = -1;
        char written[PARSE_DURATION_TEXT_SIZE];
        if (parse_duration_ms(text, "d", &value, &err) == 0) {
            accepted++;
            assert_true(value >= 0);
            duration_format(value, written);
            assert_ok(parse_duration_ms(written, "d", &back, &err), err);
            assert_true(back == value);
        }
        if (parse_size_bytes(text, "s", &value, &err) == 0)
            assert_true(value >= 0);
        if (parse_i64(text, -5, 5, "n", &value, &err) == 0)
            assert_true(value >= -5 && value <= 5);
    }
    assert_true(accepted > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_integers),
        cmocka_unit_test(refuses_what_is_no_integer),
        cmocka_unit_test(holds_integers_to_their_bounds),
        cmocka_unit_test(reads_durations),
        cmocka_unit_test(refuses_what_is_no_duration),
        cmocka_unit_test(reads_sizes),
        cmocka_unit_test(refuses_what_is_no_size),
        cmocka_unit_test(hex_digits),
        cmocka_unit_test(formats_durations),
        cmocka_unit_test(formatted_durations_are_read_back),
        cmocka_unit_test(random_texts_are_refused_or_mean_one_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
