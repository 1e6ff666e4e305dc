// Malformed and smuggled requests over a real socket: each gets a 4xx (or no answer at all), its connection is closed,
// and no handler runs for anything that stands behind it.
#include "services/common/base/cleanup.h"
#include "tests/support/http_fixture.h"
#include "tests/support/raw_http.h"
#include "tests/support/test.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_MS 60000
#define BYTES(text) text, sizeof(text) - 1
#define HOST "Host: x\r\n"
#define SMUGGLED "GET /hello HTTP/1.1\r\nHost: smuggled\r\n\r\n"

static struct fixture fixture;

struct malformed {
    const char *bytes;
    size_t length;
};

static const struct malformed cases[] = {
    // framing
    {BYTES("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" SMUGGLED)},
    {BYTES("POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n" SMUGGLED)},
    {BYTES("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd" SMUGGLED)},
    {BYTES("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc" SMUGGLED)},
    {BYTES("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 3\r\ncontent-length: 0\r\n\r\nabc" SMUGGLED)},
    {BYTES("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 3, 3\r\n\r\nabc" SMUGGLED)},
    {BYTES("POST /echo HTTP/1.1\r\n" HOST "Content-Length: +3\r\n\r\nabc" SMUGGLED)},
    {BYTES("POST /echo HTTP/1.1\r\n" HOST "Content-Length: -3\r\n\r\nabc" SMUGGLED)},
    {BYTES("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 0x3\r\n\r\nabc" SMUGGLED)},
    {BYTES("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 3 4\r\n\r\nabc" SMUGGLED)},
    {BYTES("POST /echo HTTP/1.1\r\n" HOST "Content-Length:\r\n\r\nabc" SMUGGLED)},
    {BYTES("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 99999999999999999999\r\n\r\nabc" SMUGGLED)},
    {BYTES("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 9223372036854775808\r\n\r\nabc" SMUGGLED)},
    {BYTES("POST /echo HTTP/1.1\r\n" HOST "Content-Length: abc\r\n\r\nabc" SMUGGLED)},
    {BYTES("POST /echo HTTP/1.1\r\n" HOST "Content-Length : 3\r\n\r\nabc" SMUGGLED)},
    {BYTES("POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" SMUGGLED)},
    {BYTES("POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n" SMUGGLED)},
    {BYTES("POST /echo HTTP/1.1\r\n" HOST
           "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" SMUGGLED)},
    {BYTES("POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: identity\r\n\r\n" SMUGGLED)},
    {BYTES("POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" SMUGGLED)},
    {BYTES("POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" SMUGGLED)},
    {BYTES("POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" SMUGGLED)},
    {BYTES("POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n" SMUGGLED)},
    {BYTES("POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding:\r\n\r\n0\r\n\r\n" SMUGGLED)},
    {BYTES("POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: \x0b"
           "chunked\r\n\r\n0\r\n\r\n" SMUGGLED)},
    {BYTES("POST /echo HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" SMUGGLED)},
    {BYTES("GET /hello HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n" SMUGGLED)},
    // chunks
    {BYTES("POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nxyz\r\nabc\r\n0\r\n\r\n" SMUGGLED)},
    {BYTES("POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n-1\r\nabc\r\n0\r\n\r\n" SMUGGLED)},
    {BYTES("POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n" SMUGGLED)},
    {BYTES("POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n\r\nabc\r\n0\r\n\r\n" SMUGGLED)},
    {BYTES("POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n3\r\nabcdef\r\n0\r\n\r\n" SMUGGLED)},
    {BYTES("POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFFF\r\nabc\r\n" SMUGGLED)},
    {BYTES("POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n 3\r\nabc\r\n0\r\n\r\n" SMUGGLED)},
    {BYTES("POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n;x\r\nabc\r\n0\r\n\r\n" SMUGGLED)},
    {BYTES("POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n+3\r\nabc\r\n0\r\n\r\n" SMUGGLED)},
    // hosts
    {BYTES("GET /hello HTTP/1.1\r\n\r\n" SMUGGLED)},
    {BYTES("GET /hello HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n" SMUGGLED)},
    {BYTES("GET /hello HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n" SMUGGLED)},
    {BYTES("GET /hello HTTP/1.1\r\nHost:\r\n\r\n" SMUGGLED)},
    {BYTES("GET /hello HTTP/1.1\r\nHost: a b\r\n\r\n" SMUGGLED)},
    {BYTES("GET /hello HTTP/1.1\r\nHost: a/b\r\n\r\n" SMUGGLED)},
    {BYTES("GET /hello HTTP/1.1\r\nHost: user@a\r\n\r\n" SMUGGLED)},
    {BYTES("GET /hello HTTP/1.1\r\nHost: a\r\n Host: b\r\n\r\n" SMUGGLED)},
    // lines
    {BYTES("GET /hello HTTP/1.1\r\n" HOST "X-Fold: a\r\n b\r\n\r\n" SMUGGLED)},
    {BYTES("GET /hello HTTP/1.1\r\n" HOST "X-Fold: a\r\n\tb\r\nX-Next: c\r\n\r\n" SMUGGLED)},
    {BYTES("GET /hello HTTP/1.1\r\n Host: x\r\n\r\n" SMUGGLED)},
    {BYTES("GET /hello HTTP/1.1\r\n" HOST "X-Role: a\r\n -Admin: b\r\n\r\n" SMUGGLED)},
    {BYTES("GET /hello HTTP/1.1\r\n" HOST "X-Fold:\r\n b\r\n\r\n" SMUGGLED)},
    {BYTES("GET /hello HTTP/1.1\r\n" HOST "X-Last: a\r\n \r\n\r\n" SMUGGLED)},
    {BYTES("GET /hello HTTP/1.1\nHost: x\n\n" SMUGGLED)},
    {BYTES("GET /hello HTTP/1.1\r\nHost: x\nX-A: b\r\n\r\n" SMUGGLED)},
    {BYTES("GET /hello HTTP/1.1\r\n" HOST "\n" SMUGGLED)},
    {BYTES("GET /hello HTTP/1.1\nHost: x\r\n\r\n" SMUGGLED)},
    {BYTES("GET /hello HTTP/1.1\r\n" HOST "X-A: b\rX-B: c\r\n\r\n" SMUGGLED)},
    {BYTES("GET /hello HTTP/1.1\r\n" HOST "no colon\r\n\r\n" SMUGGLED)},
    {BYTES("GET /hello HTTP/1.1\r\n" HOST ": empty\r\n\r\n" SMUGGLED)},
    {BYTES("GET /hello HTTP/1.1\r\n" HOST "X A: b\r\n\r\n" SMUGGLED)},
    {BYTES("GET /hello HTTP/1.1\r\n" HOST "X(A): b\r\n\r\n" SMUGGLED)},
    {BYTES("GET /hello HTTP/1.1\r\n" HOST "X\x80: b\r\n\r\n" SMUGGLED)},
    {BYTES("GET /hello HTTP/1.1\r\n" HOST "X-A: b\x01\r\n\r\n" SMUGGLED)},
    {BYTES("GET /hello HTTP/1.1\r\n" HOST "X-A: b\x7f\r\n\r\n" SMUGGLED)},
    {BYTES("GET /hello HTTP/1.1\r\n" HOST "X-A: \xff\xfe\r\n\r\n" SMUGGLED)},
    {BYTES("GET /hello HTTP/1.1\r\n" HOST "X-A: b\0c\r\n\r\n" SMUGGLED)},
    {BYTES("GET /hello HTTP/1.1\r\n" HOST "X-\0A: b\r\n\r\n" SMUGGLED)},
    {BYTES("GET /hello HTTP/1.1\r\nHost: x\0y\r\nX-A: b\r\n\r\n" SMUGGLED)},
    {BYTES("GET /hello HTTP/1.1\r\n" HOST "Authorization: a\r\nAuthorization: b\r\n\r\n" SMUGGLED)},
    {BYTES("GET /hello HTTP/1.1\r\n" HOST "Expect: 200-ok\r\n\r\n" SMUGGLED)},
    // request lines
    {BYTES("GET\r\n\r\n" SMUGGLED)},
    {BYTES("GET /hello\r\n\r\n" SMUGGLED)},
    {BYTES("GET  HTTP/1.1\r\n" HOST "\r\n" SMUGGLED)},
    {BYTES("GET /hello HTTP/1.1 \r\n" HOST "\r\n" SMUGGLED)},
    {BYTES("GET  /hello HTTP/1.1\r\n" HOST "\r\n" SMUGGLED)},
    {BYTES("GET /hello  HTTP/1.1\r\n" HOST "\r\n" SMUGGLED)},
    {BYTES("GET\t/hello HTTP/1.1\r\n" HOST "\r\n" SMUGGLED)},
    {BYTES(" GET /hello HTTP/1.1\r\n" HOST "\r\n" SMUGGLED)},
    {BYTES("get /hello HTTP/1.1\r\n" HOST "\r\n" SMUGGLED)},
    {BYTES("G@T /hello HTTP/1.1\r\n" HOST "\r\n" SMUGGLED)},
    {BYTES("GET /hello HTTP/1.2\r\n" HOST "\r\n" SMUGGLED)},
    {BYTES("GET /hello HTTP/2.0\r\n" HOST "\r\n" SMUGGLED)},
    {BYTES("GET /hello HTTP/0.9\r\n" HOST "\r\n" SMUGGLED)},
    {BYTES("GET /hello http/1.1\r\n" HOST "\r\n" SMUGGLED)},
    {BYTES("GET /hello HTTP/1.1x\r\n" HOST "\r\n" SMUGGLED)},
    {BYTES("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" SMUGGLED)},
    {BYTES("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 not our protocol\r\n\r\n" SMUGGLED)},
    // targets
    {BYTES("GET http://x/hello HTTP/1.1\r\n" HOST "\r\n" SMUGGLED)},
    {BYTES("GET * HTTP/1.1\r\n" HOST "\r\n" SMUGGLED)},
    {BYTES("OPTIONS * HTTP/1.1\r\n" HOST "\r\n" SMUGGLED)},
    {BYTES("CONNECT x:80 HTTP/1.1\r\n" HOST "\r\n" SMUGGLED)},
    {BYTES("GET //hello HTTP/1.1\r\n" HOST "\r\n" SMUGGLED)},
    {BYTES("GET /hello/ HTTP/1.1\r\n" HOST "\r\n" SMUGGLED)},
    {BYTES("GET /things/../hello HTTP/1.1\r\n" HOST "\r\n" SMUGGLED)},
    {BYTES("GET /./hello HTTP/1.1\r\n" HOST "\r\n" SMUGGLED)},
    {BYTES("GET /things/%2e%2e HTTP/1.1\r\n" HOST "\r\n" SMUGGLED)},
    {BYTES("GET /things/%2E. HTTP/1.1\r\n" HOST "\r\n" SMUGGLED)},
    {BYTES("GET /things/a%2fb HTTP/1.1\r\n" HOST "\r\n" SMUGGLED)},
    {BYTES("GET /things/a%5Cb HTTP/1.1\r\n" HOST "\r\n" SMUGGLED)},
    {BYTES("GET /things/a\\b HTTP/1.1\r\n" HOST "\r\n" SMUGGLED)},
    {BYTES("GET /hello%00 HTTP/1.1\r\n" HOST "\r\n" SMUGGLED)},
    {BYTES("GET /hello%00/x HTTP/1.1\r\n" HOST "\r\n" SMUGGLED)},
    {BYTES("GET /hello\0/x HTTP/1.1\r\n" HOST "\r\n" SMUGGLED)},
    {BYTES("GET /hello%0d%0aX HTTP/1.1\r\n" HOST "\r\n" SMUGGLED)},
    {BYTES("GET /things/%7f HTTP/1.1\r\n" HOST "\r\n" SMUGGLED)},
    {BYTES("GET /things/%zz HTTP/1.1\r\n" HOST "\r\n" SMUGGLED)},
    {BYTES("GET /things/%4 HTTP/1.1\r\n" HOST "\r\n" SMUGGLED)},
    {BYTES("GET /things/% HTTP/1.1\r\n" HOST "\r\n" SMUGGLED)},
    {BYTES("GET /things/%ff HTTP/1.1\r\n" HOST "\r\n" SMUGGLED)},
    {BYTES("GET /things/%c0%af HTTP/1.1\r\n" HOST "\r\n" SMUGGLED)},
    {BYTES("GET /things/%ed%a0%80 HTTP/1.1\r\n" HOST "\r\n" SMUGGLED)},
    {BYTES("GET /things/\xc3\xa9 HTTP/1.1\r\n" HOST "\r\n" SMUGGLED)},
    {BYTES("GET /hello#fragment HTTP/1.1\r\n" HOST "\r\n" SMUGGLED)},
    {BYTES("GET /things/<a> HTTP/1.1\r\n" HOST "\r\n" SMUGGLED)},
    {BYTES("GET /things/a\x01 HTTP/1.1\r\n" HOST "\r\n" SMUGGLED)},
    {BYTES("GET /hello?x=%00 HTTP/1.1\r\n" HOST "\r\n" SMUGGLED)},
    {BYTES("GET /hello?x=1&x=2 HTTP/1.1\r\n" HOST "\r\n" SMUGGLED)},
    {BYTES("GET /hello?x=1&%78=2 HTTP/1.1\r\n" HOST "\r\n" SMUGGLED)},
    {BYTES("GET /hello?=1 HTTP/1.1\r\n" HOST "\r\n" SMUGGLED)},
    {BYTES("GET /hello?a&&b HTTP/1.1\r\n" HOST "\r\n" SMUGGLED)},
    {BYTES("GET /hello?x=%ff HTTP/1.1\r\n" HOST "\r\n" SMUGGLED)},
    {BYTES("GET /hello?x=a b HTTP/1.1\r\n" HOST "\r\n" SMUGGLED)},
};

static int setup(void **state)
{
    UNUSED(state);
    fixture_start(&fixture, NULL);
    return 0;
}

static int teardown(void **state)
{
    UNUSED(state);
    fixture_stop(&fixture);
    return 0;
}

// Sends the bytes and reads to the end: the peer has to close, and to answer 4xx (or 505), or nothing.
static void assert_refused(const char *bytes, size_t length, const char *name)
{
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    AUTO_CLOSE int fd = raw_connect(fixture.port);
    raw_send(fd, bytes, length);
    if (!raw_read_to_end(fd, &out, PATIENCE_MS))
        fail_msg("%s: the connection was not closed: %s", name, strbuf_text(&out));
    int status = raw_status(strbuf_text(&out));
    bool is_refused = out.length == 0 || (status >= 400 && status < 500) || status == 505;
    if (!is_refused || memmem(strbuf_text(&out), out.length, "hello\n", 6))
        fail_msg("%s: answered %s", name, strbuf_text(&out));
}

static void malformed_requests_are_refused_and_closed(void **state)
{
    UNUSED(state);
    assert_true(ARRAY_LEN(cases) >= 80);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char name[32];
        snprintf(name, sizeof name, "case %zu", i);
        assert_refused(cases[i].bytes, cases[i].length, cases[i].bytes[0] ? cases[i].bytes : name);
    }
}

static void oversized_heads_are_refused_and_closed(void **state)
{
    UNUSED(state);
    AUTO_STRBUF struct strbuf target = STRBUF_INIT;
    AUTO_STRBUF struct strbuf many = STRBUF_INIT;
    AUTO_STRBUF struct strbuf endless = STRBUF_INIT;
    strbuf_add_text(&target, "GET /things/");
    for (int i = 0; i < 9000; i++)
        strbuf_add_char(&target, 'a');
    strbuf_add_text(&target, " HTTP/1.1\r\n" HOST "\r\n" SMUGGLED);
    assert_refused(target.data, target.length, "long target");
    strbuf_add_text(&many, "GET /hello HTTP/1.1\r\n" HOST);
    for (int i = 0; i < 70; i++)
        strbuf_add_text(&many, "X-A: b\r\n");
    strbuf_add_text(&many, "\r\n" SMUGGLED);
    assert_refused(many.data, many.length, "many headers");
    strbuf_add_text(&endless, "GET /hello HTTP/1.1\r\n" HOST "X-Endless: ");
    for (int i = 0; i < 100000; i++)
        strbuf_add_char(&endless, 'a');
    assert_refused(endless.data, endless.length, "endless header");
}

// The server is none the worse for it.
static void sound_requests_are_still_served(void **state)
{
    UNUSED(state);
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    AUTO_CLOSE int fd = raw_connect(fixture.port);
    raw_send_text(fd, "\r\nGET /hello HTTP/1.1\r\n" HOST "X-Empty:\r\nX-Tab:\tvalue \r\n\r\n");
    assert_int_equal(raw_read_response(fd, &out, PATIENCE_MS), 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(malformed_requests_are_refused_and_closed),
        cmocka_unit_test(oversized_heads_are_refused_and_closed),
        cmocka_unit_test(sound_requests_are_still_served),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
