#include "services/common/base/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *bytes, *text;
} known[] = {{"", ""},
             {"f", "Zg=="},
             {"fo", "Zm8="},
             {"foo", "Zm9v"},
             {"foob", "Zm9vYg=="},
             {"fooba", "Zm9vYmE="},
             {"foobar", "Zm9vYmFy"},
             {"\xff\xfe\xfd", "//79"}};

static void known_texts(void **state)
{
    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        AUTO_STRBUF struct strbuf text = STRBUF_INIT;
        base64_encode(&text, known[i].bytes, strlen(known[i].bytes));
        assert_string_equal(strbuf_text(&text), known[i].text);
        char bytes[16];
        size_t length;
        assert_int_equal(base64_decode(known[i].text, strlen(known[i].text), bytes, &length), 0);
        assert_int_equal(length, strlen(known[i].bytes));
        assert_memory_equal(bytes, known[i].bytes, length);
    }
}

static void every_length_comes_back(void **state)
{
    UNUSED(state);
    unsigned char bytes[300], back[304];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)(i * 167);
    for (size_t length = 0; length <= sizeof(bytes); length++) {
        AUTO_STRBUF struct strbuf text = STRBUF_INIT;
        base64_encode(&text, bytes, length);
        size_t found;
        assert_int_equal(base64_decode(strbuf_text(&text), text.length, back, &found), 0);
        assert_int_equal(found, length);
        if (length)
            assert_memory_equal(back, bytes, length);
    }
}

static void nonsense_is_refused(void **state)
{
    UNUSED(state);
    static const char *const wrong[] = {
        "Z", "Zg", "Zg=", "Zg==Zg==", "Zh==", "Zm9=", "Z===", "====", "Zm 9", "Zm9v\n", "Zm-v"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        char bytes[16];
        size_t length;
        assert_int_equal(base64_decode(wrong[i], strlen(wrong[i]), bytes, &length), -1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_texts),
        cmocka_unit_test(every_length_comes_back),
        cmocka_unit_test(nonsense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
