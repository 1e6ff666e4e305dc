#include "services/common/model/traceparent.h"

#include "services/common/base/macros.h"
#include "tests/support/test.h"

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN "00f067aa0ba902b7"

static void test_what_is_one(void **state)
{
    UNUSED(state);
    struct traceparent read;
    assert_true(traceparent_read("00-" TRACE "-" SPAN "-01", &read));
    assert_string_equal(read.trace, TRACE);
    assert_string_equal(read.span, SPAN);
    assert_true(read.sampled);
    assert_true(traceparent_read("00-" TRACE "-" SPAN "-02", &read));
    assert_false(read.sampled);
    assert_true(traceparent_read("01-" TRACE "-" SPAN "-03-what comes later", &read));
    assert_true(read.sampled);
    assert_true(traceparent_read("fe-" TRACE "-" SPAN "-00", &read));
}

static void test_what_is_none(void **state)
{
    static const char *const wrong[] = {
        "",
        "00",
        "00-" TRACE "-" SPAN "-0",
        "00-" TRACE "-" SPAN "-01-more",
        "00-" TRACE "-" SPAN "-01 ",
        "01-" TRACE "-" SPAN "-01.more",
        "ff-" TRACE "-" SPAN "-01",
        "0x-" TRACE "-" SPAN "-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-" SPAN "-01",
        "00-00000000000000000000000000000000-" SPAN "-01",
        "00-" TRACE "-0000000000000000-01",
        "00_" TRACE "-" SPAN "-01",
        "00-" TRACE "_" SPAN "-01",
        "00-" TRACE "-" SPAN "_01",
        "00-" TRACE "-" SPAN "-0g",
    };
    UNUSED(state);
    struct traceparent read;
    assert_false(traceparent_read(NULL, &read));
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        assert_false(traceparent_read(wrong[i], &read));
}

static void test_of_a_job(void **state)
{
    UNUSED(state);
    struct traceparent parent;
    char text[TRACEPARENT_SIZE];
    assert_true(traceparent_read("cc-" TRACE "-" SPAN "-ff", &parent));
    traceparent_of_job(&parent, 0x1234, text);
    assert_string_equal(text, "00-" TRACE "-0000000000001234-01");
    parent.sampled = false;
    traceparent_of_job(&parent, INT64_MAX, text);
    assert_string_equal(text, "00-" TRACE "-7fffffffffffffff-00");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_one),
        cmocka_unit_test(test_what_is_none),
        cmocka_unit_test(test_of_a_job),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
