// What a hostile or broken peer sends, byte for byte. Each case gets a 4xx (or 505, 501) or no answer at all, and its
// connection is closed: a second request that hides behind it is never carried out.
#include "services/common/base/cleanup.h"
#include "tests/support/http_fixture.h"
#include "tests/support/raw_http.h"
#include "tests/support/test.h"

#include <string.h>
#include <sys/socket.h>

#define PATIENCE_MS 10000
#define GET "GET /hello HTTP/1.1\r\nHost: x\r\n"
#define POST "POST /echo HTTP/1.1\r\nHost: x\r\n"
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"
#define TARGET(target) "GET " target " HTTP/1.1\r\nHost: x\r\n\r\n"
// Carried out when a front and we disagree about where a request ends; what it says back is found in the answer.
#define HIDDEN "GET /things/smuggled HTTP/1.1\r\nHost: x\r\n\r\n"

struct bytes {
    const char *text;
    size_t length;
};
#define B(literal) {(literal), sizeof(literal) - 1}

static const struct bytes request_lines[] = {
    B("\0\0\0\0\r\n\r\n"),
    B("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
    B("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    B("GET\r\nHost: x\r\n\r\n"),
    B("GET /hello\r\nHost: x\r\n\r\n"),
    B("GET /hello HTTP\r\nHost: x\r\n\r\n"),
    B("GET /hello HTTP/\r\nHost: x\r\n\r\n"),
    B("GET /hello HTTP/1\r\nHost: x\r\n\r\n"),
    B("GET /hello HTTP/1.\r\nHost: x\r\n\r\n"),
    B("GET /hello HTTP/0.9\r\nHost: x\r\n\r\n"),
    B("GET /hello HTTP/1.2\r\nHost: x\r\n\r\n"),
    B("GET /hello HTTP/1.10\r\nHost: x\r\n\r\n"),
    B("GET /hello HTTP/2.0\r\nHost: x\r\n\r\n"),
    B("GET /hello HTTP/11\r\nHost: x\r\n\r\n"),
    B("GET /hello http/1.1\r\nHost: x\r\n\r\n"),
    B("GET /hello HTTP/1,1\r\nHost: x\r\n\r\n"),
    B("GET /hello HTTP/-1.1\r\nHost: x\r\n\r\n"),
    B("GET /hello HTTP/1.1x\r\nHost: x\r\n\r\n"),
    B("GET /hello HTTP/1.1 \r\nHost: x\r\n\r\n"),
    B("GET /hello FTP/1.1\r\nHost: x\r\n\r\n"),
    B("GET /hello x HTTP/1.1\r\nHost: x\r\n\r\n"),
    B("GET  /hello HTTP/1.1\r\nHost: x\r\n\r\n"),
    B("GET /hello  HTTP/1.1\r\nHost: x\r\n\r\n"),
    B("GET\t/hello\tHTTP/1.1\r\nHost: x\r\n\r\n"),
    B(" GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"),
    B("/hello HTTP/1.1\r\nHost: x\r\n\r\n"),
    B("get /hello HTTP/1.1\r\nHost: x\r\n\r\n"),
    B("G\x01T /hello HTTP/1.1\r\nHost: x\r\n\r\n"),
    B("G\xc3\x89T /hello HTTP/1.1\r\nHost: x\r\n\r\n"),
    B("G@T /hello HTTP/1.1\r\nHost: x\r\n\r\n"),
    B("G:T /hello HTTP/1.1\r\nHost: x\r\n\r\n"),
    B("GETGETGETGETGETGETGET /hello HTTP/1.1\r\nHost: x\r\n\r\n"),
    B("G\0T /hello HTTP/1.1\r\nHost: x\r\n\r\n"),
    B("GET /hello HTTP/1.1\nHost: x\n\n"),
    B("GET /hello HTTP/1.1\r\r\nHost: x\r\n\r\n"),
};

static const struct bytes targets[] = {
    B(TARGET("*")),
    B(TARGET("hello")),
    B(TARGET("x:80")),
    B(TARGET("http://x/hello")),
    B(TARGET("HTTP://x/hello")),
    B(TARGET("file:///etc/passwd")),
    B(TARGET("//x/hello")),
    B(TARGET("/things//a")),
    B(TARGET("/things/.")),
    B(TARGET("/things/./a")),
    B(TARGET("/things/..")),
    B(TARGET("/things/../hello")),
    B(TARGET("/..")),
    B(TARGET("/../../../etc/passwd")),
    B(TARGET("/things/%2e")),
    B(TARGET("/things/%2e%2e")),
    B(TARGET("/things/%2E%2E/hello")),
    B(TARGET("/things/.%2e/hello")),
    B(TARGET("/things/%2e./hello")),
    B(TARGET("/things/..%2fhello")),
    B(TARGET("/things/a%2fb")),
    B(TARGET("/things/a%2Fb")),
    B(TARGET("/things/a%5cb")),
    B(TARGET("/things/..%5c..%5chello")),
    B(TARGET("/things/a\\b")),
    B(TARGET("/things/a%00")),
    B(TARGET("/things/a%00.txt")),
    B(TARGET("/things/a%01")),
    B(TARGET("/things/a%0a")),
    B(TARGET("/things/a%0d%0aX:%20y")),
    B(TARGET("/things/a%1f")),
    B(TARGET("/things/a%7f")),
    B(TARGET("/things/a%")),
    B(TARGET("/things/a%2")),
    B(TARGET("/things/a%zz")),
    B(TARGET("/things/a%-1")),
    B(TARGET("/things/a%u0041")),
    B(TARGET("/things/%80")),
    B(TARGET("/things/%c0%80")),
    B(TARGET("/things/%c0%ae%c0%ae")),
    B(TARGET("/things/%c1%9c")),
    B(TARGET("/things/%e0%80%af")),
    B(TARGET("/things/%ed%a0%80")),
    B(TARGET("/things/%f4%90%80%80")),
    B(TARGET("/things/%ff")),
    B(TARGET("/things/%fe%ff")),
    B(TARGET("/things/\xff")),
    B(TARGET("/things/\xc3\xa9")),
    B(TARGET("/things/\x01")),
    B(TARGET("/things/\x7f")),
    B(TARGET("/things/\t")),
    B(TARGET("/things/a\0b")),
    B(TARGET("/things/a#b")),
    B(TARGET("/things/a\"b")),
    B(TARGET("/things/<a>")),
    B(TARGET("/things/{id}")),
    B(TARGET("/things/a|b")),
    B(TARGET("/things/a^b")),
    B(TARGET("/things/a`b")),
    B(TARGET("/things/a?x=%00")),
    B(TARGET("/things/a?x=%zz")),
    B(TARGET("/things/a?x=%ff")),
    B(TARGET("/things/a?x=\x01")),
    B(TARGET("/things/a?x=%0d%0a")),
    B(TARGET("/things/a?#x")),
};

static const struct bytes heads[] = {
    B("GET /hello HTTP/1.1\r\n\r\n"),
    B("GET /hello HTTP/1.1\r\nHost:\r\n\r\n"),
    B("GET /hello HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n"),
    B("GET /hello HTTP/1.1\r\nHost: x\r\nhost: y\r\n\r\n"),
    B("GET /hello HTTP/1.1\r\nHost: x y\r\n\r\n"),
    B("GET /hello HTTP/1.1\r\nHost: x/y\r\n\r\n"),
    B("GET /hello HTTP/1.1\r\nHost: u@x\r\n\r\n"),
    B("GET /hello HTTP/1.1\r\nHost: x?y\r\n\r\n"),
    B("GET /hello HTTP/1.1\r\nHost: x#y\r\n\r\n"),
    B("GET /hello HTTP/1.1\r\nHost: x\\y\r\n\r\n"),
    B("GET /hello HTTP/1.1\r\nHost : x\r\n\r\n"),
    B("GET /hello HTTP/1.1\r\n Host: x\r\n\r\n"),
    B("GET /hello HTTP/1.1\r\nHost\r\n\r\n"),
    B(GET ": y\r\n\r\n"),
    B(GET "X\r\n\r\n"),
    B(GET "X Y: z\r\n\r\n"),
    B(GET "X\t: z\r\n\r\n"),
    B(GET "X : z\r\n\r\n"),
    B(GET "X\x01: z\r\n\r\n"),
    B(GET "X\xc3\xa9: z\r\n\r\n"),
    B(GET "X(: z\r\n\r\n"),
    B(GET "X/Y: z\r\n\r\n"),
    B(GET "X[0]: z\r\n\r\n"),
    B(GET "X\0: z\r\n\r\n"),
    B(GET "X: a\0b\r\n\r\n"),
    B(GET "X: a\x01\r\n\r\n"),
    B(GET "X: a\x0b\r\n\r\n"),
    B(GET "X: a\x7f\r\n\r\n"),
    B(GET "X: a\xff\r\n\r\n"),
    B(GET "X: a\xc0\x80\r\n\r\n"),
    B(GET "X: a\r\n b\r\n\r\n"),
    B(GET "X: a\r\n\tb\r\n\r\n"),
    B(GET "X: a\r\n Content-Length: 5\r\n\r\n"),
    B(GET "X:\r\n \r\n\r\n"),
    B(GET "X: a\rY: b\r\n\r\n"),
    B(GET "X: a\nY: b\r\n\r\n"),
    B(GET "Authorization: a\r\nAuthorization: b\r\n\r\n"),
    B(GET "Idempotency-Key: a\r\nIdempotency-Key: b\r\n\r\n"),
    B(POST "Content-Type: a/b\r\nContent-Type: c/d\r\nContent-Length: 0\r\n\r\n"),
    B(POST "Expect: 200-ok\r\nContent-Length: 0\r\n\r\n"),
    B(POST "Expect: 100-continue\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n"),
};

static const struct bytes framings[] = {
    B(POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" HIDDEN),
    B(POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" HIDDEN),
    B(POST "Content-Length: 0\r\nContent-Length: 50\r\n\r\n" HIDDEN),
    B(POST "Content-Length: 50\r\nContent-Length: 0\r\n\r\n" HIDDEN),
    B(POST "Content-Length: 0\r\nContent-Length: 0\r\n\r\n" HIDDEN),
    B(POST "Content-Length: 0, 50\r\n\r\n" HIDDEN),
    B(POST "Content-Length: 0,0\r\n\r\n" HIDDEN),
    B(POST "Content-Length: +0\r\n\r\n" HIDDEN),
    B(POST "Content-Length: -1\r\n\r\n" HIDDEN),
    B(POST "Content-Length: 0x0\r\n\r\n" HIDDEN),
    B(POST "Content-Length: 0 0\r\n\r\n" HIDDEN),
    B(POST "Content-Length: 0;a\r\n\r\n" HIDDEN),
    B(POST "Content-Length: 0.0\r\n\r\n" HIDDEN),
    B(POST "Content-Length: 1e1\r\n\r\n" HIDDEN),
    B(POST "Content-Length: \"0\"\r\n\r\n" HIDDEN),
    B(POST "Content-Length:\r\n\r\n" HIDDEN),
    B(POST "Content-Length: a\r\n\r\n" HIDDEN),
    B(POST "Content-Length : 0\r\n\r\n" HIDDEN),
    B(POST "Content-Length\t: 0\r\n\r\n" HIDDEN),
    B(POST "Content-Length: 9223372036854775808\r\n\r\n" HIDDEN),
    B(POST "Content-Length: 18446744073709551616\r\n\r\n" HIDDEN),
    B(POST "Content-Length: 99999999999999999999999999\r\n\r\n" HIDDEN),
    B(POST "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" HIDDEN),
    B(POST "Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n" HIDDEN),
    B(POST " Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" HIDDEN),
    B(POST "Transfer-Encoding: identity\r\n\r\n" HIDDEN),
    B(POST "Transfer-Encoding: gzip\r\n\r\n" HIDDEN),
    B(POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" HIDDEN),
    B(POST "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" HIDDEN),
    B(POST "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n" HIDDEN),
    B(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" HIDDEN),
    B(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" HIDDEN),
    B(POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" HIDDEN),
    B(POST "Transfer-Encoding: chunkedx\r\n\r\n0\r\n\r\n" HIDDEN),
    B(POST "Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n" HIDDEN),
    B(POST "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n" HIDDEN),
    B(POST "Transfer-Encoding: chunked\x0b\r\n\r\n0\r\n\r\n" HIDDEN),
    B(POST "Transfer-Encoding: \x0b"
           "chunked\r\n\r\n0\r\n\r\n" HIDDEN),
    B(POST "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" HIDDEN),
    B(POST "Transfer-Encoding:\r\n\r\n" HIDDEN),
    B(POST "X: a\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" HIDDEN),
    B(POST "X: a\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" HIDDEN),
    B("POST /echo HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" HIDDEN),
};

static const struct bytes chunks[] = {
    B(CHUNKED "\r\n\r\n"),
    B(CHUNKED "x\r\n\r\n"),
    B(CHUNKED "-1\r\na\r\n0\r\n\r\n"),
    B(CHUNKED "+1\r\na\r\n0\r\n\r\n"),
    B(CHUNKED "0x1\r\na\r\n0\r\n\r\n"),
    B(CHUNKED " 1\r\na\r\n0\r\n\r\n"),
    B(CHUNKED "1g\r\na\r\n0\r\n\r\n"),
    B(CHUNKED "1\r\nab\r\n0\r\n\r\n"),
    B(CHUNKED "1\r\na0\r\n\r\n"),
    B(CHUNKED "ffffffffffffffff\r\na"),
    B(CHUNKED "10000000000000000\r\na"),
    B(CHUNKED "8000000000000000\r\na"),
    B(CHUNKED "ffffffffffffffffffffffff\r\na"),
    B(CHUNKED "20000\r\n"),
    B(CHUNKED "\0"
              "1\r\na\r\n0\r\n\r\n"),
};

// The answer, if there is one, is a refusal, nothing follows it, and the connection ends.
static void is_refused(struct fixture *fixture, const char *group, size_t index, const struct bytes *bytes)
{
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    AUTO_CLOSE int fd = raw_connect(fixture->port);
    raw_send(fd, bytes->text, bytes->length);
    shutdown(fd, SHUT_WR); // what waits for more than was sent has to see the end
    bool has_closed = raw_read_to_end(fd, &out, PATIENCE_MS);
    const char *text = strbuf_text(&out);
    int status = raw_status(text);
    bool is_refusal = out.length == 0 || (status >= 400 && status < 500) || status == 501 || status == 505;
    if (!has_closed || !is_refusal || strstr(text, "smuggled -") || strstr(text + (out.length > 0), "HTTP/1.1 2"))
        fail_msg("%s %zu: closed %d, answered with %s", group, index, has_closed, text);
}

#define ALL_REFUSED(group)                        \
    for (size_t i = 0; i < ARRAY_LEN(group); i++) \
    is_refused(*state, #group, i, &(group)[i])

static void odd_request_lines(void **state)
{
    ALL_REFUSED(request_lines);
}

static void odd_targets(void **state)
{
    ALL_REFUSED(targets);
}

static void odd_heads(void **state)
{
    ALL_REFUSED(heads);
}

static void ambiguous_framings(void **state)
{
    ALL_REFUSED(framings);
}

static void bad_chunks(void **state)
{
    ALL_REFUSED(chunks);
}

// before + count times `piece` + after
static void is_refused_with(struct fixture *fixture, const char *before, const char *piece, size_t count,
                            const char *after)
{
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    strbuf_add_text(&text, before);
    for (size_t i = 0; i < count; i++)
        strbuf_add_text(&text, piece);
    strbuf_add_text(&text, after);
    is_refused(fixture, before, count, &(struct bytes){strbuf_text(&text), text.length});
}

static void too_much_of_anything(void **state)
{
    is_refused_with(*state, "GET /things/", "a", 8192, " HTTP/1.1\r\nHost: x\r\n\r\n");
    is_refused_with(*state, "GET /things/", "a", 200000, " HTTP/1.1\r\nHost: x\r\n\r\n");
    is_refused_with(*state, "GET /things/a?x=", "a", 9000, " HTTP/1.1\r\nHost: x\r\n\r\n");
    is_refused_with(*state, "G", "E", 200000, " /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    is_refused_with(*state, GET, "X: y\r\n", 65, "\r\n");
    is_refused_with(*state, GET, "X: y\r\n", 20000, "\r\n");
    is_refused_with(*state, GET "X: ", "y", 17000, "\r\n\r\n");
    is_refused_with(*state, GET "X: ", "y", 200000, "\r\n\r\n");
    is_refused_with(*state, GET, "X", 200000, ": y\r\n\r\n");
    is_refused_with(*state, "GET /hello HTTP/1.1\r\nHost: ", "x", 20000, "\r\n\r\n");
    is_refused_with(*state, POST "Content-Length: ", "9", 1000, "\r\n\r\n");
    is_refused_with(*state, POST "Content-Length: 70000\r\n\r\n", "x", 70000, "");
    is_refused_with(*state, CHUNKED, "400\r\n", 1, "");
    is_refused_with(*state, "", "\x80", 200000, "\r\n\r\n");
}

// Whatever came before, good clients are served.
static void good_clients_are_served(void **state)
{
    const struct fixture *fixture = *state;
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    AUTO_CLOSE int fd = raw_connect(fixture->port);
    raw_send_text(fd, GET "\r\n");
    assert_int_equal(raw_read_response(fd, &out, PATIENCE_MS), 200);
}

static int setup(void **state)
{
    static struct fixture fixture;
    // libmicrohttpd waits behind a chunk of 2^63 bytes though its peer has gone, and sometimes behind an answer to a
    // body that was too long: the deadlines end it.
    const struct http_server_settings settings = {
        .head_deadline_ms = 2000, .body_deadline_ms = 1000, .idle_ms = 2000, .watch_interval_ms = 100};
    fixture_start(&fixture, &settings);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    fixture_stop(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(odd_request_lines),
        cmocka_unit_test(odd_targets),
        cmocka_unit_test(odd_heads),
        cmocka_unit_test(ambiguous_framings),
        cmocka_unit_test(bad_chunks),
        cmocka_unit_test(too_much_of_anything),
        cmocka_unit_test(good_clients_are_served),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
