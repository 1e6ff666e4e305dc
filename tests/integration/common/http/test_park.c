// Parked requests: answered by other threads, clients that go, a server that stops.
#include "services/common/base/cleanup.h"
#include "services/common/base/clock.h"
#include "tests/support/http_fixture.h"
#include "tests/support/raw_http.h"
#include "tests/support/test.h"

#include <string.h>
#include <unistd.h>

#define PATIENCE_MS 60000
#define PARK "GET /park HTTP/1.1\r\nHost: x\r\n\r\n"
#define HOLD "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n"
#define HELLO "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"

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

static void open_many(int *fds, size_t count, const char *request)
{
    for (size_t i = 0; i < count; i++) {
        fds[i] = raw_connect(fixture.port);
        raw_send_text(fds[i], request);
    }
}

static void close_many(int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++)
        close(fds[i]);
}

static void another_thread_completes(void **state)
{
    UNUSED(state);
    int fds[20];
    open_many(fds, ARRAY_LEN(fds), PARK);
    assert_true(fixture_wait_parked(&fixture, ARRAY_LEN(fds)));
    struct http_server_stats stats;
    http_server_stats(fixture.server, &stats);
    assert_int_equal(stats.parked, ARRAY_LEN(fds));
    assert_int_equal(stats.in_flight, ARRAY_LEN(fds));
    fixture_complete_all(&fixture, 201);
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        AUTO_STRBUF struct strbuf out = STRBUF_INIT;
        assert_int_equal(raw_read_response(fds[i], &out, PATIENCE_MS), 201);
        // The connection goes on.
        raw_send_text(fds[i], HELLO);
        assert_int_equal(raw_read_response(fds[i], &out, PATIENCE_MS), 200);
    }
    close_many(fds, ARRAY_LEN(fds));
}

static void vanished_clients_are_noticed(void **state)
{
    UNUSED(state);
    int fds[20];
    struct http_server_stats stats;
    open_many(fds, ARRAY_LEN(fds), PARK);
    assert_true(fixture_wait_parked(&fixture, ARRAY_LEN(fds)));
    close_many(fds, ARRAY_LEN(fds));
    assert_true(fixture_wait(&fixture, &fixture.cancelled_gone, ARRAY_LEN(fds))); // 500 ms on an idle machine
    assert_true(fixture_wait(&fixture, &fixture.observed_499, ARRAY_LEN(fds)));
    http_server_stats(fixture.server, &stats);
    assert_int_equal(stats.gone, ARRAY_LEN(fds));
    assert_int_equal(fixture_get(&fixture, &fixture.cancelled_stopping), 0);
}

// And those whose clients stay are left in peace meanwhile.
static void clients_that_go_before_they_are_parked_are_noticed(void **state)
{
    UNUSED(state);
    int stay[5];
    open_many(stay, ARRAY_LEN(stay), PARK);
    assert_true(fixture_wait_parked(&fixture, ARRAY_LEN(stay)));
    for (int i = 0; i < 20; i++) {
        AUTO_CLOSE int fd = raw_connect(fixture.port);
        raw_send_text(fd, PARK);
    }
    assert_true(fixture_wait(&fixture, &fixture.observed_499, 20));
    fixture_complete_all(&fixture, 200);
    for (size_t i = 0; i < ARRAY_LEN(stay); i++) {
        AUTO_STRBUF struct strbuf out = STRBUF_INIT;
        assert_int_equal(raw_read_response(stay[i], &out, PATIENCE_MS), 200);
    }
    close_many(stay, ARRAY_LEN(stay));
}

// The owner of a request without a cancel callback completes it when it likes, long after its connection is gone.
static void connections_do_not_wait_for_owners(void **state)
{
    UNUSED(state);
    int fds[10];
    open_many(fds, ARRAY_LEN(fds), HOLD);
    assert_true(fixture_wait_parked(&fixture, ARRAY_LEN(fds)));
    close_many(fds, ARRAY_LEN(fds));
    assert_true(fixture_wait(&fixture, &fixture.observed_499, ARRAY_LEN(fds)));
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        assert_true(http_request_cancelled(fixture.parked[i]));
    fixture_complete_all(&fixture, 200);
}

// The owner may look for itself, and races with the watchdog then.
static void an_owner_sees_at_once_that_its_client_has_gone(void **state)
{
    UNUSED(state);
    for (int round = 0; round < 50; round++) {
        int fds[10];
        open_many(fds, ARRAY_LEN(fds), HOLD);
        assert_true(fixture_wait_parked(&fixture, ARRAY_LEN(fds)));
        for (size_t i = 0; i < ARRAY_LEN(fds); i++)
            assert_false(http_request_client_has_gone(fixture.parked[i]));
        close_many(fds, ARRAY_LEN(fds));
        for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
            assert_true(http_request_client_has_gone(fixture.parked[i]));
            assert_true(http_request_cancelled(fixture.parked[i]));
            assert_true(http_request_client_has_gone(fixture.parked[i]));
        }
        fixture_complete_all(&fixture, 200);
    }
    assert_true(fixture_wait(&fixture, &fixture.observed_499, 500));
    struct http_server_stats stats;
    http_server_stats(fixture.server, &stats);
    assert_true(stats.gone >= 500); // the watchdog may have seen one at the same moment
}

static void completing_races_with_vanishing(void **state)
{
    UNUSED(state);
    for (int round = 0; round < 20; round++) {
        int fds[10];
        open_many(fds, ARRAY_LEN(fds), PARK);
        assert_true(fixture_wait_parked(&fixture, ARRAY_LEN(fds)));
        close_many(fds, ARRAY_LEN(fds));
        fixture_complete_all(&fixture, 200);
    }
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    AUTO_CLOSE int fd = raw_connect(fixture.port);
    raw_send_text(fd, HELLO);
    assert_int_equal(raw_read_response(fd, &out, PATIENCE_MS), 200);
}

static void draining_asks_the_owners(void **state)
{
    UNUSED(state);
    int fds[100];
    open_many(fds, ARRAY_LEN(fds), PARK);
    assert_true(fixture_wait_parked(&fixture, ARRAY_LEN(fds)));
    assert_int_equal(http_server_drain(fixture.server, clock_boot_ms() + PATIENCE_MS), 0);
    assert_int_equal(fixture_get(&fixture, &fixture.cancelled_stopping), ARRAY_LEN(fds));
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        AUTO_STRBUF struct strbuf out = STRBUF_INIT;
        assert_true(raw_read_to_end(fds[i], &out, PATIENCE_MS));
        assert_int_equal(raw_status(strbuf_text(&out)), 503);
        assert_non_null(strstr(strbuf_text(&out), "Connection: close"));
    }
    close_many(fds, ARRAY_LEN(fds));
}

static void draining_cuts_off_what_nobody_answers(void **state)
{
    UNUSED(state);
    int fds[100];
    open_many(fds, ARRAY_LEN(fds), HOLD);
    assert_true(fixture_wait_parked(&fixture, ARRAY_LEN(fds)));
    assert_int_equal(http_server_drain(fixture.server, clock_boot_ms() + 50), 1);
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        AUTO_STRBUF struct strbuf out = STRBUF_INIT;
        assert_true(raw_read_to_end(fds[i], &out, PATIENCE_MS));
        assert_int_equal(out.length, 0);
    }
    close_many(fds, ARRAY_LEN(fds));
    // The owners complete after the server has stopped: into the void, without harm.
    fixture_complete_all(&fixture, 200);
}

static void draining_closes_idle_connections_at_once(void **state)
{
    UNUSED(state);
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    int fds[20];
    open_many(fds, ARRAY_LEN(fds), HELLO);
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        assert_int_equal(raw_read_response(fds[i], &out, PATIENCE_MS), 200);
    int64_t start = clock_boot_ms();
    assert_int_equal(http_server_drain(fixture.server, start + 3 * PATIENCE_MS), 0);
    assert_true(clock_boot_ms() - start < PATIENCE_MS);
    close_many(fds, ARRAY_LEN(fds));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(another_thread_completes, setup, teardown),
        cmocka_unit_test_setup_teardown(vanished_clients_are_noticed, setup, teardown),
        cmocka_unit_test_setup_teardown(clients_that_go_before_they_are_parked_are_noticed, setup, teardown),
        cmocka_unit_test_setup_teardown(connections_do_not_wait_for_owners, setup, teardown),
        cmocka_unit_test_setup_teardown(an_owner_sees_at_once_that_its_client_has_gone, setup, teardown),
        cmocka_unit_test_setup_teardown(completing_races_with_vanishing, setup, teardown),
        cmocka_unit_test_setup_teardown(draining_asks_the_owners, setup, teardown),
        cmocka_unit_test_setup_teardown(draining_cuts_off_what_nobody_answers, setup, teardown),
        cmocka_unit_test_setup_teardown(draining_closes_idle_connections_at_once, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
