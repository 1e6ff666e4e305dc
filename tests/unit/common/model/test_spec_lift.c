#include "services/common/base/arena.h"
#include "services/common/model/spec_lift.h"
#include "tests/support/test.h"

#include <string.h>

static void lifts_lists_and_nothing_else(void **state)
{
    UNUSED(state);
    static const char text[] =
        " {\"tasks\": [1, [2]], \"x\": {\"tasks\": [3]}, \"stages\": [5, {\"a\": [4], \"tasks\" : [ {} ] },"
        " {\"tasks\": {\"count\": 1}}, {\"ta\\u0073ks\": []}]} ";
    struct spec_lift lift AUTO_SPEC_LIFT = SPEC_LIFT_INIT;
    struct err err = {0};
    assert_ok(spec_lift(text, strlen(text), &lift, &err), err);
    assert_string_equal(strbuf_text(&lift.skeleton),
                        " {\"tasks\": [], \"x\": {\"tasks\": [3]}, \"stages\": [5, {\"a\": [4], \"tasks\" : [] },"
                        " {\"tasks\": {\"count\": 1}}, {\"ta\\u0073ks\": []}]} ");
    assert_int_equal(lift.count, 3);
    assert_memory_equal(spec_lift_find(&lift, -1)->start, "[1, [2]]", 8);
    assert_memory_equal(spec_lift_find(&lift, 1)->start, "[ {} ]", 6);
    assert_non_null(spec_lift_find(&lift, 3));
    assert_null(spec_lift_find(&lift, 0));
    assert_null(spec_lift_find(&lift, 2));
}

static void survives_odd_shapes(void **state)
{
    UNUSED(state);
    static const char *const texts[] = {"{}",
                                        "{\"stages\":{}}",
                                        "{\"stages\":[]}",
                                        "{\"stages\":\"x\"}",
                                        "{\"tasks\":5}",
                                        "{\"stages\":[[{\"tasks\":[1]}]]}"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct spec_lift lift AUTO_SPEC_LIFT = SPEC_LIFT_INIT;
        struct err err = {0};
        assert_ok(spec_lift(texts[i], strlen(texts[i]), &lift, &err), err);
        assert_string_equal(strbuf_text(&lift.skeleton), texts[i]);
        assert_int_equal(lift.count, 0);
    }
}

static void stores_items_on_lines(void **state)
{
    UNUSED(state);
    static const char text[] = "[ {\"a\" : \"b c\"} ,\n 1.0 , \"\\n\" ]";
    struct spec_lifted list = {.start = text, .end = text + strlen(text)};
    struct arena *arena AUTO_ARENA = arena_new(64);
    struct faults faults AUTO_FAULTS = FAULTS_INIT;
    struct field root = field_root(NULL, &faults);
    struct spec_items items = {0};
    size_t length = 0;
    assert_true(spec_items_read(&list, &root, arena, &items));
    assert_int_equal(items.count, 3);
    const char *all = spec_items_range(&items, 0, 3, &length);
    assert_int_equal(length, strlen("{\"a\":\"b c\"}\n1.0\n\"\\n\"\n"));
    assert_memory_equal(all, "{\"a\":\"b c\"}\n1.0\n\"\\n\"\n", length);
    assert_int_equal(faults_total(&faults), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lifts_lists_and_nothing_else),
        cmocka_unit_test(survives_odd_shapes),
        cmocka_unit_test(stores_items_on_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
