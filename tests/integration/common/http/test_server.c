#include "services/common/http/server.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/clock.h"
#include "tests/support/http_fixture.h"
#include "tests/support/raw_http.h"
#include "tests/support/test.h"

#include <string.h>
#include <unistd.h>

#define PATIENCE_MS 60000

static struct fixture fixture;

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

// Sends one request on a connection of its own and returns the status; the response is appended to `out`.
static int ask(const char *request, struct strbuf *out)
{
    AUTO_CLOSE int fd = raw_connect(fixture.port);
    raw_send_text(fd, request);
    return raw_read_response(fd, out, PATIENCE_MS);
}

static const char *body_of(const struct strbuf *response)
{
    const char *end = strstr(strbuf_text(response), "\r\n\r\n");
    return end ? end + 4 : "";
}

static void routes_and_parameters(void **state)
{
    UNUSED(state);
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    assert_int_equal(ask("GET /things/a%20b%C3%A9?x=1%2B1+2 HTTP/1.1\r\nHost: x\r\n\r\n", &out), 200);
    assert_string_equal(body_of(&out), "a b\xC3\xA9 1+1 2\n");
    strbuf_clear(&out);
    assert_int_equal(ask("GET /things/.. HTTP/1.1\r\nHost: x\r\n\r\n", &out), 400);
    strbuf_clear(&out);
    assert_int_equal(ask("GET /missing HTTP/1.1\r\nHost: x\r\n\r\n", &out), 404);
    assert_non_null(strstr(strbuf_text(&out), "application/problem+json"));
    assert_non_null(strstr(strbuf_text(&out), "\"code\":\"not_found\""));
    strbuf_clear(&out);
    assert_int_equal(ask("DELETE /hello HTTP/1.1\r\nHost: x\r\n\r\n", &out), 405);
    assert_non_null(strstr(strbuf_text(&out), "Allow: GET, HEAD\r\n"));
    strbuf_clear(&out);
    assert_int_equal(ask("GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n", &out), 500);
}

static void request_ids_are_kept_or_made(void **state)
{
    UNUSED(state);
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    assert_int_equal(ask("GET /hello HTTP/1.1\r\nHost: x\r\nX-Request-Id: abc-1.2_3\r\n\r\n", &out), 200);
    assert_non_null(strstr(strbuf_text(&out), "X-Request-Id: abc-1.2_3\r\n"));
    strbuf_clear(&out);
    assert_int_equal(ask("GET /hello HTTP/1.1\r\nHost: x\r\nX-Request-Id: a b\r\n\r\n", &out), 200);
    assert_null(strstr(strbuf_text(&out), "X-Request-Id: a b"));
    assert_non_null(strstr(strbuf_text(&out), "X-Request-Id: "));
}

static void connections_are_kept(void **state)
{
    UNUSED(state);
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    AUTO_CLOSE int fd = raw_connect(fixture.port);
    for (int i = 0; i < 50; i++) {
        raw_send_text(fd, i % 2 ? "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"
                                : "POST /thread HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}");
        strbuf_clear(&out);
        assert_int_equal(raw_read_response(fd, &out, PATIENCE_MS), 200);
        assert_string_equal(body_of(&out), i % 2 ? "hello\n" : "{}");
    }
    // A refusal with a small body leaves the connection usable.
    raw_send_text(fd, "POST /missing HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n12345");
    strbuf_clear(&out);
    assert_int_equal(raw_read_response(fd, &out, PATIENCE_MS), 404);
    raw_send_text(fd, "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    strbuf_clear(&out);
    assert_true(raw_read_to_end(fd, &out, PATIENCE_MS));
    assert_int_equal(raw_status(strbuf_text(&out)), 200);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    UNUSED(state);
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    AUTO_CLOSE int fd = raw_connect(fixture.port);
    raw_send_text(fd, "POST /thread HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n1"
                      "POST /thread HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n2"
                      "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_true(raw_read_until(fd, &out, "hello\n", PATIENCE_MS));
    const char *first = strstr(strbuf_text(&out), "\r\n\r\n1");
    const char *second = strstr(strbuf_text(&out), "\r\n\r\n2");
    assert_true(first && second && first < second);
}

static void head_is_get_without_the_body(void **state)
{
    UNUSED(state);
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    AUTO_CLOSE int fd = raw_connect(fixture.port);
    raw_send_text(fd, "HEAD /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert_true(raw_read_to_end(fd, &out, PATIENCE_MS));
    assert_int_equal(raw_status(strbuf_text(&out)), 200);
    assert_non_null(strstr(strbuf_text(&out), "Content-Length: 6\r\n"));
    assert_string_equal(body_of(&out), "");
}

static void old_clients_are_served(void **state)
{
    UNUSED(state);
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    AUTO_CLOSE int fd = raw_connect(fixture.port);
    raw_send_text(fd, "GET /hello HTTP/1.0\r\n\r\n");
    assert_true(raw_read_to_end(fd, &out, PATIENCE_MS));
    assert_int_equal(raw_status(strbuf_text(&out)), 200);
}

static void heads_may_come_in_bits(void **state)
{
    UNUSED(state);
    static const char text[] =
        "POST /echo HTTP/1.1\r\nHost: x\r\nX-Long: 0123456789abcdef\r\nContent-Length: 4\r\n\r\nbody";
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    AUTO_CLOSE int fd = raw_connect(fixture.port);
    for (size_t i = 0; i < sizeof text - 1; i++) {
        raw_send(fd, text + i, 1);
        if (i % 8 == 0)
            usleep(200);
    }
    assert_int_equal(raw_read_response(fd, &out, PATIENCE_MS), 200);
    assert_string_equal(body_of(&out), "body");
}

static void large_heads_are_taken_up_to_the_limit(void **state)
{
    UNUSED(state);
    for (size_t size = 1000; size <= 20000; size += 1900) {
        AUTO_STRBUF struct strbuf request = STRBUF_INIT;
        AUTO_STRBUF struct strbuf out = STRBUF_INIT;
        strbuf_add_text(&request, "GET /hello HTTP/1.1\r\nHost: x\r\nX-Large: ");
        for (size_t i = 0; i < size; i++)
            strbuf_add_char(&request, 'x');
        strbuf_add_text(&request, "\r\nX-Next: y\r\n\r\n");
        assert_int_equal(ask(strbuf_text(&request), &out), size < 16300 ? 200 : 431);
    }
}

static void chunked_bodies_are_joined(void **state)
{
    UNUSED(state);
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    assert_int_equal(ask("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                         "3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n",
                         &out),
                     200);
    assert_string_equal(body_of(&out), "abcdefg");
}

// libmicrohttpd 1.0.1 miscounts the line of a chunk with an extension: that may be refused, but never change the body.
static void chunk_extensions_do_not_change_bodies(void **state)
{
    UNUSED(state);
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    int status = ask("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                     "3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\n\r\n",
                     &out);
    assert_true(status == 200 || status == 400);
    if (status == 200)
        assert_string_equal(body_of(&out), "abcdefg");
}

static void too_large_bodies_get_413(void **state)
{
    UNUSED(state);
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    AUTO_STRBUF struct strbuf chunked = STRBUF_INIT;
    assert_int_equal(ask("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n", &out), 413);
    assert_non_null(strstr(strbuf_text(&out), "Connection: close"));
    strbuf_clear(&out);
    assert_int_equal(
        ask("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 65537\r\nExpect: 100-continue\r\n\r\n", &out), 413);
    strbuf_add_text(&chunked, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 100; i++) {
        strbuf_add_text(&chunked, "400\r\n");
        for (int j = 0; j < 1024; j++)
            strbuf_add_char(&chunked, 'x');
        strbuf_add_text(&chunked, "\r\n");
    }
    strbuf_add_text(&chunked, "0\r\n\r\n");
    strbuf_clear(&out);
    assert_int_equal(ask(strbuf_text(&chunked), &out), 413);
    strbuf_clear(&out);
    assert_int_equal(ask("GET /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", &out), 413);
}

// A body of this size to a route that keeps it until fixture_complete_all().
static void hold_body(int fd, size_t size)
{
    AUTO_STRBUF struct strbuf request = STRBUF_INIT;
    strbuf_add_format(&request, "POST /hold HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n", size);
    for (size_t i = 0; i < size; i++)
        strbuf_add_char(&request, 'x');
    raw_send(fd, request.data, request.length);
}

static void assert_answer(int fd, int status)
{
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    assert_int_equal(raw_read_response(fd, &out, PATIENCE_MS), status);
    if (status != 503)
        return;
    assert_non_null(strstr(strbuf_text(&out), "Retry-After: 1\r\n"));
    assert_non_null(strstr(strbuf_text(&out), "hold all memory"));
}

static void bodies_share_a_budget(void **state)
{
    UNUSED(state);
    const size_t large = 600 * 1024, small = 64 * 1024, huge = 3 * 1024 * 1024;
    fixture_stop(&fixture);
    fixture_start(&fixture, &(struct http_server_settings){.body_budget_bytes = 1024 * 1024});
    AUTO_CLOSE int first = raw_connect(fixture.port);
    AUTO_CLOSE int second = raw_connect(fixture.port);
    hold_body(first, large);
    assert_true(fixture_wait_parked(&fixture, 1));
    hold_body(second, large);
    assert_answer(second, 503);
    hold_body(second, huge);
    assert_answer(second, 503);
    hold_body(second, small); // what workers say goes through
    assert_true(fixture_wait_parked(&fixture, 2));
    fixture_complete_all(&fixture, 200);
    assert_answer(first, 200);
    assert_answer(second, 200);
    hold_body(first, large); // what it held is free again, and not twice
    assert_true(fixture_wait_parked(&fixture, 1));
    hold_body(second, large);
    assert_answer(second, 503);
    fixture_complete_all(&fixture, 200);
    assert_answer(first, 200);
}

static void continue_is_said_before_a_body(void **state)
{
    UNUSED(state);
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    AUTO_CLOSE int fd = raw_connect(fixture.port);
    raw_send_text(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
    assert_true(raw_read_until(fd, &out, "100 Continue\r\n\r\n", PATIENCE_MS));
    strbuf_clear(&out);
    raw_send_text(fd, "body");
    assert_int_equal(raw_read_response(fd, &out, PATIENCE_MS), 200);
    assert_string_equal(body_of(&out), "body");
}

static void bodies_go_to_files(void **state)
{
    UNUSED(state);
    enum { SIZE = 3 * 1000 * 1000 };
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    AUTO_FREE char *bytes = malloc(SIZE);
    assert_non_null(bytes);
    memset(bytes, 1, SIZE);
    AUTO_CLOSE int fd = raw_connect(fixture.port);
    raw_send_text(fd, "PUT /file HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n");
    raw_send(fd, bytes, SIZE);
    assert_int_equal(raw_read_response(fd, &out, PATIENCE_MS), 200);
    assert_string_equal(body_of(&out), "3000000 3000000\n");
    strbuf_clear(&out);
    raw_send_text(fd, "PUT /file HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    assert_int_equal(raw_read_response(fd, &out, PATIENCE_MS), 200);
    assert_string_equal(body_of(&out), "0 0\n");
}

static void large_replies_arrive_whole(void **state)
{
    UNUSED(state);
    static const char *const sizes[] = {"1", "65536", "65537", "5000000"};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        AUTO_STRBUF struct strbuf request = STRBUF_INIT;
        AUTO_STRBUF struct strbuf out = STRBUF_INIT;
        strbuf_add_format(&request, "GET /large?bytes=%s HTTP/1.1\r\nHost: x\r\n\r\n", sizes[i]);
        assert_int_equal(ask(strbuf_text(&request), &out), 200);
        assert_int_equal(strlen(body_of(&out)), atoi(sizes[i]));
    }
}

static void etags_answer_304(void **state)
{
    UNUSED(state);
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    assert_int_equal(ask("GET /tagged HTTP/1.1\r\nHost: x\r\n\r\n", &out), 200);
    assert_non_null(strstr(strbuf_text(&out), "ETag: \"v1\"\r\n"));
    strbuf_clear(&out);
    assert_int_equal(ask("GET /tagged HTTP/1.1\r\nHost: x\r\nIf-None-Match: \"v0\", W/\"v1\"\r\n\r\n", &out), 304);
    assert_string_equal(body_of(&out), "");
}

static bool shows_observed(void **state, int before, int count)
{
    UNUSED(state);
    return fixture_wait(&fixture, &fixture.observed, before + count);
}

static void requests_are_observed_once(void **state)
{
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    fixture_stop(&fixture); // requests of other tests may still be about to be observed
    fixture_start(&fixture, NULL);
    int before = fixture_get(&fixture, &fixture.observed);
    ask("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n", &out);
    assert_true(shows_observed(state, before, 1));
    assert_int_equal(fixture_get(&fixture, &fixture.last_status), 200);
    ask("GET /missing HTTP/1.1\r\nHost: x\r\n\r\n", &out);
    assert_true(shows_observed(state, before, 2));
    assert_int_equal(fixture_get(&fixture, &fixture.last_status), 404);
    assert_int_equal(fixture_get(&fixture, &fixture.observed), before + 2);
}

static void refuses_bad_settings(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct http_server *server = NULL;
    struct http_server_settings settings = {.address = "localhost"};
    assert_error(http_server_start(&settings, &server, &err), err, ERR_INVALID, "no numeric IP address");
    settings = (struct http_server_settings){.address = "127.0.0.1", .port = fixture.port};
    assert_error(http_server_start(&settings, &server, &err), err, ERR_UNAVAILABLE, "in use");
    static const struct http_route bad[] = {{.method = "GET", .pattern = "x"}};
    settings = (struct http_server_settings){.address = "127.0.0.1", .routes = {bad, 1}};
    assert_error(http_server_start(&settings, &server, &err), err, ERR_INVALID, "route");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(routes_and_parameters),          cmocka_unit_test(request_ids_are_kept_or_made),
        cmocka_unit_test(connections_are_kept),           cmocka_unit_test(pipelined_requests_are_answered_in_order),
        cmocka_unit_test(head_is_get_without_the_body),   cmocka_unit_test(old_clients_are_served),
        cmocka_unit_test(heads_may_come_in_bits),         cmocka_unit_test(large_heads_are_taken_up_to_the_limit),
        cmocka_unit_test(chunked_bodies_are_joined),      cmocka_unit_test(chunk_extensions_do_not_change_bodies),
        cmocka_unit_test(too_large_bodies_get_413),       cmocka_unit_test(bodies_share_a_budget),
        cmocka_unit_test(continue_is_said_before_a_body), cmocka_unit_test(bodies_go_to_files),
        cmocka_unit_test(large_replies_arrive_whole),     cmocka_unit_test(etags_answer_304),
        cmocka_unit_test(requests_are_observed_once),     cmocka_unit_test(refuses_bad_settings),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
