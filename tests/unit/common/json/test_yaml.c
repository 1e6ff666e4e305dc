#include "services/common/base/clock.h"
#include "services/common/base/strbuf.h"
#include "services/common/json/yaml.h"
#include "tests/support/test.h"

#include <string.h>

static void assert_becomes(const char *yaml, const char *json)
{
    struct yaml_document document AUTO_YAML_DOCUMENT = YAML_DOCUMENT_INIT;
    struct json_limits limits = {.any_top = true};
    struct err err = {0};
    assert_ok(yaml_to_json(yaml, strlen(yaml), &limits, &document, NULL, &err), err);
    assert_string_equal(document.json, json);
    assert_int_equal(document.length, strlen(json));
}

static void becomes_json(void **state)
{
    UNUSED(state);
    assert_becomes("a: 1\nb: [x, 'y', \"z\"]\n", "{\"a\":1,\"b\":[\"x\",\"y\",\"z\"]}");
    assert_becomes("- a\n- - b\n  - {c: ~}\n-\n", "[\"a\",[\"b\",{\"c\":null}],null]");
    assert_becomes("---\na: yes\non: [no, off]\n...\n", "{\"a\":\"yes\",\"on\":[\"no\",\"off\"]}");
    assert_becomes("text: |\n  two\n  lines\nfolded: >-\n  one\n  line\n",
                   "{\"text\":\"two\\nlines\\n\",\"folded\":\"one line\"}");
    assert_becomes("a: \"\\u00e9\\t\\x01\"\nb: 'it''s'\n", "{\"a\":\"\xc3\xa9\\t\\u0001\",\"b\":\"it's\"}");
    assert_becomes("{\"a\": [1, 2.50, true, null], \"b\": {}}", "{\"a\":[1,2.50,true,null],\"b\":{}}");
    assert_becomes("a: '1'\nb: \"true\"\n'3': x\n", "{\"a\":\"1\",\"b\":\"true\",\"3\":\"x\"}");
    assert_becomes("# only a text\nplain words: and more # comment\n", "{\"plain words\":\"and more\"}");
    assert_becomes("\xef\xbb\xbf"
                   "a: 1\n",
                   "{\"a\":1}");
}

static void refuses_with_line_and_column(void **state)
{
    UNUSED(state);
    static const struct {
        const char *yaml;
        size_t line, column;
        const char *part;
    } cases[] = {
        {"a: 1\nb: &x 2\nc: *x\n", 2, 4, "anchors"},
        {"a: 1\nb: *x\n", 2, 4, "aliases"},
        {"a: !!int 1\n", 1, 4, "tags"},
        {"a: !mine {b: 1}\n", 1, 4, "tags"},
        {"a: 1\nb:\n  - 1\n  - [1, &y {}]\n", 4, 9, "anchors"},
        {"a: 1\nb: 2\na: 3\n", 3, 1, "twice"},
        {"a:\n  x: 1\n  \"x\": 2\n", 3, 3, "twice"},
        {"1: x\n", 1, 1, "put it in quotes"},
        {"a:\n  true: x\n", 2, 3, "put it in quotes"},
        {"~: x\n", 1, 1, "put it in quotes"},
        {"? [a]\n: x\n", 1, 3, "has to be a text"},
        {"a:\n\t- x\n", 2, 1, "tabs"},
        {"a: 1\n---\nb: 2\n", 2, 1, "one document"},
        {"", 1, 1, "nothing"},
        {"# nothing\n", 2, 1, "nothing"},
        {"a: [1, 2\n", 2, 1, ""},
        {"a: 'x\n", 2, 1, ""},
        {"a: b: c\n", 1, 5, "mapping values"},
        {"a: .inf\n", 1, 4, "infinity"},
        {"a: 0xffffffffffffffffff\n", 1, 4, "64 bits"},
        {"a: 1\nb: 99999999999999999999\n", 2, 1, "64 bits"},
        {"a: \"\\0\"\n", 1, 4, "NUL"},
        {"a: \"\\ud800\"\n", 1, 1, ""},
        {"a: 1e999\n", 1, 1, "too big"},
        {"- x\n", 1, 1, "an object is expected"},
        {"just words\n", 1, 1, "an object is expected"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct yaml_document document AUTO_YAML_DOCUMENT = YAML_DOCUMENT_INIT;
        struct yaml_fault fault = {0};
        struct err err = {0};
        assert_error(yaml_to_json(cases[i].yaml, strlen(cases[i].yaml), NULL, &document, &fault, &err), err,
                     ERR_INVALID, cases[i].part);
        assert_null(document.json);
        if (strlen(cases[i].part) && (fault.line != cases[i].line || fault.column != cases[i].column))
            fail_msg("'%s': %zu:%zu: %s", cases[i].yaml, fault.line, fault.column, err.text);
        assert_true(fault.line >= 1 && fault.column >= 1);
    }
}

static void refuses_bad_bytes(void **state)
{
    UNUSED(state);
    static const struct {
        const char *bytes;
        size_t length;
    } cases[] = {{"a: \xff\n", 5},         {"a: \xc0\xaf\n", 6}, {"a: b\0c\n", 7},
                 {"a: \xed\xa0\x80\n", 7}, {"a: \x01\n", 5},     {"a\0:\0 \0b\0", 8}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct yaml_document document AUTO_YAML_DOCUMENT = YAML_DOCUMENT_INIT;
        struct err err = {0};
        assert_error(yaml_to_json(cases[i].bytes, cases[i].length, NULL, &document, NULL, &err), err, ERR_INVALID, "");
    }
}

static void locates_json_pointers(void **state)
{
    UNUSED(state);
    static const char yaml[] = "name: x\nservices:\n  - name: cache\n    ready: {tcp: main}\n  - name: other\n"
                               "    command:\n      - a\n      - b\n";
    static const struct {
        const char *pointer;
        size_t line, column;
    } cases[] = {
        {"", 1, 1},
        {"/name", 1, 1},
        {"/services", 2, 1},
        {"/services/0", 3, 5},
        {"/services/0/ready", 4, 5},
        {"/services/0/ready/tcp", 4, 13},
        {"/services/0/ready/http", 4, 5},
        {"/services/1", 5, 5},
        {"/services/1/command/1", 8, 9},
        {"/services/1/ports", 5, 5},
        {"/stages", 1, 1},
    };
    struct yaml_document document AUTO_YAML_DOCUMENT = YAML_DOCUMENT_INIT;
    struct err err = {0};
    assert_ok(yaml_to_json(yaml, strlen(yaml), NULL, &document, NULL, &err), err);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        size_t line = 0, column = 0;
        yaml_locate(&document, cases[i].pointer, &line, &column);
        if (line != cases[i].line || column != cases[i].column)
            fail_msg("%s: %zu:%zu", cases[i].pointer, line, column);
    }
}

static void is_bounded(void **state)
{
    UNUSED(state);
    struct strbuf text AUTO_STRBUF = STRBUF_INIT;
    struct yaml_document document AUTO_YAML_DOCUMENT = YAML_DOCUMENT_INIT;
    struct err err = {0};
    int64_t start = clock_boot_ms();
    for (int i = 0; i < 200000; i++)
        strbuf_add_char(&text, '[');
    assert_true(yaml_to_json(text.data, text.length, NULL, &document, NULL, &err) < 0);
    strbuf_clear(&text);
    for (int i = 0; i < 40; i++)
        strbuf_add_format(&text, "%*sa:\n", i, "");
    assert_error(yaml_to_json(text.data, text.length, NULL, &document, NULL, &err), err, ERR_TOO_LARGE, "deeply");
    strbuf_clear(&text);
    strbuf_add_text(&text, "a: [");
    for (int i = 0; i < 200000; i++)
        strbuf_add_text(&text, "{},");
    strbuf_add_text(&text, "]");
    assert_error(yaml_to_json(text.data, text.length, NULL, &document, NULL, &err), err, ERR_TOO_LARGE, "memory");
    assert_true(clock_boot_ms() - start < 20000);
}

static void survives_random_damage(void **state)
{
    UNUSED(state);
    static const char original[] =
        "name: 'x'\nlist: [1, \"a\\n\", {b: c}]\ntext: |\n  one\n  two\nmap:\n  - k: v\n    l: ~\n";
    static const char damage[] = "\n -:[]{}#&*!|>'\"%@`,?\x01\xff"
                                 "abc0~";
    uint64_t seed = 88172645463325252u;
    int accepted = 0;
    for (int round = 0; round < 20000; round++) {
        char text[sizeof original];
        memcpy(text, original, sizeof original);
        for (int hit = 0; hit < 2; hit++) {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            text[seed % (sizeof original - 1)] = damage[(seed >> 32) % (sizeof damage - 1)];
        }
        struct yaml_document document AUTO_YAML_DOCUMENT = YAML_DOCUMENT_INIT;
        accepted += yaml_to_json(text, sizeof original - 1, NULL, &document, NULL, NULL) == 0;
    }
    assert_true(accepted > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(becomes_json),      cmocka_unit_test(refuses_with_line_and_column),
        cmocka_unit_test(refuses_bad_bytes), cmocka_unit_test(locates_json_pointers),
        cmocka_unit_test(is_bounded),        cmocka_unit_test(survives_random_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
