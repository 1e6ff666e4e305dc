#include "services/common/base/cleanup.h"
#include "services/common/base/clock.h"
#include "services/common/base/fd.h"
#include "services/common/base/strbuf.h"
#include "services/common/json/scan.h"
#include "tests/support/test.h"

#include <dirent.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>

#define CASES "tests/unit/common/json/cases"

static bool is_to_be_accepted(const char *name)
{
    return strncmp(name, "y_", 2) == 0 || strncmp(name, "i_accept_", strlen("i_accept_")) == 0;
}

static void check_case(const char *name)
{
    char path[512];
    char *text AUTO_FREE = NULL;
    size_t length = 0;
    struct err err = {0};
    struct json_limits limits = {.any_top = true};
    snprintf(path, sizeof path, CASES "/%s", name);
    assert_ok(file_read(path, 1 << 20, &text, &length, &err), err);
    char *exact AUTO_FREE = malloc(length + 1); // exactly as long, so that a sanitizer sees a read beyond
    char *bytes = exact + 1;
    memcpy(bytes, text, length);
    int outcome = json_scan(bytes, length, &limits, NULL, &err);
    if ((outcome == 0) != is_to_be_accepted(name))
        fail_msg("%s: %s", name, outcome == 0 ? "was accepted" : err.text);
    if (outcome < 0)
        assert_true(err.code == ERR_INVALID || err.code == ERR_TOO_LARGE);
}

static void decides_every_case_file_right(void **state)
{
    UNUSED(state);
    DIR *directory = opendir(CASES);
    assert_non_null(directory);
    int count = 0;
    for (struct dirent *entry; (entry = readdir(directory));) {
        if (entry->d_name[0] == '.')
            continue;
        check_case(entry->d_name);
        count++;
    }
    closedir(directory);
    assert_true(count >= 300);
}

static void says_where_the_fault_is(void **state)
{
    UNUSED(state);
    static const struct {
        const char *text;
        size_t line, column;
        const char *pointer, *part;
    } cases[] = {
        {"{\n  \"a\": [1, 2,\n    x]\n}", 3, 5, "/a/2", "a value is expected"},
        {"{\"a/b\": {\"c~d\": tru}}", 1, 17, "/a~1b/c~0d", "a value is expected"},
        {"{\"\xc3\xa9\": \x01}", 1, 7, "/\xc3\xa9", "a value is expected"},
        {"{\"a\": 1, \"b\": 2, \"a\": 3}", 1, 18, "/a", "twice"},
        {"{\"x\": [0, {\"k\": 1,\n\"k\": 2}]}", 2, 1, "/x/1/k", "twice"},
        {"{\"a\": 1", 1, 8, "/a", "ends too early"},
        {"{\"a\": 99999999999999999999}", 1, 7, "/a", "64 bits"},
        {"{\"a\": \"\\u0000\"}", 1, 8, "/a", "u0000"},
        {"{} {}", 1, 4, "", "nothing may follow"},
        {"[1]", 1, 1, "", "an object is expected"},
        {"", 1, 1, "", "an object is expected"},
        {"{\"a\": 01}", 1, 9, "/a", "begin with a zero"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct json_scanned scanned;
        struct err err = {0};
        assert_error(json_scan(cases[i].text, strlen(cases[i].text), NULL, &scanned, &err), err, ERR_INVALID,
                     cases[i].part);
        assert_string_equal(scanned.pointer.text, cases[i].pointer);
        assert_int_equal(scanned.line, cases[i].line);
        assert_int_equal(scanned.column, cases[i].column);
        assert_non_null(strstr(scanned.problem, cases[i].part));
    }
}

static void repeat(struct strbuf *out, const char *open, const char *unit, const char *close, size_t count)
{
    strbuf_add_text(out, open);
    for (size_t i = 0; i < count; i++)
        strbuf_add_format(out, "%s%s", i ? "," : "", unit);
    strbuf_add_text(out, close);
}

static void assert_too_large(const struct strbuf *text, const struct json_limits *limits, const char *part)
{
    struct err err = {0};
    assert_error(json_scan(strbuf_text(text), text->length, limits, NULL, &err), err, ERR_TOO_LARGE, part);
}

static void refuses_what_is_over_a_limit(void **state)
{
    UNUSED(state);
    struct strbuf text AUTO_STRBUF = STRBUF_INIT;
    struct err err = {0};
    repeat(&text, "{\"a\":[", "1", "]}", 10); // 12 values
    assert_ok(json_scan(text.data, text.length, &(struct json_limits){.values_max = 12}, NULL, &err), err);
    assert_too_large(&text, &(struct json_limits){.values_max = 11}, "too many values");
    assert_ok(json_scan(text.data, text.length, &(struct json_limits){.bytes_max = text.length}, NULL, &err), err);
    assert_too_large(&text, &(struct json_limits){.bytes_max = text.length - 1}, "too long");
    assert_ok(json_scan(text.data, text.length, &(struct json_limits){.depth_max = 2}, NULL, &err), err);
    assert_too_large(&text, &(struct json_limits){.depth_max = 1}, "nested too deeply");
    assert_too_large(&text, &(struct json_limits){.heap_bytes_max = 5000}, "too much memory");
    strbuf_clear(&text);
    strbuf_add_text(&text, "{\"a\":{\"b\":1,\"c\":\"12345678\"}}");
    assert_ok(json_scan(text.data, text.length, &(struct json_limits){.members_max = 3}, NULL, &err), err);
    assert_too_large(&text, &(struct json_limits){.members_max = 2}, "too many members");
    assert_ok(json_scan(text.data, text.length, &(struct json_limits){.string_bytes_max = 10}, NULL, &err), err);
    assert_too_large(&text, &(struct json_limits){.string_bytes_max = 9}, "string is too long");
}

static void refuses_a_megabyte_of_empty_objects_without_taking_memory(void **state)
{
    UNUSED(state);
    struct strbuf text AUTO_STRBUF = STRBUF_INIT;
    struct json_scanned scanned;
    struct err err = {0};
    repeat(&text, "{\"a\":[", "{}", "]}", 350000);
    size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
    assert_error(json_scan(text.data, text.length, NULL, &scanned, &err), err, ERR_TOO_LARGE, "too much memory");
    size_t after = mallinfo2().uordblks + mallinfo2().hblkhd;
    assert_true(after <= before + 4096);
    assert_true(scanned.offset < text.length / 2);
}

// Keys chosen so that one prefix is as long as allowed: comparing them must not become quadratic.
static void finds_duplicates_among_many_keys_in_time(void **state)
{
    UNUSED(state);
    struct strbuf text AUTO_STRBUF = STRBUF_INIT;
    struct json_limits limits = {.members_max = 100000, .heap_bytes_max = SIZE_MAX, .bytes_max = 1 << 25};
    struct err err = {0};
    strbuf_add_char(&text, '{');
    for (int i = 0; i < 50000; i++)
        strbuf_add_format(&text, "%s\"%0100d\":0", i ? "," : "", i);
    strbuf_add_char(&text, '}');
    int64_t start = clock_boot_ms();
    assert_ok(json_scan(text.data, text.length, &limits, NULL, &err), err);
    text.data[text.length - 1] = ',';
    strbuf_add_format(&text, "\"%0100d\":0}", 31337);
    assert_error(json_scan(text.data, text.length, &limits, NULL, &err), err, ERR_INVALID, "twice");
    assert_true(clock_boot_ms() - start < 20000);
}

static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

// Whatever happens to a text, the scan ends without reading beyond it.
static void survives_random_damage(void **state)
{
    UNUSED(state);
    static const char original[] =
        "{\"name\":\"a\\u00e9\\ud83d\\ude00\",\"list\":[1,-2.5e3,true,null,{\"\":[]}],\"z\":\"\xe2\x82\xac\"}";
    uint64_t seed = 88172645463325252u;
    int accepted = 0;
    for (int round = 0; round < 200000; round++) {
        char text[sizeof original];
        size_t length = sizeof original - 1;
        memcpy(text, original, length);
        for (uint64_t hits = next_random(&seed) % 3 + 1; hits; hits--)
            text[next_random(&seed) % length] = (char)next_random(&seed);
        if (next_random(&seed) % 4 == 0)
            length = next_random(&seed) % length;
        accepted += json_scan(text, length, NULL, NULL, NULL) == 0;
    }
    assert_true(accepted > 100);
}

static void counts_lines_and_columns(void **state)
{
    UNUSED(state);
    static const char text[] = "a\n\xc3\xa9x\n";
    size_t line = 0, column = 0;
    json_line_column(text, sizeof text - 1, 4, &line, &column);
    assert_int_equal(line, 2);
    assert_int_equal(column, 2);
    json_line_column(text, sizeof text - 1, 100, &line, &column);
    assert_int_equal(line, 3);
    assert_int_equal(column, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decides_every_case_file_right),
        cmocka_unit_test(says_where_the_fault_is),
        cmocka_unit_test(refuses_what_is_over_a_limit),
        cmocka_unit_test(refuses_a_megabyte_of_empty_objects_without_taking_memory),
        cmocka_unit_test(finds_duplicates_among_many_keys_in_time),
        cmocka_unit_test(survives_random_damage),
        cmocka_unit_test(counts_lines_and_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
