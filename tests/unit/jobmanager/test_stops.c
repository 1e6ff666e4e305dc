#include "services/jobmanager/stops.h"

#include "tests/support/test.h"

#include <string.h>

static void what_was_noted_is_written(void **state)
{
    UNUSED(state);
    static const char *const lines[] = {
        "# TYPE curfew_stop_latency_seconds histogram\n",
        "curfew_stop_latency_seconds_bucket{le=\"0.01\"} 1\n",
        "curfew_stop_latency_seconds_bucket{le=\"0.05\"} 1\n",
        "curfew_stop_latency_seconds_bucket{le=\"1\"} 2\n",
        "curfew_stop_latency_seconds_bucket{le=\"2.5\"} 3\n",
        "curfew_stop_latency_seconds_bucket{le=\"300\"} 3\n",
        "curfew_stop_latency_seconds_bucket{le=\"+Inf\"} 4\n",
        "curfew_stop_latency_seconds_sum 402.01\n",
        "curfew_stop_latency_seconds_count 4\n",
    };
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    struct stops *stops = NULL;
    struct err err = {0};
    assert_ok(stops_new(&stops, &err), err);
    static const int64_t times_ms[] = {10, 1000, 1000 + 1, 399999};
    for (size_t i = 0; i < ARRAY_LEN(times_ms); i++)
        stops_note(stops, times_ms[i]);
    stops_write(stops, &text);
    for (size_t i = 0; i < ARRAY_LEN(lines); i++)
        if (!strstr(strbuf_text(&text), lines[i]))
            fail_msg("%s is not in\n%s", lines[i], strbuf_text(&text));
    stops_free(stops);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_was_noted_is_written)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
