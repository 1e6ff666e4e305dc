#include "services/common/base/cleanup.h"
#include "services/common/base/strbuf.h"
#include "services/common/json/build.h"
#include "services/common/json/parse.h"
#include "services/common/json/scan.h"
#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

// What json-c writes for the tree that was built.
static void assert_builds(const char *text, const char *expected)
{
    struct json_object *root AUTO_JSON = NULL;
    struct json_limits limits = {.any_top = true};
    struct err err = {0};
    assert_ok(json_scan(text, strlen(text), &limits, NULL, &err), err);
    assert_ok(json_build(text, strlen(text), &root, &err), err);
    const int flags = JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE;
    assert_string_equal(json_object_to_json_string_ext(root, flags), expected);
}

static void builds_every_kind(void **state)
{
    UNUSED(state);
    assert_builds("null", "null");
    assert_builds(" true ", "true");
    assert_builds("[false, null, [ ], { }]", "[false,null,[],{}]");
    assert_builds("{\"a\": {\"b\": [1, {\"c\": \"d\"}]}, \"\": \"\"}", "{\"a\":{\"b\":[1,{\"c\":\"d\"}]},\"\":\"\"}");
    assert_builds("\"\\u00e9\\ud83d\\ude00\\n\\/\"", "\"\xc3\xa9\xf0\x9f\x98\x80\\n/\"");
    assert_builds("{\"k\\u0065y\\\"\": 1}", "{\"key\\\"\":1}");
    assert_builds("[9223372036854775807,-9223372036854775808,0,-0]", "[9223372036854775807,-9223372036854775808,0,0]");
    assert_builds("[1.50,1e3,-0.0,1E-400]", "[1.50,1e3,-0.0,1E-400]");
}

static void keeps_the_order_of_members(void **state)
{
    UNUSED(state);
    struct strbuf text AUTO_STRBUF = STRBUF_INIT;
    for (int i = 0; i < 500; i++)
        strbuf_add_format(&text, "%s\"k%d\":[%d]", i ? "," : "{", (i * 7919) % 500, i);
    strbuf_add_char(&text, '}');
    assert_builds(text.data, text.data);
}

static void needs_no_nul_behind_the_text(void **state)
{
    UNUSED(state);
    static const char *const texts[] = {"12", "-1.5", "true", "\"x\"", "[1]"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct json_object *root AUTO_JSON = NULL;
        struct err err = {0};
        size_t length = strlen(texts[i]);
        char *exact AUTO_FREE = malloc(length); // a sanitizer sees a read beyond
        memcpy(exact, texts[i], length);
        assert_ok(json_build(exact, length, &root, &err), err);
        assert_string_equal(json_object_to_json_string_ext(root, JSON_C_TO_STRING_PLAIN), texts[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(builds_every_kind),
        cmocka_unit_test(keeps_the_order_of_members),
        cmocka_unit_test(needs_no_nul_behind_the_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
