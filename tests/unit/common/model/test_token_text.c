#include "services/common/model/token_text.h"
#include "tests/support/test.h"

#include <string.h>

#define DIGITS 52

static void tokens_have_a_prefix_and_differ_in_every_digit(void **state)
{
    UNUSED(state);
    unsigned seen[DIGITS] = {0}; // a bit per value of this digit
    static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";
    for (int round = 0; round < 2000; round++) {
        char text[TOKEN_TEXT_SIZE];
        struct err err = {0};
        assert_ok(token_make(text, &err), err);
        assert_int_equal(strlen(text), strlen(TOKEN_PREFIX) + DIGITS);
        assert_memory_equal(text, TOKEN_PREFIX, strlen(TOKEN_PREFIX));
        for (size_t i = 0; i < DIGITS; i++) {
            const char *digit = strchr(alphabet, text[strlen(TOKEN_PREFIX) + i]);
            assert_non_null(digit);
            seen[i] |= 1U << (digit - alphabet);
        }
    }
    // 51 digits carry five bits each, the last one the 256th.
    for (size_t i = 0; i < DIGITS - 1; i++)
        assert_int_equal(seen[i], 0xffffffffU);
    assert_int_equal(seen[DIGITS - 1], 1U << 0 | 1U << 16);
}

static void the_digest_is_that_of_the_text(void **state)
{
    UNUSED(state);
    static const unsigned char expected[] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea};
    unsigned char digest[SHA256_SIZE];
    struct err err = {0};
    assert_ok(token_digest("abc", digest, &err), err);
    assert_memory_equal(digest, expected, sizeof(expected));
}

static void names_are_plain(void **state)
{
    UNUSED(state);
    char longest[TOKEN_NAME_SIZE + 1];
    memset(longest, 'a', sizeof(longest));
    longest[TOKEN_NAME_SIZE] = '\0';
    assert_false(token_name_is_valid(longest));
    longest[TOKEN_NAME_SIZE - 1] = '\0';
    assert_true(token_name_is_valid(longest));
    assert_true(token_name_is_valid("ci-2.main_A"));
    static const char *const wrong[] = {"", "a b", "a\"", "a\n", "\xc3\xa4", "a/b", "a=b"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        assert_false(token_name_is_valid(wrong[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_have_a_prefix_and_differ_in_every_digit),
        cmocka_unit_test(the_digest_is_that_of_the_text),
        cmocka_unit_test(names_are_plain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
