#include "services/common/base/macros.h"
#include "services/common/json/yaml_scalar.h"
#include "tests/support/test.h"

#include <string.h>

static void follows_the_core_schema(void **state)
{
    UNUSED(state);
    // the scalar, what it is in JSON; NULL: a text
    static const char *const cases[][2] = {
        {"", "null"},     {"~", "null"},        {"null", "null"},
        {"Null", "null"}, {"NULL", "null"},     {"true", "true"},
        {"True", "true"}, {"FALSE", "false"},   {"yes", NULL},
        {"no", NULL},     {"on", NULL},         {"off", NULL},
        {"y", NULL},      {"nUll", NULL},       {"0", "0"},
        {"12", "12"},     {"-12", "-12"},       {"+12", "12"},
        {"010", "10"},    {"-007", "-7"},       {"000", "0"},
        {"0o17", "15"},   {"0xff", "255"},      {"0xFF", "255"},
        {"0o8", NULL},    {"0x", NULL},         {"0xg", NULL},
        {"1.5", "1.5"},   {".5", "0.5"},        {"-.5", "-0.5"},
        {"1.", "1.0"},    {"+1.5e3", "1.5e3"},  {"1e+5", "1e+5"},
        {"1E-5", "1e-5"}, {"1e", NULL},         {".", NULL},
        {"-", NULL},      {"+", NULL},          {"1.2.3", NULL},
        {"1_000", NULL},  {"0b11", NULL},       {"10s", NULL},
        {"512Mi", NULL},  {"2024-01-01", NULL}, {"12:30", NULL},
        {"1,5", NULL},    {"e5", NULL},         {"-0", "-0"},
        {"0.0", "0.0"},   {"01.50", "1.50"},    {"0x7fffffffffffffff", "9223372036854775807"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct strbuf out AUTO_STRBUF = STRBUF_INIT;
        const char *text = cases[i][0];
        enum yaml_scalar kind = yaml_scalar_kind(text, strlen(text));
        if ((kind == YAML_TEXT) != !cases[i][1])
            fail_msg("'%s' is of kind %d", text, (int)kind);
        if (kind == YAML_TEXT)
            continue;
        assert_true(yaml_scalar_write(text, strlen(text), kind, &out));
        assert_string_equal(strbuf_text(&out), cases[i][1]);
    }
}

static void knows_what_json_cannot_say(void **state)
{
    UNUSED(state);
    struct strbuf out AUTO_STRBUF = STRBUF_INIT;
    static const char *const texts[] = {".inf", "-.INF", "+.Inf", ".nan", ".NaN"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        assert_int_equal(yaml_scalar_kind(texts[i], strlen(texts[i])), YAML_NOT_FINITE);
    assert_false(yaml_scalar_write("0x8000000000000000", 18, YAML_NUMBER, &out));
    assert_false(yaml_scalar_write("0xffffffffffffffffffff", 22, YAML_NUMBER, &out));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_the_core_schema),
        cmocka_unit_test(knows_what_json_cannot_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
