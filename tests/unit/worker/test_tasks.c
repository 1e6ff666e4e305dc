#include "services/worker/tasks.h"

#include "services/common/base/clock.h"
#include "services/common/base/fd.h"
#include "tests/support/runtime_scripted.h"
#include "tests/support/tasks_fixture.h"

#include <signal.h>
#include <unistd.h>

#define EXEC "\"command\":[\"./work\",\"-v\"]"

static struct tasks_rig rig;

static int setup_slots(int slots, const char *secrets)
{
    struct err err;
    struct loop *loop;
    if (loop_new(&loop, &err) < 0)
        die("loop: %s", err.text);
    tasks_rig_open(&rig, loop, runtime_scripted_new(), slots, secrets);
    return 0;
}

static int setup(void **state)
{
    UNUSED(state);
    return setup_slots(2, NULL);
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

// The instance of a task, which must have been started.
static struct runtime_instance *instance_of(int task, int token)
{
    char identity[64];
    tasks_rig_settle(&rig);
    snprintf(identity, sizeof identity, "j1/s/%d/%d", task, token);
    struct runtime_instance *instance = runtime_scripted_find(rig.runtime, identity);
    if (!instance)
        fail_msg("%s is not running: %s", identity, runtime_scripted_log(rig.runtime));
    return instance;
}

static void finish(struct runtime_instance *instance, int code)
{
    runtime_scripted_started(instance, 100);
    runtime_scripted_exited(instance, code, 0);
    runtime_scripted_gone(instance, RUNTIME_EXITED);
}

static void write_outputs(struct runtime_instance *instance, const char *text)
{
    struct err err;
    assert_ok(file_replace(runtime_scripted_env(instance, "CURFEW_OUTPUT"), text, strlen(text), 0600, &err), err);
}

static void a_task_sees_what_it_needs(void **state)
{
    UNUSED(state);
    tasks_accept(rig.tasks,
                 tasks_rig_order("j1", 7, 1, EXEC ",\"env\":{\"COLOUR\":\"red\",\"TMPDIR\":\"/var/tmp\"}",
                                 "[{\"file\": \"a.txt\"}]",
                                 "[{\"name\":\"my-cache\",\"host\":\"10.0.0.1\",\"ports\":{\"main\":4000,"
                                 "\"admin-ui\":4001}},{\"name\":\"six\",\"host\":\"::1\",\"ports\":{\"p\":1}}]"));
    struct runtime_instance *instance = instance_of(7, 17);
    assert_string_equal(runtime_scripted_argument(instance, 0), "./work");
    assert_string_equal(runtime_scripted_argument(instance, 1), "-v");
    assert_null(runtime_scripted_argument(instance, 2));
    assert_string_equal(runtime_scripted_stdin(instance), "{\"file\":\"a.txt\"}\n");
    static const char *const expected[][2] = {
        {"CURFEW_JOB", "j1"},
        {"CURFEW_STAGE", "s"},
        {"CURFEW_TASK", "7"},
        {"CURFEW_ATTEMPT", "1"},
        {"CURFEW_TOKEN", "17"},
        {"CURFEW_SERVICE_MY_CACHE_HOST", "10.0.0.1"},
        {"CURFEW_SERVICE_MY_CACHE_PORT", "4000"},
        {"CURFEW_SERVICE_MY_CACHE_ADDR", "10.0.0.1:4000"},
        {"CURFEW_SERVICE_MY_CACHE_PORT_MAIN", "4000"},
        {"CURFEW_SERVICE_MY_CACHE_PORT_ADMIN_UI", "4001"},
        {"CURFEW_SERVICE_SIX_ADDR", "[::1]:1"},
        {"COLOUR", "red"},
        {"TMPDIR", "/var/tmp"},
    };
    for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
        const char *value = runtime_scripted_env(instance, expected[i][0]);
        if (!value || strcmp(value, expected[i][1]) != 0)
            fail_msg("%s is '%s'", expected[i][0], value ? value : "(none)");
    }
    const char *directory = runtime_scripted_directory(instance);
    assert_string_equal(runtime_scripted_env(instance, "HOME"), directory);
    assert_int_equal(access(directory, W_OK), 0);
    assert_non_null(runtime_scripted_env(instance, "PATH"));
    assert_non_null(runtime_scripted_env(instance, "LANG"));
    assert_int_equal(tasks_running(rig.tasks), 1);
    char *kept = strdup(directory);
    finish(instance, 0);
    tasks_rig_expect(&rig, 1, "done j1/0/7/17 ok 7-8\n");
    assert_int_not_equal(access(kept, F_OK), 0);
    assert_int_equal(tasks_running(rig.tasks), 0);
    free(kept);
}

static void tasks_start_as_slots_become_free(void **state)
{
    UNUSED(state);
    tasks_rig_accept(&rig, 0, 3, EXEC);
    struct runtime_instance *first = instance_of(0, 10), *second = instance_of(1, 10);
    assert_int_equal(runtime_scripted_count(rig.runtime), 2);
    finish(second, 0);
    struct runtime_instance *third = instance_of(2, 10);
    assert_int_equal(rig.done_count, 0);
    finish(third, 0);
    finish(first, 0);
    tasks_rig_expect(&rig, 1, "done j1/0/0/10 ok 0-3\n");
}

static void tasks_may_take_several_slots(void **state)
{
    UNUSED(state);
    tasks_rig_accept(&rig, 0, 2, EXEC ",\"slots\":2");
    tasks_rig_accept(&rig, 2, 1, EXEC);
    struct runtime_instance *first = instance_of(0, 10);
    assert_int_equal(runtime_scripted_count(rig.runtime), 1);
    finish(first, 0);
    struct runtime_instance *second = instance_of(1, 10);
    assert_int_equal(runtime_scripted_count(rig.runtime), 1); // the last is not let past it
    finish(second, 0);
    finish(instance_of(2, 12), 0);
    tasks_rig_expect(&rig, 2, "done j1/0/0/10 ok 0-2\ndone j1/0/2/12 ok 2-3\n");
    tasks_rig_accept(&rig, 3, 2, EXEC ",\"slots\":3");
    tasks_rig_expect(&rig, 1,
                     "done j1/0/3/13 failed 3:cannot be run: a task of stage 's' takes 3 slots, and this worker has 2 "
                     "(-1,counted); 4:cannot be run: a task of stage 's' takes 3 slots, and this worker has 2 "
                     "(-1,counted)\n");
}

static void a_failure_says_why(void **state)
{
    UNUSED(state);
    struct runtime_instance *instance;
    tasks_rig_accept(&rig, 0, 6, EXEC);
    instance = instance_of(0, 10);
    runtime_scripted_started(instance, 100);
    runtime_scripted_output(instance, RUNTIME_STDERR, "first\nsomething is wrong: \xff\x01\n");
    runtime_scripted_output(instance, RUNTIME_STDOUT, "not this\n");
    runtime_scripted_exited(instance, 3, 0);
    runtime_scripted_gone(instance, RUNTIME_EXITED);
    finish(instance_of(1, 10), 75);
    instance = instance_of(2, 10);
    runtime_scripted_started(instance, 100);
    runtime_scripted_exited(instance, -1, SIGSEGV);
    runtime_scripted_gone(instance, RUNTIME_EXITED);
    runtime_scripted_not_started(instance_of(3, 10), ERR_NOT_FOUND, "gone fishing");
    runtime_scripted_not_started(instance_of(4, 10), ERR_FORBIDDEN, "no");
    instance = instance_of(5, 10);
    runtime_scripted_started(instance, 100);
    runtime_scripted_gone(instance, RUNTIME_LOST);
    tasks_rig_expect(
        &rig, 1,
        "done j1/0/0/10 failed 0:exit 3: something is wrong: ? (3,counted); 1:exit 75 (75,uncounted); "
        "2:killed by SIGSEGV (-1,counted); 3:no such command: ./work (-1,counted); "
        "4:not executable: ./work (-1,counted); 5:its end was not seen: its shim was killed (-1,counted)\n");
}

static void a_runtime_that_refuses_fails_the_task(void **state)
{
    UNUSED(state);
    runtime_scripted_fail_start(rig.runtime, ERR_UNAVAILABLE);
    tasks_rig_accept(&rig, 0, 1, EXEC);
    tasks_rig_expect(&rig, 1,
                     "done j1/0/0/10 failed 0:cannot be started: scripted failure of a start (-1,uncounted)\n");
    runtime_scripted_fail_start(rig.runtime, ERR_INVALID);
    tasks_rig_accept(&rig, 0, 1, EXEC);
    tasks_rig_expect(&rig, 1, "done j1/0/0/10 failed 0:cannot be started: scripted failure of a start (-1,counted)\n");
    runtime_scripted_fail_start(rig.runtime, ERR_STALE); // without a lease it was not started at all
    tasks_rig_accept(&rig, 0, 1, EXEC);
    tasks_rig_expect(&rig, 1, "done j1/0/0/10\n");
}

static void outputs_are_lines_of_json(void **state)
{
    UNUSED(state);
    tasks_rig_accept(&rig, 0, 4, EXEC);
    struct runtime_instance *zero = instance_of(0, 10), *one = instance_of(1, 10);
    write_outputs(one, "{\"a\" : 1}\n\n[1, 2]");
    finish(one, 0);
    write_outputs(zero, "\"z\"\n");
    finish(zero, 0);
    struct runtime_instance *bad = instance_of(2, 10), *failed = instance_of(3, 10);
    write_outputs(bad, "1\nnot json\n");
    finish(bad, 0);
    write_outputs(failed, "1\n");
    finish(failed, 1);
    tasks_rig_expect(&rig, 1, NULL);
    assert_int_equal(access(rig.directory, F_OK), 0);
}

static void a_wrong_output_fails_its_task(void **state)
{
    UNUSED(state);
    tasks_rig_accept(&rig, 0, 2, EXEC);
    struct runtime_instance *good = instance_of(0, 10), *bad = instance_of(1, 10);
    write_outputs(good, "{\"a\" : 1}\n\n[1, 2]");
    write_outputs(bad, "1\n{oops}\n");
    finish(bad, 0);
    finish(good, 0);
    while (rig.done_count == 0)
        tasks_rig_settle(&rig);
    const char *seen = strbuf_text(&rig.seen);
    assert_non_null(strstr(seen, " ok 0-1 failed 1:outputs: line 2: "));
    assert_non_null(strstr(seen, " outputs 0={\"a\":1} 0=[1,2]\n"));
}

static bool says_stop(void *context)
{
    return runtime_scripted_saw(((struct tasks_rig *)context)->runtime, "stop j1/s/0/10 5000");
}

static void a_timeout_stops_the_task(void **state)
{
    UNUSED(state);
    tasks_rig_accept(&rig, 0, 1, EXEC ",\"timeout\":\"50ms\"");
    struct runtime_instance *instance = instance_of(0, 10);
    runtime_scripted_started(instance, 100);
    assert_true(loop_until(rig.loop, says_stop, &rig, TASKS_PATIENCE_MS));
    assert_int_equal(rig.done_count, 0);
    runtime_scripted_exited(instance, -1, SIGTERM);
    runtime_scripted_gone(instance, RUNTIME_STOPPED);
    tasks_rig_expect(&rig, 1, "done j1/0/0/10 failed 0:timed out after 50ms (-1,counted)\n");
}

static void a_cancelled_slice_is_reported_when_all_of_it_is_gone(void **state)
{
    UNUSED(state);
    tasks_rig_accept(&rig, 0, 5, EXEC);
    finish(instance_of(0, 10), 0);
    struct runtime_instance *one = instance_of(1, 10), *two = instance_of(2, 10);
    tasks_cancel(rig.tasks, "j1/0/0", 11); // another token: nothing
    tasks_cancel(rig.tasks, "j1/0/1", 10);
    tasks_rig_settle(&rig);
    assert_false(runtime_scripted_saw(rig.runtime, "stop j1/s/1/10 5000"));
    tasks_cancel(rig.tasks, "j1/0/0", 10);
    assert_true(runtime_scripted_saw(rig.runtime, "stop j1/s/1/10 5000"));
    assert_true(runtime_scripted_saw(rig.runtime, "stop j1/s/2/10 5000"));
    runtime_scripted_exited(one, 0, 0); // after it was asked to stop: that is no success
    runtime_scripted_gone(one, RUNTIME_STOPPED);
    tasks_rig_settle(&rig);
    assert_int_equal(rig.done_count, 0);
    runtime_scripted_exited(two, 0, 0); // this one was faster
    runtime_scripted_gone(two, RUNTIME_EXITED);
    tasks_rig_expect(&rig, 1, "done j1/0/0/10 ok 0-1,2-3\n");
}

static void a_slice_is_cancelled_before_anything_has_started(void **state)
{
    UNUSED(state);
    tasks_rig_accept(&rig, 0, 2, EXEC);
    tasks_cancel(rig.tasks, "j1/0/0", 10);
    tasks_rig_expect(&rig, 1, "done j1/0/0/10\n");
    assert_string_equal(runtime_scripted_log(rig.runtime), "");
}

static void what_is_held_is_what_was_not_reported(void **state)
{
    UNUSED(state);
    int64_t tokens[4];
    tasks_rig_accept(&rig, 0, 1, EXEC);
    tasks_rig_accept(&rig, 1, 1, EXEC);
    assert_int_equal(tasks_held(rig.tasks, tokens, 4), 2);
    assert_int_equal(tokens[0], 10);
    assert_int_equal(tokens[1], 11);
    assert_int_equal(tasks_held(rig.tasks, tokens, 1), 1);
    finish(instance_of(0, 10), 0);
    tasks_rig_expect(&rig, 1, NULL);
    assert_int_equal(tasks_held(rig.tasks, tokens, 4), 1);
    assert_int_equal(tokens[0], 11);
}

static void a_drain_gives_back_what_was_not_started(void **state)
{
    UNUSED(state);
    tasks_rig_accept(&rig, 0, 5, EXEC);
    struct runtime_instance *zero = instance_of(0, 10), *one = instance_of(1, 10);
    tasks_hand_back(rig.tasks);
    assert_int_equal(tasks_want(rig.tasks), 0);
    finish(zero, 0);
    finish(one, 1);
    tasks_rig_expect(&rig, 1, "done j1/0/0/10 ok 0-1 failed 1:exit 1 (1,counted)\n");
    assert_int_equal(tasks_want(rig.tasks), 0);
    tasks_rig_accept(&rig, 5, 2, EXEC); // it was under way
    tasks_rig_expect(&rig, 1, "done j1/0/5/15\n");
    assert_int_equal(runtime_scripted_count(rig.runtime), 0);
}

static void what_is_abandoned_is_killed_and_not_reported(void **state)
{
    UNUSED(state);
    int64_t token;
    tasks_rig_accept(&rig, 0, 3, EXEC);
    struct runtime_instance *zero = instance_of(0, 10), *one = instance_of(1, 10);
    tasks_abandon(rig.tasks);
    assert_true(runtime_scripted_saw(rig.runtime, "kill j1/s/0/10"));
    assert_true(runtime_scripted_saw(rig.runtime, "kill j1/s/1/10"));
    assert_int_equal(tasks_held(rig.tasks, &token, 1), 0);
    assert_int_equal(tasks_running(rig.tasks), 2);
    assert_int_equal(tasks_want(rig.tasks), 0);
    tasks_rig_accept(&rig, 5, 1, EXEC); // of the next incarnation: waits for a slot
    runtime_scripted_output(zero, RUNTIME_STDOUT, "late\n");
    runtime_scripted_gone(zero, RUNTIME_STOPPED);
    finish(instance_of(5, 15), 0);
    tasks_rig_expect(&rig, 1, "done j1/0/5/15 ok 5-6\n");
    runtime_scripted_gone(one, RUNTIME_STOPPED);
    assert_int_equal(tasks_running(rig.tasks), 0);
}

static void it_asks_for_what_keeps_the_slots_busy(void **state)
{
    UNUSED(state);
    assert_int_equal(tasks_want(rig.tasks), 2); // nothing is known of tasks yet
    tasks_rig_accept(&rig, 0, 2, EXEC);
    assert_int_equal(tasks_want(rig.tasks), 0);
    finish(instance_of(0, 10), 0);
    tasks_rig_settle(&rig);
    assert_int_equal(rig.capacity_count, 1);
    assert_true(rig.tasks->average_us > 0);
    rig.tasks->average_us = 1; // they are quick, however busy this machine is
    assert_true(tasks_want(rig.tasks) > 1);
    finish(instance_of(1, 10), 0);
    tasks_rig_expect(&rig, 1, NULL);
    for (int i = 0; i < 20; i++) {
        int want = (int)tasks_want(rig.tasks);
        assert_in_range(want, 1, 1000);
        tasks_rig_accept(&rig, 100 + i, 1, EXEC);
        finish(instance_of(100 + i, 110 + i), 0);
        tasks_rig_expect(&rig, 1, NULL);
    }
    int want = (int)tasks_want(rig.tasks);
    tasks_rig_accept(&rig, 1000, want, EXEC);
    tasks_rig_settle(&rig);
    assert_int_equal(tasks_want(rig.tasks), 0); // not a few at a time
}

static void a_slow_slice_gives_back_what_it_has_not_begun(void **state)
{
    UNUSED(state);
    tasks_rig_accept(&rig, 0, 10, EXEC);
    struct runtime_instance *zero = instance_of(0, 10), *one = instance_of(1, 10);
    rig.tasks->slice_budget_ms = 250;
    loop_for(rig.loop, 600);
    finish(zero, 0);
    finish(one, 0);
    tasks_rig_expect(&rig, 1, "done j1/0/0/10 ok 0-2\n");
    assert_int_equal(tasks_want(rig.tasks), 2); // and no more than that next time
}

static void the_log_of_a_task_is_its_own(void **state)
{
    UNUSED(state);
    struct log_piece piece;
    tasks_rig_accept(&rig, 3, 1, EXEC);
    struct runtime_instance *instance = instance_of(3, 13);
    runtime_scripted_started(instance, 100);
    assert_false(logs_pending(rig.logs));
    runtime_scripted_output(instance, RUNTIME_STDOUT, "out ");
    runtime_scripted_output(instance, RUNTIME_STDERR, "err\n");
    assert_int_equal(logs_collect(rig.logs, &piece, 1, 1000), 1);
    assert_string_equal(piece.job, "j1");
    assert_string_equal(piece.source, "task/s/3/1");
    assert_memory_equal(piece.bytes, "out err\n", 8);
}

static void secrets_come_from_files(void **state)
{
    UNUSED(state);
    struct err err;
    AUTO_TEMP_DIR char *secrets = temp_dir_new();
    char path[512];
    snprintf(path, sizeof path, "%s/API_KEY", secrets);
    assert_ok(file_replace(path, "s3cret\n", 7, 0600, &err), err);
    setup_slots(1, secrets);
    tasks_rig_accept(&rig, 0, 1, EXEC ",\"secrets\":[\"API_KEY\"]");
    struct runtime_instance *instance = instance_of(0, 10);
    assert_string_equal(runtime_scripted_env(instance, "API_KEY"), "s3cret");
    finish(instance, 0);
    tasks_rig_expect(&rig, 1, NULL);
    tasks_rig_accept(&rig, 0, 1, EXEC ",\"secrets\":[\"OTHER\"]");
    tasks_rig_expect(&rig, 1,
                     "done j1/0/0/10 failed 0:cannot be run: secret 'OTHER' is not on this worker, or cannot be read "
                     "(-1,counted)\n");
    teardown(NULL);
    setup_slots(1, NULL);
    tasks_rig_accept(&rig, 0, 1, EXEC ",\"secrets\":[\"OTHER\"]");
    tasks_rig_expect(&rig, 1,
                     "done j1/0/0/10 failed 0:cannot be run: secret 'OTHER': this worker has no directory of secrets "
                     "(-1,counted)\n");
    teardown(NULL);
}

static void tasks_that_still_run_are_cut_at_the_end(void **state)
{
    UNUSED(state);
    tasks_rig_accept(&rig, 0, 2, EXEC);
    instance_of(0, 10);
    tasks_rig_accept(&rig, 5, 2, EXEC);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_task_sees_what_it_needs),
        TEST(tasks_start_as_slots_become_free),
        TEST(tasks_may_take_several_slots),
        TEST(a_failure_says_why),
        TEST(a_runtime_that_refuses_fails_the_task),
        TEST(outputs_are_lines_of_json),
        TEST(a_wrong_output_fails_its_task),
        TEST(a_timeout_stops_the_task),
        TEST(a_cancelled_slice_is_reported_when_all_of_it_is_gone),
        TEST(a_slice_is_cancelled_before_anything_has_started),
        TEST(what_is_held_is_what_was_not_reported),
        TEST(a_drain_gives_back_what_was_not_started),
        TEST(what_is_abandoned_is_killed_and_not_reported),
        TEST(it_asks_for_what_keeps_the_slots_busy),
        TEST(a_slow_slice_gives_back_what_it_has_not_begun),
        TEST(the_log_of_a_task_is_its_own),
        cmocka_unit_test(secrets_come_from_files),
        TEST(tasks_that_still_run_are_cut_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
