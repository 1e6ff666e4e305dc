#include "tests/support/test.h"

#include "services/cli/event_line.h"
#include "services/common/base/cleanup.h"

#include <json-c/json.h>

static void assert_line(const char *json, bool color, const char *expected)
{
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    struct json_object *event = json_tokener_parse(json);
    assert_non_null(event);
    event_line(&out, event, color);
    json_object_put(event);
    assert_string_equal(strbuf_text(&out), expected);
}

static void test_plain(void **state)
{
    UNUSED(state);
    assert_line("{\"seq\":1,\"at\":\"2026-01-31T12:34:56.000001Z\",\"kind\":\"job.submitted\",\"data\":{}}", false,
                "12:34:56  job.submitted\n");
    assert_line("{\"at\":\"2026-01-31T12:34:56.000001Z\",\"kind\":\"service.ready\","
                "\"data\":{\"service\":\"cache\",\"epoch\":1,\"ports\":{\"main\":1},\"list\":[1],\"none\":null}}",
                false, "12:34:56  service.ready  service=cache  epoch=1\n");
    assert_line("{\"at\":\"x\",\"kind\":\"job.outcome\",\"data\":{\"outcome\":\"failed\",\"reason\":"
                "{\"code\":\"task_failed\",\"message\":\"1 task of stage 'a' failed\"}}}",
                false, "x  job.outcome  outcome=failed  reason=1 task of stage 'a' failed\n");
}

static void test_foreign_texts(void **state)
{
    UNUSED(state);
    assert_line("{\"at\":\"x\",\"kind\":\"task.failed\",\"data\":{\"error\":\"two\\nlines \\u001b[31m\"}}", false,
                "x  task.failed  error=two lines ?[31m\n");
    assert_line("{\"kind\":\"of.a.newer.manager\",\"data\":7}", false, "  of.a.newer.manager\n");
    assert_line("{}", true, "  \n");
}

static void test_colors(void **state)
{
    UNUSED(state);
    assert_line("{\"kind\":\"task.failed\"}", true, "  \033[31mtask.failed\033[0m\n");
    assert_line("{\"kind\":\"service.stuck\"}", true, "  \033[31mservice.stuck\033[0m\n");
    assert_line("{\"kind\":\"job.outcome\",\"data\":{\"outcome\":\"timed_out\"}}", true,
                "  \033[31mjob.outcome\033[0m  outcome=timed_out\n");
    assert_line("{\"kind\":\"job.outcome\",\"data\":{\"outcome\":\"succeeded\"}}", true,
                "  \033[32mjob.outcome\033[0m  outcome=succeeded\n");
    assert_line("{\"kind\":\"service.verified\"}", true, "  \033[32mservice.verified\033[0m\n");
    assert_line("{\"kind\":\"job.running\"}", true, "  job.running\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_foreign_texts),
        cmocka_unit_test(test_colors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
