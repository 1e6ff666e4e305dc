// The threads of the server: whatever is ready at once is answered at once, and a process without descriptors neither
// loses clients nor leaks.
#include "services/common/base/cleanup.h"
#include "services/common/base/clock.h"
#include "tests/support/http_fixture.h"
#include "tests/support/raw_http.h"
#include "tests/support/test.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#define PATIENCE_MS 60000
#define IDLE_MS 600000 // longer than the test's patience: no deadline wakes the thread
#define HELLO "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"
#define BLOCK "GET /block HTTP/1.1\r\nHost: x\r\n\r\n"
#define LIBRARY_BATCH 128 // events that libmicrohttpd takes from the kernel at a time

#define DESCRIPTORS 700
#define CONNECTIONS 100 // with what the server reserves beside them not more than DESCRIPTORS: it raises no limit
#define ENOUGH 64       // descriptors that a server surely starts with

static struct fixture fixture;

static int setup(void **state)
{
    UNUSED(state);
    const struct http_server_settings settings = {
        .threads = 1, .head_deadline_ms = IDLE_MS, .body_deadline_ms = IDLE_MS, .idle_ms = IDLE_MS};
    fixture_start(&fixture, &settings);
    return 0;
}

static int teardown(void **state)
{
    UNUSED(state);
    fixture_stop(&fixture);
    return 0;
}

static void expect_reply(int fd)
{
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    assert_int_equal(raw_read_response(fd, &out, PATIENCE_MS), 200);
}

// `count` open connections send a request while the only thread is busy, so that it finds them ready in one look.
static void ask_at_once(size_t count)
{
    int fds[2 * LIBRARY_BATCH];
    AUTO_CLOSE int blocker = raw_connect(fixture.port);
    for (size_t i = 0; i < count; i++) {
        fds[i] = raw_connect(fixture.port);
        raw_send_text(fds[i], HELLO);
        expect_reply(fds[i]);
    }
    raw_send_text(blocker, BLOCK);
    assert_true(fixture_wait(&fixture, &fixture.blocked, 1));
    for (size_t i = 0; i < count; i++)
        raw_send_text(fds[i], HELLO);
    fixture_unblock(&fixture);
    expect_reply(blocker);
    for (size_t i = 0; i < count; i++) {
        expect_reply(fds[i]);
        close(fds[i]);
    }
}

static void all_that_are_ready_at_once_are_answered(void **state)
{
    UNUSED(state);
    ask_at_once(1);
    ask_at_once(LIBRARY_BATCH - 1);
    ask_at_once(LIBRARY_BATCH + 1);
}

// The library takes events until it gets fewer than it asked for. Threads of its own wait for more when there were
// exactly as many, and forget meanwhile those that they have.
static void as_many_as_the_library_takes_at_a_time_are_answered(void **state)
{
    UNUSED(state);
    ask_at_once(LIBRARY_BATCH);
    ask_at_once(2 * LIBRARY_BATCH);
}

// ---- without descriptors

static int hoard[DESCRIPTORS];
static size_t hoarded;

// Takes all descriptors there are; returns how many it took.
static size_t take_all(void)
{
    size_t before = hoarded;
    for (int fd; hoarded < DESCRIPTORS && (fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0)) >= 0;)
        hoard[hoarded++] = fd;
    return hoarded - before;
}

static void give_back(size_t count)
{
    while (count-- > 0)
        close(hoard[--hoarded]);
}

static int setup_few(void **state)
{
    UNUSED(state);
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = DESCRIPTORS;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    const struct http_server_settings settings = {.threads = 1, .max_connections = CONNECTIONS, .idle_ms = IDLE_MS};
    fixture_start(&fixture, &settings);
    return 0;
}

static int teardown_few(void **state)
{
    fixture_stop(&fixture);
    give_back(hoarded);
    UNUSED(state);
    return 0;
}

// One descriptor more each time, so that each step of the start is once the one that fails.
static void a_start_that_fails_leaves_nothing(void **state)
{
    UNUSED(state);
    const struct http_server_settings settings = {.address = "127.0.0.1", .threads = 3, .max_connections = CONNECTIONS};
    struct http_server *server = NULL;
    size_t failed = 0;
    take_all();
    for (size_t left = 0; left < ENOUGH && !server; left++) {
        struct err err = {0};
        give_back(left);
        bool starts = http_server_start(&settings, &server, &err) == 0;
        assert_true(starts || err.text[0] != '\0');
        failed += !starts;
        http_server_free(starts ? server : NULL);
        assert_int_equal(take_all(), left);
    }
    assert_non_null(server);
    assert_true(failed > 3 * 2); // each thread takes some
}

static void who_finds_no_descriptor_is_served_later(void **state)
{
    UNUSED(state);
    int served = raw_connect(fixture.port);
    raw_send_text(served, HELLO);
    expect_reply(served);
    take_all();
    give_back(1);
    AUTO_CLOSE int waits = raw_connect(fixture.port); // with the last one: there is none for the server's side
    raw_send_text(waits, HELLO);
    raw_send_text(served, HELLO);
    expect_reply(served);
    assert_int_equal(take_all(), 0);
    give_back(hoarded);
    close(served);
    expect_reply(waits);
}

static void a_drain_needs_no_descriptor(void **state)
{
    UNUSED(state);
    AUTO_CLOSE int idle = raw_connect(fixture.port);
    raw_send_text(idle, HELLO);
    expect_reply(idle);
    take_all();
    assert_int_equal(http_server_drain(fixture.server, clock_boot_ms() + PATIENCE_MS), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_that_are_ready_at_once_are_answered, setup, teardown),
        cmocka_unit_test_setup_teardown(as_many_as_the_library_takes_at_a_time_are_answered, setup, teardown),
        cmocka_unit_test_setup_teardown(a_start_that_fails_leaves_nothing, setup_few, teardown_few),
        cmocka_unit_test_setup_teardown(who_finds_no_descriptor_is_served_later, setup_few, teardown_few),
        cmocka_unit_test_setup_teardown(a_drain_needs_no_descriptor, setup_few, teardown_few),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
