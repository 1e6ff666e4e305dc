#include "services/common/http/reply.h"

#include "services/common/http/request_internal.h"
#include "tests/support/test.h"

#include <string.h>

// The value of a header in the reply, or NULL.
static const char *header(const struct http_reply *reply, const char *name)
{
    const char *at = strbuf_text(&reply->headers), *end = at + reply->headers.length;
    while (at < end) {
        const char *value = at + strlen(at) + 1;
        if (strcmp(at, name) == 0)
            return value;
        at = value + strlen(value) + 1;
    }
    return NULL;
}

static void builds_and_starts_afresh(void **state)
{
    UNUSED(state);
    AUTO_HTTP_REPLY struct http_reply reply = HTTP_REPLY_INIT;
    struct strbuf body = STRBUF_INIT;
    strbuf_add_text(&body, "{}");
    assert_int_equal(http_reply_bytes(&reply, 201, HTTP_TYPE_JSON, &body), HTTP_REPLY);
    assert_null(body.data);
    http_reply_header(&reply, "Location", "/v1/jobs/j1");
    assert_int_equal(reply.status, 201);
    assert_string_equal(strbuf_text(&reply.body), "{}");
    assert_string_equal(header(&reply, "Location"), "/v1/jobs/j1");
    http_reply_empty(&reply, 204);
    assert_int_equal(reply.status, 204);
    assert_int_equal(reply.body.length, 0);
    assert_null(header(&reply, "Location"));
}

static void rounds_retry_after_up(void **state)
{
    UNUSED(state);
    static const struct {
        int64_t delay_ms;
        const char *text;
    } cases[] = {{0, "1"}, {1, "1"}, {1000, "1"}, {1001, "2"}, {60000, "60"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_HTTP_REPLY struct http_reply reply = HTTP_REPLY_INIT;
        http_reply_retry_after(&reply, cases[i].delay_ms);
        assert_string_equal(header(&reply, "Retry-After"), cases[i].text);
    }
}

static void refuses_headers_that_split(void **state)
{
    UNUSED(state);
    static const char *const values[] = {"a\r\nX: y", "a\nb", "a\x01", "\x7f"};
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        AUTO_HTTP_REPLY struct http_reply reply = HTTP_REPLY_INIT;
        http_reply_text(&reply, 200, HTTP_TYPE_TEXT, "x");
        http_reply_header(&reply, "X-A", values[i]);
        assert_true(reply.headers.failed);
    }
}

static bool matches(const char *if_none_match, const char *method)
{
    const struct http_head_field field = {"If-None-Match", 13, if_none_match, strlen(if_none_match)};
    const struct http_head head = {.version = "HTTP/1.1", .fields = &field, .count = 1};
    AUTO_HTTP_REPLY struct http_reply reply = HTTP_REPLY_INIT;
    struct http_request *request = http_request_new("/");
    assert_non_null(request);
    assert_int_equal(http_request_read_head(request, &head, NULL), 0);
    request->method = method;
    http_reply_text(&reply, 200, HTTP_TYPE_TEXT, "body");
    bool is_match = http_reply_etag(&reply, request, "v1");
    assert_string_equal(header(&reply, "ETag"), "\"v1\"");
    assert_int_equal(reply.status, is_match ? 304 : 200);
    assert_int_equal(reply.body.length, is_match ? 0 : 4);
    http_request_unref(request);
    return is_match;
}

static void compares_etags(void **state)
{
    UNUSED(state);
    assert_true(matches("\"v1\"", "GET"));
    assert_true(matches("W/\"v1\"", "GET"));
    assert_true(matches("\"v0\" , \"v1\"", "GET"));
    assert_true(matches("*", "GET"));
    assert_false(matches("\"v10\"", "GET"));
    assert_false(matches("v1", "GET"));
    assert_false(matches("", "GET"));
    assert_false(matches("\"v1\"", "POST"));
}

static void writes_problems(void **state)
{
    UNUSED(state);
    AUTO_HTTP_REPLY struct http_reply reply = HTTP_REPLY_INIT;
    struct http_request *request = http_request_new("/");
    assert_non_null(request);
    strcpy(request->id, "r1");
    http_reply_problem(&reply, request, 409, "conflict", "it \"is\" so");
    assert_string_equal(
        strbuf_text(&reply.body),
        "{\"type\":\"urn:curfew:problem:conflict\",\"title\":\"Conflict\",\"status\":409,\"code\":\"conflict\","
        "\"detail\":\"it \\\"is\\\" so\",\"request_id\":\"r1\",\"errors\":[]}");
    assert_string_equal(reply.content_type, HTTP_TYPE_PROBLEM);
    http_request_unref(request);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(builds_and_starts_afresh),
        cmocka_unit_test(rounds_retry_after_up),
        cmocka_unit_test(refuses_headers_that_split),
        cmocka_unit_test(compares_etags),
        cmocka_unit_test(writes_problems),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
