// Tasks over real processes. The book-keeping is tested in tests/unit/worker/test_tasks.c and test_task_stream.c.
#include "services/worker/tasks.h"

#include "tests/integration/worker/runtime_fixture.h"
#include "tests/support/tasks_fixture.h"

static struct rig machine;
static struct tasks_rig rig;

static int setup(void **state)
{
    UNUSED(state);
    rig_open(&machine, RIG_BEST);
    tasks_rig_open(&rig, machine.loop, machine.runtime, 4, NULL);
    return 0;
}

static int teardown(void **state)
{
    UNUSED(state);
    tasks_rig_close(&rig);
    rig_close(&machine); // fails when a process is left
    return 0;
}

#define SHELL(script) "\"command\":[\"sh\",\"-c\",\"" script "\"]"

static void accept(int first, int count, const char *run, const char *items)
{
    tasks_accept(rig.tasks, tasks_rig_order(machine.job, first, count, run, items, NULL));
}

// Waits for one slice; what was reported of it, without the job's name.
static const char *wait_for_slice(void)
{
    int64_t deadline = clock_boot_ms() + 120000;
    while (rig.done_count == 0 && clock_boot_ms() < deadline)
        loop_for(rig.loop, 5);
    assert_int_equal(rig.done_count, 1);
    rig.done_count = 0;
    const char *text = strstr(strbuf_text(&rig.seen), "/0/");
    return text ? text : "";
}

static void forget(void)
{
    strbuf_clear(&rig.seen);
}

static void tasks_read_items_and_write_outputs(void **state)
{
    UNUSED(state);
    accept(0, 3, SHELL("read item; echo \\\"[$item,$CURFEW_TASK]\\\" >> $CURFEW_OUTPUT; test -z \\\"$(ls)\\\""),
           "[1,{\"a\":2},null]");
    assert_string_equal(wait_for_slice(), "/0/0/10 ok 0-3 outputs 0=[1,0] 1=[{\"a\":2},1] 2=[null,2]\n");
}

static void failures_are_told_apart(void **state)
{
    UNUSED(state);
    accept(0, 4, SHELL("case $CURFEW_TASK in 0) echo bad news >&2; exit 3;; 1) kill -9 $$;; 2) exit 75;; esac"), NULL);
    const char *seen = wait_for_slice();
    assert_non_null(strstr(seen, " ok 3-4 failed "));
    assert_non_null(strstr(seen, "0:exit 3: bad news (3,counted)"));
    assert_non_null(strstr(seen, "1:killed by SIGKILL (-1,counted)"));
    assert_non_null(strstr(seen, "2:exit 75 (75,uncounted)"));
    forget();
    accept(10, 1, "\"command\":[\"no-such-command-anywhere\"]", NULL);
    assert_non_null(strstr(wait_for_slice(), "10:no such command: no-such-command-anywhere (-1,counted)"));
}

static void what_a_task_leaves_behind_goes_with_it(void **state)
{
    UNUSED(state);
    accept(0, 1, SHELL("setsid sleep 1000 & exit 0"), NULL);
    assert_string_equal(wait_for_slice(), "/0/0/10 ok 0-1\n");
    assert_int_equal(oracle_find(machine.marker, NULL, 0), 0);
}

static void a_timeout_ends_even_who_ignores_it(void **state)
{
    UNUSED(state);
    accept(0, 1, SHELL("trap '' TERM; sleep 1000 & wait; sleep 1000") ",\"timeout\":\"200ms\"", NULL);
    assert_string_equal(wait_for_slice(), "/0/0/10 failed 0:timed out after 200ms (-1,counted)\n");
}

static void a_cancelled_slice_ends(void **state)
{
    UNUSED(state);
    char slice[80];
    accept(0, 10, SHELL("echo started; exec sleep 1000"), NULL);
    int64_t deadline = clock_boot_ms() + 30000;
    while (tasks_running(rig.tasks) < 4 && clock_boot_ms() < deadline)
        loop_for(rig.loop, 5);
    snprintf(slice, sizeof slice, "%s/0/0", machine.job);
    tasks_cancel(rig.tasks, slice, 10);
    assert_string_equal(wait_for_slice(), "/0/0/10\n");
    assert_int_equal(oracle_find(machine.marker, NULL, 0), 0);
}

#define PYTHON(script) "\"command\":[\"python3\",\"-u\",\"-c\",\"" script "\"],\"mode\":\"stream\""
#define PYTHON_LOOP "import sys,json,os,time\\nbegan=time.time_ns()\\nfor line in sys.stdin:\\n t=json.loads(line)\\n"
#define PYTHON_ANSWER " print(json.dumps({'task':t['task'],'ok':True,'outputs':[[t['item'],began]]}))\\n"

// How many processes answered, by the moments at which they began; *last is the latest of these.
static size_t processes_in(const char *outputs, long long *last)
{
    long long began[16];
    size_t count = 0;
    *last = 0;
    for (const char *at = strstr(outputs, "=[null,"); at; at = strstr(at + 1, "=[null,")) {
        long long value = 0;
        size_t i = 0;
        assert_int_equal(sscanf(at, "=[null,%lld]", &value), 1);
        while (i < count && began[i] != value)
            i++;
        assert_true(i < ARRAY_LEN(began));
        began[i] = value;
        count = MAX(count, i + 1);
        *last = MAX(*last, value);
    }
    return count;
}

static void a_stream_process_takes_many_tasks(void **state)
{
    UNUSED(state);
    long long first, second;
    accept(0, 200, PYTHON(PYTHON_LOOP PYTHON_ANSWER), NULL);
    const char *seen = wait_for_slice();
    assert_non_null(strstr(seen, "/0/0/10 ok 0-200 outputs 0=[null,"));
    assert_in_range(processes_in(seen, &first), 1, 4);
    // They end with the last tasks that are here, before these are reported.
    assert_int_equal(oracle_find(machine.marker, NULL, 0), 0);
    forget();
    accept(300, 1, PYTHON(PYTHON_LOOP PYTHON_ANSWER), NULL);
    seen = wait_for_slice();
    assert_non_null(strstr(seen, "/0/300/310 ok 300-301 outputs 300=[null,"));
    assert_int_equal(processes_in(seen, &second), 1);
    assert_true(second > first);
}

static void a_stream_process_that_misbehaves_harms_its_own_tasks_only(void **state)
{
    UNUSED(state);
    accept(0, 30,
           PYTHON(PYTHON_LOOP " if t['task']==5: print('debugging!')\\n"
                              " if t['task']==10: sys.exit('tired of it')\\n"
                              " if t['task']==15: os.kill(os.getpid(),9)\\n" PYTHON_ANSWER),
           NULL);
    const char *seen = wait_for_slice();
    assert_non_null(strstr(seen, "5:a line on stdout is no answer: "));
    assert_non_null(strstr(seen, "'debugging!' (-1,counted)"));
    assert_non_null(strstr(seen, "10:exit 1: tired of it (1,counted)"));
    assert_non_null(strstr(seen, "15:killed by SIGKILL (-1,counted)"));
    int counted = 0;
    for (const char *at = strstr(seen, ",counted)"); at; at = strstr(at + 1, ",counted)"))
        counted++;
    assert_int_equal(counted, 3);
    forget();
    accept(100, 2,
           PYTHON(PYTHON_LOOP " if t['task']==100:\\n  time.sleep(1000)\\n" PYTHON_ANSWER) ",\"timeout\":\"6s\"", NULL);
    seen = wait_for_slice();
    assert_non_null(strstr(seen, "100:timed out after 6s (-1,counted)"));
    assert_non_null(strstr(seen, " ok 101-102"));
}

static void a_thousand_quick_tasks(void **state)
{
    UNUSED(state);
    int64_t start_ms = clock_boot_ms(), moved_ms = start_ms;
    int next = 0, done = 0;
    while (done < 1000) {
        int before = done;
        int want = (int)tasks_want(rig.tasks);
        if (want > 1000 - next)
            want = 1000 - next;
        if (want > 0)
            accept(next, want, "\"command\":[\"true\"]", NULL);
        next += want;
        loop_for(rig.loop, 1);
        for (const char *at = strstr(strbuf_text(&rig.seen), " ok "); at; at = strstr(at + 1, " ok ")) {
            int from, to, used;
            for (const char *range = at + strlen(" ok "); sscanf(range, "%d-%d%n", &from, &to, &used) == 2;) {
                done += to - from;
                range += used + (range[used] == ',');
            }
        }
        if (strstr(strbuf_text(&rig.seen), "counted)")) // any that did not succeed, and why
            fail_msg("%s", strbuf_text(&rig.seen));
        forget();
        moved_ms = done > before ? clock_boot_ms() : moved_ms;
        if (clock_boot_ms() - moved_ms > TASKS_PATIENCE_MS) // however slow the machine is, it goes on
            fail_msg("%d of 1000 are done, %d were accepted, and nothing moves", done, next);
    }
    rig.done_count = 0;
    print_message("%lld tasks a second\n", (long long)(1000 * 1000 / (clock_boot_ms() - start_ms + 1)));
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(tasks_read_items_and_write_outputs),
        TEST(failures_are_told_apart),
        TEST(what_a_task_leaves_behind_goes_with_it),
        TEST(a_timeout_ends_even_who_ignores_it),
        TEST(a_cancelled_slice_ends),
        TEST(a_stream_process_takes_many_tasks),
        TEST(a_stream_process_that_misbehaves_harms_its_own_tasks_only),
        TEST(a_thousand_quick_tasks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
