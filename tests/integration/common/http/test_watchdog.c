// Hard deadlines for each phase of a connection, and admission above the connection limit.
#include "services/common/base/cleanup.h"
#include "services/common/base/clock.h"
#include "tests/support/http_fixture.h"
#include "tests/support/process.h"
#include "tests/support/raw_http.h"
#include "tests/support/test.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_MS 60000
#define SHORT_MS 300
#define FAIR_MS 3000 // a good client has sent its request within that, where everything is slow
#define LONG_MS 60000

static struct fixture fixture;

static struct http_server_settings patient_settings(void)
{
    return (struct http_server_settings){
        .head_deadline_ms = LONG_MS,
        .body_deadline_ms = LONG_MS,
        .reply_stall_ms = LONG_MS,
        .idle_ms = LONG_MS,
        .watch_interval_ms = 20,
    };
}

static int teardown(void **state)
{
    UNUSED(state);
    fixture_stop(&fixture);
    return 0;
}

// Sends a byte every few milliseconds, as an idle timer would let it, until the server closes. The milliseconds it
// took.
static int64_t trickle(int fd, char byte)
{
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    int64_t start = clock_boot_ms();
    while (!raw_read_to_end(fd, &out, 5) && clock_boot_ms() - start < PATIENCE_MS)
        raw_send(fd, &byte, 1);
    return clock_boot_ms() - start;
}

static int64_t deadlines(void)
{
    struct http_server_stats stats;
    http_server_stats(fixture.server, &stats);
    return stats.deadlines;
}

static void slow_headers_are_cut(void **state)
{
    UNUSED(state);
    struct http_server_settings settings = patient_settings();
    settings.head_deadline_ms = SHORT_MS;
    fixture_start(&fixture, &settings);
    AUTO_CLOSE int silent = raw_connect(fixture.port);
    AUTO_CLOSE int slow = raw_connect(fixture.port);
    raw_send_text(slow, "GET /hello HTTP/1.1\r\nHost: x\r\nX-Slow: ");
    assert_true(trickle(slow, 'a') < PATIENCE_MS);
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    assert_true(raw_read_to_end(silent, &out, PATIENCE_MS));
    assert_int_equal(deadlines(), 2);
}

// The deadline of a later request's headers begins with its request line.
static void slow_headers_of_a_kept_connection_are_cut(void **state)
{
    UNUSED(state);
    struct http_server_settings settings = patient_settings();
    settings.head_deadline_ms = FAIR_MS;
    fixture_start(&fixture, &settings);
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    AUTO_CLOSE int fd = raw_connect(fixture.port);
    raw_send_text(fd, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(raw_read_response(fd, &out, PATIENCE_MS), 200);
    raw_send_text(fd, "GET /hello HTTP/1.1\r\nHost: x\r\nX-Slow: ");
    assert_true(trickle(fd, 'a') < PATIENCE_MS);
}

static void slow_bodies_are_cut(void **state)
{
    UNUSED(state);
    struct http_server_settings settings = patient_settings();
    settings.body_deadline_ms = SHORT_MS;
    fixture_start(&fixture, &settings);
    AUTO_CLOSE int fd = raw_connect(fixture.port);
    raw_send_text(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n");
    assert_true(trickle(fd, 'a') < PATIENCE_MS);
    AUTO_CLOSE int chunked = raw_connect(fixture.port);
    raw_send_text(chunked, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nF000\r\n");
    assert_true(trickle(chunked, 'a') < PATIENCE_MS);
    assert_true(fixture_wait(&fixture, &fixture.observed_499, 2));
}

static void idle_connections_are_closed(void **state)
{
    UNUSED(state);
    struct http_server_settings settings = patient_settings();
    settings.idle_ms = SHORT_MS;
    fixture_start(&fixture, &settings);
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    AUTO_CLOSE int fd = raw_connect(fixture.port);
    raw_send_text(fd, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(raw_read_response(fd, &out, PATIENCE_MS), 200);
    assert_true(raw_read_to_end(fd, &out, PATIENCE_MS));
}

static void clients_that_do_not_read_are_cut(void **state)
{
    UNUSED(state);
    struct http_server_settings settings = patient_settings();
    settings.reply_stall_ms = SHORT_MS;
    fixture_start(&fixture, &settings);
    AUTO_CLOSE int fd = raw_connect(fixture.port);
    int small = 4096;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    raw_send_text(fd, "GET /large?bytes=50000000 HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_true(fixture_wait(&fixture, &fixture.observed_499, 1));
    AUTO_CLOSE int stream = raw_connect(fixture.port);
    setsockopt(stream, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    raw_send_text(stream, "GET /count?n=10000000 HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_true(fixture_wait(&fixture, &fixture.observed_499, 2));
    assert_int_equal(deadlines(), 2);
}

static void parked_requests_have_no_deadline(void **state)
{
    UNUSED(state);
    struct http_server_settings settings = patient_settings();
    settings.head_deadline_ms = settings.body_deadline_ms = settings.reply_stall_ms = settings.idle_ms = FAIR_MS;
    fixture_start(&fixture, &settings);
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    AUTO_CLOSE int fd = raw_connect(fixture.port);
    raw_send_text(fd, "GET /park HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_true(fixture_wait_parked(&fixture, 1));
    assert_false(raw_read_to_end(fd, &out, FAIR_MS + 500));
    fixture_complete_all(&fixture, 200);
    assert_int_equal(raw_read_response(fd, &out, PATIENCE_MS), 200);
}

static bool has_connections(void *context)
{
    struct http_server_stats stats;
    http_server_stats(fixture.server, &stats);
    return stats.connections == *(int *)context;
}

static void health_is_answered_above_the_limit(void **state)
{
    UNUSED(state);
    struct http_server_settings settings = patient_settings();
    settings.max_connections = 10;
    fixture_start(&fixture, &settings);
    int fds[10];
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        fds[i] = raw_connect(fixture.port);
        raw_send_text(fds[i], "GET /park HTTP/1.1\r\nHost: x\r\n\r\n");
    }
    assert_true(fixture_wait_parked(&fixture, ARRAY_LEN(fds)));
    for (int i = 0; i < 20; i++) {
        AUTO_STRBUF struct strbuf out = STRBUF_INIT;
        AUTO_CLOSE int fd = raw_connect(fixture.port);
        raw_send_text(fd, i % 2 ? "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n" : "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_int_equal(raw_read_response(fd, &out, PATIENCE_MS), i % 2 ? 200 : 503);
        if (i % 2 == 0)
            assert_non_null(strstr(strbuf_text(&out), "Retry-After: 1\r\n"));
    }
    struct http_server_stats stats;
    http_server_stats(fixture.server, &stats);
    assert_int_equal(stats.overload, 10);
    // Clients that go make room.
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        close(fds[i]);
    assert_true(wait_until(has_connections, &(int){0}, PATIENCE_MS));
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    AUTO_CLOSE int fd = raw_connect(fixture.port);
    raw_send_text(fd, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(raw_read_response(fd, &out, PATIENCE_MS), 200);
}

static void one_address_cannot_take_all(void **state)
{
    UNUSED(state);
    struct http_server_settings settings = patient_settings();
    settings.max_connections_per_address = 3;
    fixture_start(&fixture, &settings);
    int fds[5];
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        AUTO_STRBUF struct strbuf out = STRBUF_INIT;
        fds[i] = raw_connect(fixture.port);
        raw_send_text(fds[i], "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_int_equal(raw_read_response(fds[i], &out, PATIENCE_MS), i < 3 ? 200 : 503);
    }
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        close(fds[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(slow_headers_are_cut, teardown),
        cmocka_unit_test_teardown(slow_headers_of_a_kept_connection_are_cut, teardown),
        cmocka_unit_test_teardown(slow_bodies_are_cut, teardown),
        cmocka_unit_test_teardown(idle_connections_are_closed, teardown),
        cmocka_unit_test_teardown(clients_that_do_not_read_are_cut, teardown),
        cmocka_unit_test_teardown(parked_requests_have_no_deadline, teardown),
        cmocka_unit_test_teardown(health_is_answered_above_the_limit, teardown),
        cmocka_unit_test_teardown(one_address_cannot_take_all, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
