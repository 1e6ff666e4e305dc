#include "tests/support/test.h"

#include "services/cli/progress.h"
#include "services/common/base/cleanup.h"

#include <json-c/json.h>
#include <string.h>

static const char running[] = "{\"state\":\"running\",\"cleanup\":\"none\",\"stages\":["
                              "{\"total\":10,\"succeeded\":4,\"failed\":1,\"cancelled\":0,\"running\":2},"
                              "{\"total\":10,\"succeeded\":0,\"failed\":0,\"cancelled\":5,\"running\":0}],"
                              "\"services\":[{\"state\":\"ready\"}]}";

static void assert_progress(const char *json, size_t columns, const char *expected)
{
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    struct json_object *job = json_tokener_parse(json);
    assert_non_null(job);
    progress_line(&out, job, columns);
    json_object_put(job);
    assert_string_equal(strbuf_text(&out), expected);
}

static void test_wide(void **state)
{
    UNUSED(state);
    assert_progress(running, 120, "running   [###############...............] 10/20  1 failed  2 running");
    assert_progress(running, 80, "running   [###############...............] 10/20  1 failed  2 running");
}

static void test_starting_and_ending(void **state)
{
    UNUSED(state);
    assert_progress("{\"state\":\"starting\",\"cleanup\":\"none\",\"stages\":[{\"total\":2}],"
                    "\"services\":[{\"state\":\"ready\"},{\"state\":\"placing\"}]}",
                    100, "starting  [..............................] 0/2  1/2 services ready");
    assert_progress("{\"state\":\"succeeded\",\"cleanup\":\"pending\",\"stages\":[{\"total\":2,\"succeeded\":2}]}", 100,
                    "succeeded [##############################] 2/2  cleanup pending");
    assert_progress("{\"state\":\"queued\"}", 100, "queued    [..............................] 0/0");
}

// The bar shrinks and goes first, then what stands on the right; it is never wider than the terminal, nor as wide,
// since some wrap then.
static void test_narrow(void **state)
{
    UNUSED(state);
    assert_progress(running, 50, "running   [#####.....] 10/20  1 failed  2 running");
    assert_progress(running, 40, "running   10/20  1 failed  2 running");
    assert_progress(running, 30, "running   10/20  1 failed");
    assert_progress(running, 20, "running   10/20");
    assert_progress(running, 12, "running  ");
    assert_progress(running, 5, "");
    for (size_t columns = 0; columns < 100; columns++) {
        AUTO_STRBUF struct strbuf out = STRBUF_INIT;
        struct json_object *job = json_tokener_parse(running);
        progress_line(&out, job, columns);
        json_object_put(job);
        assert_true(out.length == 0 || out.length < columns);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wide),
        cmocka_unit_test(test_starting_and_ending),
        cmocka_unit_test(test_narrow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
