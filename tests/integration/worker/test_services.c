// Services over real processes, the ill-behaved ones of tests/fixtures/nasty.c. The book-keeping is tested in
// tests/unit/worker/test_services.c.
#include "services/worker/services.h"

#include "tests/integration/worker/runtime_fixture.h"
#include "tests/support/services_fixture.h"

#include <sys/resource.h>

static struct rig machine;
static struct services_rig rig;

static int setup(void **state)
{
    UNUSED(state);
    rig_open(&machine, RIG_BEST);
    services_rig_open(&rig, machine.loop, machine.runtime);
    return 0;
}

static int teardown(void **state)
{
    UNUSED(state);
    services_rig_close(&rig);
    rig_close(&machine); // fails when a process is left
    return 0;
}

// A nasty service with one port; `more` are further members of its spec.
static void begin(const char *mode, const char *number, const char *more)
{
    AUTO_STRBUF struct strbuf run = STRBUF_INIT;
    strbuf_add_format(&run, "\"command\":[\"%s/tests/fixtures/nasty\",\"%s\"%s%s%s],\"ports\":[{\"name\":\"main\"}]%s",
                      build_dir(), mode, number ? ",\"" : "", number ? number : "", number ? "\"" : "", more);
    services_start(rig.services, services_rig_order(machine.job, "cache", 1, strbuf_text(&run), NULL));
}

static void stop_and_verify(void)
{
    services_stop(rig.services, machine.job, "cache", 1);
    services_rig_await(&rig, INSTANCE_VERIFIED);
    assert_int_equal(oracle_find(machine.marker, NULL, 0), 0);
    assert_int_equal(rig.grade, GRADE_VERIFIED);
}

#define TCP ",\"ready\":{\"tcp\":\"main\",\"interval\":\"20ms\"}"
#define HTTP(more) ",\"ready\":{\"http\":\"/healthz\",\"interval\":\"20ms\"" more "}"

static void ready_by_tcp(void **state)
{
    UNUSED(state);
    begin("well-behaved", NULL, TCP);
    services_rig_await(&rig, INSTANCE_READY);
    assert_non_null(strstr(rig.ports, "{\"main\":2"));
    assert_string_not_equal(rig.object, "");
    assert_string_not_equal(rig.boundary, "");
    stop_and_verify();
    services_rig_expect(&rig, "cache/1 starting\ncache/1 ready\ncache/1 stopped\ncache/1 verified\n");
    assert_int_equal(rig.exit_code, 0);
    assert_non_null(strstr(rig.signals, "[{\"signal\":\"SIGTERM\",\"at\":\"20"));
}

static void ready_by_http(void **state)
{
    UNUSED(state);
    begin("well-behaved", NULL, HTTP(",\"timeout\":\"20s\""));
    services_rig_await(&rig, INSTANCE_READY);
    stop_and_verify();
}

static void ready_by_a_command(void **state)
{
    UNUSED(state);
    begin("well-behaved", NULL,
          ",\"ready\":{\"exec\":[\"bash\",\"-c\",\"exec 3<>/dev/tcp/127.0.0.1/${PORT} && test $PORT = ${PORT_MAIN}\"],"
          "\"interval\":\"20ms\"}");
    services_rig_await(&rig, INSTANCE_READY);
    stop_and_verify();
}

static void ready_by_its_log(void **state)
{
    UNUSED(state);
    begin("well-behaved", NULL, ",\"ready\":{\"log\":\"^ready$\"}");
    services_rig_await(&rig, INSTANCE_READY);
    stop_and_verify();
}

static void who_binds_late_is_ready_late(void **state)
{
    UNUSED(state);
    int64_t start_ms = clock_boot_ms();
    begin("binds-late", "700", TCP);
    services_rig_await(&rig, INSTANCE_STARTING);
    services_rig_await(&rig, INSTANCE_READY);
    assert_true(clock_boot_ms() - start_ms >= 700);
    stop_and_verify();
}

static void who_is_never_ready_stops_all_the_same(void **state)
{
    UNUSED(state);
    begin("never-ready", NULL, TCP);
    services_rig_await(&rig, INSTANCE_STARTING);
    loop_for(rig.loop, 300);
    assert_int_equal(rig.state, INSTANCE_STARTING);
    stop_and_verify();
    services_rig_expect(&rig, "cache/1 starting\ncache/1 stopped\ncache/1 verified\n");
}

static void who_exits_at_once_has_failed(void **state)
{
    UNUSED(state);
    begin("exits-0", NULL, TCP);
    services_rig_await(&rig, INSTANCE_VERIFIED);
    services_rig_expect(&rig, "cache/1 starting\ncache/1 failed\ncache/1 verified\n");
    assert_string_equal(rig.error, "exit 0");
}

static void what_does_not_exist_has_failed(void **state)
{
    UNUSED(state);
    services_start(rig.services,
                   services_rig_order(machine.job, "cache", 1, "\"command\":[\"./no-such-thing\"]", NULL));
    services_rig_await(&rig, INSTANCE_VERIFIED);
    services_rig_expect(&rig, "cache/1 starting\ncache/1 failed\ncache/1 verified\n");
    assert_string_equal(rig.error, "no such command: ./no-such-thing");
}

static void who_dies_midway_has_failed(void **state)
{
    UNUSED(state);
    begin("dies-midway", "5", TCP);
    services_rig_await(&rig, INSTANCE_READY);
    services_rig_await(&rig, INSTANCE_VERIFIED);
    services_rig_expect(&rig, "cache/1 starting\ncache/1 ready\ncache/1 failed\ncache/1 verified\n");
    assert_string_equal(rig.error, "exit 9: ready");
    assert_int_equal(rig.exit_code, 9);
}

static void who_ignores_term_is_killed(void **state)
{
    UNUSED(state);
    begin("ignore-term", NULL, TCP ",\"stop\":{\"grace\":\"200ms\"}");
    services_rig_await(&rig, INSTANCE_READY);
    services_stop(rig.services, machine.job, "cache", 1);
    services_rig_await(&rig, INSTANCE_VERIFIED);
    assert_int_equal(rig.exit_signal, SIGKILL);
    assert_non_null(strstr(rig.signals, "SIGTERM"));
    assert_non_null(strstr(rig.signals, "SIGKILL"));
    assert_int_equal(oracle_find(machine.marker, NULL, 0), 0);
}

static void what_forks_twice_goes_with_it(void **state)
{
    UNUSED(state);
    begin("tree", NULL, TCP ",\"stop\":{\"grace\":\"200ms\"}");
    services_rig_await(&rig, INSTANCE_READY);
    stop_and_verify();
}

static void who_needs_its_grace_gets_it(void **state)
{
    UNUSED(state);
    begin("needs-grace-minus-1s", "300", TCP ",\"stop\":{\"grace\":\"30s\"}");
    services_rig_await(&rig, INSTANCE_READY);
    stop_and_verify();
    services_rig_expect(&rig, "cache/1 starting\ncache/1 ready\ncache/1 stopped\ncache/1 verified\n");
    assert_int_equal(rig.exit_code, 0);
}

static void who_hangs_is_unhealthy(void **state)
{
    UNUSED(state);
    begin("ready-then-hangs", "10", HTTP(",\"timeout\":\"1s\",\"failures\":2"));
    services_rig_await(&rig, INSTANCE_READY);
    services_rig_await(&rig, INSTANCE_UNHEALTHY);
    assert_string_not_equal(rig.error, "");
    stop_and_verify();
}

static void a_gigabyte_of_log_costs_no_memory(void **state)
{
    UNUSED(state);
    struct rusage before, after;
    getrusage(RUSAGE_SELF, &before);
    begin("writes-1gb", NULL, TCP);
    services_rig_await(&rig, INSTANCE_STARTING);
    int64_t deadline = clock_boot_ms() + 240000;
    while (rig.state != INSTANCE_READY && clock_boot_ms() < deadline)
        loop_for(rig.loop, 20);
    assert_int_equal(rig.state, INSTANCE_READY);
    getrusage(RUSAGE_SELF, &after);
    assert_true(after.ru_maxrss - before.ru_maxrss < 32 * 1024); // KiB
    stop_and_verify();
    // Its beginning and its end are there.
    struct log_piece pieces[8];
    size_t bytes = 0, count = logs_collect(rig.logs, pieces, ARRAY_LEN(pieces), (size_t)64 << 20);
    for (size_t i = 0; i < count; i++)
        bytes += pieces[i].length;
    assert_true(bytes > (1 << 20) && bytes < (2 << 20));
    assert_memory_equal(pieces[count - 1].bytes + pieces[count - 1].length - 6, "ready\n", 6);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(ready_by_tcp),
        TEST(ready_by_http),
        TEST(ready_by_a_command),
        TEST(ready_by_its_log),
        TEST(who_binds_late_is_ready_late),
        TEST(who_is_never_ready_stops_all_the_same),
        TEST(who_exits_at_once_has_failed),
        TEST(what_does_not_exist_has_failed),
        TEST(who_dies_midway_has_failed),
        TEST(who_ignores_term_is_killed),
        TEST(what_forks_twice_goes_with_it),
        TEST(who_needs_its_grace_gets_it),
        TEST(who_hangs_is_unhealthy),
        TEST(a_gigabyte_of_log_costs_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
