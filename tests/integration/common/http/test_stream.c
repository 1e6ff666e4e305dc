#include "services/common/http/stream.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/clock.h"
#include "tests/support/http_fixture.h"
#include "tests/support/raw_http.h"
#include "tests/support/test.h"

#include <string.h>
#include <unistd.h>

#define PATIENCE_MS 60000
#define FOLLOW "GET /follow HTTP/1.1\r\nHost: x\r\n\r\n"

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

// Opens a /follow stream whose head has arrived.
static int follow(struct http_stream **stream, struct strbuf *out)
{
    int fd = raw_connect(fixture.port);
    raw_send_text(fd, FOLLOW);
    *stream = fixture_take_followed(&fixture);
    assert_non_null(*stream);
    assert_true(raw_read_until(fd, out, "\r\n\r\n", PATIENCE_MS));
    return fd;
}

static void content_comes_as_it_is_written(void **state)
{
    UNUSED(state);
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    struct http_stream *stream = NULL;
    AUTO_CLOSE int fd = follow(&stream, &out);
    assert_non_null(strstr(strbuf_text(&out), "text/event-stream"));
    assert_non_null(strstr(strbuf_text(&out), "Transfer-Encoding: chunked"));
    assert_int_equal(http_stream_write(stream, "data: 1\n\n", 9), HTTP_STREAM_MORE);
    assert_true(raw_read_until(fd, &out, "data: 1\n\n", PATIENCE_MS));
    assert_int_equal(http_stream_write(stream, "data: 2\n\n", 9), HTTP_STREAM_MORE);
    assert_true(raw_read_until(fd, &out, "data: 2\n\n", PATIENCE_MS));
    http_stream_end(stream, true);
    assert_true(raw_read_until(fd, &out, "0\r\n\r\n", PATIENCE_MS));
    assert_true(fixture_wait(&fixture, &fixture.streams_destroyed, 1));
    assert_int_equal(fixture_get(&fixture, &fixture.stream_gone), 0);
    // The connection goes on.
    raw_send_text(fd, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_true(raw_read_until(fd, &out, "hello\n", PATIENCE_MS));
}

static void what_is_missing_shows(void **state)
{
    UNUSED(state);
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    struct http_stream *stream = NULL;
    AUTO_CLOSE int fd = follow(&stream, &out);
    http_stream_write(stream, "half", 4);
    http_stream_end(stream, false);
    assert_true(raw_read_to_end(fd, &out, PATIENCE_MS));
    assert_null(strstr(strbuf_text(&out), "0\r\n\r\n"));
}

static void demand_paces_the_producer(void **state)
{
    UNUSED(state);
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    AUTO_CLOSE int fd = raw_connect(fixture.port);
    raw_send_text(fd, "GET /count?n=100000 HTTP/1.0\r\n\r\n");
    assert_true(raw_read_to_end(fd, &out, PATIENCE_MS));
    const char *at = strstr(strbuf_text(&out), "\r\n\r\n");
    assert_non_null(at);
    at += 4;
    for (int i = 0; i < 100000; i++) {
        char *end = NULL;
        assert_int_equal(strtol(at, &end, 10), i);
        assert_int_equal(*end, '\n');
        at = end + 1;
    }
    assert_int_equal(*at, '\0');
}

static void empty_streams_end(void **state)
{
    UNUSED(state);
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    AUTO_CLOSE int fd = raw_connect(fixture.port);
    raw_send_text(fd, "GET /count?n=0 HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_true(raw_read_until(fd, &out, "0\r\n\r\n", PATIENCE_MS));
}

static void readers_that_vanish_are_noticed(void **state)
{
    UNUSED(state);
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    struct http_stream *stream = NULL;
    int fd = follow(&stream, &out);
    close(fd);
    assert_true(fixture_wait(&fixture, &fixture.stream_gone, 1));
    assert_int_equal(http_stream_write(stream, "x", 1), HTTP_STREAM_DEAD);
    http_stream_end(stream, true);
    assert_true(fixture_wait(&fixture, &fixture.streams_destroyed, 1));
}

static void writers_hear_of_a_full_buffer(void **state)
{
    UNUSED(state);
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    struct http_stream *stream = NULL;
    char block[4096] = {0};
    AUTO_CLOSE int fd = follow(&stream, &out);
    assert_true(fd >= 0);
    assert_int_equal(http_stream_write(stream, block, sizeof block), HTTP_STREAM_FULL);
    http_stream_end(stream, true);
}

static void a_head_request_has_no_stream(void **state)
{
    UNUSED(state);
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    AUTO_CLOSE int fd = raw_connect(fixture.port);
    raw_send_text(fd, "HEAD /follow HTTP/1.1\r\nHost: x\r\n\r\n");
    struct http_stream *stream = fixture_take_followed(&fixture);
    assert_non_null(stream);
    assert_true(fixture_wait(&fixture, &fixture.stream_gone, 1));
    http_stream_end(stream, true);
    assert_int_equal(raw_read_response(fd, &out, PATIENCE_MS), 200);
}

static void draining_tells_the_producer(void **state)
{
    UNUSED(state);
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    struct http_stream *stream = NULL;
    AUTO_CLOSE int fd = follow(&stream, &out);
    assert_true(fd >= 0);
    assert_int_equal(http_server_drain(fixture.server, clock_boot_ms() + 300), 1);
    assert_int_equal(fixture_get(&fixture, &fixture.stream_stopping), 1);
    assert_int_equal(fixture_get(&fixture, &fixture.stream_gone), 1);
    assert_int_equal(http_stream_write(stream, "x", 1), HTTP_STREAM_DEAD);
    http_stream_end(stream, true);
    assert_int_equal(fixture_get(&fixture, &fixture.streams_destroyed), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(content_comes_as_it_is_written, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_missing_shows, setup, teardown),
        cmocka_unit_test_setup_teardown(demand_paces_the_producer, setup, teardown),
        cmocka_unit_test_setup_teardown(empty_streams_end, setup, teardown),
        cmocka_unit_test_setup_teardown(readers_that_vanish_are_noticed, setup, teardown),
        cmocka_unit_test_setup_teardown(writers_hear_of_a_full_buffer, setup, teardown),
        cmocka_unit_test_setup_teardown(a_head_request_has_no_stream, setup, teardown),
        cmocka_unit_test_setup_teardown(draining_tells_the_producer, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
