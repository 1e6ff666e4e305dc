// Many clients at once that are slow, that come all together, or that vanish: each is cut at its deadline or noticed,
// and a good client does not notice them. tests/bench/slow.sh does the same to a real manager, with slowhttptest, for
// longer.
#include "services/common/base/clock.h"
#include "tests/support/http_fixture.h"
#include "tests/support/process.h"
#include "tests/support/raw_http.h"
#include "tests/support/test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define SLOW 1000
#define READERS 40 // each holds a reply that is larger than what the kernel takes of it: 0.1 MB
#define DEADLINE_MS 3000
#define SLACK_MS 20000 // for a machine that has other things to do
#define CROWD 5000
#define VANISHING 1000
#define PATIENCE_MS 30000

static struct fixture fixture;
static int fds[CROWD];

static void setup_descriptors(void)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max; // both ends of each connection are ours
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_true(limit.rlim_cur > 2 * CROWD + 1000);
}

static int setup(void **state)
{
    UNUSED(state);
    setup_descriptors();
    const struct http_server_settings settings = {.head_deadline_ms = DEADLINE_MS,
                                                  .body_deadline_ms = DEADLINE_MS,
                                                  .reply_stall_ms = DEADLINE_MS,
                                                  .max_connections = CROWD + 200};
    fixture_start(&fixture, &settings);
    return 0;
}

static int teardown(void **state)
{
    UNUSED(state);
    fixture_stop(&fixture);
    return 0;
}

static struct http_server_stats stats(void)
{
    struct http_server_stats now;
    http_server_stats(fixture.server, &now);
    return now;
}

// ---- a good client beside them

struct good {
    pthread_t thread, pulse;
    atomic_bool stops;
    int asked, failed;
    int64_t slowest_ms;
    int64_t paused_ms, longest_pause_ms; // the machine let this program stand still meanwhile
};

static void *note_pauses(void *context)
{
    struct good *good = context;
    while (!atomic_load(&good->stops)) {
        int64_t begin_ms = clock_boot_ms();
        usleep(10000);
        int64_t took_ms = clock_boot_ms() - begin_ms;
        good->paused_ms += took_ms > 100 ? took_ms : 0;
        good->longest_pause_ms = MAX(good->longest_pause_ms, took_ms);
    }
    return NULL;
}

static void *ask_again_and_again(void *context)
{
    struct good *good = context;
    while (!atomic_load(&good->stops)) {
        AUTO_STRBUF struct strbuf out = STRBUF_INIT;
        int64_t begin_ms = clock_boot_ms();
        AUTO_CLOSE int fd = raw_connect(fixture.port);
        raw_send_text(fd, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
        good->failed += raw_read_response(fd, &out, PATIENCE_MS) != 200;
        good->asked++;
        int64_t took_ms = clock_boot_ms() - begin_ms;
        good->slowest_ms = took_ms > good->slowest_ms ? took_ms : good->slowest_ms;
    }
    return NULL;
}

static void good_start(struct good *good)
{
    *good = (struct good){0};
    assert_int_equal(pthread_create(&good->thread, NULL, ask_again_and_again, good), 0);
    assert_int_equal(pthread_create(&good->pulse, NULL, note_pauses, good), 0);
}

static void good_end(struct good *good, const char *beside)
{
    atomic_store(&good->stops, true);
    pthread_join(good->thread, NULL);
    pthread_join(good->pulse, NULL);
    print_message("beside %s: %d calls, %d failed, slowest %lld ms; pauses of the machine: %lld ms\n", beside,
                  good->asked, good->failed, (long long)good->slowest_ms, (long long)good->paused_ms);
    assert_true(good->asked > 0);
    assert_true(good->slowest_ms < DEADLINE_MS + good->paused_ms);
    if (good->longest_pause_ms < DEADLINE_MS) // else the good one was as slow as the others
        assert_int_equal(good->failed, 0);
}

// ---- slow ones

// All that are open get another byte.
static void drip(size_t count, const char *byte)
{
    for (size_t i = 0; *byte && i < count; i++)
        send(fds[i], byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

struct slow {
    const char *name;
    size_t count;
    const char *begins, *byte; // "": they read nothing
    int64_t cut_before;
};

static bool all_are_cut(void *context)
{
    const struct slow *slow = context;
    drip(slow->count, slow->byte);
    return stats().deadlines - slow->cut_before >= (int64_t)slow->count;
}

static void all_are_slow(struct slow slow)
{
    static struct good good;
    good_start(&good);
    slow.cut_before = stats().deadlines;
    for (size_t i = 0; i < slow.count; i++) {
        fds[i] = *slow.byte ? raw_connect(fixture.port) : raw_connect_narrow(fixture.port);
        raw_send_text(fds[i], slow.begins);
    }
    int64_t begin_ms = clock_boot_ms();
    assert_true(wait_until(all_are_cut, &slow, PATIENCE_MS));
    int64_t took_ms = clock_boot_ms() - begin_ms;
    for (size_t i = 0; i < slow.count; i++)
        close(fds[i]);
    print_message("%zu slow %s: the last is cut after %lld ms\n", slow.count, slow.name, (long long)took_ms);
    assert_true(took_ms < DEADLINE_MS + SLACK_MS);
    good_end(&good, slow.name);
}

static void slow_heads_are_cut(void **state)
{
    UNUSED(state);
    all_are_slow((struct slow){"heads", SLOW, "GET /hello HTTP/1.1\r\nHost: x\r\nX: ", "a", 0});
}

static void slow_bodies_are_cut(void **state)
{
    UNUSED(state);
    all_are_slow(
        (struct slow){"bodies", SLOW, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n", "a", 0});
}

static void slow_readers_are_cut(void **state)
{
    UNUSED(state);
    all_are_slow((struct slow){"readers", READERS, "GET /large?bytes=1000000 HTTP/1.1\r\nHost: x\r\n\r\n", "", 0});
}

// ---- many

static void a_crowd_is_answered(void **state)
{
    UNUSED(state);
    static struct good good;
    good_start(&good);
    int64_t begin_ms = clock_boot_ms();
    for (size_t i = 0; i < CROWD; i++) {
        fds[i] = raw_connect(fixture.port);
        raw_send_text(fds[i], "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    }
    int64_t connected_ms = clock_boot_ms() - begin_ms;
    for (size_t i = 0; i < CROWD; i++) {
        AUTO_STRBUF struct strbuf out = STRBUF_INIT;
        assert_int_equal(raw_read_response(fds[i], &out, PATIENCE_MS), 200);
    }
    print_message("%d connections in %lld ms, all answered in %lld ms\n", CROWD, (long long)connected_ms,
                  (long long)(clock_boot_ms() - begin_ms));
    for (size_t i = 0; i < CROWD; i++)
        close(fds[i]);
    good_end(&good, "a crowd");
}

static bool all_are_gone(void *context)
{
    return stats().gone - *(int64_t *)context >= VANISHING;
}

static void those_who_vanish_are_noticed(void **state)
{
    UNUSED(state);
    int64_t gone_before = stats().gone;
    for (size_t i = 0; i < VANISHING; i++) {
        fds[i] = raw_connect(fixture.port);
        raw_send_text(fds[i], "GET /park HTTP/1.1\r\nHost: x\r\n\r\n");
    }
    assert_true(fixture_wait_parked(&fixture, VANISHING));
    int64_t begin_ms = clock_boot_ms();
    for (size_t i = 0; i < VANISHING; i++)
        close(fds[i]);
    assert_true(wait_until(all_are_gone, &gone_before, PATIENCE_MS));
    int64_t took_ms = clock_boot_ms() - begin_ms;
    print_message("%d vanished clients are noticed after %lld ms\n", VANISHING, (long long)took_ms);
    assert_true(took_ms < 2000 + SLACK_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slow_heads_are_cut),           cmocka_unit_test(slow_bodies_are_cut),
        cmocka_unit_test(slow_readers_are_cut),         cmocka_unit_test(a_crowd_is_answered),
        cmocka_unit_test(those_who_vanish_are_noticed),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
