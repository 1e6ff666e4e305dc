// Tables for people, and texts from elsewhere.
#include "tests/support/test.h"

#include "services/cli/print.h"
#include "services/common/base/cleanup.h"

#include <json-c/json.h>
#include <string.h>

static void assert_clean(const char *text, const char *expected)
{
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    print_clean(&out, text);
    assert_string_equal(strbuf_text(&out), expected);
}

static void test_clean(void **state)
{
    UNUSED(state);
    assert_clean("plain text", "plain text");
    assert_clean("Straße", "Straße");
    assert_clean("two\nlines\tand\r", "two lines and ");
    assert_clean("\033[31mred\033[0m \a", "?[31mred?[0m ?");
    assert_clean("\xC2\x9B"
                 "31m",
                 "?31m"); // the same, in one character
    assert_clean("\x7F", "?");
    assert_clean("", "");
}

static void test_table(void **state)
{
    UNUSED(state);
    static const char *const titles[] = {"A", "LONG TITLE", "C"};
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    struct table table;
    table_init(&table, 3, titles);
    table_add(&table, "ä");
    table_add(&table, "");
    table_add_number(&table, -7);
    table_add(&table, "wide cell");
    table_add(&table, NULL);
    table_add(&table, "a\nb");
    table_write(&table, &out);
    assert_false(table.failed);
    assert_string_equal(strbuf_text(&out), "A          LONG TITLE  C\n"
                                           "ä          -           -7\n"
                                           "wide cell  -           a b\n");
    table_release(&table);
    assert_int_equal(table.count, 0);
}

static void test_many_rows(void **state)
{
    UNUSED(state);
    static const char *const titles[] = {"N"};
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    struct table table;
    table_init(&table, 1, titles);
    for (int i = 0; i < 1000; i++)
        table_add_number(&table, i);
    table_write(&table, &out);
    assert_int_equal(table.count, 1001);
    assert_non_null(strstr(strbuf_text(&out), "\n999\n"));
    table_release(&table);
}

static void test_many_columns(void **state)
{
    UNUSED(state);
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    struct table table;
    table_init(&table, 30, NULL);
    for (int i = 0; i < 60; i++)
        table_add_number(&table, i);
    table_write(&table, &out);
    assert_memory_equal(strbuf_text(&out), "0   1   2   3 ", 14);
    assert_non_null(strstr(strbuf_text(&out), "28  29\n30  31  32"));
    assert_int_equal(out.length, 2 * (30 * 2 + 29 * 2 + 1));
    table_release(&table);
}

static void test_json_cells(void **state)
{
    UNUSED(state);
    static const struct {
        const char *json, *cell;
    } cases[] = {
        {"\"text\"", "text"},
        {"17", "17"},
        {"[\"default\",\"night\"]", "default,night"},
        {"{\"main\":20018,\"gpu\":\"yes\"}", "main=20018,gpu=yes"},
        {"[]", "-"},
        {"{}", "-"},
        {"null", "-"},
        {"true", "true"},
    };
    static const char *const titles[] = {"X"};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct json_object *value = json_tokener_parse(cases[i].json);
        struct table table;
        table_init(&table, 1, titles);
        table_add_json(&table, value);
        assert_string_equal(table.cells[1], cases[i].cell);
        table_release(&table);
        json_object_put(value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clean),        cmocka_unit_test(test_table),      cmocka_unit_test(test_many_rows),
        cmocka_unit_test(test_many_columns), cmocka_unit_test(test_json_cells),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
