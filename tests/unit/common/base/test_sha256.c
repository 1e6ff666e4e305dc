#include "services/common/base/macros.h"
#include "services/common/base/sha256.h"
#include "tests/support/test.h"

#include <string.h>

static void knows_the_standard_vectors(void **state)
{
    UNUSED(state);
    static const char *const cases[][2] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char hex[SHA256_HEX_SIZE];
        struct err err = {0};
        assert_ok(sha256_hex(cases[i][0], strlen(cases[i][0]), hex, &err), err);
        assert_string_equal(hex, cases[i][1]);
    }
}

static void takes_pieces(void **state)
{
    UNUSED(state);
    char whole[SHA256_HEX_SIZE], pieces[SHA256_HEX_SIZE], text[1000];
    struct sha256 *hash = NULL;
    struct err err = {0};
    memset(text, 'x', sizeof text);
    assert_ok(sha256_hex(text, sizeof text, whole, &err), err);
    assert_ok(sha256_new(&hash, &err), err);
    for (size_t at = 0; at < sizeof text; at += 100)
        assert_ok(sha256_update(hash, text + at, 100, &err), err);
    assert_ok(sha256_update(hash, text, 0, &err), err);
    sha256_finish(hash, pieces);
    assert_string_equal(whole, pieces);
}

static void compares_all_bytes(void **state)
{
    UNUSED(state);
    unsigned char a[SHA256_SIZE], b[SHA256_SIZE];
    struct err err = {0};
    assert_ok(sha256_bytes("abc", 3, a, &err), err);
    assert_ok(sha256_bytes("abc", 3, b, &err), err);
    assert_true(sha256_same(a, b));
    for (size_t i = 0; i < SHA256_SIZE; i++) {
        b[i] ^= 1;
        assert_false(sha256_same(a, b));
        b[i] ^= 1;
    }
}

static void can_be_abandoned(void **state)
{
    UNUSED(state);
    struct sha256 *hash = NULL;
    struct err err = {0};
    assert_ok(sha256_new(&hash, &err), err);
    assert_ok(sha256_update(hash, "x", 1, &err), err);
    sha256_free(hash);
    sha256_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_the_standard_vectors),
        cmocka_unit_test(takes_pieces),
        cmocka_unit_test(compares_all_bytes),
        cmocka_unit_test(can_be_abandoned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
