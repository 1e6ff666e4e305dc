// What a worker says of containers that outlived it, and does with them after the manager's answer.
#include "services/worker/survivors.h"

#include "services/common/base/clock.h"
#include "tests/support/runtime_scripted.h"
#include "tests/support/services_fixture.h"
#include "tests/support/tasks_fixture.h"

#define JOB "j0cnv6bv2mqe4m"

static struct services_rig rig;
static struct tasks_rig tasks;
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
    tasks_rig_open(&tasks, loop, rig.runtime, 4, NULL);
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
    tasks_rig_close(&tasks);
    services_rig_close(&rig);
    runtime_free(runtime);
    loop_free(loop);
    return 0;
}

static void add(const char *identity)
{
    struct err err;
    assert_ok(survivors_add(survivors, identity, 0, &err), err);
}

static void add_begun(const char *identity)
{
    struct err err;
    assert_ok(survivors_add(survivors, identity, clock_boot_ms(), &err), err);
}

// The manager still wants these services, and no tasks.
static void settle(const struct instance_name *kept, size_t count)
{
    const struct survivors_answer answer = {.kept = kept, .kept_count = count};
    survivors_settle(survivors, rig.services, tasks.tasks, &answer);
}

// The manager wants tasks 3 and 4 of this slice to go on.
static void adopt(const char *job, int64_t token)
{
    static const struct slice_adoption adopted[] = {{.task = 3}, {.task = 4}};
    struct slice_order *order = tasks_rig_order(job, 0, 6, "\"command\":[\"x\"]", NULL, NULL);
    order->token = token;
    order->adopted = adopted;
    order->adopted_count = ARRAY_LEN(adopted);
    const struct survivors_answer answer = {.adopted = &order, .adopted_count = 1};
    survivors_end_others(survivors, &answer);
    survivors_settle(survivors, rig.services, tasks.tasks, &answer);
    assert_null(order);
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
    settle(&kept, 1);
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
    settle(kept, ARRAY_LEN(kept));
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
    settle(NULL, 0);
    settle(NULL, 0); // twice is once
    assert_string_equal(runtime_scripted_log(rig.runtime), "adopt " JOB "/main/4/9\nkill " JOB "/main/4/9\n");
    assert_int_equal(survivors_held(survivors, tokens, 2), 1);
    assert_int_equal(tokens[0], 9);
    runtime_scripted_gone(runtime_scripted_find(rig.runtime, JOB "/main/4/9"), RUNTIME_STOPPED);
    assert_int_equal(changes, 1);
    assert_int_equal(survivors_held(survivors, tokens, 2), 0);
    assert_int_equal(survivors_held(NULL, tokens, 2), 0);
    assert_int_equal(runtime_scripted_count(rig.runtime), 0);
}

static void tasks_that_go_on_are_handed_over(void **state)
{
    UNUSED(state);
    int64_t tokens[4] = {0};
    add_begun(JOB "/s/3/9");
    add_begun(JOB "/s/4/9");
    add(JOB "/s/5/9");       // of the same slice, and nothing is known of it
    add_begun(JOB "/s/0/8"); // could go on, but the manager does not want it
    assert_written(",\"found\":[],\"held\":[8,9,9,9],\"adoptable\":[{\"token\":8,\"task\":0},{\"token\":9,\"task\":4},"
                   "{\"token\":9,\"task\":3}]");
    adopt(JOB, 9);
    assert_string_equal(runtime_scripted_log(rig.runtime),
                        "adopt " JOB "/s/0/8\nkill " JOB "/s/0/8\nadopt_task " JOB "/s/3/9\nadopt_task " JOB
                        "/s/4/9\nadopt " JOB "/s/5/9\nkill " JOB "/s/5/9\n");
    assert_written(",\"found\":[],\"held\":[8]");
    assert_int_equal(tasks_held(tasks.tasks, tokens, 4), 1);
    assert_int_equal(tokens[0], 9);
    runtime_scripted_exited(runtime_scripted_find(rig.runtime, JOB "/s/3/9"), 0, 0);
    runtime_scripted_gone(runtime_scripted_find(rig.runtime, JOB "/s/3/9"), RUNTIME_EXITED);
    runtime_scripted_gone(runtime_scripted_find(rig.runtime, JOB "/s/5/9"), RUNTIME_STOPPED);
    tasks_rig_settle(&tasks);
    assert_int_equal(tasks.done_count, 0);
    runtime_scripted_exited(runtime_scripted_find(rig.runtime, JOB "/s/4/9"), 3, 0);
    runtime_scripted_gone(runtime_scripted_find(rig.runtime, JOB "/s/4/9"), RUNTIME_EXITED);
    tasks_rig_expect(&tasks, 1, "done " JOB "/0/0/9 ok 3-4 failed 4:exit 3 (3,counted)\n");
}

// What is not there any more when the answer comes: nothing of the slice is held, and the manager takes it back.
static void an_order_for_nothing_is_dropped(void **state)
{
    UNUSED(state);
    add_begun(JOB "/s/3/9");
    adopt("j0cnv6bv2mqe4n", 9); // another job's
    assert_true(runtime_scripted_saw(rig.runtime, "kill " JOB "/s/3/9"));
    assert_int_equal(tasks_held(tasks.tasks, (int64_t[1]){0}, 1), 0);
}

// Once something of a slice is being ended none of it is offered again.
static void what_is_being_ended_does_not_go_on(void **state)
{
    UNUSED(state);
    add_begun(JOB "/s/3/9");
    settle(NULL, 0);
    add_begun(JOB "/s/4/9");
    assert_written(",\"found\":[],\"held\":[9,9]");
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
        settle(&kept, 1);
        assert_int_equal(survivors_count(survivors), 2);
        runtime_scripted_gone(runtime_scripted_find(rig.runtime, JOB "/main/4/9"), RUNTIME_STOPPED);
        assert_int_equal(survivors_count(survivors), 1);
    }
    settle(NULL, 0);
    assert_int_equal(survivors_count(survivors), 0);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(says_what_it_has_found),
        TEST(what_is_kept_waits_for_its_order),
        TEST(what_is_not_kept_is_stopped),
        TEST(a_task_is_held_until_it_is_gone),
        TEST(tasks_that_go_on_are_handed_over),
        TEST(an_order_for_nothing_is_dropped),
        TEST(what_is_being_ended_does_not_go_on),
        TEST(what_is_over_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
