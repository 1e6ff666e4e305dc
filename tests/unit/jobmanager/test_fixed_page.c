#include "services/jobmanager/fixed_page.h"

#include "services/common/http/request_internal.h"
#include "tests/support/gunzip.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

static int times;

static void write_page(struct strbuf *body)
{
    times++;
    for (int i = 0; i < 1000; i++)
        strbuf_add_format(body, "line %d\n", i);
}

static struct fixed_page page = FIXED_PAGE_INIT(HTTP_TYPE_TEXT, write_page);

// The reply to a GET with one header.
static void ask(const char *name, const char *value, struct http_reply *reply)
{
    const struct http_head_field field = {name, strlen(name), value, strlen(value)};
    const struct http_head head = {.version = "HTTP/1.1", .fields = &field, .count = 1};
    struct http_request *request = http_request_new("/");
    assert_non_null(request);
    assert_int_equal(http_request_read_head(request, &head, NULL), 0);
    request->method = "GET";
    assert_int_equal(fixed_page_answer(&page, request, reply), HTTP_REPLY);
    http_request_unref(request);
}

static const char *header_of(const struct http_reply *reply, const char *name)
{
    const char *at = strbuf_text(&reply->headers), *end = at + reply->headers.length;
    for (; at < end; at += strlen(at) + 1) {
        bool is_it = strcmp(at, name) == 0;
        at += strlen(at) + 1;
        if (is_it)
            return at;
    }
    return "";
}

static void it_comes_as_it_is_compressed_or_not_at_all(void **state)
{
    UNUSED(state);
    AUTO_HTTP_REPLY struct http_reply plain = HTTP_REPLY_INIT, packed = HTTP_REPLY_INIT, known = HTTP_REPLY_INIT;
    AUTO_STRBUF struct strbuf unpacked = STRBUF_INIT;
    char weak[64];
    ask("Accept", "*/*", &plain);
    assert_int_equal(plain.status, 200);
    assert_string_equal(plain.content_type, HTTP_TYPE_TEXT);
    assert_string_equal(header_of(&plain, "Vary"), "Accept-Encoding");
    assert_string_equal(header_of(&plain, "Content-Encoding"), "");

    ask("Accept-Encoding", "br, gzip", &packed);
    assert_int_equal(packed.status, 200);
    assert_string_equal(header_of(&packed, "Vary"), "Accept-Encoding");
    assert_string_equal(header_of(&packed, "Content-Encoding"), "gzip");
    snprintf(weak, sizeof(weak), "W/%s", header_of(&plain, "ETag"));
    assert_string_equal(header_of(&packed, "ETag"), weak);
    assert_true(packed.body.length < plain.body.length / 2);
    assert_int_equal(gunzip(&packed.body, &unpacked), 0);
    assert_string_equal(strbuf_text(&unpacked), strbuf_text(&plain.body));

    ask("If-None-Match", weak, &known);
    assert_int_equal(known.status, 304);
    assert_int_equal(known.body.length, 0);
    assert_string_equal(header_of(&known, "ETag"), header_of(&plain, "ETag"));
    assert_string_equal(header_of(&known, "Vary"), "Accept-Encoding");
    assert_int_equal(times, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_comes_as_it_is_compressed_or_not_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
