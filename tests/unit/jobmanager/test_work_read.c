#include "services/common/base/id.h"
#include "services/common/base/macros.h"
#include "services/common/base/strbuf.h"
#include "services/jobmanager/work_read.h"
#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

#define JOB INT64_C(123456789)

// '@' in the text stands for the job's id.
static int read_text(const char *pattern, struct arena *arena, struct work_body *out, struct faults *faults)
{
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    char id[ID_TEXT_SIZE];
    struct err err;
    id_format('j', JOB, id);
    for (; *pattern; pattern++) {
        if (*pattern == '@')
            strbuf_add_text(&text, id);
        else
            strbuf_add_char(&text, *pattern);
    }
    // What was read may point into the body, so it has to stay.
    const char *body = arena_copy(arena, strbuf_text(&text), text.length);
    return report_read(body, text.length, arena, out, faults, &err);
}

static void slices(void **state)
{
    UNUSED(state);
    AUTO_ARENA struct arena *arena = arena_new(0);
    AUTO_FAULTS struct faults faults = FAULTS_INIT;
    struct work_body body;
    assert_int_equal(
        read_text("{\"incarnation\":1,\"slices\":[{\"slice\":\"@/0/100\",\"token\":7,\"succeeded\":\"all\"},"
                  "{\"slice\":\"@/1/"
                  "0\",\"token\":8,\"succeeded\":[[0,3],[5,6]],\"failed\":[{\"task\":4,\"error\":\"b\\\"ad\","
                  "\"exit\":3,\"retry\":\"never\"},{\"task\":3,\"error\":\"\"}]}]}",
                  arena, &body, &faults),
        0);
    const struct work_operation *operation = &body.operation;
    assert_false(operation->polls);
    assert_int_equal(operation->result_count, 2);
    assert_int_equal(operation->results[0].job, JOB);
    assert_true(operation->results[0].all_succeeded);
    const struct slice_result *result = &operation->results[1];
    assert_int_equal(result->token, 8);
    assert_false(result->all_succeeded);
    assert_int_equal(result->succeeded_count, 2);
    assert_int_equal(result->succeeded[1].from, 5);
    assert_int_equal(result->failed_count, 2);
    assert_string_equal(result->failed[0].error, "b\"ad");
    assert_int_equal(result->failed[0].exit, 3);
    assert_int_equal(result->failed[0].retry, SLICE_RETRY_NEVER);
    assert_int_equal(result->failed[1].exit, -1);
    assert_int_equal(result->failed[1].retry, SLICE_RETRY_COUNTED);
}

static void outputs_are_compact_and_in_order(void **state)
{
    UNUSED(state);
    AUTO_ARENA struct arena *arena = arena_new(0);
    AUTO_FAULTS struct faults faults = FAULTS_INIT;
    struct work_body body;
    assert_int_equal(
        read_text(
            "{\"incarnation\":1,\"slices\":[{\"slice\":\"@/0/0\",\"token\":7,\"outputs\":["
            "{\"task\":2,\"output\":{\"a\":1}},{\"task\":1,\"output\": [ 1 ,\n\"x y\" ]},{\"task\":1,\"output\":null},"
            "{\"task\":2,\"output\":\"\\u00e9 \\\\\"}]}]}",
            arena, &body, &faults),
        0);
    const struct slice_result *result = &body.operation.results[0];
    assert_int_equal(result->output_count, 4);
    static const char *const expected[] = {"[1,\"x y\"]", "null", "{\"a\":1}", "\"\\u00e9 \\\\\""};
    static const int64_t tasks[] = {1, 1, 2, 2};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(result->outputs[i].task, tasks[i]);
        assert_int_equal(result->outputs[i].length, strlen(expected[i]));
        assert_memory_equal(result->outputs[i].json, expected[i], strlen(expected[i]));
    }
}

static void logs(void **state)
{
    UNUSED(state);
    AUTO_ARENA struct arena *arena = arena_new(0);
    AUTO_FAULTS struct faults faults = FAULTS_INIT;
    struct work_body body;
    assert_int_equal(
        read_text(
            "{\"incarnation\":1,\"logs\":[{\"job\":\"@\",\"source\":\"task/count/17/1\",\"position\":5,"
            "\"data\":\"line\\n\"},{\"job\":\"@\",\"source\":\"service/cache/1\",\"position\":0,\"data64\":\"/wD+\"}]}",
            arena, &body, &faults),
        0);
    const struct work_operation *operation = &body.operation;
    assert_int_equal(operation->log_count, 2);
    assert_int_equal(operation->logs[0].position, 5);
    assert_int_equal(operation->logs[0].length, 5);
    assert_memory_equal(operation->logs[0].bytes, "line\n", 5);
    assert_int_equal(operation->logs[1].length, 3);
    assert_memory_equal(operation->logs[1].bytes, "\xff\x00\xfe", 3);
}

static void a_report_may_carry_a_poll(void **state)
{
    UNUSED(state);
    AUTO_ARENA struct arena *arena = arena_new(0);
    AUTO_FAULTS struct faults faults = FAULTS_INIT;
    struct work_body body;
    assert_int_equal(
        read_text("{\"incarnation\":2,\"poll\":{\"wait_ms\":10,\"want\":{\"default\":1}}}", arena, &body, &faults), 0);
    assert_true(body.operation.polls);
    assert_int_equal(body.operation.incarnation, 2);
    assert_int_equal(body.want_tasks, 1);
    assert_int_equal(read_text("{\"incarnation\":2,\"poll\":{\"incarnation\":3}}", arena, &body, &faults), -1);
    assert_string_equal(faults.list[0].pointer, "/poll/incarnation");
}

static void long_errors_are_cut(void **state)
{
    UNUSED(state);
    AUTO_ARENA struct arena *arena = arena_new(0);
    AUTO_FAULTS struct faults faults = FAULTS_INIT;
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    struct work_body body;
    strbuf_add_text(
        &text, "{\"incarnation\":1,\"slices\":[{\"slice\":\"@/0/0\",\"token\":7,\"failed\":[{\"task\":0,\"error\":\"x");
    for (int i = 0; i < 3000; i++)
        strbuf_add_text(&text, "é");
    strbuf_add_text(&text, "\"}]}]}");
    assert_int_equal(read_text(strbuf_text(&text), arena, &body, &faults), 0);
    assert_int_equal(strlen(body.operation.results[0].failed[0].error), WORK_ERROR_BYTES_MAX - 1);
}

static const struct {
    const char *text, *pointer;
} wrong[] = {
    {"{\"incarnation\":1,\"slices\":[{\"token\":7}]}", "/slices/0/slice"},
    {"{\"incarnation\":1,\"slices\":[{\"slice\":\"@/0/0\"}]}", "/slices/0/token"},
    {"{\"incarnation\":1,\"slices\":[{\"slice\":\"@/0\",\"token\":7}]}", "/slices/0/slice"},
    {"{\"incarnation\":1,\"slices\":[{\"slice\":\"@/x/0\",\"token\":7}]}", "/slices/0/slice"},
    {"{\"incarnation\":1,\"slices\":[{\"slice\":\"@/0/-1\",\"token\":7}]}", "/slices/0/slice"},
    {"{\"incarnation\":1,\"slices\":[{\"slice\":\"x/0/0\",\"token\":7}]}", "/slices/0/slice"},
    {"{\"incarnation\":1,\"slices\":[{\"slice\":\"@/0/0\",\"token\":7,\"succeeded\":\"some\"}]}",
     "/slices/0/succeeded"},
    {"{\"incarnation\":1,\"slices\":[{\"slice\":\"@/0/0\",\"token\":7,\"succeeded\":[[3,3]]}]}",
     "/slices/0/succeeded/0"},
    {"{\"incarnation\":1,\"slices\":[{\"slice\":\"@/0/0\",\"token\":7,\"succeeded\":[[3]]}]}", "/slices/0/succeeded/0"},
    {"{\"incarnation\":1,\"slices\":[{\"slice\":\"@/0/0\",\"token\":7,\"failed\":[{\"task\":1}]}]}",
     "/slices/0/failed/0/error"},
    {"{\"incarnation\":1,\"slices\":[{\"slice\":\"@/0/"
     "0\",\"token\":7,\"failed\":[{\"task\":1,\"error\":\"\",\"retry\":\"maybe\"}]}]}",
     "/slices/0/failed/0/retry"},
    {"{\"incarnation\":1,\"slices\":[{\"slice\":\"@/0/0\",\"token\":7,\"partial\":true}]}", "/slices/0/partial"},
    {"{\"incarnation\":1,\"logs\":[{\"job\":\"@\",\"source\":\"s\",\"position\":0}]}", "/logs/0"},
    {"{\"incarnation\":1,\"logs\":[{\"job\":\"@\",\"source\":\"s\",\"position\":0,\"data64\":\"a\"}]}",
     "/logs/0/data64"},
    {"{\"incarnation\":1,\"logs\":[{\"job\":\"j1\",\"source\":\"s\",\"position\":0,\"data\":\"\"}]}", "/logs/0/job"},
};

static void wrong_reports_have_a_pointer(void **state)
{
    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        AUTO_ARENA struct arena *arena = arena_new(0);
        AUTO_FAULTS struct faults faults = FAULTS_INIT;
        struct work_body body;
        if (read_text(wrong[i].text, arena, &body, &faults) != -1)
            fail_msg("taken: %s", wrong[i].text);
        assert_string_equal(faults.list[0].pointer, wrong[i].pointer);
    }
}

// Bodies with a few bytes changed: taken or refused, never a crash, and what is taken is whole.
static void changed_bodies_do_no_harm(void **state)
{
    UNUSED(state);
    static const char report[] = "{\"incarnation\":1,\"slices\":[{\"slice\":\"j0000000000001/0/"
                                 "100\",\"token\":7,\"succeeded\":[[0,3],[5,6]],\"failed\":["
                                 "{\"task\":4,\"error\":\"b\\\"ad\",\"exit\":3,\"retry\":\"never\"}],\"outputs\":[{"
                                 "\"task\":2,\"output\":{\"a\":[1, 2]}},"
                                 "{\"task\":1,\"output\":\"\\u00e9\"}]}],\"logs\":[{\"job\":\"j0000000000001\","
                                 "\"source\":\"s\",\"position\":0,\"data64\":"
                                 "\"/"
                                 "wD+\"}],\"instances\":[{\"job\":\"j0000000000001\",\"service\":\"cache\",\"epoch\":2,"
                                 "\"state\":\"stopped\",\"ports\":"
                                 "{\"main\":1},\"exit\":{\"signal\":\"SIGKILL\"},\"grade\":\"exit\"}],\"poll\":{\"wait_"
                                 "ms\":10,\"want\":{\"default\":1},"
                                 "\"held\":[1,2]}}";
    static const char alphabet[] = "{}[]\",:\\0123456789-+.eEnulltruefase \x01\x80\xc3\xff";
    char text[sizeof(report)];
    srand(5);
    for (int round = 0; round < 30000; round++) {
        AUTO_ARENA struct arena *arena = arena_new(0);
        AUTO_FAULTS struct faults faults = FAULTS_INIT;
        struct work_body body;
        struct err err;
        memcpy(text, report, sizeof(report));
        for (int changes = rand() % 4; changes >= 0; changes--)
            text[(size_t)rand() % (sizeof(report) - 1)] = alphabet[(size_t)rand() % (sizeof(alphabet) - 1)];
        int outcome = report_read(text, sizeof(report) - 1, arena, &body, &faults, &err);
        assert_int_equal(outcome < 0, faults_total(&faults) > 0);
        for (size_t i = 0; outcome == 0 && i < body.operation.result_count; i++) {
            assert_non_null(body.operation.results[i].slice);
            assert_true(body.operation.results[i].token > 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slices),
        cmocka_unit_test(outputs_are_compact_and_in_order),
        cmocka_unit_test(logs),
        cmocka_unit_test(a_report_may_carry_a_poll),
        cmocka_unit_test(long_errors_are_cut),
        cmocka_unit_test(wrong_reports_have_a_pointer),
        cmocka_unit_test(changed_bodies_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
