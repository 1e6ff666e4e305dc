// Checks against sockets of this test. Commands and output: see test_services.c.
#include "services/worker/readiness.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/clock.h"
#include "services/common/base/loop.h"
#include "services/common/http/client_async.h"
#include "services/worker/runtime.h"
#include "tests/support/die.h"
#include "tests/support/loop_test.h"
#include "tests/support/process.h"
#include "tests/support/test.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_MS 60000
#define CHECK_MS 10000 // a slow machine answers within that
#define SHORT_CHECK_MS 200

struct rig {
    struct loop *loop;
    struct http_async *http;
    struct readiness *readiness;
    struct ready_spec spec;
    int ready_count, unhealthy_count;
    bool ready;
    char why[256], trouble[256]; // "": none
    // a listener that answers each connection with this; NULL: not at all
    int listener, port, held; // the port is nobody else's
    struct loop_watch *watch;
    const char *reply;
    int open[800], open_count;
};

static void on_ready(void *context)
{
    struct rig *rig = context;
    rig->ready_count++;
    rig->ready = true;
}

static void on_unhealthy(void *context, const char *why)
{
    struct rig *rig = context;
    rig->unhealthy_count++;
    rig->ready = false;
    snprintf(rig->why, sizeof rig->why, "%s", why);
}

static void on_trouble(void *context, const char *why)
{
    struct rig *rig = context;
    snprintf(rig->trouble, sizeof rig->trouble, "%s", why ? why : "");
}

static void on_connection(void *context, int listener, uint32_t events)
{
    struct rig *rig = context;
    UNUSED(events);
    int fd = accept(listener, NULL, NULL);
    if (fd < 0)
        return;
    // Closed at the end of the test: a close with a request that was not read is a reset.
    if (rig->open_count == (int)ARRAY_LEN(rig->open))
        die("too many connections");
    rig->open[rig->open_count++] = fd;
    if (!rig->reply)
        return;
    send(fd, rig->reply, strlen(rig->reply), MSG_NOSIGNAL);
    shutdown(fd, SHUT_WR);
}

static void rig_listen(struct rig *rig)
{
    struct err err;
    const int on = 1;
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)rig->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    rig->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(rig->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(rig->listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(rig->listener, 64) < 0)
        die("cannot listen");
    assert_ok(loop_watch_add(rig->loop, rig->listener, EPOLLIN, on_connection, rig, &rig->watch, &err), err);
}

static void rig_unlisten(struct rig *rig)
{
    loop_watch_remove(rig->watch);
    rig->watch = NULL;
    cleanup_close(&rig->listener);
    rig->listener = -1;
}

static void rig_open(struct rig *rig, enum ready_kind kind)
{
    static char path[] = "/healthz";
    struct err err;
    const struct http_client_settings settings = {.base_url = "http://127.0.0.1:1"};
    *rig = (struct rig){.listener = -1};
    rig->held = hold_port(&rig->port);
    rig->spec =
        (struct ready_spec){.kind = kind, .http_path = path, .interval_ms = 20, .timeout_ms = CHECK_MS, .failures = 3};
    assert_ok(loop_new(&rig->loop, &err), err);
    assert_ok(http_async_new(rig->loop, &settings, 0, &rig->http, &err), err);
}

static void rig_begin(struct rig *rig, const char *host)
{
    static const struct readiness_events events = {
        .on_ready = on_ready, .on_unhealthy = on_unhealthy, .on_trouble = on_trouble};
    struct err err;
    const struct readiness_target target = {.spec = &rig->spec, .host = host, .port = rig->port};
    assert_ok(readiness_new(rig->loop, rig->http, &target, &events, rig, &rig->readiness, &err), err);
    assert_int_equal(rig->ready_count, 0);
}

static void rig_close(struct rig *rig)
{
    readiness_free(rig->readiness);
    rig_unlisten(rig);
    close(rig->held);
    for (int i = 0; i < rig->open_count; i++)
        close(rig->open[i]);
    http_async_free(rig->http);
    loop_free(rig->loop);
}

static bool is_ready(void *context)
{
    return ((struct rig *)context)->ready;
}

static bool is_unhealthy(void *context)
{
    return ((struct rig *)context)->unhealthy_count > 0 && !((struct rig *)context)->ready;
}

static bool is_connected(void *context)
{
    return ((struct rig *)context)->open_count > 0;
}

struct expected_failure {
    struct rig *rig;
    const char *text;
};

static bool has_failed(void *context)
{
    struct expected_failure *expected = context;
    return strstr(readiness_last_failure(expected->rig->readiness), expected->text);
}

static void wait_for_failure(struct rig *rig, const char *text)
{
    struct expected_failure expected = {rig, text};
    if (!loop_until(rig->loop, has_failed, &expected, PATIENCE_MS))
        fail_msg("not '%s' but '%s'", text, readiness_last_failure(rig->readiness));
}

static bool is_in_trouble(void *context)
{
    return ((struct rig *)context)->trouble[0] != '\0';
}

static void a_port_that_is_bound_late(void **state)
{
    UNUSED(state);
    struct rig rig;
    rig_open(&rig, READY_TCP);
    int64_t began_ms = clock_boot_ms();
    rig_begin(&rig, "127.0.0.1");
    assert_string_equal(readiness_last_failure(rig.readiness), "");
    wait_for_failure(&rig, "refused");
    assert_int_equal(rig.ready_count, 0);
    // Who waits for it for seconds is told why.
    assert_true(loop_until(rig.loop, is_in_trouble, &rig, PATIENCE_MS));
    assert_in_range(clock_boot_ms() - began_ms, 3000, PATIENCE_MS);
    assert_string_equal(rig.trouble, "connect: Connection refused");
    rig_listen(&rig);
    assert_true(loop_until(rig.loop, is_ready, &rig, PATIENCE_MS));
    assert_string_equal(rig.trouble, "");
    loop_for(rig.loop, 100);
    assert_int_equal(rig.ready_count, 1);
    rig_unlisten(&rig);
    assert_true(loop_until(rig.loop, is_unhealthy, &rig, PATIENCE_MS));
    assert_non_null(strstr(rig.why, "refused"));
    assert_string_equal(rig.trouble, ""); // it was ready: unhealthy says it all
    rig_listen(&rig);
    assert_true(loop_until(rig.loop, is_ready, &rig, PATIENCE_MS));
    assert_int_equal(rig.ready_count, 2);
    assert_int_equal(rig.unhealthy_count, 1);
    rig_close(&rig);
}

static void a_page_that_answers(void **state)
{
    UNUSED(state);
    struct rig rig;
    rig_open(&rig, READY_HTTP);
    rig.reply = "HTTP/1.1 503 Not Yet\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    rig_listen(&rig);
    rig_begin(&rig, "127.0.0.1");
    wait_for_failure(&rig, "503");
    assert_int_equal(rig.ready_count, 0);
    // A redirect is an answer, and is not followed.
    rig.reply = "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    assert_true(loop_until(rig.loop, is_ready, &rig, PATIENCE_MS));
    // Who accepts and never answers is unhealthy.
    rig.reply = NULL;
    rig.spec.timeout_ms = SHORT_CHECK_MS;
    assert_true(loop_until(rig.loop, is_unhealthy, &rig, PATIENCE_MS));
    rig.spec.timeout_ms = CHECK_MS;
    rig.reply = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    assert_true(loop_until(rig.loop, is_ready, &rig, PATIENCE_MS));
    rig_close(&rig);
}

static void without_a_check_it_is_ready_at_once(void **state)
{
    UNUSED(state);
    struct rig rig;
    rig_open(&rig, READY_STARTED);
    rig_begin(&rig, NULL);
    assert_true(loop_until(rig.loop, is_ready, &rig, PATIENCE_MS));
    rig_close(&rig);
}

static void a_check_that_was_stopped_says_nothing(void **state)
{
    UNUSED(state);
    struct rig rig;
    rig_open(&rig, READY_HTTP);
    rig_listen(&rig);
    rig_begin(&rig, "127.0.0.1");
    assert_true(loop_until(rig.loop, is_connected, &rig, PATIENCE_MS)); // one is under way
    readiness_stop(rig.readiness);
    rig.reply = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    loop_for(rig.loop, 100);
    assert_int_equal(rig.ready_count, 0);
    readiness_stop(NULL);
    readiness_free(NULL);
    rig_close(&rig);
}

static void only_numeric_addresses_are_connected_to(void **state)
{
    UNUSED(state);
    struct rig rig;
    rig_open(&rig, READY_TCP);
    rig_begin(&rig, "localhost");
    wait_for_failure(&rig, "numeric");
    rig_close(&rig);
}

static void lines_are_bounded(void **state)
{
    UNUSED(state);
    struct rig rig;
    rig_open(&rig, READY_LOG);
    char pattern[] = "^x+ready$";
    rig.spec.log_pattern = pattern;
    rig_begin(&rig, NULL);
    char chunk[1000];
    memset(chunk, 'x', sizeof chunk);
    for (int i = 0; i < 100; i++)
        readiness_output(rig.readiness, chunk, sizeof chunk);
    readiness_output(rig.readiness, "ready\n", 6); // behind what is looked at
    assert_true(loop_until(rig.loop, is_in_trouble, &rig, PATIENCE_MS));
    assert_string_equal(rig.trouble, "no line of its output matches ready.log");
    assert_int_equal(rig.ready_count, 0);
    readiness_output(rig.readiness, "xxready\n", 8);
    assert_true(loop_until(rig.loop, is_ready, &rig, PATIENCE_MS));
    readiness_output(rig.readiness, "xxready\n", 8);
    readiness_output(NULL, "x", 1);
    loop_for(rig.loop, 20);
    assert_int_equal(rig.ready_count, 1);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_port_that_is_bound_late),
        cmocka_unit_test(a_page_that_answers),
        cmocka_unit_test(without_a_check_it_is_ready_at_once),
        cmocka_unit_test(a_check_that_was_stopped_says_nothing),
        cmocka_unit_test(only_numeric_addresses_are_connected_to),
        cmocka_unit_test(lines_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
