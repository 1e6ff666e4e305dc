#include "services/common/http/route.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/strbuf.h"
#include "tests/support/test.h"

#include <string.h>

static enum http_handled handler(void *app, struct http_request *request, struct http_reply *reply)
{
    UNUSED(app), UNUSED(request), UNUSED(reply);
    return HTTP_REPLY;
}

#define ROUTE(m, p) {.method = m, .pattern = p, .handler = handler}
static const struct http_route routes[] = {
    ROUTE("GET", "/"),
    ROUTE("GET", "/v1/jobs"),
    ROUTE("POST", "/v1/jobs"),
    ROUTE("GET", "/v1/jobs/{id}"),
    ROUTE("DELETE", "/v1/jobs/{id}"),
    ROUTE("POST", "/v1/jobs/{id}/stop"),
    ROUTE("GET", "/v1/jobs/{id}/tasks/{stage}/{index}"),
    ROUTE("GET", "/v1/jobs/newest"),
    ROUTE("PUT", "/v1/bundles/{sha256}"),
    ROUTE("HEAD", "/v1/bundles/{sha256}"),
};

static struct http_router *router;

static int setup(void **state)
{
    UNUSED(state);
    const struct http_route_table table = {routes, ARRAY_LEN(routes)};
    return http_router_new(&table, &router, NULL);
}

static int teardown(void **state)
{
    UNUSED(state);
    http_router_free(router);
    return 0;
}

static enum http_route_outcome match(const char *method, const char *path, struct http_route_match *out)
{
    return http_router_match(router, method, path, strlen(path), out);
}

static void matches_the_table(void **state)
{
    UNUSED(state);
    static const struct {
        const char *method, *path, *pattern; // NULL: 404; "": 405
    } cases[] = {
        {"GET", "/", "/"},
        {"HEAD", "/", "/"},
        {"POST", "/", ""},
        {"GET", "/v1", NULL},
        {"GET", "/v1/jobs", "/v1/jobs"},
        {"POST", "/v1/jobs", "/v1/jobs"},
        {"PUT", "/v1/jobs", ""},
        {"GET", "/v1/jobs/j1", "/v1/jobs/{id}"},
        {"HEAD", "/v1/jobs/j1", "/v1/jobs/{id}"},
        {"GET", "/v1/jobs/newest", "/v1/jobs/newest"},
        {"DELETE", "/v1/jobs/newest", "/v1/jobs/{id}"},
        {"POST", "/v1/jobs/j1/stop", "/v1/jobs/{id}/stop"},
        {"GET", "/v1/jobs/j1/stop", ""},
        {"GET", "/v1/jobs/j1/halt", NULL},
        {"GET", "/v1/jobs/j1/tasks/s/3", "/v1/jobs/{id}/tasks/{stage}/{index}"},
        {"GET", "/v1/jobs/j1/tasks/s", NULL},
        {"GET", "/v1/jobs/j1/tasks/s/3/4", NULL},
        {"HEAD", "/v1/bundles/ab", "/v1/bundles/{sha256}"},
        {"GET", "/v1/bundles/ab", ""},
        {"GET", "/V1/jobs", NULL},
        {"GET", "/v1/jobs%2Fj1", NULL},
        {"GET", "/v1/job%73", NULL},
        {"GET", "/1/2/3/4/5/6/7/8/9/10/11/12/13/14", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http_route_match found;
        enum http_route_outcome outcome = match(cases[i].method, cases[i].path, &found);
        const char *pattern = outcome == HTTP_ROUTE_FOUND       ? found.route->pattern
                              : outcome == HTTP_ROUTE_NOT_FOUND ? NULL
                                                                : "";
        const char *wanted = cases[i].pattern;
        if (!pattern != !wanted || (pattern && strcmp(pattern, wanted) != 0))
            fail_msg("%s %s found '%s'", cases[i].method, cases[i].path, pattern ? pattern : "nothing");
    }
}

static void hands_out_parameters(void **state)
{
    UNUSED(state);
    struct http_route_match found;
    assert_int_equal(match("GET", "/v1/jobs/j1/tasks/a%20b/3", &found), HTTP_ROUTE_FOUND);
    assert_int_equal(found.param_count, 3);
    assert_memory_equal(found.params[0].name, "id", 2);
    assert_memory_equal(found.params[0].value, "j1", 2);
    assert_memory_equal(found.params[1].value, "a%20b", 5);
    assert_int_equal(found.params[1].value_length, 5);
    assert_memory_equal(found.params[2].name, "index", 5);
    assert_int_equal(found.params[2].value_length, 1);
}

static void lists_allowed_methods(void **state)
{
    UNUSED(state);
    static const struct {
        const char *path, *allow;
    } cases[] = {
        {"/v1/jobs", "GET, HEAD, POST"},
        {"/v1/jobs/j1", "GET, HEAD, DELETE"},
        {"/v1/jobs/newest", "GET, HEAD, DELETE"},
        {"/v1/bundles/ab", "PUT, HEAD"},
        {"/none", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_STRBUF struct strbuf allow = STRBUF_INIT;
        http_router_allow(router, cases[i].path, strlen(cases[i].path), &allow);
        assert_string_equal(strbuf_text(&allow), cases[i].allow);
    }
}

static void refuses_bad_tables(void **state)
{
    UNUSED(state);
    static const struct http_route bad[][2] = {
        {ROUTE("GET", "jobs"), ROUTE("GET", "/a")},
        {ROUTE("GET", "/a/"), ROUTE("GET", "/a")},
        {ROUTE("GET", "/a//b"), ROUTE("GET", "/a")},
        {ROUTE("GET", "/{}"), ROUTE("GET", "/a")},
        {ROUTE("GET", "/{a"), ROUTE("GET", "/a")},
        {ROUTE("GET", "/a}"), ROUTE("GET", "/a")},
        {ROUTE("GET", "/x{a}"), ROUTE("GET", "/a")},
        {ROUTE("GET", "/{a}"), ROUTE("GET", "/{b}")},
        {ROUTE("GET", "/a/{b}"), ROUTE("GET", "/a/{c}")},
        {ROUTE("GET", "/{a}/{b}/{c}/{d}/{e}/{f}/{g}"), ROUTE("GET", "/a")},
        {{.method = "GET", .pattern = "/b"}, ROUTE("GET", "/a")},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct http_route_table table = {bad[i], 2};
        struct http_router *made = NULL;
        struct err err = {0};
        assert_error(http_router_new(&table, &made, &err), err, ERR_INVALID, "route");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches_the_table),
        cmocka_unit_test(hands_out_parameters),
        cmocka_unit_test(lists_allowed_methods),
        cmocka_unit_test(refuses_bad_tables),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
