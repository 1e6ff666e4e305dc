#include "tests/support/test.h"

#include "services/common/base/wrap.h"

#include <stdlib.h>

static void assert_wrapped(const char *text, int indent, int column, const char *expected)
{
    char *printed = NULL;
    size_t length;
    FILE *out = open_memstream(&printed, &length);
    wrap_print(out, text, indent, column);
    fclose(out);
    assert_string_equal(printed, expected);
    free(printed);
}

#define WORD "nine-long"
// 69 columns.
#define SEVEN WORD " " WORD " " WORD " " WORD " " WORD " " WORD " " WORD

static void test_lines(void **state)
{
    UNUSED(state);
    assert_wrapped("", 4, 0, "\n");
    assert_wrapped("two words", 0, 0, "two words\n");
    assert_wrapped(SEVEN " 123456789 x", 0, 0, SEVEN " 123456789\nx\n");
    assert_wrapped(SEVEN " 1234567890 x", 0, 0, SEVEN " 1234567890\nx\n");
    assert_wrapped(SEVEN " 12345678901", 0, 0, SEVEN "\n12345678901\n");
}

static void test_indent(void **state)
{
    UNUSED(state);
    assert_wrapped("a " SEVEN, 10, 0,
                   "          a nine-long nine-long nine-long nine-long nine-long nine-long\n"
                   "          nine-long\n");
    assert_wrapped("text", 10, 6, "    text\n"); // behind a name of six columns
    assert_wrapped("text", 4, 9, " text\n");     // behind one that is wider than the indent
}

static void test_wide_words(void **state)
{
    UNUSED(state);
    const char *wide = "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890";
    char text[256], expected[256];
    snprintf(text, sizeof text, "a %s b", wide);
    snprintf(expected, sizeof expected, "a\n%s\nb\n", wide);
    assert_wrapped(text, 0, 0, expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_indent),
        cmocka_unit_test(test_wide_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
