// Errors: codes, texts, cutting, prefixes.
#include "tests/support/test.h"

#include <errno.h>
#include <string.h>

static void sets_code_and_text(void **state)
{
    UNUSED(state);
    struct err err = {0};
    assert_int_equal(err_set(&err, ERR_NOT_FOUND, "job '%s' does not exist", "j1"), -1);
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_string_equal(err.text, "job 'j1' does not exist");
}

static void takes_no_err(void **state)
{
    UNUSED(state);
    assert_int_equal(err_set(NULL, ERR_IO, "x"), -1);
    assert_int_equal(err_errno(NULL, ERR_IO, EIO, "x"), -1);
    assert_int_equal(err_prefix(NULL, "x"), -1);
}

static void may_quote_its_own_text(void **state)
{
    UNUSED(state);
    struct err err = {0};
    err_set(&err, ERR_IO, "inner");
    err_set(&err, ERR_INTERNAL, "outer (%s)", err.text);
    assert_string_equal(err.text, "outer (inner)");
    err_prefix(&err, "%s again", err.text);
    assert_string_equal(err.text, "outer (inner) again: outer (inner)");
}

static void appends_the_description_of_errno(void **state)
{
    UNUSED(state);
    struct err err = {0};
    assert_int_equal(err_errno(&err, ERR_IO, ENOENT, "open '%s'", "f"), -1);
    assert_string_equal(err.text, "open 'f': No such file or directory");
    assert_int_equal(err.code, ERR_IO);
}

static void enomem_is_no_memory(void **state)
{
    UNUSED(state);
    struct err err = {0};
    err_errno(&err, ERR_IO, ENOMEM, "map");
    assert_int_equal(err.code, ERR_NO_MEMORY);
}

static void prefix_keeps_the_code(void **state)
{
    UNUSED(state);
    struct err err = {0};
    err_set(&err, ERR_TIMEOUT, "no answer");
    assert_int_equal(err_prefix(&err, "poll %d", 7), -1);
    assert_int_equal(err.code, ERR_TIMEOUT);
    assert_string_equal(err.text, "poll 7: no answer");
}

static void cuts_what_does_not_fit(void **state)
{
    UNUSED(state);
    struct err err = {0};
    char text[400];
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    err_set(&err, ERR_INVALID, "%s", text);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
    err_prefix(&err, "%s", text);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
    err_errno(&err, ERR_INVALID, EIO, "%s", text);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
}

// A sequence of `character` behind `ascii` letters: whatever the offset, the cut text holds whole characters only.
static void check_cut(const char *character, size_t ascii)
{
    char text[400] = "";
    memset(text, 'a', ascii);
    while (strlen(text) + strlen(character) < sizeof text)
        strcat(text, character);
    struct err err = {0};
    err_set(&err, ERR_INVALID, "%s", text);
    size_t length = strlen(err.text);
    assert_true(length < sizeof err.text);
    assert_true(length + strlen(character) >= sizeof err.text);
    assert_int_equal((length - ascii) % strlen(character), 0);
    assert_memory_equal(err.text, text, length);
}

static void cuts_at_a_character(void **state)
{
    UNUSED(state);
    for (size_t ascii = 0; ascii < 4; ascii++) {
        check_cut("\xC3\xA4", ascii);
        check_cut("\xE2\x82\xAC", ascii);
        check_cut("\xF0\x9F\x99\x82", ascii);
    }
}

static void cut_of_bytes_that_are_no_characters_stays_within(void **state)
{
    UNUSED(state);
    char text[400];
    memset(text, 0x80, sizeof text - 1);
    text[sizeof text - 1] = '\0';
    struct err err = {0};
    err_set(&err, ERR_INVALID, "%s", text);
    assert_true(strlen(err.text) < sizeof err.text);
    assert_true(strlen(err.text) > 200);
}

static void every_code_has_its_own_name(void **state)
{
    UNUSED(state);
    for (int one = 0; one < ERR_CODE_COUNT; one++) {
        assert_true(strlen(err_code_name((enum err_code)one)) > 0);
        for (int other = 0; other < one; other++)
            assert_string_not_equal(err_code_name((enum err_code)one), err_code_name((enum err_code)other));
    }
    assert_string_equal(err_code_name(ERR_TOO_LARGE), "too_large");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sets_code_and_text),
        cmocka_unit_test(takes_no_err),
        cmocka_unit_test(may_quote_its_own_text),
        cmocka_unit_test(appends_the_description_of_errno),
        cmocka_unit_test(enomem_is_no_memory),
        cmocka_unit_test(prefix_keeps_the_code),
        cmocka_unit_test(cuts_what_does_not_fit),
        cmocka_unit_test(cuts_at_a_character),
        cmocka_unit_test(cut_of_bytes_that_are_no_characters_stays_within),
        cmocka_unit_test(every_code_has_its_own_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
