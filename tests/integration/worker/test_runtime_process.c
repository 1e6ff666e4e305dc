// The process runtime as the supervisor sees it: starts, exits, signals, probes, ports.
#include "tests/integration/worker/runtime_fixture.h"

#include "services/common/base/fd.h"

#include <fcntl.h>

static struct rig rig;

static int setup(void **state)
{
    rig_open(&rig, *state ? (enum rig_boundary)(intptr_t)*state : RIG_BEST);
    return 0;
}

static int teardown(void **state)
{
    UNUSED(state);
    rig_close(&rig);
    return 0;
}

#define SHELL(script) ((const char *const[]){"sh", "-c", script, NULL})

static void an_exit_code_comes_back(void **state)
{
    UNUSED(state);
    struct seen seen;
    seen_run(&seen, &rig, SHELL("echo out; echo err >&2; exit 7"));
    seen_await_gone(&seen);
    assert_true(seen.started && seen.exited);
    assert_true(seen.start.pid > 0 && seen.start.start_time > 0);
    assert_string_equal(seen.start.boundary, runtime_process_boundary(rig.runtime));
    assert_string_equal(strbuf_text(&seen.out[RUNTIME_STDOUT]), "out\n");
    assert_string_equal(strbuf_text(&seen.out[RUNTIME_STDERR]), "err\n");
    assert_int_equal(seen.end.reason, RUNTIME_EXITED);
    assert_int_equal(seen.end.grade, RUNTIME_GRADE_EXIT);
    assert_true(seen.end.exit.known);
    assert_int_equal(seen.end.exit.code, 7);
    assert_int_equal(seen.end.exit.signal, 0);
    assert_int_equal(seen.end.signal_count, 0);
    assert_true(seen.end.at_wall_us >= seen.end.exit.at_wall_us);
    seen_finish(&seen);
}

static void a_fatal_signal_comes_back(void **state)
{
    UNUSED(state);
    struct seen seen;
    seen_run(&seen, &rig, SHELL("kill -SEGV $$"));
    seen_await_gone(&seen);
    assert_int_equal(seen.end.reason, RUNTIME_EXITED);
    assert_int_equal(seen.end.exit.code, -1);
    assert_int_equal(seen.end.exit.signal, SIGSEGV);
    seen_finish(&seen);
}

static void assert_not_started(const char *const *argv, const char *directory, enum err_code code)
{
    struct seen seen;
    struct err err = {0};
    struct runtime_spec spec = rig_spec(&rig, argv);
    if (directory)
        spec.directory = directory;
    assert_ok(seen_start(&seen, &rig, spec, &err), err);
    seen_await_gone(&seen);
    assert_false(seen.started);
    assert_false(seen.exited);
    assert_int_equal(seen.end.reason, RUNTIME_NOT_STARTED);
    assert_string_equal(err_code_name(seen.end.start_error.code), err_code_name(code));
    assert_true(seen.end.start_error.text[0] != '\0');
    seen_finish(&seen);
}

static void a_command_that_cannot_run_is_told_apart_from_an_exit(void **state)
{
    UNUSED(state);
    char path[512];
    struct err err;
    snprintf(path, sizeof(path), "%s/plain", rig.directory);
    assert_ok(file_replace(path, "no program", 10, 0755, &err), err);
    assert_not_started((const char *const[]){"no-such-command", NULL}, NULL, ERR_NOT_FOUND);
    assert_not_started((const char *const[]){"/no/such/command", NULL}, NULL, ERR_NOT_FOUND);
    assert_not_started((const char *const[]){"/etc/passwd", NULL}, NULL, ERR_FORBIDDEN);
    assert_not_started((const char *const[]){path, NULL}, NULL, ERR_INVALID);
    assert_not_started(SHELL("true"), "/no/such/directory", ERR_NOT_FOUND);
}

static void wrong_specs_are_refused_before_anything_happens(void **state)
{
    UNUSED(state);
    struct err err;
    struct seen seen;
    struct runtime_instance *instance;
    struct runtime_spec spec = rig_spec(&rig, SHELL("true"));
    spec.identity = "../evil";
    assert_error(runtime_start(rig.runtime, &spec, &SEEN_EVENTS, &seen, &instance, &err), err, ERR_INVALID, "identity");
    spec.identity = "job/x/1";
    spec.directory = "relative";
    assert_error(runtime_start(rig.runtime, &spec, &SEEN_EVENTS, &seen, &instance, &err), err, ERR_INVALID,
                 "directory");
    spec = rig_spec(&rig, (const char *const[]){NULL});
    spec.identity = "job/x/1";
    assert_error(runtime_start(rig.runtime, &spec, &SEEN_EVENTS, &seen, &instance, &err), err, ERR_INVALID, "command");
    spec = rig_spec(&rig, SHELL("true"));
    spec.identity = "job/x/1";
    spec.stop_signal = SIGKILL;
    assert_error(runtime_start(rig.runtime, &spec, &SEEN_EVENTS, &seen, &instance, &err), err, ERR_INVALID, "signal");
    assert_ok(runtime_extend_lease(rig.runtime, clock_boot_ms() - 1, &err), err);
    spec.stop_signal = 0;
    assert_error(runtime_start(rig.runtime, &spec, &SEEN_EVENTS, &seen, &instance, &err), err, ERR_STALE, "lease");
}

static void one_identity_is_one_instance(void **state)
{
    UNUSED(state);
    struct seen seen, other;
    struct err err;
    seen_run(&seen, &rig, SHELL("sleep 60"));
    struct runtime_spec spec = rig_spec(&rig, SHELL("true"));
    spec.identity = seen.identity;
    assert_error(runtime_start(rig.runtime, &spec, &SEEN_EVENTS, &other, &other.instance, &err), err, ERR_CONFLICT,
                 "exists");
    assert_ok(runtime_kill(seen.instance, &err), err);
    seen_finish(&seen);
}

static void a_stop_lets_the_command_finish(void **state)
{
    UNUSED(state);
    struct seen seen;
    struct err err;
    seen_run_nasty(&seen, &rig, "needs-grace-minus-1s", "700");
    int64_t before = clock_wall_us();
    assert_ok(runtime_stop(seen.instance, -1, &err), err);
    seen_await_gone(&seen);
    assert_int_equal(seen.end.reason, RUNTIME_STOPPED);
    assert_int_equal(seen.end.exit.code, 0);
    assert_int_equal(seen.end.signal_count, 1);
    assert_int_equal(seen.end.signals[0].signal, SIGTERM);
    assert_true(seen.end.signals[0].at_wall_us >= before);
    assert_true(seen.end.exit.at_wall_us - seen.end.signals[0].at_wall_us >= 700 * 1000);
    seen_finish(&seen);
}

static void an_exit_after_a_stop_is_stopped_whatever_the_code(void **state)
{
    UNUSED(state);
    struct seen seen;
    struct err err;
    seen_run_nasty(&seen, &rig, "exit-nonzero-on-term", NULL);
    assert_ok(runtime_stop(seen.instance, -1, &err), err);
    seen_await_gone(&seen);
    assert_int_equal(seen.end.reason, RUNTIME_STOPPED);
    assert_int_equal(seen.end.exit.code, 3);
    assert_int_equal(seen.end.signal_count, 1);
    assert_true(seen.end.exit.at_wall_us >= seen.end.signals[0].at_wall_us); // cause and effect
    seen_finish(&seen);
}

static void who_ignores_term_is_killed_when_the_grace_is_over(void **state)
{
    UNUSED(state);
    struct seen seen;
    struct err err;
    seen_run_nasty(&seen, &rig, "tree", NULL);
    assert_ok(runtime_stop(seen.instance, 300, &err), err);
    seen_await_gone(&seen);
    assert_int_equal(seen.end.reason, RUNTIME_STOPPED);
    assert_int_equal(seen.end.grade, RUNTIME_GRADE_EXIT);
    assert_int_equal(seen.end.exit.signal, SIGKILL);
    assert_int_equal(seen.end.signal_count, 2);
    assert_int_equal(seen.end.signals[0].signal, SIGTERM);
    assert_int_equal(seen.end.signals[1].signal, SIGKILL);
    assert_true(seen.end.signals[1].at_wall_us - seen.end.signals[0].at_wall_us >= 290 * 1000);
    seen_finish(&seen);
}

static void the_stop_signal_can_be_another_one(void **state)
{
    UNUSED(state);
    struct seen seen;
    struct err err = {0};
    struct runtime_spec spec = rig_spec(&rig, SHELL("trap 'exit 5' INT; echo ready; while :; do sleep 0.05; done"));
    spec.stop_signal = SIGINT;
    assert_ok(seen_start(&seen, &rig, spec, &err), err);
    while (!seen.gone && !strstr(strbuf_text(&seen.out[0]), "ready"))
        rig_await(&rig, &seen.gone, 10);
    assert_ok(runtime_stop(seen.instance, -1, &err), err);
    seen_await_gone(&seen);
    assert_int_equal(seen.end.exit.code, 5);
    assert_int_equal(seen.end.signals[0].signal, SIGINT);
    seen_finish(&seen);
}

static void a_stopped_process_can_be_stopped(void **state)
{
    UNUSED(state);
    struct seen seen;
    struct err err;
    seen_run_nasty(&seen, &rig, "well-behaved", NULL);
    assert_int_equal(kill(seen.start.pid, SIGSTOP), 0);
    assert_ok(runtime_stop(seen.instance, -1, &err), err);
    seen_await_gone(&seen);
    assert_int_equal(seen.end.exit.code, 0);
    seen_finish(&seen);
}

static void a_signal_reaches_the_command(void **state)
{
    UNUSED(state);
    struct seen seen;
    struct err err;
    seen_run(&seen, &rig, SHELL("trap 'echo got it; exit 4' USR1; echo ready; while :; do sleep 0.05; done"));
    while (!seen.gone && !strstr(strbuf_text(&seen.out[0]), "ready"))
        rig_await(&rig, &seen.gone, 10);
    assert_error(runtime_signal(seen.instance, SIGKILL, &err), err, ERR_INVALID, "signal");
    assert_ok(runtime_signal(seen.instance, SIGUSR1, &err), err);
    seen_await_gone(&seen);
    assert_int_equal(seen.end.reason, RUNTIME_EXITED);
    assert_int_equal(seen.end.exit.code, 4);
    assert_non_null(strstr(strbuf_text(&seen.out[0]), "got it"));
    assert_ok(runtime_signal(seen.instance, SIGUSR1, &err), err); // gone: nothing to do
    seen_finish(&seen);
}

static void a_stop_before_the_start_holds(void **state)
{
    UNUSED(state);
    struct seen seen;
    struct err err;
    seen_run(&seen, &rig, SHELL("sleep 60"));
    assert_ok(runtime_stop(seen.instance, 0, &err), err);
    seen_await_gone(&seen);
    assert_int_equal(seen.end.reason, RUNTIME_STOPPED);
    seen_finish(&seen);
}

static void what_a_command_leaves_behind_goes_after_it(void **state)
{
    UNUSED(state);
    struct seen seen;
    seen_run_nasty(&seen, &rig, "fork-daemons", "5"); // they would stay for ever
    seen_await_gone(&seen);
    assert_int_equal(seen.end.reason, RUNTIME_EXITED);
    assert_int_equal(seen.end.exit.code, 0);
    assert_int_equal(seen.end.signal_count, 2); // SIGTERM to the others, then SIGKILL
    seen_finish(&seen);
}

static void the_child_sees_nothing_of_ours(void **state)
{
    UNUSED(state);
    struct seen seen;
    AUTO_CLOSE int leaky = open("/dev/null", O_RDONLY); // not close-on-exec
    assert_true(leaky >= 0);
    signal(SIGHUP, SIG_IGN);
    sigset_t blocked, before;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR2);
    sigprocmask(SIG_BLOCK, &blocked, &before);
    seen_run(&seen, &rig,
             SHELL("ls /proc/self/fd | tr '\\n' ' '; echo; env | cut -d= -f1 | sort | tr '\\n' ' '; echo;"
                   "grep -E 'SigBlk|SigIgn|NoNewPrivs' /proc/self/status | tr -s '\\t\\n' ' '; echo; ulimit -c; pwd"));
    seen_await_gone(&seen);
    sigprocmask(SIG_SETMASK, &before, NULL);
    signal(SIGHUP, SIG_DFL);
    char expected[1024];
    snprintf(expected, sizeof(expected),
             "0 1 2 3 \nCURFEW_INSTANCE CURFEW_JOB PATH PWD \n"
             "SigBlk: 0000000000000000 SigIgn: 0000000000000000 NoNewPrivs: 1 \n0\n%s\n",
             rig.directory);
    assert_string_equal(strbuf_text(&seen.out[0]), expected); // 3 is ls's own
    seen_finish(&seen);
}

static void it_sees_only_its_own_processes_inside_a_namespace(void **state)
{
    UNUSED(state);
    struct seen seen;
    if (strncmp(runtime_process_boundary(rig.runtime), "pidns", 5) != 0)
        return; // this machine does not allow one
    seen_run(&seen, &rig, SHELL("ls /proc | grep -c '^[0-9]*$'; echo $$"));
    seen_await_gone(&seen);
    long count = 0, pid = 0;
    assert_int_equal(sscanf(strbuf_text(&seen.out[0]), "%ld %ld", &count, &pid), 2);
    assert_true(count >= 3 && count <= 4); // init, sh, ls, grep
    assert_int_equal(pid, 2);
    seen_finish(&seen);
}

struct probed {
    bool done;
    struct runtime_exit exit;
};

static void on_probed(void *context, const struct runtime_exit *result, const struct err *trouble)
{
    struct probed *probed = context;
    assert_null(trouble);
    probed->done = true;
    probed->exit = *result;
}

static void probes_run_beside_their_instance(void **state)
{
    UNUSED(state);
    struct seen seen;
    struct err err;
    struct probed good = {0}, slow = {0}, late = {0}, missing = {0};
    seen_run_nasty(&seen, &rig, "well-behaved", NULL);
    assert_ok(runtime_exec(seen.instance, SHELL("test -n \"$CURFEW_JOB\" && exit 6"), 20000, on_probed, &good, &err),
              err);
    assert_ok(runtime_exec(seen.instance, SHELL("sleep 60"), 100, on_probed, &slow, &err), err);
    assert_ok(
        runtime_exec(seen.instance, (const char *const[]){"no-such-probe", NULL}, 20000, on_probed, &missing, &err),
        err);
    assert_false(good.done);
    assert_true(rig_await(&rig, &good.done, RIG_TIMEOUT_MS));
    assert_true(good.exit.known);
    assert_int_equal(good.exit.code, 6);
    assert_true(rig_await(&rig, &slow.done, RIG_TIMEOUT_MS));
    assert_false(slow.exit.known);
    assert_true(rig_await(&rig, &missing.done, RIG_TIMEOUT_MS));
    assert_false(missing.exit.known);
    assert_ok(runtime_exec(seen.instance, SHELL("sleep 60"), 60000, on_probed, &late, &err), err);
    assert_ok(runtime_stop(seen.instance, -1, &err), err);
    seen_await_gone(&seen);
    assert_true(late.done); // ended with its instance, and before its `gone`
    assert_false(late.exit.known);
    assert_error(runtime_exec(seen.instance, SHELL("true"), 1000, on_probed, &late, &err), err, ERR_CONFLICT, "run");
    seen_finish(&seen);
}

static void releasing_early_ends_an_instance_and_its_probes(void **state)
{
    UNUSED(state);
    struct seen seen;
    struct err err;
    struct probed probed = {0};
    seen_run_nasty(&seen, &rig, "tree", NULL);
    assert_ok(runtime_exec(seen.instance, SHELL("sleep 60"), 60000, on_probed, &probed, &err), err);
    runtime_release(seen.instance);
    const bool never = false;
    int64_t deadline = clock_boot_ms() + RIG_TIMEOUT_MS;
    while (oracle_find(rig.marker, NULL, 0) > 0 && clock_boot_ms() < deadline)
        rig_await(&rig, &never, 20);
    assert_int_equal(oracle_find(rig.marker, NULL, 0), 0);
    assert_false(seen.gone);
    assert_false(probed.done);
    seen_release(&seen);
}

static void ports_are_free_and_differ(void **state)
{
    UNUSED(state);
    struct err err;
    struct runtime_port ports[100] = {0};
    assert_ok(runtime_choose_ports(rig.runtime, false, ports, ARRAY_LEN(ports), &err), err);
    for (size_t i = 0; i < ARRAY_LEN(ports); i++) {
        assert_in_range(ports[i].number, 20000, 29999);
        for (size_t k = 0; k < i; k++)
            assert_int_not_equal(ports[i].number, ports[k].number);
    }
}

// Chooses so many, none of which is in `others`.
static void choose_others(struct rig *at, struct runtime_port *ports, size_t count, const struct runtime_port *others,
                          size_t other_count)
{
    struct err err;
    assert_ok(runtime_choose_ports(at->runtime, false, ports, count, &err), err);
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < other_count; k++)
            assert_int_not_equal(ports[i].number, others[k].number);
}

// Nobody listens on any of them: two workers of a machine know of each other what they have given out all the same.
static void workers_of_a_machine_choose_different_ports(void **state)
{
    UNUSED(state);
    static struct rig second;
    struct runtime_port ours[3] = {{.name = "a"}, {.name = "b"}, {.name = "c"}}, theirs[6] = {0};
    struct seen seen;
    struct err err;
    rig_close(&rig);
    rig_prepare(&rig);
    rig_prepare(&second);
    rig.port_first = second.port_first = 30100;
    rig.port_last = second.port_last = 30107;
    rig_begin(&rig, RIG_BEST);
    rig_begin(&second, RIG_BEST);
    choose_others(&rig, ours, ARRAY_LEN(ours), NULL, 0);
    choose_others(&second, theirs, 3, ours, ARRAY_LEN(ours));
    struct runtime_spec spec = rig_spec(&rig, SHELL("exec sleep 600"));
    spec.ports = ours;
    spec.port_count = ARRAY_LEN(ours);
    assert_ok(seen_start(&seen, &rig, spec, &err), err);
    for (int i = 0; i < 8; i++) // what was chosen before and never used may be chosen again
        choose_others(&second, theirs, 3, ours, ARRAY_LEN(ours));
    assert_error(runtime_choose_ports(second.runtime, false, theirs, 6, &err), err, ERR_LIMIT, "no free port");
    assert_ok(runtime_kill(seen.instance, &err), err);
    seen_await_gone(&seen);
    seen_finish(&seen);
    choose_others(&second, theirs, 6, NULL, 0);
    rig_close(&second);
}

static void two_hundred_at_once(void **state)
{
    UNUSED(state);
    enum { COUNT = 200 };
    static struct seen seen[COUNT];
    struct err err;
    for (int i = 0; i < COUNT; i++)
        seen_run(&seen[i], &rig, SHELL("echo hello; sleep 600 & wait"));
    for (int i = 0; i < COUNT; i++) {
        assert_true(rig_await(&rig, &seen[i].started, RIG_TIMEOUT_MS));
        assert_ok(runtime_extend_lease(rig.runtime, clock_boot_ms() + 600000, &err), err);
    }
    for (int i = 0; i < COUNT; i++)
        assert_ok(runtime_stop(seen[i].instance, -1, &err), err);
    for (int i = 0; i < COUNT; i++) {
        assert_true(rig_await(&rig, &seen[i].gone, RIG_TIMEOUT_MS));
        assert_int_equal(seen[i].end.reason, RUNTIME_STOPPED);
        assert_false(seen[i].out_of_order);
        assert_string_equal(strbuf_text(&seen[i].out[0]), "hello\n");
        runtime_release(seen[i].instance);
        seen_release(&seen[i]);
    }
    assert_int_equal(oracle_find(rig.marker, NULL, 0), 0);
}

#define IN(boundary, function) {#function " (" #boundary ")", function, setup, teardown, (void *)(intptr_t)(boundary)}
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
#define EVERYWHERE(function) \
    IN(RIG_BEST, function), IN(RIG_PIDNS, function), IN(RIG_CGROUP, function), IN(RIG_DESCENDANTS, function)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EVERYWHERE(an_exit_code_comes_back),
        EVERYWHERE(a_fatal_signal_comes_back),
        EVERYWHERE(a_command_that_cannot_run_is_told_apart_from_an_exit),
        TEST(wrong_specs_are_refused_before_anything_happens),
        TEST(one_identity_is_one_instance),
        EVERYWHERE(a_stop_lets_the_command_finish),
        TEST(an_exit_after_a_stop_is_stopped_whatever_the_code),
        EVERYWHERE(who_ignores_term_is_killed_when_the_grace_is_over),
        EVERYWHERE(the_stop_signal_can_be_another_one),
        EVERYWHERE(a_stopped_process_can_be_stopped),
        EVERYWHERE(a_signal_reaches_the_command),
        EVERYWHERE(a_stop_before_the_start_holds),
        EVERYWHERE(what_a_command_leaves_behind_goes_after_it),
        EVERYWHERE(the_child_sees_nothing_of_ours),
        TEST(it_sees_only_its_own_processes_inside_a_namespace),
        TEST(probes_run_beside_their_instance),
        TEST(releasing_early_ends_an_instance_and_its_probes),
        TEST(ports_are_free_and_differ),
        TEST(workers_of_a_machine_choose_different_ports),
        TEST(two_hundred_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
