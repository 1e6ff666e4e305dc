#include "services/jobmanager/routes.h"

#include "services/common/model/role.h"
#include "tests/support/test.h"

#include <ctype.h>
#include <string.h>

static void the_table_can_be_matched(void **state)
{
    UNUSED(state);
    struct http_router *router;
    struct http_route_match match;
    struct err err;
    assert_ok(http_router_new(&routes_table, &router, &err), err);
    static const struct {
        const char *method, *path, *pattern;
    } known[] = {{"GET", "/v1/jobs/j1/tasks/main/7", "/v1/jobs/{id}/tasks/{stage}/{index}"},
                 {"HEAD", "/v1/bundles/ff", "/v1/bundles/{sha256}"},
                 {"GET", "/", "/"},
                 {"POST", "/v1/workers/1/poll", "/v1/workers/{id}/poll"}};
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        assert_int_equal(http_router_match(router, known[i].method, known[i].path, strlen(known[i].path), &match),
                         HTTP_ROUTE_FOUND);
        assert_string_equal(match.route->pattern, known[i].pattern);
        assert_string_equal(match.route->method, known[i].method);
    }
    http_router_free(router);
}

static void every_row_is_complete(void **state)
{
    UNUSED(state);
    for (size_t i = 0; i < routes_table.count; i++) {
        const struct http_route *route = &routes_table.routes[i];
        assert_non_null(route->handler);
        assert_true(strlen(route->summary) > 5);
        assert_true(islower((unsigned char)route->summary[0]) || isdigit((unsigned char)route->summary[0]));
        assert_string_not_equal(role_name(route->role), "?");
        bool takes_body = strcmp(route->method, "POST") == 0 || strcmp(route->method, "PUT") == 0;
        assert_int_equal(takes_body, route->body_limit_bytes > 0);
    }
}

static void only_health_checks_are_open(void **state)
{
    UNUSED(state);
    size_t open = 0;
    for (size_t i = 0; i < routes_table.count; i++)
        open += routes_table.routes[i].role == ROLE_NONE;
    assert_int_equal(open, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_can_be_matched),
        cmocka_unit_test(every_row_is_complete),
        cmocka_unit_test(only_health_checks_are_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
