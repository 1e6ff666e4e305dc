#include "services/worker/services.h"

#include "services/common/base/clock.h"
#include "tests/support/process.h"
#include "tests/support/services_scripted.h"

#include <signal.h>
#include <unistd.h>

static void a_service_sees_what_it_needs(void **state)
{
    UNUSED(state);
    services_start(rig.services,
                   services_rig_order("j1", "cache", 3, SERVE ",\"env\":{\"BIND\":\"0.0.0.0:${PORT_MAIN}\"}",
                                      "[{\"name\":\"db\",\"host\":\"10.0.0.9\",\"ports\":{\"main\":5432}}]"));
    struct runtime_instance *instance = instance_of(3);
    char text[64];
    const char *port = runtime_scripted_env(instance, "PORT"), *admin = runtime_scripted_env(instance, "PORT_ADMIN_UI");
    assert_non_null(port);
    assert_non_null(admin);
    assert_string_not_equal(port, admin);
    assert_string_equal(runtime_scripted_env(instance, "PORT_MAIN"), port);
    assert_string_equal(runtime_scripted_argument(instance, 2), port);
    snprintf(text, sizeof text, "--admin=%s", admin);
    assert_string_equal(runtime_scripted_argument(instance, 3), text);
    snprintf(text, sizeof text, "0.0.0.0:%s", port);
    assert_string_equal(runtime_scripted_env(instance, "BIND"), text);
    assert_string_equal(runtime_scripted_env(instance, "CURFEW_JOB"), "j1");
    assert_string_equal(runtime_scripted_env(instance, "CURFEW_SERVICE"), "cache");
    assert_string_equal(runtime_scripted_env(instance, "CURFEW_EPOCH"), "3");
    assert_string_equal(runtime_scripted_env(instance, "CURFEW_SERVICE_DB_ADDR"), "10.0.0.9:5432");
    assert_string_equal(runtime_scripted_env(instance, "HOME"), runtime_scripted_directory(instance));
    assert_null(runtime_scripted_env(instance, "CURFEW_TASK"));
    runtime_scripted_started(instance, 100);
    assert_int_equal(rig.state, INSTANCE_STARTING);
    services_rig_settle(&rig);
    services_rig_expect(&rig, "cache/3 starting\ncache/3 ready\n");
    snprintf(text, sizeof text, "{\"main\":%s,\"admin-ui\":%s}", port, admin);
    assert_string_equal(rig.ports, text);
    assert_string_equal(rig.host, "127.0.0.1");
    assert_string_not_equal(rig.object, "");
}

static void an_order_that_is_repeated_starts_nothing(void **state)
{
    UNUSED(state);
    start(1, SERVE);
    order(1, SERVE);
    assert_int_equal(runtime_scripted_count(rig.runtime), 1);
    assert_int_equal(rig.state, INSTANCE_READY);
    assert_int_equal(services_room(rig.services), 3);
    assert_int_equal(services_running(rig.services), 1);
}

static void a_stop_ends_it_and_a_second_look_verifies(void **state)
{
    UNUSED(state);
    struct runtime_instance *instance = start(1, SERVE);
    strbuf_clear(&rig.seen);
    services_stop(rig.services, "j1", "cache", 1);
    services_stop(rig.services, "j1", "cache", 1);
    assert_true(runtime_scripted_saw(rig.runtime, "stop j1/cache/1 -1"));
    runtime_scripted_exited(instance, 3, 0);
    assert_int_equal(rig.state, INSTANCE_READY);
    runtime_scripted_gone(instance, RUNTIME_STOPPED);
    assert_int_equal(rig.state, INSTANCE_STOPPED); // whatever its code says
    assert_int_equal(rig.exit_code, 3);
    assert_int_equal(rig.grade, GRADE_EXIT);
    assert_int_equal(services_running(rig.services), 0);
    runtime_scripted_inspected(rig.runtime, 0);
    services_rig_expect(&rig, "cache/1 ready\ncache/1 stopped\ncache/1 verified\n");
    assert_int_equal(rig.grade, GRADE_VERIFIED);
    assert_int_equal(rig.exit_code, 3);
    // Afterwards it is never started again, and says so.
    runtime_scripted_forget(rig.runtime);
    rig.state = -1;
    order(1, SERVE);
    assert_int_equal(rig.state, INSTANCE_VERIFIED);
    assert_string_equal(runtime_scripted_log(rig.runtime), "");
    rig.state = -1;
    services_stop(rig.services, "j1", "cache", 1);
    assert_int_equal(rig.state, INSTANCE_VERIFIED);
}

static void as_long_as_something_is_there_nothing_is_verified(void **state)
{
    UNUSED(state);
    struct runtime_instance *instance = start(1, SERVE);
    services_stop(rig.services, "j1", "cache", 1);
    runtime_scripted_exited(instance, 0, 0);
    runtime_scripted_gone(instance, RUNTIME_STOPPED);
    for (int i = 0; i < 3; i++) {
        runtime_scripted_forget(rig.runtime);
        runtime_scripted_inspected(rig.runtime, i == 0 ? -1 : 1);
        assert_int_equal(rig.state, INSTANCE_STOPPED);
        services_rig_await_line(&rig, "inspect j1/cache/1");
    }
    runtime_scripted_inspected(rig.runtime, 0);
    assert_int_equal(rig.state, INSTANCE_VERIFIED);
}

static void who_exits_unasked_has_failed(void **state)
{
    UNUSED(state);
    struct runtime_instance *instance = start(1, SERVE);
    strbuf_clear(&rig.seen);
    runtime_scripted_output(instance, RUNTIME_STDOUT, "cannot bind\n");
    runtime_scripted_exited(instance, 1, 0);
    runtime_scripted_gone(instance, RUNTIME_EXITED);
    assert_string_equal(rig.error, "exit 1: cannot bind");
    runtime_scripted_inspected(rig.runtime, 0);
    services_rig_expect(&rig, "cache/1 failed\ncache/1 verified\n");
    assert_string_equal(rig.error, "exit 1: cannot bind");
    assert_int_equal(rig.exit_code, 1);
    instance = start(2, SERVE);
    runtime_scripted_exited(instance, 0, 0);
    runtime_scripted_gone(instance, RUNTIME_EXITED);
    assert_int_equal(rig.state, INSTANCE_FAILED);
    assert_string_equal(rig.error, "exit 0");
    instance = start(3, SERVE);
    runtime_scripted_exited(instance, -1, SIGSEGV);
    runtime_scripted_gone(instance, RUNTIME_EXITED);
    assert_string_equal(rig.error, "killed by SIGSEGV");
    instance = start(4, SERVE);
    runtime_scripted_gone(instance, RUNTIME_LOST);
    assert_int_equal(rig.state, INSTANCE_FAILED);
}

static void what_cannot_start_has_failed(void **state)
{
    UNUSED(state);
    order(1, SERVE);
    runtime_scripted_not_started(instance_of(1), ERR_NOT_FOUND, "not there");
    assert_int_equal(rig.state, INSTANCE_FAILED);
    assert_string_equal(rig.error, "no such command: ./serve");
    runtime_scripted_inspected(rig.runtime, 0);
    assert_int_equal(rig.state, INSTANCE_VERIFIED);
    runtime_scripted_fail_start(rig.runtime, ERR_LIMIT);
    order(2, SERVE);
    assert_int_equal(rig.state, INSTANCE_FAILED);
    assert_non_null(strstr(rig.error, "scripted failure"));
    runtime_scripted_inspected(rig.runtime, 0);
    assert_int_equal(rig.state, INSTANCE_VERIFIED);
    assert_int_equal(rig.grade, GRADE_ABSENT);
    order(3, SERVE ",\"secrets\":[\"NONE\"]");
    assert_int_equal(rig.state, INSTANCE_FAILED);
    assert_non_null(strstr(rig.error, "NONE"));
    runtime_scripted_inspected(rig.runtime, 0);
    assert_int_equal(services_running(rig.services), 0);
}

static void a_stop_before_the_start_leaves_nothing(void **state)
{
    UNUSED(state);
    services_start(rig.services, services_rig_order("j1", "cache", 1, SERVE, NULL));
    services_stop(rig.services, "j1", "cache", 1);
    services_rig_settle(&rig);
    assert_int_equal(rig.state, INSTANCE_STOPPED);
    runtime_scripted_inspected(rig.runtime, 0);
    assert_int_equal(rig.state, INSTANCE_VERIFIED);
    assert_int_equal(rig.grade, GRADE_ABSENT);
    assert_string_equal(runtime_scripted_log(rig.runtime), "inspect j1/cache/1\n");
}

static void a_stop_before_started_is_no_failure(void **state)
{
    UNUSED(state);
    order(1, SERVE);
    struct runtime_instance *instance = instance_of(1);
    services_stop(rig.services, "j1", "cache", 1);
    runtime_scripted_started(instance, 100);
    runtime_scripted_exited(instance, -1, SIGTERM);
    runtime_scripted_gone(instance, RUNTIME_STOPPED);
    runtime_scripted_inspected(rig.runtime, 0);
    services_rig_expect(&rig, "cache/1 starting\ncache/1 stopped\ncache/1 verified\n");
}

static void what_is_unknown_is_looked_for_and_never_started(void **state)
{
    UNUSED(state);
    services_stop(rig.services, "j1", "cache", 7);
    assert_int_equal(rig.state, INSTANCE_STOPPED);
    assert_int_equal(rig.grade, GRADE_ABSENT);
    runtime_scripted_inspected(rig.runtime, 0);
    assert_int_equal(rig.state, INSTANCE_VERIFIED);
    assert_int_equal(rig.grade, GRADE_ABSENT);
    order(7, SERVE);
    assert_int_equal(runtime_scripted_count(rig.runtime), 0);
    // What an earlier life has stopped is verified by the look of this one.
    services_verify(rig.services, "j1", "cache", 8);
    runtime_scripted_inspected(rig.runtime, 0);
    assert_int_equal(rig.state, INSTANCE_VERIFIED);
    assert_int_equal(rig.grade, GRADE_VERIFIED);
}

static void remains_of_an_unknown_one_are_ended(void **state)
{
    UNUSED(state);
    services_stop(rig.services, "j1", "cache", 7);
    runtime_scripted_inspected(rig.runtime, 2);
    assert_int_equal(rig.state, INSTANCE_STOPPED);
    assert_true(runtime_scripted_saw(rig.runtime, "adopt j1/cache/7"));
    runtime_scripted_gone(instance_of(7), RUNTIME_LOST);
    assert_int_equal(rig.state, INSTANCE_STOPPED);
    runtime_scripted_inspected(rig.runtime, 0);
    assert_int_equal(rig.state, INSTANCE_VERIFIED);
    assert_int_equal(rig.grade, GRADE_VERIFIED);
}

static void a_check_by_command_decides(void **state)
{
    UNUSED(state);
    struct runtime_instance *instance =
        start(1, SERVE ",\"ready\":{\"exec\":[\"ping\",\"${PORT}\"],\"interval\":\"10ms\",\"failures\":2}");
    assert_true(runtime_scripted_saw(rig.runtime, "exec j1/cache/1 ping"));
    static const int codes[] = {1, -1, 0, 1, 0, 1, -1, 0};
    for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
        runtime_scripted_forget(rig.runtime);
        runtime_scripted_executed(rig.runtime, codes[i]);
        services_rig_await_line(&rig, "exec j1/cache/1 ping");
    }
    services_rig_expect(&rig, "cache/1 starting\ncache/1 ready\ncache/1 unhealthy\ncache/1 ready\n");
    // The check that is under way at the end answers nobody.
    services_stop(rig.services, "j1", "cache", 1);
    runtime_scripted_executed(rig.runtime, -1);
    runtime_scripted_exited(instance, 0, 0);
    runtime_scripted_gone(instance, RUNTIME_STOPPED);
    runtime_scripted_inspected(rig.runtime, 0);
    services_rig_expect(&rig, "cache/1 stopped\ncache/1 verified\n");
}

static void a_line_of_output_decides(void **state)
{
    UNUSED(state);
    struct log_piece piece;
    struct runtime_instance *instance = start(1, SERVE ",\"ready\":{\"log\":\"^ready to (serve|go)$\"}");
    runtime_scripted_output(instance, RUNTIME_STDERR, "not ready to serve\nready to ");
    services_rig_settle(&rig);
    assert_int_equal(rig.state, INSTANCE_STARTING);
    runtime_scripted_output(instance, RUNTIME_STDERR, "go\nmore\n");
    services_rig_settle(&rig);
    assert_int_equal(rig.state, INSTANCE_READY);
    assert_int_equal(logs_collect(rig.logs, &piece, 1, 1000), 1);
    assert_string_equal(piece.source, "service/cache/1");
}

static void everything_that_is_not_over_is_told_again(void **state)
{
    UNUSED(state);
    struct runtime_instance *instance = start(1, SERVE);
    start(2, SERVE);
    runtime_scripted_exited(instance, 0, 0);
    runtime_scripted_gone(instance, RUNTIME_EXITED);
    runtime_scripted_inspected(rig.runtime, 0);
    strbuf_clear(&rig.seen);
    services_report_all(rig.services);
    services_rig_expect(&rig, "cache/2 ready\n");
}

static void all_are_stopped_the_latest_first(void **state)
{
    UNUSED(state);
    start(1, SERVE);
    start(2, SERVE);
    runtime_scripted_forget(rig.runtime);
    services_stop_all(rig.services);
    assert_string_equal(runtime_scripted_log(rig.runtime), "stop j1/cache/2 -1\nstop j1/cache/1 -1\n");
}

static void what_is_abandoned_is_killed_and_seen_to_go(void **state)
{
    UNUSED(state);
    struct runtime_instance *instance = start(1, SERVE);
    services_start(rig.services, services_rig_order("j1", "cache", 2, SERVE, NULL)); // it has no directory yet
    services_abandon(rig.services);
    assert_true(runtime_scripted_saw(rig.runtime, "kill j1/cache/1"));
    assert_int_equal(services_running(rig.services), 1);
    runtime_scripted_exited(instance, -1, SIGKILL);
    runtime_scripted_gone(instance, RUNTIME_STOPPED);
    assert_int_equal(services_running(rig.services), 0);
    runtime_scripted_inspected(rig.runtime, 0);
    runtime_scripted_inspected(rig.runtime, 0);
    assert_int_equal(rig.state, INSTANCE_VERIFIED);
}

static void take_over(int epoch, bool was_ready, const char *run)
{
    struct service_order *taken = services_rig_order("j1", "cache", epoch, run, NULL);
    taken->adopts = true;
    taken->ready = was_ready;
    services_start(rig.services, taken);
    services_rig_settle(&rig);
}

static void a_container_outlives_lease_and_incarnation(void **state)
{
    UNUSED(state);
    services_start(rig.services, services_rig_order("j1", "cache", 1, SERVE, NULL));
    services_rig_settle(&rig);
    runtime_scripted_started_at(instance_of(1), "10.0.0.1");
    assert_string_equal(rig.host, "10.0.0.1");
    services_fence(rig.services);
    assert_false(runtime_scripted_saw(rig.runtime, "kill j1/cache/1"));
    assert_true(services_know(rig.services, "j1", "cache", 1));
    services_abandon(rig.services);
    assert_string_equal(rig.left, "j1/cache/1");
    assert_false(runtime_scripted_saw(rig.runtime, "kill j1/cache/1"));
    assert_false(services_know(rig.services, "j1", "cache", 1));
    assert_int_equal(services_running(rig.services), 0);
    take_over(1, true, SERVE);
    assert_true(runtime_scripted_saw(rig.runtime, "adopt j1/cache/1"));
}

static void one_that_was_to_stop_is_killed_with_the_lease(void **state)
{
    UNUSED(state);
    services_start(rig.services, services_rig_order("j1", "cache", 1, SERVE, NULL));
    services_rig_settle(&rig);
    runtime_scripted_started_at(instance_of(1), "10.0.0.1");
    services_stop(rig.services, "j1", "cache", 1);
    services_fence(rig.services);
    assert_true(runtime_scripted_saw(rig.runtime, "kill j1/cache/1"));
}

static void one_of_a_former_life_is_taken_over(void **state)
{
    UNUSED(state);
    take_over(1, true, SERVE ",\"ready\":{\"exec\":[\"ping\"],\"interval\":\"10ms\",\"failures\":2}");
    struct runtime_instance *instance = instance_of(1);
    assert_true(runtime_scripted_saw(rig.runtime, "adopt j1/cache/1"));
    assert_false(runtime_scripted_saw(rig.runtime, "start j1/cache/1"));
    runtime_scripted_started(instance, 100);
    assert_int_equal(rig.state, INSTANCE_READY); // as it was
    for (int i = 0; i < 2; i++) {
        services_rig_await_line(&rig, "exec j1/cache/1 ping");
        runtime_scripted_forget(rig.runtime);
        runtime_scripted_executed(rig.runtime, 1);
    }
    assert_int_equal(rig.state, INSTANCE_UNHEALTHY);
    services_stop(rig.services, "j1", "cache", 1);
    assert_true(runtime_scripted_saw(rig.runtime, "stop j1/cache/1 -1"));
    runtime_scripted_exited(instance, 0, 0);
    runtime_scripted_gone(instance, RUNTIME_STOPPED);
    runtime_scripted_inspected(rig.runtime, 0);
    assert_int_equal(rig.state, INSTANCE_VERIFIED);
}

static void one_that_has_ended_meanwhile_has_failed(void **state)
{
    UNUSED(state);
    take_over(1, false, SERVE);
    runtime_scripted_exited(instance_of(1), 3, 0);
    runtime_scripted_gone(instance_of(1), RUNTIME_EXITED);
    assert_int_equal(rig.state, INSTANCE_FAILED);
    assert_string_equal(rig.error, "exit 3");
}

static void what_still_runs_is_cut_at_the_end(void **state)
{
    UNUSED(state);
    start(1, SERVE ",\"ready\":{\"exec\":[\"ping\"],\"interval\":\"10ms\"}"); // with a check under way
    start(2, SERVE ",\"ready\":{\"tcp\":\"main\"}");
    services_start(rig.services, services_rig_order("j1", "cache", 3, SERVE, NULL));
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_service_sees_what_it_needs),
        TEST(an_order_that_is_repeated_starts_nothing),
        TEST(a_stop_ends_it_and_a_second_look_verifies),
        TEST(as_long_as_something_is_there_nothing_is_verified),
        TEST(who_exits_unasked_has_failed),
        TEST(what_cannot_start_has_failed),
        TEST(a_stop_before_the_start_leaves_nothing),
        TEST(a_stop_before_started_is_no_failure),
        TEST(what_is_unknown_is_looked_for_and_never_started),
        TEST(remains_of_an_unknown_one_are_ended),
        TEST(a_check_by_command_decides),
        TEST(a_line_of_output_decides),
        TEST(everything_that_is_not_over_is_told_again),
        TEST(all_are_stopped_the_latest_first),
        TEST(what_is_abandoned_is_killed_and_seen_to_go),
        TEST(a_container_outlives_lease_and_incarnation),
        TEST(one_that_was_to_stop_is_killed_with_the_lease),
        TEST(one_of_a_former_life_is_taken_over),
        TEST(one_that_has_ended_meanwhile_has_failed),
        TEST(what_still_runs_is_cut_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
