// What a worker says of containers that outlived it, and does with them after the manager's answer.
#include "services/worker/survivors.h"

#include "tests/support/runtime_scripted.h"
#include "tests/support/services_fixture.h"

#define JOB "j0cnv6bv2mqe4m"

static struct services_rig rig;
static struct survivors *survivors;
static int changes;

static void on_changed(void *context)
{
    UNUSED(context);
    changes++;
}

static int setup(void **state)
{
    struct err err;
    struct loop *loop;
    UNUSED(state);
    changes = 0;
    if (loop_new(&loop, &err) < 0)
        die("loop: %s", err.text);
    services_rig_open(&rig, loop, runtime_scripted_new());
    if (survivors_new(rig.runtime, on_changed, NULL, &survivors, &err) < 0)
        die("survivors: %s", err.text);
    return 0;
}

static int teardown(void **state)
{
    UNUSED(state);
    struct loop *loop = rig.loop;
    struct runtime *runtime = rig.runtime;
    survivors_free(survivors);
    services_rig_close(&rig);
    runtime_free(runtime);
    loop_free(loop);
    return 0;
}

static void add(const char *identity)
{
    struct err err;
    assert_ok(survivors_add(survivors, identity, &err), err);
}

static void assert_written(const char *expected)
{
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    survivors_write(survivors, rig.services, &text);
    assert_string_equal(strbuf_text(&text), expected);
}

static void says_what_it_has_found(void **state)
{
    UNUSED(state);
    assert_written(",\"found\":[],\"held\":[]");
    add(JOB "/main/4/9");
    add(JOB "/cache/2");
    add(JOB "/cache/2/probe-1"); // no token
    add(JOB "/cache/x");
    add("j1/cache/1"); // no job that a manager would know
    assert_written(",\"found\":[{\"job\":\"" JOB "\",\"service\":\"cache\",\"epoch\":2}],\"held\":[9]");
    assert_int_equal(survivors_count(survivors), 5);
    assert_string_equal(runtime_scripted_log(rig.runtime), ""); // nothing is touched before the answer
}

static void what_is_kept_waits_for_its_order(void **state)
{
    UNUSED(state);
    const struct instance_name kept = {.job = JOB, .service = "cache", .epoch = 2};
    add(JOB "/cache/2");
    survivors_settle(survivors, rig.services, &kept, 1);
    assert_string_equal(runtime_scripted_log(rig.runtime), "");
    assert_written(",\"found\":[{\"job\":\"" JOB "\",\"service\":\"cache\",\"epoch\":2}],\"held\":[]"); // asked again
    struct service_order *order = services_rig_order(JOB, "cache", 2, "\"command\":[\"x\"]", NULL);
    order->adopts = true;
    services_start(rig.services, order);
    assert_true(runtime_scripted_saw(rig.runtime, "adopt " JOB "/cache/2"));
    assert_written(",\"found\":[],\"held\":[]");
}

static void what_is_not_kept_is_stopped(void **state)
{
    UNUSED(state);
    const struct instance_name kept[] = {{.job = JOB, .service = "cache", .epoch = 1},
                                         {.job = JOB, .service = "db", .epoch = 2},
                                         {.job = "j0cnv6bv2mqe4n", .service = "cache", .epoch = 2}};
    add(JOB "/cache/2");
    survivors_settle(survivors, rig.services, kept, ARRAY_LEN(kept));
    assert_int_equal(rig.state, INSTANCE_STOPPED);
    runtime_scripted_inspected(rig.runtime, 1); // it is there, as expected
    assert_true(runtime_scripted_saw(rig.runtime, "adopt " JOB "/cache/2"));
    assert_true(runtime_scripted_saw(rig.runtime, "stop " JOB "/cache/2 -1"));
    runtime_scripted_gone(runtime_scripted_find(rig.runtime, JOB "/cache/2"), RUNTIME_STOPPED);
    runtime_scripted_inspected(rig.runtime, 0);
    assert_int_equal(rig.state, INSTANCE_VERIFIED);
    assert_written(",\"found\":[],\"held\":[]");
}

static void a_task_is_held_until_it_is_gone(void **state)
{
    UNUSED(state);
    int64_t tokens[2] = {0};
    add(JOB "/main/4/9");
    survivors_settle(survivors, rig.services, NULL, 0);
    survivors_settle(survivors, rig.services, NULL, 0); // twice is once
    assert_string_equal(runtime_scripted_log(rig.runtime), "adopt " JOB "/main/4/9\nkill " JOB "/main/4/9\n");
    assert_int_equal(survivors_held(survivors, tokens, 2), 1);
    assert_int_equal(tokens[0], 9);
    runtime_scripted_gone(runtime_scripted_find(rig.runtime, JOB "/main/4/9"), RUNTIME_STOPPED);
    assert_int_equal(changes, 1);
    assert_int_equal(survivors_held(survivors, tokens, 2), 0);
    assert_int_equal(survivors_held(NULL, tokens, 2), 0);
    assert_int_equal(runtime_scripted_count(rig.runtime), 0);
}

// Incarnations of one life come and go: each leaves the same containers behind.
static void what_is_over_is_forgotten(void **state)
{
    UNUSED(state);
    const struct instance_name kept = {.job = JOB, .service = "cache", .epoch = 2};
    for (int i = 0; i < 3; i++) {
        add(JOB "/cache/2");
        add(JOB "/cache/2");
        add(JOB "/main/4/9");
        assert_written(",\"found\":[{\"job\":\"" JOB "\",\"service\":\"cache\",\"epoch\":2}],\"held\":[9]");
        survivors_settle(survivors, rig.services, &kept, 1);
        assert_int_equal(survivors_count(survivors), 2);
        runtime_scripted_gone(runtime_scripted_find(rig.runtime, JOB "/main/4/9"), RUNTIME_STOPPED);
        assert_int_equal(survivors_count(survivors), 1);
    }
    survivors_settle(survivors, rig.services, NULL, 0);
    assert_int_equal(survivors_count(survivors), 0);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(says_what_it_has_found),      TEST(what_is_kept_waits_for_its_order),
        TEST(what_is_not_kept_is_stopped), TEST(a_task_is_held_until_it_is_gone),
        TEST(what_is_over_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
