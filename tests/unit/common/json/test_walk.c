#include "services/common/json/scan.h"
#include "services/common/json/string_token.h"
#include "services/common/json/walk.h"
#include "tests/support/test.h"

#include <string.h>

static const char document[] = " {\"a\" : [ 1 , \"x,]}\" , {\"b\\u0063\":[]} ] ,\n \"\" : {} , \"d/e\" : -1.5e3 } ";

static void visits_members_and_items(void **state)
{
    UNUSED(state);
    static const char *const keys[] = {"a", "", "d/e"};
    struct json_walk walk = json_walk_start(document, strlen(document));
    size_t count = 0;
    for (bool more = json_walk_enter(&walk); more; more = json_walk_next(&walk)) {
        assert_true(json_string_equals(json_walk_key(&walk), keys[count++]));
        json_walk_skip(&walk);
    }
    assert_int_equal(count, 3);
    struct json_walk inner = json_walk_start(document, strlen(document));
    assert_true(json_walk_enter(&inner));
    json_walk_key(&inner);
    count = 0;
    for (bool more = json_walk_enter(&inner); more; more = json_walk_next(&inner)) {
        json_walk_skip(&inner);
        count++;
    }
    assert_int_equal(count, 3);
    assert_true(json_walk_next(&inner));
    assert_true(json_string_equals(json_walk_key(&inner), ""));
    assert_false(json_walk_enter(&inner));
}

static void compacts_to_one_line(void **state)
{
    UNUSED(state);
    struct strbuf out AUTO_STRBUF = STRBUF_INIT;
    struct err err = {0};
    json_compact(document, document + strlen(document), &out);
    assert_string_equal(strbuf_text(&out), "{\"a\":[1,\"x,]}\",{\"b\\u0063\":[]}],\"\":{},\"d/e\":-1.5e3}");
    assert_ok(json_scan(out.data, out.length, NULL, NULL, &err), err);
    strbuf_clear(&out);
    static const char text[] = "\"a b\\\"  c\"";
    json_compact(text, text + strlen(text), &out);
    assert_string_equal(strbuf_text(&out), "\"a b\\\"  c\"");
}

static void locates_what_a_pointer_names(void **state)
{
    UNUSED(state);
    static const struct {
        const char *pointer, *at;
    } cases[] = {
        {"", "{\"a\""},       {"/a", "\"a\""},        {"/a/0", "1 ,"},    {"/a/2/bc", "\"b\\u0063\""},
        {"/d~1e", "\"d/e\""}, {"/", "\"\" :"},        {"/a/9", "\"a\""},  {"/a/2/none/x", "{\"b\\u0063\""},
        {"/none", "{\"a\""},  {"/d~1e/x", "\"d/e\""}, {"/a/00", "\"a\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        size_t offset = json_locate(document, strlen(document), cases[i].pointer);
        if (strncmp(document + offset, cases[i].at, strlen(cases[i].at)) != 0)
            fail_msg("%s: found %s", cases[i].pointer, document + offset);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(visits_members_and_items),
        cmocka_unit_test(compacts_to_one_line),
        cmocka_unit_test(locates_what_a_pointer_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
