// SHA-256 against the vectors of FIPS 180-4, at once and in pieces.
#include "tests/support/test.h"

#include "services/common/base/sha256.h"

#include <stdlib.h>
#include <string.h>

struct vector {
    const char *text;
    const char *digest;
};

static const struct vector vectors[] = {
    {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
};

static void known_texts(void **state)
{
    UNUSED(state);
    struct err err = {0};
    for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
        char hex[SHA256_HEX_SIZE];
        assert_ok(sha256_hex(vectors[i].text, strlen(vectors[i].text), hex, &err), err);
        assert_string_equal(hex, vectors[i].digest);
    }
}

static void pieces_are_the_same_as_all_at_once(void **state)
{
    UNUSED(state);
    struct err err = {0};
    for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
        char hex[SHA256_HEX_SIZE];
        struct sha256 *hash = NULL;
        assert_ok(sha256_new(&hash, &err), err);
        for (const char *at = vectors[i].text; *at; at++)
            assert_ok(sha256_update(hash, at, 1, &err), err);
        sha256_finish(hash, hex);
        assert_string_equal(hex, vectors[i].digest);
    }
}

static void a_million_letters(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct sha256 *hash = NULL;
    char block[1000];
    char hex[SHA256_HEX_SIZE];
    memset(block, 'a', sizeof block);
    assert_ok(sha256_new(&hash, &err), err);
    for (int i = 0; i < 1000; i++)
        assert_ok(sha256_update(hash, block, sizeof block, &err), err);
    sha256_finish(hash, hex);
    assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void an_abandoned_hash_leaks_nothing(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct sha256 *hash = NULL;
    assert_ok(sha256_new(&hash, &err), err);
    assert_ok(sha256_update(hash, "x", 1, &err), err);
    sha256_free(hash);
    sha256_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_texts),
        cmocka_unit_test(pieces_are_the_same_as_all_at_once),
        cmocka_unit_test(a_million_letters),
        cmocka_unit_test(an_abandoned_hash_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
