#include "services/common/base/cleanup.h"
#include "services/worker/settings.h"
#include "tests/support/test.h"

#include <string.h>

#define LONGEST "a123456789b123456789c123456789d123456789e123456789f123456789g12"

static void queues_are_a_list(void **state)
{
    static const char *const cases[][2] = {
        {"default", "[\"default\"]"},
        {"a,b-2,,c", "[\"a\",\"b-2\",\"c\"]"},
        {LONGEST, "[\"" LONGEST "\"]"},
        {"a,aa,aaa", "[\"a\",\"aa\",\"aaa\"]"},
        {"", "[]"},
    };
    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_FREE char *json = NULL;
        struct err err;
        assert_ok(settings_queues_json(cases[i][0], &json, &err), err);
        assert_string_equal(json, cases[i][1]);
    }
}

// What a manager would refuse is said before it is asked.
static void wrong_queues_are_named(void **state)
{
    static const char *const cases[][2] = {
        {"a,9a", "'9a' is not"},
        {"-a", "'-a' is not"},
        {"Default", "'Default' is not"},
        {"a b", "'a b' is not"},
        {"a\"", "is not"},
        {LONGEST "3", "is not the name"},
        {"a,b,a", "'a' stands there twice"},
    };
    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *json = NULL;
        struct err err;
        assert_error(settings_queues_json(cases[i][0], &json, &err), err, ERR_INVALID, cases[i][1]);
    }
}

static void labels_are_an_object(void **state)
{
    UNUSED(state);
    AUTO_FREE char *json = NULL;
    char *none = NULL;
    struct err err;
    assert_ok(settings_labels_json("gpu=yes,team=", &json, &err), err);
    assert_string_equal(json, "{\"gpu\":\"yes\",\"team\":\"\"}");
    assert_error(settings_labels_json("gpu", &none, &err), err, ERR_INVALID, "'gpu' is not name=value");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(queues_are_a_list),
        cmocka_unit_test(wrong_queues_are_named),
        cmocka_unit_test(labels_are_an_object),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
