#include "services/common/http/client_async.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/clock.h"
#include "tests/support/http_fixture.h"
#include "tests/support/process.h"
#include "tests/support/test.h"

#include <string.h>
#include <unistd.h>

#define PATIENCE_MS 60000

static struct fixture fixture;
static struct loop *loop;
static struct http_async *async;

static int setup(void **state)
{
    UNUSED(state);
    char url[64];
    struct err err = {0};
    fixture_start(&fixture, NULL);
    snprintf(url, sizeof url, "http://127.0.0.1:%u", fixture.port);
    struct http_client_settings settings = {.base_url = url};
    assert_ok(loop_new(&loop, &err), err);
    assert_ok(http_async_new(loop, &settings, 0, &async, &err), err);
    return 0;
}

static int teardown(void **state)
{
    UNUSED(state);
    http_async_free(async);
    loop_free(loop);
    fixture_stop(&fixture);
    return 0;
}

struct tally {
    int done, failed;
    int status;
    enum err_code code;
    struct http_async_call *to_cancel;
    int left_to_start;
    char body[64];
};

static void on_done(void *context, struct http_response *response, const struct err *err)
{
    struct tally *tally = context;
    tally->done++;
    if (!response) {
        tally->failed++;
        tally->code = err->code;
        return;
    }
    tally->status = response->status;
    snprintf(tally->body, sizeof tally->body, "%s", strbuf_text(&response->body));
}

// Runs the loop until so many calls have ended.
static void run_until(const int *done, int count)
{
    struct err err = {0};
    int64_t deadline = clock_boot_ms() + PATIENCE_MS;
    while (*done < count && clock_boot_ms() < deadline)
        assert_ok(loop_step(loop, 100, &err), err);
    assert_int_equal(*done, count);
}

static void many_are_in_flight(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct http_server_stats stats;
    struct tally parked = {0}, quick = {0};
    struct http_call park = {.method = "GET", .path = "/park"}, hello = {.method = "GET", .path = "/hello"};
    for (int i = 0; i < 100; i++)
        assert_ok(http_async_start(async, &park, on_done, &parked, NULL, &err), err);
    for (int i = 0; i < 100; i++)
        assert_ok(http_async_start(async, &hello, on_done, &quick, NULL, &err), err);
    assert_int_equal(http_async_in_flight(async), 200);
    assert_int_equal(quick.done, 0); // never from within start
    run_until(&quick.done, 100);
    assert_int_equal(quick.failed, 0);
    assert_string_equal(quick.body, "hello\n");
    for (stats.parked = 0; stats.parked < 100; http_server_stats(fixture.server, &stats))
        assert_ok(loop_step(loop, 10, &err), err);
    assert_true(fixture_wait_parked(&fixture, 100));
    fixture_complete_all(&fixture, 200);
    run_until(&parked.done, 100);
    assert_int_equal(parked.failed, 0);
    assert_int_equal(http_async_in_flight(async), 0);
}

// The body is copied: it need not outlive the start.
static void bodies_are_copied(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct tally tally = {0};
    char body[] = "{\"a\":1}";
    struct http_call call = {.method = "POST", .path = "/thread", .body = body, .body_length = 7};
    assert_ok(http_async_start(async, &call, on_done, &tally, NULL, &err), err);
    memset(body, 'x', sizeof body);
    run_until(&tally.done, 1);
    assert_string_equal(tally.body, "{\"a\":1}");
}

static void chain(void *context, struct http_response *response, const struct err *err)
{
    struct tally *tally = context;
    struct err ignored = {0};
    struct http_call call = {.method = "GET", .path = "/hello"};
    on_done(context, response, err);
    if (tally->left_to_start-- > 0 && http_async_start(async, &call, chain, tally, NULL, &ignored) < 0)
        tally->failed++;
}

static void callbacks_start_calls_on_one_connection(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct http_server_stats stats;
    struct tally tally = {.left_to_start = 200};
    struct http_call call = {.method = "GET", .path = "/hello"};
    assert_ok(http_async_start(async, &call, chain, &tally, NULL, &err), err);
    run_until(&tally.done, 201);
    assert_int_equal(tally.failed, 0);
    http_server_stats(fixture.server, &stats);
    assert_int_equal(stats.connections, 1);
}

static void cancel_another(void *context, struct http_response *response, const struct err *err)
{
    struct tally *tally = context;
    on_done(context, response, err);
    http_async_cancel(tally->to_cancel);
}

static void cancelled_calls_do_not_call_back(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct tally cancelled = {0}, tally = {0};
    struct http_async_call *call = NULL;
    struct http_call park = {.method = "GET", .path = "/park"}, hello = {.method = "GET", .path = "/hello"};
    assert_ok(http_async_start(async, &park, on_done, &cancelled, &call, &err), err);
    http_async_cancel(call);
    assert_ok(http_async_start(async, &park, on_done, &cancelled, &tally.to_cancel, &err), err);
    assert_ok(http_async_start(async, &hello, cancel_another, &tally, NULL, &err), err);
    run_until(&tally.done, 1);
    assert_int_equal(http_async_in_flight(async), 0);
    assert_int_equal(cancelled.done, 0);
    http_async_cancel(NULL);
}

static void errors_have_codes(void **state)
{
    UNUSED(state);
    char url[64];
    struct err err = {0};
    struct tally timeout = {0}, refused = {0};
    struct http_call park = {.method = "GET", .path = "/park", .timeout_ms = 100};
    assert_ok(http_async_start(async, &park, on_done, &timeout, NULL, &err), err);
    run_until(&timeout.done, 1);
    assert_int_equal(timeout.code, ERR_TIMEOUT);
    int port, held = hold_port(&port);
    snprintf(url, sizeof url, "http://127.0.0.1:%d", port);
    struct http_call away = {.method = "GET", .path = "/", .base_url = url};
    assert_ok(http_async_start(async, &away, on_done, &refused, NULL, &err), err);
    run_until(&refused.done, 1);
    close(held);
    assert_int_equal(refused.code, ERR_UNAVAILABLE);
    struct http_call bad = {.method = "GET", .path = "no-slash"};
    assert_error(http_async_start(async, &bad, on_done, &refused, NULL, &err), err, ERR_INVALID, "slash");
}

struct follow {
    struct http_async_call *call;
    size_t bytes;
};

static int cancel_itself(void *context, const char *bytes, size_t length)
{
    UNUSED(bytes);
    struct follow *follow = context;
    follow->bytes += length;
    http_async_cancel(follow->call);
    return 0;
}

static void a_stream_may_be_cancelled_from_its_body(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct tally tally = {0}, quick = {0};
    struct follow follow = {0};
    struct http_call call = {.method = "GET",
                             .path = "/count?n=1000000",
                             .timeout_ms = -1,
                             .on_body = cancel_itself,
                             .on_body_context = &follow};
    struct http_call hello = {.method = "GET", .path = "/hello"};
    assert_ok(http_async_start(async, &call, on_done, &tally, &follow.call, &err), err);
    int64_t deadline = clock_boot_ms() + PATIENCE_MS;
    while (http_async_in_flight(async) > 0 && clock_boot_ms() < deadline)
        assert_ok(loop_step(loop, 100, &err), err);
    assert_int_equal(http_async_in_flight(async), 0);
    assert_true(follow.bytes > 0);
    assert_int_equal(tally.done, 0);
    assert_ok(http_async_start(async, &hello, on_done, &quick, NULL, &err), err);
    run_until(&quick.done, 1);
    assert_int_equal(quick.failed, 0);
}

static void freeing_ends_calls_silently(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct tally tally = {0};
    struct http_call park = {.method = "GET", .path = "/park"};
    for (int i = 0; i < 10; i++)
        assert_ok(http_async_start(async, &park, on_done, &tally, NULL, &err), err);
    for (int i = 0; i < 5; i++)
        assert_ok(loop_step(loop, 10, &err), err);
    http_async_free(async);
    async = NULL;
    assert_int_equal(tally.done, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(many_are_in_flight, setup, teardown),
        cmocka_unit_test_setup_teardown(bodies_are_copied, setup, teardown),
        cmocka_unit_test_setup_teardown(callbacks_start_calls_on_one_connection, setup, teardown),
        cmocka_unit_test_setup_teardown(cancelled_calls_do_not_call_back, setup, teardown),
        cmocka_unit_test_setup_teardown(errors_have_codes, setup, teardown),
        cmocka_unit_test_setup_teardown(a_stream_may_be_cancelled_from_its_body, setup, teardown),
        cmocka_unit_test_setup_teardown(freeing_ends_calls_silently, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
