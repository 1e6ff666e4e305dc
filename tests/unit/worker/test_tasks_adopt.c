// Tasks that live on from a former life of their worker.
#include "services/common/base/clock.h"
#include "services/common/base/fd.h"
#include "tests/support/runtime_scripted.h"
#include "tests/support/tasks_fixture.h"

#define BEGUN_MS 5000 // ago
#define ID(task) "j1/s/" task "/7"

static struct tasks_rig rig;

static int setup(void **state)
{
    struct err err;
    struct loop *loop;
    UNUSED(state);
    if (loop_new(&loop, &err) < 0)
        die("loop: %s", err.text);
    tasks_rig_open(&rig, loop, runtime_scripted_new(), 2, NULL);
    return 0;
}

static int teardown(void **state)
{
    UNUSED(state);
    struct loop *loop = rig.loop;
    struct runtime *runtime = rig.runtime;
    tasks_rig_close(&rig);
    runtime_free(runtime);
    loop_free(loop);
    return 0;
}

// A slice of tasks 0 to 3, of which 1 and 2 go on, with 6 bytes of the log of 1.
static void adopt(const char *run)
{
    static const struct slice_adoption adopted[] = {{.task = 1, .logged = 6}, {.task = 2}};
    struct task_survivor survivors[] = {
        {.task = 1, .identity = ID("1"), .begun_boot_ms = clock_boot_ms() - BEGUN_MS},
        {.task = 2, .identity = ID("2"), .begun_boot_ms = clock_boot_ms() - BEGUN_MS},
    };
    struct slice_order *order = tasks_rig_order("j1", 0, 4, run, NULL, NULL);
    struct err err;
    order->token = 7;
    order->adopted = adopted;
    order->adopted_count = ARRAY_LEN(adopted);
    assert_ok(tasks_adopt(rig.tasks, order, survivors, ARRAY_LEN(survivors), &err), err);
    assert_true(survivors[0].taken && survivors[1].taken);
    tasks_rig_settle(&rig);
    assert_string_equal(runtime_scripted_log(rig.runtime), "adopt_task " ID("1") "\nadopt_task " ID("2") "\n");
}

static struct runtime_instance *instance(const char *identity)
{
    return runtime_scripted_find(rig.runtime, identity);
}

static void finish(const char *identity, int code)
{
    runtime_scripted_exited(instance(identity), code, 0);
    runtime_scripted_gone(instance(identity), RUNTIME_EXITED);
}

static void what_they_achieve_counts(void **state)
{
    struct log_piece piece;
    struct err err;
    UNUSED(state);
    adopt("\"command\":[\"x\"]");
    assert_int_equal(tasks_want(rig.tasks), 0); // they have the slots
    runtime_scripted_started(instance(ID("1")), 1);
    runtime_scripted_output(instance(ID("1")), RUNTIME_STDOUT, "begun\nended\n");
    assert_int_equal(logs_collect(rig.logs, &piece, 1, 100), 1);
    assert_string_equal(piece.source, "task/s/1/1");
    assert_int_equal(piece.position, 6);
    assert_int_equal(piece.length, 6);
    logs_shipped(rig.logs);
    assert_ok(file_replace(runtime_scripted_directory(instance(ID("1"))), "{\"a\":1}\n", 8, 0600, &err), err);
    finish(ID("1"), 0);
    finish(ID("2"), 3);
    tasks_rig_expect(&rig, 1, "done j1/0/0/7 ok 1-2 failed 2:exit 3 (3,counted) outputs 1={\"a\":1}\n");
    assert_int_equal(tasks_want(rig.tasks) > 0, 1);
}

// An engine that was restarted has ended them, or somebody has removed them.
static void an_end_that_is_not_their_own_says_nothing(void **state)
{
    UNUSED(state);
    adopt("\"command\":[\"x\"]");
    finish(ID("1"), 137);
    runtime_scripted_gone(instance(ID("2")), RUNTIME_LOST);
    tasks_rig_expect(&rig, 1, "done j1/0/0/7\n");
}

static void the_time_that_they_had_counts(void **state)
{
    UNUSED(state);
    adopt("\"command\":[\"x\"],\"timeout\":\"1s\"");
    runtime_scripted_started(instance(ID("1")), 1);
    runtime_scripted_started(instance(ID("2")), 0); // it has ended while nobody was there to count
    tasks_rig_settle(&rig);
    assert_true(runtime_scripted_saw(rig.runtime, "stop " ID("1") " 5000"));
    assert_false(runtime_scripted_saw(rig.runtime, "stop " ID("2") " 5000"));
    runtime_scripted_exited(instance(ID("1")), 143, 0);
    runtime_scripted_gone(instance(ID("1")), RUNTIME_STOPPED);
    finish(ID("2"), 0);
    tasks_rig_expect(&rig, 1, "done j1/0/0/7 ok 2-3 failed 1:timed out after 1s (143,counted)\n");
}

static void time_that_is_left_is_theirs(void **state)
{
    UNUSED(state);
    adopt("\"command\":[\"x\"],\"timeout\":\"1h\"");
    runtime_scripted_started(instance(ID("1")), 1);
    tasks_rig_settle(&rig);
    assert_false(runtime_scripted_saw(rig.runtime, "stop " ID("1") " 5000"));
    tasks_cancel(rig.tasks, "j1/0/0", 7);
    assert_true(runtime_scripted_saw(rig.runtime, "stop " ID("1") " 5000"));
    runtime_scripted_gone(instance(ID("1")), RUNTIME_STOPPED);
    runtime_scripted_gone(instance(ID("2")), RUNTIME_STOPPED);
    tasks_rig_expect(&rig, 1, "done j1/0/0/7\n");
}

static void with_the_incarnation_they_end(void **state)
{
    UNUSED(state);
    adopt("\"command\":[\"x\"]");
    tasks_abandon(rig.tasks);
    assert_true(runtime_scripted_saw(rig.runtime, "kill " ID("1")));
    assert_true(runtime_scripted_saw(rig.runtime, "kill " ID("2")));
    runtime_scripted_gone(instance(ID("1")), RUNTIME_STOPPED);
    runtime_scripted_gone(instance(ID("2")), RUNTIME_STOPPED);
    assert_int_equal(tasks_running(rig.tasks), 0);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_they_achieve_counts),      TEST(an_end_that_is_not_their_own_says_nothing),
        TEST(the_time_that_they_had_counts), TEST(time_that_is_left_is_theirs),
        TEST(with_the_incarnation_they_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
