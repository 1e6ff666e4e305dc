// Byte strings: appending, growth, failure, numbers and JSON literals against slow references.
#include "tests/support/test.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/strbuf.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void starts_empty(void **state)
{
    UNUSED(state);
    AUTO_STRBUF struct strbuf buf = STRBUF_INIT;
    assert_string_equal(strbuf_text(&buf), "");
    strbuf_add(&buf, "", 0);
    strbuf_clear(&buf);
    strbuf_drop_front(&buf, 3);
    assert_string_equal(strbuf_text(&buf), "");
    assert_ok(strbuf_ok(&buf, NULL), (struct err){0});
}

static void appends(void **state)
{
    UNUSED(state);
    AUTO_STRBUF struct strbuf buf = STRBUF_INIT;
    strbuf_add_text(&buf, "one");
    strbuf_add_char(&buf, ' ');
    strbuf_add(&buf, "two\0three", 9);
    assert_int_equal(buf.length, 13);
    assert_memory_equal(buf.data, "one two\0three", 14);
}

static void grows(void **state)
{
    UNUSED(state);
    AUTO_STRBUF struct strbuf buf = STRBUF_INIT;
    for (int i = 0; i < 100000; i++)
        strbuf_add_char(&buf, (char)('a' + i % 26));
    assert_int_equal(buf.length, 100000);
    for (size_t i = 0; i < buf.length; i++)
        assert_int_equal(buf.data[i], 'a' + (int)(i % 26));
    assert_int_equal(buf.data[buf.length], '\0');
    assert_true(buf.capacity < 300000);
}

static void clear_keeps_the_capacity(void **state)
{
    UNUSED(state);
    AUTO_STRBUF struct strbuf buf = STRBUF_INIT;
    strbuf_reserve(&buf, 1000);
    size_t capacity = buf.capacity;
    assert_true(capacity > 1000);
    strbuf_add_text(&buf, "x");
    strbuf_clear(&buf);
    assert_int_equal(buf.capacity, capacity);
    assert_string_equal(strbuf_text(&buf), "");
}

static void formats(void **state)
{
    UNUSED(state);
    AUTO_STRBUF struct strbuf buf = STRBUF_INIT;
    strbuf_add_format(&buf, "%d", 1);
    for (int i = 2; i <= 60; i++)
        strbuf_add_format(&buf, ",%d", i);
    strbuf_add_format(&buf, "%s", "");
    assert_int_equal(buf.length, 9 + 51 * 2 + 59);
    assert_string_equal(buf.data + buf.length - 6, ",59,60");
    strbuf_clear(&buf);
    strbuf_add_format(&buf, "%500d", 7);
    assert_int_equal(buf.length, 500);
    assert_int_equal(buf.data[499], '7');
}

static void numbers_equal_printf(void **state)
{
    UNUSED(state);
    AUTO_STRBUF struct strbuf buf = STRBUF_INIT;
    char expected[32];
    int64_t power = 1;
    for (int digits = 0; digits < 19; digits++, power *= 10) {
        const int64_t values[] = {power - 1, power, power + 1, -power, -power + 1, power * 7 / 3};
        for (size_t i = 0; i < ARRAY_LEN(values); i++) {
            strbuf_clear(&buf);
            strbuf_add_i64(&buf, values[i]);
            snprintf(expected, sizeof expected, "%" PRId64, values[i]);
            assert_string_equal(strbuf_text(&buf), expected);
        }
        if (digits == 18)
            break;
    }
}

static void writes_the_limits_of_64_bits(void **state)
{
    UNUSED(state);
    AUTO_STRBUF struct strbuf buf = STRBUF_INIT;
    strbuf_add_i64(&buf, INT64_MIN);
    strbuf_add_char(&buf, ' ');
    strbuf_add_i64(&buf, INT64_MAX);
    assert_string_equal(strbuf_text(&buf), "-9223372036854775808 9223372036854775807");
}

static void json_escapes(void **state)
{
    UNUSED(state);
    AUTO_STRBUF struct strbuf buf = STRBUF_INIT;
    const char text[] = "a\"b\\c/\b\f\n\r\t\x01\x1f\x7f \xC3\xA4\0z";
    strbuf_add_json(&buf, text, sizeof text - 1);
    assert_string_equal(strbuf_text(&buf), "\"a\\\"b\\\\c/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f \xC3\xA4\\u0000z\"");
    strbuf_clear(&buf);
    strbuf_add_json(&buf, "", 0);
    assert_string_equal(strbuf_text(&buf), "\"\"");
}

// The literal as one would write it without caring for speed.
static void json_of_anybody_is_valid(void **state)
{
    UNUSED(state);
    struct strbuf buf AUTO_STRBUF = STRBUF_INIT;
    strbuf_add_json_mended(&buf, "");
    strbuf_add_json_mended(&buf, "caf\xC3\xA9 \"\n\"");
    strbuf_add_json_mended(&buf, "\xE9t\xE9 \xC3\xA9\xC3");
    assert_string_equal(strbuf_text(&buf), "\"\"\"caf\xC3\xA9 \\\"\\n\\\"\"\"?t? \xC3\xA9?\"");
}

static void slow_json(struct strbuf *out, const char *text, size_t length)
{
    strbuf_add_char(out, '"');
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)text[i];
        const char *short_form = byte ? strchr("\"\"\\\\\bb\ff\nn\rr\tt", byte) : NULL;
        if (byte == '"' || byte == '\\')
            strbuf_add_format(out, "\\%c", byte);
        else if (byte < 0x20 && short_form)
            strbuf_add_format(out, "\\%c", short_form[1]);
        else if (byte < 0x20)
            strbuf_add_format(out, "\\u%04x", byte);
        else
            strbuf_add_char(out, (char)byte);
    }
    strbuf_add_char(out, '"');
}

static void every_byte_at_every_offset_is_escaped_like_the_reference(void **state)
{
    UNUSED(state);
    AUTO_STRBUF struct strbuf fast = STRBUF_INIT;
    AUTO_STRBUF struct strbuf slow = STRBUF_INIT;
    char text[24];
    for (int byte = 0; byte < 256; byte++) {
        for (size_t offset = 0; offset < sizeof text; offset++) {
            memset(text, 0x21, sizeof text);
            text[offset] = (char)byte;
            strbuf_clear(&fast);
            strbuf_clear(&slow);
            strbuf_add_json(&fast, text, sizeof text);
            slow_json(&slow, text, sizeof text);
            assert_string_equal(strbuf_text(&fast), strbuf_text(&slow));
        }
    }
}

static void long_json_grows_with_its_escapes(void **state)
{
    UNUSED(state);
    AUTO_STRBUF struct strbuf buf = STRBUF_INIT;
    char text[1000];
    memset(text, 1, sizeof text);
    strbuf_add_json(&buf, text, sizeof text);
    assert_int_equal(buf.length, 6002);
    assert_string_equal(buf.data + 5995, "\\u0001\"");
}

static void drops_the_front(void **state)
{
    UNUSED(state);
    AUTO_STRBUF struct strbuf buf = STRBUF_INIT;
    strbuf_add_text(&buf, "line\nrest");
    strbuf_drop_front(&buf, 5);
    assert_string_equal(strbuf_text(&buf), "rest");
    strbuf_drop_front(&buf, 0);
    assert_string_equal(strbuf_text(&buf), "rest");
    strbuf_drop_front(&buf, 100);
    assert_string_equal(strbuf_text(&buf), "");
    assert_int_equal(buf.length, 0);
}

static void failure_sticks_until_cleared(void **state)
{
    UNUSED(state);
    AUTO_STRBUF struct strbuf buf = STRBUF_INIT;
    struct err err = {0};
    char *out = NULL;
    strbuf_add_text(&buf, "kept");
    strbuf_reserve(&buf, SIZE_MAX);
    strbuf_add_text(&buf, "ignored");
    strbuf_add_format(&buf, "%d", 1);
    strbuf_add_i64(&buf, 1);
    strbuf_add_json(&buf, "x", 1);
    assert_string_equal(strbuf_text(&buf), "kept");
    assert_error(strbuf_ok(&buf, &err), err, ERR_NO_MEMORY, "memory");
    assert_error(strbuf_take(&buf, &out, &err), err, ERR_NO_MEMORY, "memory");
    assert_null(out);
    strbuf_clear(&buf);
    strbuf_add_text(&buf, "again");
    assert_ok(strbuf_ok(&buf, &err), err);
    assert_string_equal(strbuf_text(&buf), "again");
}

static void take_moves_the_content(void **state)
{
    UNUSED(state);
    AUTO_STRBUF struct strbuf buf = STRBUF_INIT;
    struct err err = {0};
    AUTO_FREE char *empty = NULL;
    AUTO_FREE char *text = NULL;
    assert_ok(strbuf_take(&buf, &empty, &err), err);
    assert_string_equal(empty, "");
    strbuf_add_text(&buf, "content");
    assert_ok(strbuf_take(&buf, &text, &err), err);
    assert_string_equal(text, "content");
    assert_null(buf.data);
    assert_int_equal(buf.capacity, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starts_empty),
        cmocka_unit_test(appends),
        cmocka_unit_test(grows),
        cmocka_unit_test(clear_keeps_the_capacity),
        cmocka_unit_test(formats),
        cmocka_unit_test(numbers_equal_printf),
        cmocka_unit_test(writes_the_limits_of_64_bits),
        cmocka_unit_test(json_escapes),
        cmocka_unit_test(json_of_anybody_is_valid),
        cmocka_unit_test(every_byte_at_every_offset_is_escaped_like_the_reference),
        cmocka_unit_test(long_json_grows_with_its_escapes),
        cmocka_unit_test(drops_the_front),
        cmocka_unit_test(failure_sticks_until_cleared),
        cmocka_unit_test(take_moves_the_content),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
