#include "services/common/http/request_internal.h"

#include "tests/support/test.h"

#include <string.h>

static struct http_request *request_for(const char *target)
{
    struct http_request *request = http_request_new(target);
    assert_non_null(request);
    return request;
}

static void reads_queries(void **state)
{
    UNUSED(state);
    struct err err = {0};
    int status = 0;
    struct http_request *request = request_for("/v1/jobs?limit=10&name=a+b%26c&empty=&flag&%78=1");
    assert_ok(http_request_read_target(request, &status, &err), err);
    assert_string_equal(http_request_path(request), "/v1/jobs");
    assert_string_equal(http_request_query(request, "limit"), "10");
    assert_string_equal(http_request_query(request, "name"), "a b&c");
    assert_string_equal(http_request_query(request, "empty"), "");
    assert_string_equal(http_request_query(request, "flag"), "");
    assert_string_equal(http_request_query(request, "x"), "1");
    assert_null(http_request_query(request, "none"));
    static const char *const all[] = {"limit", "name", "empty", "flag", "x", NULL};
    static const char *const some[] = {"limit", "empty", "flag", "x", NULL};
    assert_ok(http_request_query_only(request, all, &err), err);
    assert_error(http_request_query_only(request, some, &err), err, ERR_INVALID, "'name'");
    http_request_unref(request);
}

static void refuses_bad_queries(void **state)
{
    UNUSED(state);
    static const char *const targets[] = {"/?a=1&a=2", "/?a&a",      "/?a=1&%61=2", "/?=1",
                                          "/?&",       "/?a=1&&b=2", "/?a=%01",     "/?a=%zz"};
    for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
        struct err err = {0};
        int status = 0;
        struct http_request *request = request_for(targets[i]);
        assert_int_equal(http_request_read_target(request, &status, &err), -1);
        assert_int_equal(status, 400);
        http_request_unref(request);
    }
}

static void limits_query_parameters(void **state)
{
    UNUSED(state);
    AUTO_STRBUF struct strbuf target = STRBUF_INIT;
    struct err err = {0};
    int status = 0;
    strbuf_add_text(&target, "/?");
    for (int i = 0; i <= HTTP_QUERY_PARAMS; i++)
        strbuf_add_format(&target, "%sp%d=x", i > 0 ? "&" : "", i);
    struct http_request *request = request_for(strbuf_text(&target));
    assert_error(http_request_read_target(request, &status, &err), err, ERR_INVALID, "more than");
    http_request_unref(request);
}

static void large_texts_do_not_fit_the_fixed_part(void **state)
{
    UNUSED(state);
    AUTO_STRBUF struct strbuf target = STRBUF_INIT;
    struct err err = {0};
    int status = 0;
    strbuf_add_text(&target, "/a?x=");
    for (int i = 0; i < 5000; i++)
        strbuf_add_char(&target, 'y');
    struct http_request *request = request_for(strbuf_text(&target));
    assert_ok(http_request_read_target(request, &status, &err), err);
    assert_int_equal(strlen(http_request_query(request, "x")), 5000);
    http_request_unref(request);
}

static void finds_headers_and_ids(void **state)
{
    UNUSED(state);
    static const struct http_head_field fields[] = {
        {"Accept", 6, "a  \t", 4},
        {"accept", 6, "b", 1},
        {"X-Request-ID", 12, "id.1", 4},
        {"Authorization", 13, "bearer  secret", 14},
    };
    const struct http_head head = {.version = "HTTP/1.1", .fields = fields, .count = ARRAY_LEN(fields)};
    const struct http_head without = {.version = "HTTP/1.1", .fields = fields, .count = 2};
    struct err err = {0};
    struct http_request *request = request_for("/");
    assert_ok(http_request_read_head(request, &head, &err), err);
    assert_string_equal(http_request_header(request, "ACCEPT"), "a");
    assert_null(http_request_header(request, "Cookie"));
    assert_string_equal(http_request_id(request), "id.1");
    assert_string_equal(http_request_bearer(request), "secret");
    http_request_unref(request);
    struct http_request *first = request_for("/"), *second = request_for("/");
    assert_ok(http_request_read_head(first, &without, &err), err);
    assert_ok(http_request_read_head(second, &without, &err), err);
    assert_int_equal(strlen(http_request_id(first)), 16);
    assert_string_not_equal(http_request_id(first), http_request_id(second));
    assert_null(http_request_bearer(first));
    http_request_unref(first);
    http_request_unref(second);
}

static void count_destroyed(void *context)
{
    ++*(int *)context;
}

static void contexts_are_destroyed_once(void **state)
{
    UNUSED(state);
    int first = 0, second = 0;
    struct http_request *request = request_for("/");
    http_request_set_context(request, &first, count_destroyed);
    assert_ptr_equal(http_request_context(request), &first);
    http_request_set_context(request, &second, count_destroyed);
    assert_int_equal(first, 1);
    http_request_ref(request);
    http_request_unref(request);
    assert_int_equal(second, 0);
    http_request_unref(request);
    assert_int_equal(second, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_queries),           cmocka_unit_test(refuses_bad_queries),
        cmocka_unit_test(limits_query_parameters), cmocka_unit_test(large_texts_do_not_fit_the_fixed_part),
        cmocka_unit_test(finds_headers_and_ids),   cmocka_unit_test(contexts_are_destroyed_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
