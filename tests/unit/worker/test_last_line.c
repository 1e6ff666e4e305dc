#include "services/worker/last_line.h"

#include "tests/support/test.h"

#include <string.h>

static void add(struct last_line *line, const char *text)
{
    last_line_add(line, text, strlen(text));
}

static void assert_shows(const struct last_line *line, const char *expected)
{
    char text[LAST_LINE_SIZE];
    last_line_text(line, text);
    assert_string_equal(text, expected);
}

static void the_last_line_that_is_not_blank(void **state)
{
    (void)state;
    struct last_line line = {0};
    assert_shows(&line, "");
    add(&line, "one\ntwo");
    assert_shows(&line, "two");
    add(&line, " and a half\n\n  \t\r\n");
    assert_shows(&line, "two and a half");
    add(&line, "   three\r");
    assert_shows(&line, "three");
}

static void a_long_line_shows_its_beginning(void **state)
{
    (void)state;
    struct last_line line = {0};
    char text[1000], shown[LAST_LINE_SIZE];
    memset(text, 'a', sizeof text);
    last_line_add(&line, text, sizeof text);
    last_line_text(&line, shown);
    assert_int_equal(strlen(shown), LAST_LINE_SIZE - 1);
}

static void much_output_is_looked_at_from_its_end(void **state)
{
    (void)state;
    struct last_line line = {0};
    static char text[100000];
    memset(text, 'a', sizeof text);
    for (size_t i = 0; i < 5; i++)
        text[sizeof text - 5 + i] = "\nend\n"[i];
    add(&line, "begin ");
    last_line_add(&line, text, sizeof text);
    assert_shows(&line, "end");
}

static void what_is_no_text_is_made_one(void **state)
{
    (void)state;
    struct last_line line = {0};
    add(&line, "\x1b[31mb\xc3\xa4"
               "d\xff\x7f\n");
    assert_shows(&line, "[31mb\xc3\xa4"
                        "d?");
    last_line_add(&line, "a\0b\n", 4);
    assert_shows(&line, "a b");
    // Cut within a character.
    char text[LAST_LINE_SIZE + 1];
    memset(text, 'x', sizeof text);
    text[LAST_LINE_SIZE - 2] = '\xc3';
    text[LAST_LINE_SIZE - 1] = '\xa4';
    last_line_add(&line, text, sizeof text);
    char shown[LAST_LINE_SIZE];
    last_line_text(&line, shown);
    assert_int_equal(shown[LAST_LINE_SIZE - 2], '?');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_line_that_is_not_blank),
        cmocka_unit_test(a_long_line_shows_its_beginning),
        cmocka_unit_test(much_output_is_looked_at_from_its_end),
        cmocka_unit_test(what_is_no_text_is_made_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
