#include "services/common/http/gzip.h"

#include "services/common/http/request_internal.h"
#include "tests/support/test.h"

#include <string.h>
#include <zlib.h>

static struct http_request *request_with(const char *accept)
{
    const struct http_head_field field = {"Accept-Encoding", 15, accept ? accept : "", accept ? strlen(accept) : 0};
    const struct http_head head = {.version = "HTTP/1.1", .fields = &field, .count = accept ? 1 : 0};
    struct http_request *request = http_request_new("/");
    assert_non_null(request);
    assert_int_equal(http_request_read_head(request, &head, NULL), 0);
    request->method = "GET";
    return request;
}

static void what_clients_take(void **state)
{
    static const struct {
        const char *accept;
        bool takes;
    } cases[] = {
        {NULL, false},
        {"", false},
        {"gzip", true},
        {"GZip", true},
        {"x-gzip", true},
        {"br, deflate , gzip", true},
        {"gzip;q=1.0, *;q=0", true},
        {"gzip ; q=0.5", true},
        {"gzip;q=0.001", true},
        {"gzip;q=0", false},
        {"gzip;q=0.000", false},
        {"gzip;q=", false},
        {"gzip;q=x", false},
        {"*", true},
        {"*;q=0", false},
        {"*, gzip;q=0", false},
        {"br", false},
        {"gzipped", false},
        {"identity", false},
        {"identity;q=0.5, gzip;q=0.6", true},
        {"identity, gzip;q=0.9", false},
        {"identity;q=0, *", true},
        {",,gzip,", true},
    };
    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http_request *request = request_with(cases[i].accept);
        if (http_accepts_gzip(request) != cases[i].takes)
            fail_msg("'%s'", cases[i].accept ? cases[i].accept : "nothing");
        http_request_unref(request);
    }
}

static void unpack(const struct strbuf *packed, char *out, size_t size)
{
    z_stream stream = {.next_in = (unsigned char *)packed->data,
                       .avail_in = (unsigned)packed->length,
                       .next_out = (unsigned char *)out,
                       .avail_out = (unsigned)size};
    assert_int_equal(inflateInit2(&stream, 16 + MAX_WBITS), Z_OK);
    assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
    assert_int_equal(stream.avail_in, 0);
    out[size - stream.avail_out] = '\0';
    inflateEnd(&stream);
}

static bool has_header(const struct http_reply *reply, const char *name, const char *value)
{
    const char *at = strbuf_text(&reply->headers), *end = at + reply->headers.length;
    for (; at < end; at += strlen(at) + 1) {
        const char *name_here = at;
        at += strlen(at) + 1;
        if (strcmp(name_here, name) == 0 && strcmp(at, value) == 0)
            return true;
    }
    return false;
}

static void fill(struct http_reply *reply, const char *type, size_t length)
{
    struct strbuf body = STRBUF_INIT;
    for (size_t i = 0; i < length; i++)
        strbuf_add_char(&body, (char)('a' + i % 7));
    http_reply_bytes(reply, 200, type, &body);
}

static void whole_replies(void **state)
{
    static const struct {
        const char *accept, *type;
        size_t length;
        bool varies, packs;
    } cases[] = {
        {"gzip", HTTP_TYPE_JSON, 100000, true, true},     {"gzip", HTTP_TYPE_JSON, 1024, true, true},
        {"gzip", HTTP_TYPE_JSON, 1023, false, false},     {NULL, HTTP_TYPE_JSON, 100000, true, false},
        {"gzip", HTTP_TYPE_NDJSON, 5000, true, true},     {"gzip", HTTP_TYPE_TEXT, 5000, true, true},
        {"gzip", "application/zstd", 5000, false, false}, {"gzip", HTTP_TYPE_PROBLEM, 5000, false, false},
    };
    UNUSED(state);
    static char text[100001];
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_HTTP_REPLY struct http_reply reply = HTTP_REPLY_INIT;
        struct http_request *request = request_with(cases[i].accept);
        fill(&reply, cases[i].type, cases[i].length);
        http_reply_etag(&reply, request, "v1");
        http_reply_gzip(&reply, request);
        assert_int_equal(has_header(&reply, "Vary", "Accept-Encoding"), cases[i].varies);
        assert_int_equal(has_header(&reply, "Content-Encoding", "gzip"), cases[i].packs);
        assert_true(has_header(&reply, "ETag", cases[i].packs ? "W/\"v1\"" : "\"v1\""));
        if (cases[i].packs) {
            assert_true(reply.body.length < cases[i].length / 4);
            unpack(&reply.body, text, sizeof(text) - 1);
            assert_int_equal(strlen(text), cases[i].length);
            assert_memory_equal(text, "abcdefgabcdefg", 14);
        } else {
            assert_int_equal(reply.body.length, cases[i].length);
        }
        http_request_unref(request);
    }
}

// Only what is got is compressed; what has not changed varies as its body would.
static void other_replies_are_left_alone(void **state)
{
    UNUSED(state);
    AUTO_HTTP_REPLY struct http_reply reply = HTTP_REPLY_INIT;
    struct http_request *request = request_with("gzip");
    request->method = "POST";
    fill(&reply, HTTP_TYPE_JSON, 100000);
    http_reply_gzip(&reply, request);
    assert_int_equal(reply.body.length, 100000);
    assert_int_equal(reply.headers.length, 0);
    request->method = "GET";
    http_reply_empty(&reply, 304);
    http_reply_gzip(&reply, request);
    assert_true(has_header(&reply, "Vary", "Accept-Encoding"));
    assert_false(has_header(&reply, "Content-Encoding", "gzip"));
    http_request_unref(request);
}

// What was added can be read before there is more.
static void streams_are_flushed(void **state)
{
    UNUSED(state);
    AUTO_GZIP struct gzip *gzip = NULL;
    AUTO_STRBUF struct strbuf packed = STRBUF_INIT;
    struct err err;
    char text[64];
    assert_ok(gzip_new(&gzip, &err), err);
    gzip_add(gzip, "one ", 4, &packed);
    z_stream stream = {.next_in = (unsigned char *)packed.data,
                       .avail_in = (unsigned)packed.length,
                       .next_out = (unsigned char *)text,
                       .avail_out = sizeof(text)};
    assert_int_equal(inflateInit2(&stream, 16 + MAX_WBITS), Z_OK);
    assert_int_equal(inflate(&stream, Z_SYNC_FLUSH), Z_OK);
    assert_int_equal(stream.total_out, 4);
    inflateEnd(&stream);
    gzip_add(gzip, "", 0, &packed);
    gzip_add(gzip, "two", 3, &packed);
    gzip_end(gzip, &packed);
    unpack(&packed, text, sizeof(text) - 1);
    assert_string_equal(text, "one two");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_clients_take),
        cmocka_unit_test(whole_replies),
        cmocka_unit_test(other_replies_are_left_alone),
        cmocka_unit_test(streams_are_flushed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
