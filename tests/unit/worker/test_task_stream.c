// Stream mode over a scripted runtime.
#include "services/worker/task_stream.h"

#include "services/common/base/clock.h"
#include "services/common/base/timer_heap.h"
#include "tests/support/runtime_scripted.h"
#include "tests/support/tasks_fixture.h"

#include <signal.h>

#define STREAM "\"command\":[\"./serve\"],\"mode\":\"stream\""

static struct tasks_rig rig;

static int setup_slots(int slots)
{
    struct err err;
    struct loop *loop;
    if (loop_new(&loop, &err) < 0)
        die("loop: %s", err.text);
    tasks_rig_open(&rig, loop, runtime_scripted_new(), slots, NULL);
    return 0;
}

static int setup(void **state)
{
    UNUSED(state);
    return setup_slots(1);
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

// The process that was begun for a task of slice `first` as the number-th of this worker.
static struct runtime_instance *process_of(int first, int number)
{
    char identity[64];
    tasks_rig_settle(&rig);
    snprintf(identity, sizeof identity, "j1/s/stream/%d-%d", 10 + first, number);
    struct runtime_instance *instance = runtime_scripted_find(rig.runtime, identity);
    if (!instance)
        fail_msg("%s is not running: %s", identity, runtime_scripted_log(rig.runtime));
    return instance;
}

static struct runtime_instance *start_process(int first, int number)
{
    struct runtime_instance *instance = process_of(first, number);
    runtime_scripted_started(instance, 100);
    tasks_rig_settle(&rig);
    return instance;
}

static void answer(struct runtime_instance *instance, const char *text)
{
    runtime_scripted_output(instance, RUNTIME_STDOUT, text);
    rig.tasks->average_us = 1; // tasks are quick, however busy this machine is
    tasks_rig_settle(&rig);
}

static void gone(struct runtime_instance *instance, int code, enum runtime_reason reason)
{
    runtime_scripted_exited(instance, code, 0);
    runtime_scripted_gone(instance, reason);
}

// The last slice of its stage here is reported when the stage's processes, which are asked to end, are gone.
static void expect_last(struct runtime_instance *process, const char *expected)
{
    tasks_rig_settle(&rig);
    assert_int_equal(rig.done_count, 0);
    gone(process, 0, RUNTIME_EXITED);
    tasks_rig_expect(&rig, 1, expected);
}

static void a_process_takes_task_after_task(void **state)
{
    UNUSED(state);
    tasks_accept(rig.tasks, tasks_rig_order("j1", 5, 3, STREAM, "[{\"a\":1},null,3]", NULL));
    struct runtime_instance *process = start_process(5, 1);
    assert_string_equal(runtime_scripted_stdin(process), "{\"task\":5,\"attempt\":1,\"item\":{\"a\":1}}\n");
    answer(process, "{\"task\": 5, \"ok\": true, \"outputs\": [1, {\"b\" : 2}], \"more\": null}\n");
    // That was quick: from now on one task waits in the pipe.
    assert_string_equal(runtime_scripted_stdin(process), "{\"task\":5,\"attempt\":1,\"item\":{\"a\":1}}\n"
                                                         "{\"task\":6,\"attempt\":1,\"item\":null}\n"
                                                         "{\"task\":7,\"attempt\":1,\"item\":3}\n");
    answer(process, "{\"task\":7,\"ok\":false,\"error\":\"not today\"}\r\n\n{\"task\":6,");
    // The next slice of the same stage goes to the same process.
    tasks_accept(rig.tasks, tasks_rig_order("j1", 8, 1, STREAM, NULL, NULL));
    answer(process, "\"ok\":true}\n");
    tasks_rig_expect(&rig, 1, "done j1/0/5/15 ok 5-7 failed 7:not today (-1,counted) outputs 5=1 5={\"b\":2}\n");
    assert_int_equal(runtime_scripted_count(rig.runtime), 1);
    answer(process, "{\"task\":8,\"ok\":true}\n");
    expect_last(process, "done j1/0/8/18 ok 8-9\n");
}

static void another_environment_is_another_process(void **state)
{
    UNUSED(state);
    tasks_rig_accept(&rig, 0, 1, STREAM);
    struct runtime_instance *process = start_process(0, 1);
    tasks_rig_accept(&rig, 1, 1, STREAM ",\"env\":{\"A\":\"1\"}");
    answer(process, "{\"task\":0,\"ok\":true}\n");
    tasks_rig_expect(&rig, 1, NULL);
    // The slot is needed: who has no work is asked to end, by the end of its stdin.
    assert_true(runtime_scripted_saw(rig.runtime, "close_stdin j1/s/stream/10-1"));
    gone(process, 0, RUNTIME_EXITED);
    process = start_process(1, 2);
    assert_string_equal(runtime_scripted_env(process, "A"), "1");
    assert_string_equal(runtime_scripted_env(process, "HOME"), runtime_scripted_directory(process));
    // So it is for a task of a process of its own.
    tasks_rig_accept(&rig, 2, 1, "\"command\":[\"true\"]");
    answer(process, "{\"task\":1,\"ok\":true}\n");
    tasks_rig_expect(&rig, 1, NULL);
    assert_true(runtime_scripted_saw(rig.runtime, "close_stdin j1/s/stream/11-2"));
}

static void a_process_per_slot(void **state)
{
    UNUSED(state);
    teardown(NULL);
    setup_slots(2);
    tasks_rig_accept(&rig, 0, 3, STREAM);
    struct runtime_instance *one = start_process(0, 1), *two = start_process(0, 2);
    assert_int_equal(runtime_scripted_count(rig.runtime), 2);
    assert_int_equal(tasks_running(rig.tasks), 2);
    answer(two, "{\"task\":1,\"ok\":true}\n");
    assert_non_null(strstr(runtime_scripted_stdin(two), "\"task\":2"));
    answer(two, "{\"task\":2,\"ok\":true}\n");
    answer(one, "{\"task\":0,\"ok\":true}\n");
    gone(two, 0, RUNTIME_EXITED);
    expect_last(one, "done j1/0/0/10 ok 0-3\n");
}

// Two tasks in the only process: 1 is at work, 2 waits.
static struct runtime_instance *two_at_once(const char *run)
{
    tasks_rig_accept(&rig, 0, 3, run);
    struct runtime_instance *process = start_process(0, 1);
    answer(process, "{\"task\":0,\"ok\":true}\n");
    assert_non_null(strstr(runtime_scripted_stdin(process), "\"task\":2"));
    return process;
}

static void who_dies_fails_what_it_had_not_answered(void **state)
{
    UNUSED(state);
    struct runtime_instance *process = two_at_once(STREAM);
    runtime_scripted_output(process, RUNTIME_STDERR, "Traceback\nValueError: no\n");
    runtime_scripted_exited(process, 1, 0);
    tasks_rig_settle(&rig);
    assert_int_equal(rig.done_count, 0); // not before everything of it is gone
    runtime_scripted_gone(process, RUNTIME_EXITED);
    tasks_rig_expect(&rig, 1,
                     "done j1/0/0/10 ok 0-1 failed 1:exit 1: ValueError: no (1,counted); "
                     "2:its process ended before it came to it (-1,uncounted)\n");
    struct log_piece piece;
    assert_int_equal(logs_collect(rig.logs, &piece, 1, 1000), 1);
    assert_string_equal(piece.source, "stage/s/10-1");
}

static void an_end_without_an_answer_is_a_failure(void **state)
{
    UNUSED(state);
    struct runtime_instance *process = two_at_once(STREAM);
    gone(process, 0, RUNTIME_EXITED);
    tasks_rig_expect(&rig, 1,
                     "done j1/0/0/10 ok 0-1 failed 1:exit 0 without an answer (0,counted); "
                     "2:its process ended before it came to it (-1,uncounted)\n");
    tasks_rig_accept(&rig, 3, 1, STREAM);
    runtime_scripted_not_started(process_of(3, 2), ERR_NOT_FOUND, "not there");
    tasks_rig_expect(&rig, 1, "done j1/0/3/13 failed 3:no such command: ./serve (-1,counted)\n");
}

static bool is_armed(const struct loop_timer *timer)
{
    return timer->place < timer->heap->armed;
}

// As if the hour that it has were over.
static void let_pass(struct loop_timer *timer)
{
    int64_t now_ms = clock_boot_ms();
    assert_true(is_armed(timer) && timer->due_ms > now_ms && timer->due_ms <= now_ms + 3600 * 1000);
    loop_timer_arm(timer, now_ms);
    tasks_rig_settle(&rig);
}

static void a_timeout_kills_the_process(void **state)
{
    UNUSED(state);
    struct runtime_instance *process = two_at_once(STREAM ",\"timeout\":\"1h\"");
    let_pass(rig.tasks->streams->timeout);
    assert_true(runtime_scripted_saw(rig.runtime, "kill j1/s/stream/10-1"));
    runtime_scripted_output(process, RUNTIME_STDOUT, "{\"task\":1,\"ok\":true}\n"); // too late
    runtime_scripted_exited(process, -1, SIGKILL);
    runtime_scripted_gone(process, RUNTIME_STOPPED);
    tasks_rig_expect(&rig, 1,
                     "done j1/0/0/10 ok 0-1 failed 1:timed out after 1h (-1,counted); "
                     "2:its process ended before it came to it (-1,uncounted)\n");
}

static void what_is_no_answer_is_a_fault(void **state)
{
    UNUSED(state);
    static const char *const wrong[][2] = {
        {"hello world\n", "a line on stdout is no answer: "},
        {"{\"task\":1}\n", "a line on stdout is no answer: /ok: "},
        {"{\"task\":9,\"ok\":true}\n", "it answered task 9, which it had not been given"},
        {"{\"task\":0,\"ok\":true}\n", "it answered task 0, which it had not been given"},
        {"{\"task\":1,\"ok\":\"yes\"}\n", "a line on stdout is no answer: /ok: "},
        {"[1]\n", "a line on stdout is no answer: "},
    };
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct runtime_instance *process = two_at_once(STREAM);
        answer(process, wrong[i][0]);
        assert_true(runtime_scripted_saw(rig.runtime, "kill j1/s/stream/10-1"));
        answer(process, "{\"task\":1,\"ok\":true}\n"); // nothing more is believed
        runtime_scripted_gone(process, RUNTIME_STOPPED);
        while (rig.done_count == 0)
            tasks_rig_settle(&rig);
        const char *seen = strbuf_text(&rig.seen);
        char expected[160];
        snprintf(expected, sizeof expected, "ok 0-1 failed 1:%s", wrong[i][1]);
        if (!strstr(seen, expected) || !strstr(seen, "2:its process ended before it came to it (-1,uncounted)"))
            fail_msg("%s: %s", wrong[i][0], seen);
        teardown(NULL);
        setup_slots(1);
    }
}

static void a_line_without_an_end_is_a_fault(void **state)
{
    UNUSED(state);
    struct runtime_instance *process = two_at_once(STREAM);
    char chunk[65536];
    memset(chunk, 'x', sizeof chunk - 1);
    chunk[sizeof chunk - 1] = '\0';
    for (size_t i = 0; i <= STREAM_LINE_BYTES_MAX / (sizeof chunk - 1); i++)
        runtime_scripted_output(process, RUNTIME_STDOUT, chunk);
    assert_true(runtime_scripted_saw(rig.runtime, "kill j1/s/stream/10-1"));
    runtime_scripted_gone(process, RUNTIME_STOPPED);
    tasks_rig_expect(&rig, 1, NULL);
}

static void a_pipe_that_is_full_is_waited_for(void **state)
{
    UNUSED(state);
    runtime_scripted_limit_write(rig.runtime, 10);
    tasks_rig_accept(&rig, 0, 1, STREAM);
    struct runtime_instance *process = start_process(0, 1);
    assert_string_equal(runtime_scripted_stdin(process), "{\"task\":0,");
    runtime_scripted_limit_write(rig.runtime, -1);
    runtime_scripted_writable(process);
    assert_string_equal(runtime_scripted_stdin(process), "{\"task\":0,\"attempt\":1,\"item\":null}\n");
}

static void who_has_no_work_is_asked_to_end(void **state)
{
    UNUSED(state);
    tasks_rig_accept(&rig, 0, 1, STREAM);
    struct runtime_instance *process = start_process(0, 1);
    answer(process, "{\"task\":0,\"ok\":true}\n");
    assert_int_equal(tasks_running(rig.tasks), 1);
    assert_true(runtime_scripted_saw(rig.runtime, "close_stdin j1/s/stream/10-1"));
    assert_int_equal(rig.done_count, 0);  // not while it is there
    tasks_rig_accept(&rig, 1, 1, STREAM); // too late for that one; and the first is not the last of its stage any more
    tasks_rig_expect(&rig, 1, "done j1/0/0/10 ok 0-1\n");
    gone(process, 0, RUNTIME_EXITED);
    process = start_process(1, 2);
    answer(process, "{\"task\":1,\"ok\":true}\n");
    expect_last(process, "done j1/0/1/11 ok 1-2\n");
}

static void a_cancelled_slice_stops_its_processes(void **state)
{
    UNUSED(state);
    two_at_once(STREAM);
    tasks_rig_accept(&rig, 5, 1, STREAM);
    tasks_cancel(rig.tasks, "j1/0/0", 10);
    struct runtime_instance *process = process_of(0, 1);
    assert_true(runtime_scripted_saw(rig.runtime, "stop j1/s/stream/10-1 5000"));
    answer(process, "{\"task\":1,\"ok\":true}\n"); // it was just about to be done
    gone(process, 0, RUNTIME_STOPPED);
    tasks_rig_expect(&rig, 1, "done j1/0/0/10 ok 0-2\n");
    process = start_process(5, 2);
    tasks_cancel(rig.tasks, "j1/0/5", 15);
    gone(process, 0, RUNTIME_STOPPED);
    tasks_rig_expect(&rig, 1, "done j1/0/5/15\n");
}

static void another_slices_task_is_not_blamed_for_a_cancel(void **state)
{
    UNUSED(state);
    tasks_rig_accept(&rig, 0, 2, STREAM);
    struct runtime_instance *process = start_process(0, 1);
    answer(process, "{\"task\":0,\"ok\":true}\n");
    tasks_rig_accept(&rig, 5, 1, STREAM);
    tasks_rig_settle(&rig);
    assert_non_null(strstr(runtime_scripted_stdin(process), "\"task\":5"));
    tasks_cancel(rig.tasks, "j1/0/0", 10);
    gone(process, 0, RUNTIME_STOPPED);
    tasks_rig_expect(&rig, 2,
                     "done j1/0/0/10 ok 0-1\n"
                     "done j1/0/5/15 failed 5:its process ended before it came to it (-1,uncounted)\n");
}

static void what_is_abandoned_is_killed(void **state)
{
    UNUSED(state);
    struct runtime_instance *process = two_at_once(STREAM ",\"timeout\":\"1h\"");
    tasks_abandon(rig.tasks);
    assert_true(runtime_scripted_saw(rig.runtime, "kill j1/s/stream/10-1"));
    assert_int_equal(tasks_running(rig.tasks), 1);
    answer(process, "{\"task\":1,\"ok\":true}\nnonsense\n");
    assert_false(is_armed(rig.tasks->streams->timeout)); // no timeout either
    gone(process, -1, RUNTIME_STOPPED);
    tasks_rig_settle(&rig);
    assert_int_equal(tasks_running(rig.tasks), 0);
    assert_int_equal(rig.done_count, 0);
    tasks_rig_accept(&rig, 7, 1, STREAM);
    tasks_abandon(rig.tasks); // before it has a working directory
    tasks_rig_settle(&rig);
    assert_int_equal(tasks_running(rig.tasks), 0);
}

static void processes_that_still_run_are_cut_at_the_end(void **state)
{
    UNUSED(state);
    two_at_once(STREAM);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_process_takes_task_after_task),
        TEST(another_environment_is_another_process),
        TEST(a_process_per_slot),
        TEST(who_dies_fails_what_it_had_not_answered),
        TEST(an_end_without_an_answer_is_a_failure),
        TEST(a_timeout_kills_the_process),
        TEST(what_is_no_answer_is_a_fault),
        TEST(a_line_without_an_end_is_a_fault),
        TEST(a_pipe_that_is_full_is_waited_for),
        TEST(who_has_no_work_is_asked_to_end),
        TEST(a_cancelled_slice_stops_its_processes),
        TEST(another_slices_task_is_not_blamed_for_a_cancel),
        TEST(what_is_abandoned_is_killed),
        TEST(processes_that_still_run_are_cut_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
