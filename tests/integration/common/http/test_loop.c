// The threads of the server: whatever is ready at once is answered at once.
#include "services/common/base/cleanup.h"
#include "tests/support/http_fixture.h"
#include "tests/support/raw_http.h"
#include "tests/support/test.h"

#include <unistd.h>

#define PATIENCE_MS 60000
#define IDLE_MS 600000 // longer than the test's patience: no deadline wakes the thread
#define HELLO "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"
#define BLOCK "GET /block HTTP/1.1\r\nHost: x\r\n\r\n"
#define LIBRARY_BATCH 128 // events that libmicrohttpd takes from the kernel at a time

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_that_are_ready_at_once_are_answered),
        cmocka_unit_test(as_many_as_the_library_takes_at_a_time_are_answered),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
