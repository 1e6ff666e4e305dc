#include "services/jobmanager/meters.h"
#include "tests/support/test.h"

#include <string.h>

static const struct http_route routes[] = {{.method = "GET", .pattern = "/a/{id}"},
                                           {.method = "POST", .pattern = "/b"}};
static const struct http_route_table table = {routes, ARRAY_LEN(routes)};

static void what_was_observed_is_written(void **state)
{
    UNUSED(state);
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    struct meters *meters;
    struct err err;
    assert_ok(meters_new(&table, &meters, &err), err);
    meters_observe(meters, &routes[0], 200, 900);
    meters_observe(meters, &routes[0], 204, 3000);
    meters_observe(meters, &routes[0], 503, 90000000);
    meters_observe(meters, NULL, 404, 10);
    meters_write(meters, &out);
    static const char *const lines[] = {
        "curfew_http_requests_total{method=\"GET\",route=\"/a/{id}\",status=\"2xx\"} 2\n",
        "curfew_http_requests_total{method=\"GET\",route=\"/a/{id}\",status=\"5xx\"} 1\n",
        "curfew_http_requests_total{method=\"\",route=\"\",status=\"4xx\"} 1\n",
        "curfew_http_request_seconds_bucket{method=\"GET\",route=\"/a/{id}\",le=\"0.001\"} 1\n",
        "curfew_http_request_seconds_bucket{method=\"GET\",route=\"/a/{id}\",le=\"0.005\"} 2\n",
        "curfew_http_request_seconds_bucket{method=\"GET\",route=\"/a/{id}\",le=\"5\"} 2\n",
        "curfew_http_request_seconds_bucket{method=\"GET\",route=\"/a/{id}\",le=\"+Inf\"} 3\n",
        "curfew_http_request_seconds_count{method=\"GET\",route=\"/a/{id}\"} 3\n",
        "curfew_http_request_seconds_sum{method=\"GET\",route=\"/a/{id}\"} 90.003900\n"};
    for (size_t i = 0; i < ARRAY_LEN(lines); i++)
        if (!strstr(strbuf_text(&out), lines[i]))
            fail_msg("no %s in\n%s", lines[i], out.data);
    assert_null(strstr(out.data, "/b"));
    meters_free(meters);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_was_observed_is_written)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
