#include "services/common/base/macros.h"
#include "services/jobmanager/poll_read.h"
#include "tests/support/test.h"

#include <string.h>

static int read_text(const char *text, struct arena *arena, struct work_body *out, struct faults *faults)
{
    struct err err;
    return poll_read(text, strlen(text), arena, out, faults, &err);
}

static void a_whole_poll(void **state)
{
    UNUSED(state);
    AUTO_ARENA struct arena *arena = arena_new(0);
    AUTO_FAULTS struct faults faults = FAULTS_INIT;
    struct work_body body;
    assert_int_equal(
        read_text("{\"incarnation\": 3, \"wait_ms\": 5000, \"want\": {\"default\": 10, \"gpu\": 2, \"none\": 0},"
                  " \"want_services\": 4, \"held\": [5, 9223372036854775807], \"draining\": true}",
                  arena, &body, &faults),
        0);
    const struct work_operation *operation = &body.operation;
    assert_true(operation->polls);
    assert_int_equal(operation->incarnation, 3);
    assert_int_equal(body.wait_ms, 5000);
    assert_int_equal(body.want_tasks, 12);
    assert_int_equal(operation->want_count, 2);
    assert_string_equal(operation->wants[0].queue, "default");
    assert_int_equal(operation->wants[0].tasks, 10);
    assert_string_equal(operation->wants[1].queue, "gpu");
    assert_int_equal(operation->want_services, 4);
    assert_true(operation->says_held);
    assert_int_equal(operation->held_count, 2);
    assert_int_equal(operation->held[1], INT64_MAX);
    assert_true(operation->draining);
}

static void the_least_poll(void **state)
{
    UNUSED(state);
    AUTO_ARENA struct arena *arena = arena_new(0);
    AUTO_FAULTS struct faults faults = FAULTS_INIT;
    struct work_body body;
    assert_int_equal(read_text("{\"incarnation\":1,\"held\":null}", arena, &body, &faults), 0);
    assert_false(body.operation.says_held);
    assert_int_equal(body.operation.want_count, 0);
    assert_int_equal(read_text("{\"incarnation\":1,\"held\":[]}", arena, &body, &faults), 0);
    assert_true(body.operation.says_held);
    assert_int_equal(body.operation.held_count, 0);
}

#define LONG_NAME "a123456789b123456789c123456789d123456789e123456789f123456789g123" // a character too long

static const struct {
    const char *text, *pointer;
    enum fault_code code;
} wrong[] = {
    {"{}", "/incarnation", FAULT_REQUIRED},
    {"{\"incarnation\":null}", "/incarnation", FAULT_REQUIRED},
    {"{\"incarnation\":0}", "/incarnation", FAULT_RANGE},
    {"{\"incarnation\":\"1\"}", "/incarnation", FAULT_TYPE},
    {"{\"incarnation\":1.5}", "/incarnation", FAULT_TYPE},
    {"{\"incarnation\":1e0}", "/incarnation", FAULT_TYPE},
    {"{\"incarnation\":4294967297}", "/incarnation", FAULT_RANGE},
    {"{\"incarnation\":1,\"wait_ms\":-1}", "/wait_ms", FAULT_RANGE},
    {"{\"incarnation\":1,\"wait_ms\":60001}", "/wait_ms", FAULT_RANGE},
    {"{\"incarnation\":1,\"want\":[]}", "/want", FAULT_TYPE},
    {"{\"incarnation\":1,\"want\":{\"Default\":1}}", "/want/Default", FAULT_FORMAT},
    {"{\"incarnation\":1,\"want\":{\"\":1}}", "/want/", FAULT_FORMAT},
    {"{\"incarnation\":1,\"want\":{\"9a\":1}}", "/want/9a", FAULT_FORMAT},
    {"{\"incarnation\":1,\"want\":{\"" LONG_NAME "\":1}}", "/want/" LONG_NAME, FAULT_RANGE},
    {"{\"incarnation\":1,\"want\":{\"a\":-1}}", "/want/a", FAULT_RANGE},
    {"{\"incarnation\":1,\"want\":{\"a\":true}}", "/want/a", FAULT_TYPE},
    {"{\"incarnation\":1,\"want\":{\"a/b\":1}}", "/want/a~1b", FAULT_FORMAT},
    {"{\"incarnation\":1,\"held\":{}}", "/held", FAULT_TYPE},
    {"{\"incarnation\":1,\"held\":[1,\"x\"]}", "/held/1", FAULT_TYPE},
    {"{\"incarnation\":1,\"held\":[0]}", "/held/0", FAULT_RANGE},
    {"{\"incarnation\":1,\"draining\":1}", "/draining", FAULT_TYPE},
    {"{\"incarnation\":1,\"slots\":1}", "/slots", FAULT_UNKNOWN},
    {"{\"incarnation\":1,\"incarnation\":1}", "/incarnation", FAULT_SYNTAX},
    {"{\"incarnation\":1", "", FAULT_SYNTAX},
    {"[]", "", FAULT_SYNTAX},
    {"", "", FAULT_SYNTAX},
};

static void wrong_polls_have_a_pointer(void **state)
{
    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        AUTO_ARENA struct arena *arena = arena_new(0);
        AUTO_FAULTS struct faults faults = FAULTS_INIT;
        struct work_body body;
        if (read_text(wrong[i].text, arena, &body, &faults) != -1)
            fail_msg("taken: %s", wrong[i].text);
        if (faults.count != 1 ||
            (wrong[i].code != FAULT_SYNTAX && strcmp(faults.list[0].pointer, wrong[i].pointer) != 0) ||
            faults.list[0].code != wrong[i].code)
            fail_msg("%s: %zu faults, %s %s", wrong[i].text, faults.count, fault_code_name(faults.list[0].code),
                     faults.list[0].pointer);
    }
}

static void all_faults_are_found(void **state)
{
    UNUSED(state);
    AUTO_ARENA struct arena *arena = arena_new(0);
    AUTO_FAULTS struct faults faults = FAULTS_INIT;
    struct work_body body;
    assert_int_equal(
        read_text("{\"wait_ms\":\"x\",\"want\":{\"A\":1,\"b\":[]},\"nope\":{\"deep\":[1,{}]}}", arena, &body, &faults),
        -1);
    assert_int_equal(faults_total(&faults), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_poll),
        cmocka_unit_test(the_least_poll),
        cmocka_unit_test(wrong_polls_have_a_pointer),
        cmocka_unit_test(all_faults_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
