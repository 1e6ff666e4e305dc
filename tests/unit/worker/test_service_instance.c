// The end of a service that does not go, and checks that cannot be made.
#include "services/worker/services.h"

#include "services/common/base/clock.h"
#include "tests/support/services_scripted.h"

#include <signal.h>
#include <string.h>

static void who_does_not_go_is_killed_and_then_stuck(void **state)
{
    UNUSED(state);
    struct runtime_instance *instance = start(1, SERVE ",\"stop\":{\"signal\":\"SIGINT\",\"grace\":\"50ms\"}");
    strbuf_clear(&rig.seen);
    services_stop(rig.services, "j1", "cache", 1);
    services_rig_await(&rig, INSTANCE_KILLING);
    services_rig_await(&rig, INSTANCE_STUCK);
    assert_true(runtime_scripted_saw(rig.runtime, "kill j1/cache/1"));
    runtime_scripted_forget(rig.runtime);
    services_rig_await_line(&rig, "kill j1/cache/1"); // and again
    runtime_scripted_exited(instance, -1, SIGKILL);
    runtime_scripted_gone(instance, RUNTIME_STOPPED);
    runtime_scripted_inspected(rig.runtime, 0);
    services_rig_expect(&rig, "cache/1 killing\ncache/1 stuck\ncache/1 stopped\ncache/1 verified\n");
    assert_int_equal(rig.exit_signal, SIGKILL);
}

// Of this life and of an earlier one.
static void what_is_known_to_be_there_is_stuck_until_it_is_gone(void **state)
{
    UNUSED(state);
    struct runtime_instance *instance = start(1, SERVE);
    strbuf_clear(&rig.seen);
    services_stop(rig.services, "j1", "cache", 1);
    runtime_scripted_exited(instance, 255, 0);
    runtime_scripted_remains(instance, "process 7 is there: kill -9 7");
    assert_int_equal(rig.state, INSTANCE_STUCK);
    assert_string_equal(rig.error, "process 7 is there: kill -9 7");
    runtime_scripted_remains(instance, "process 8 is there");
    assert_string_equal(rig.error, "process 8 is there");
    runtime_scripted_gone(instance, RUNTIME_STOPPED);
    assert_string_equal(rig.error, "it was stuck, and is gone");
    runtime_scripted_inspected(rig.runtime, 1); // of a runtime that finds something once more
    services_rig_expect(&rig, "cache/1 stuck\ncache/1 stopped\n");
    services_verify(rig.services, "j1", "other", 1); // of an earlier life
    runtime_scripted_inspected(rig.runtime, 1);
    strbuf_clear(&rig.seen);
    instance = runtime_scripted_find(rig.runtime, "j1/other/1");
    runtime_scripted_remains(instance, "process 5 is there");
    runtime_scripted_gone(instance, RUNTIME_LOST);
    runtime_scripted_inspected(rig.runtime, 0);
    services_rig_expect(&rig, "other/1 stuck\nother/1 stopped\nother/1 verified\n");
}

static bool has_error(void *context)
{
    return strcmp(rig.error, context) == 0;
}

static void await_error(const char *text)
{
    char wanted[64];
    snprintf(wanted, sizeof wanted, "%s", text);
    if (!loop_until(rig.loop, has_error, wanted, SERVICES_PATIENCE_MS))
        fail_msg("'%s', not '%s'", rig.error, text);
}

// A container engine that does not carry out the kill, does, does not work for a while, and does again.
static void who_is_not_killed_is_not_stuck(void **state)
{
    UNUSED(state);
    struct runtime_instance *instance = start(1, SERVE ",\"stop\":{\"grace\":\"10ms\"}");
    strbuf_clear(&rig.seen);
    runtime_scripted_resists(rig.runtime, 0, "the engine is away");
    services_stop(rig.services, "j1", "cache", 1);
    services_rig_await(&rig, INSTANCE_KILLING);
    await_error("the engine is away");
    loop_for(rig.loop, 400); // four times the patience
    assert_int_equal(rig.state, INSTANCE_KILLING);
    assert_true(runtime_scripted_saw(rig.runtime, "kill j1/cache/1"));
    runtime_scripted_resists(rig.runtime, clock_boot_ms() + SERVICES_PATIENCE_MS, "");
    await_error(""); // said: it waits for the engine no longer
    runtime_scripted_resists(rig.runtime, 0, "it is away again");
    await_error("it is away again");
    loop_for(rig.loop, 400);
    assert_int_equal(rig.state, INSTANCE_KILLING);
    runtime_scripted_resists(rig.runtime, clock_boot_ms(), "device busy");
    services_rig_await(&rig, INSTANCE_STUCK);
    assert_string_equal(rig.error, "it is still there after SIGKILL: device busy");
    runtime_scripted_exited(instance, -1, SIGKILL);
    runtime_scripted_gone(instance, RUNTIME_STOPPED);
    runtime_scripted_inspected(rig.runtime, 0);
    services_rig_expect(&rig, "cache/1 killing\ncache/1 stuck\ncache/1 stopped\ncache/1 verified\n");
}

static void await_check(void)
{
    services_rig_await_line(&rig, "exec j1/cache/1 ping");
    runtime_scripted_forget(rig.runtime);
}

static void a_check_that_cannot_be_made_counts_for_nothing(void **state)
{
    UNUSED(state);
    struct runtime_instance *instance =
        start(1, SERVE ",\"ready\":{\"exec\":[\"ping\"],\"interval\":\"10ms\",\"failures\":2}");
    await_check();
    runtime_scripted_unexecuted(rig.runtime, "no engine");
    assert_int_equal(rig.state, INSTANCE_STARTING);
    assert_string_equal(rig.error, "its check cannot be made: no engine");
    await_check();
    runtime_scripted_executed(rig.runtime, 0);
    services_rig_expect(&rig, "cache/1 starting\ncache/1 ready\n");
    assert_string_equal(rig.error, "");
    for (int i = 0; i < 5; i++) { // between two failures as well
        await_check();
        if (i == 2)
            runtime_scripted_executed(rig.runtime, 1);
        else
            runtime_scripted_unexecuted(rig.runtime, "no engine");
        assert_int_equal(rig.state, INSTANCE_READY);
        assert_string_equal(rig.error, i == 2 ? "" : "its check cannot be made: no engine");
    }
    int count = rig.count;
    await_check();
    runtime_scripted_unexecuted(rig.runtime, "no engine");
    assert_int_equal(rig.count, count); // said once
    await_check();
    runtime_scripted_executed(rig.runtime, 1);
    assert_int_equal(rig.state, INSTANCE_UNHEALTHY);
    await_check();
    runtime_scripted_unexecuted(rig.runtime, "no engine");
    services_stop(rig.services, "j1", "cache", 1);
    assert_string_equal(rig.error, "");
    runtime_scripted_exited(instance, 0, 0);
    runtime_scripted_gone(instance, RUNTIME_STOPPED);
    runtime_scripted_inspected(rig.runtime, 0);
    assert_string_equal(rig.error, "");
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(who_does_not_go_is_killed_and_then_stuck),
        TEST(what_is_known_to_be_there_is_stuck_until_it_is_gone),
        TEST(who_is_not_killed_is_not_stuck),
        TEST(a_check_that_cannot_be_made_counts_for_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
