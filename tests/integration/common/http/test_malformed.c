// What a hostile or broken peer sends, byte for byte. Each case gets a 4xx (or 505, 501) or no answer at all, and its
// connection is closed: a second request that hides behind it is never carried out.
#include "services/common/base/cleanup.h"
#include "tests/support/contract.h"
#include "tests/support/http_fixture.h"
#include "tests/support/malformed.h"
#include "tests/support/raw_http.h"
#include "tests/support/test.h"

#include <string.h>
#include <sys/socket.h>

#define PATIENCE_MS 60000
#define GET "GET /hello HTTP/1.1\r\nHost: x\r\n"
#define POST "POST /echo HTTP/1.1\r\nHost: x\r\n"
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"

// The answer, if there is one, is a refusal, nothing follows it, and the connection ends.
static void is_refused(struct fixture *fixture, const char *group, size_t index, const struct malformed *bytes)
{
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    AUTO_CLOSE int fd = raw_connect(fixture->port);
    raw_send(fd, bytes->text, bytes->length);
    shutdown(fd, SHUT_WR); // what waits for more than was sent has to see the end
    bool has_closed = raw_read_to_end(fd, &out, PATIENCE_MS);
    const char *text = strbuf_text(&out);
    int status = raw_status(text);
    bool is_refusal = out.length == 0 || (status >= 400 && status < 500) || status == 501 || status == 505;
    for (size_t at = 0, length; at < out.length; at += length) {
        AUTO_HTTP_RESPONSE struct http_response response = HTTP_RESPONSE_INIT;
        length = raw_parse_response(text + at, out.length - at, true, true, &response);
        if (length == 0) // behind a head that came twice
            break;
        contract_check_refusal(&response);
    }
    if (!has_closed || !is_refusal || strstr(text, "smuggled -") || strstr(text + (out.length > 0), "HTTP/1.1 2"))
        fail_msg("%s %zu: closed %d, answered with %s", group, index, has_closed, text);
}

static void all_refused(struct fixture *fixture, enum malformed_kind kind)
{
    const struct malformed_group *group = &malformed_groups[kind];
    for (size_t i = 0; i < group->count; i++)
        is_refused(fixture, group->name, i, &group->cases[i]);
}

static void odd_request_lines(void **state)
{
    all_refused(*state, MALFORMED_REQUEST_LINES);
}

static void odd_targets(void **state)
{
    all_refused(*state, MALFORMED_TARGETS);
}

static void odd_heads(void **state)
{
    all_refused(*state, MALFORMED_HEADS);
}

static void ambiguous_framings(void **state)
{
    all_refused(*state, MALFORMED_FRAMINGS);
}

static void bad_chunks(void **state)
{
    all_refused(*state, MALFORMED_CHUNKS);
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
    is_refused(fixture, before, count, &(struct malformed){strbuf_text(&text), text.length});
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

// The refusals were those of the API's document.
static void most_had_an_answer(void **state)
{
    UNUSED(state);
    assert_true(contract_count() > 100);
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
        cmocka_unit_test(most_had_an_answer),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
