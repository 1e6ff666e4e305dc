// The state machine of one instance, without a loop: each event is called by hand, what the worker would hear is read
// back.
#include "tests/support/test.h"

#include "services/common/base/clock.h"
#include "services/worker/shim/shim.h"

#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define GRACE_MS 10000000 // nothing passes while a test runs, however slow the machine
#define FENCE_GRACE_MS 1000000

struct bench {
    struct shim shim;
    int worker_fd;
};

static int setup(void **state)
{
    static struct bench bench;
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return -1;
    bench = (struct bench){
        .worker_fd = pair[1],
        .shim = {
            .control_fd = pair[0],
            .record_fd = -1,
            .report_fd = -1,
            .cgroup_procs = -1,
            .lease_boot_ms = clock_boot_ms() + 100000000,
            .spec = {.header = {.stop_signal = SIGTERM, .stop_grace_ms = GRACE_MS, .fence_grace_ms = FENCE_GRACE_MS},
                     .cgroup = ""}}};
    *state = &bench;
    return 0;
}

static int teardown(void **state)
{
    struct bench *bench = *state;
    if (bench->shim.child > 0) {
        kill(bench->shim.child, SIGKILL);
        waitpid(bench->shim.child, NULL, 0);
    }
    close(bench->worker_fd);
    close(bench->shim.control_fd);
    return 0;
}

// A command that lives, as leader of its own group.
static void start(struct bench *bench)
{
    int fds[2];
    char ready;
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    if (pid == 0) {
        setsid();
        signal(SIGTERM, SIG_IGN);
        if (write(fds[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    assert_int_equal(read(fds[0], &ready, 1), 1);
    close(fds[0]);
    close(fds[1]);
    bench->shim.child = pid;
    shim_on_started(&bench->shim, pid, 4711);
}

static struct shim_event next_event(const struct bench *bench)
{
    struct shim_event event = {.kind = UINT32_MAX};
    if (recv(bench->worker_fd, &event, sizeof(event), MSG_DONTWAIT) < 0)
        event.kind = UINT32_MAX;
    return event;
}

static void assert_event(const struct bench *bench, enum shim_event_kind kind, int32_t number)
{
    struct shim_event event = next_event(bench);
    assert_int_equal(event.kind, kind);
    assert_int_equal(event.number, number);
    assert_true(event.at_wall_us > 0);
}

static void assert_silence(const struct bench *bench)
{
    assert_int_equal(next_event(bench).kind, UINT32_MAX);
}

static void command(struct bench *bench, enum shim_command_kind kind, int64_t value)
{
    shim_on_command(&bench->shim, &(struct shim_command){.kind = kind, .value = value});
}

// How long the timer would wait from now on.
static int64_t left_ms(const struct bench *bench)
{
    return shim_next_timer(&bench->shim) - clock_boot_ms();
}

static void a_life_without_events(void **state)
{
    struct bench *bench = *state;
    start(bench);
    struct shim_event event = next_event(bench);
    assert_int_equal(event.kind, SHIM_STARTED);
    assert_int_equal(event.number, bench->shim.child);
    assert_int_equal(event.first, 4711);
    assert_int_equal(bench->shim.phase, SHIM_PHASE_RUNNING);
    shim_on_timer(&bench->shim); // nothing is due
    assert_silence(bench);
    shim_on_exited(&bench->shim, 0, false);
    assert_event(bench, SHIM_EXITED, 0);
    shim_on_childless(&bench->shim);
    assert_event(bench, SHIM_GONE, SHIM_ENDED_ITSELF);
    assert_int_equal(bench->shim.phase, SHIM_PHASE_OVER);
}

static void a_stop_can_be_shortened_and_not_lengthened(void **state)
{
    struct bench *bench = *state;
    start(bench);
    next_event(bench);
    command(bench, SHIM_STOP, 8000000);
    assert_event(bench, SHIM_SIGNALLED, SIGTERM);
    assert_in_range(left_ms(bench), 7000000, 8000000);
    command(bench, SHIM_STOP, 3000000);
    assert_in_range(left_ms(bench), 2000000, 3000000);
    command(bench, SHIM_STOP, 9000000);
    assert_in_range(left_ms(bench), 2000000, 3000000);
    assert_silence(bench); // one signal is enough
    command(bench, SHIM_KILL, 0);
    assert_event(bench, SHIM_SIGNALLED, SIGKILL);
    assert_int_equal(bench->shim.phase, SHIM_PHASE_KILLING);
    shim_on_exited(&bench->shim, SIGKILL, false);
    shim_on_childless(&bench->shim);
    assert_event(bench, SHIM_EXITED, SIGKILL);
    assert_event(bench, SHIM_GONE, SHIM_ASKED);
}

static void an_end_of_file_leaves_the_short_grace(void **state)
{
    struct bench *bench = *state;
    start(bench);
    next_event(bench);
    shim_on_cut(&bench->shim, SHIM_CUT);
    assert_event(bench, SHIM_SIGNALLED, SIGTERM);
    assert_in_range(left_ms(bench), FENCE_GRACE_MS / 2, FENCE_GRACE_MS);
    shim_on_exited(&bench->shim, 0, false);
    next_event(bench);
    shim_on_childless(&bench->shim);
    assert_event(bench, SHIM_GONE, SHIM_CUT);
}

static void a_lease_that_has_passed_stays_passed(void **state)
{
    struct bench *bench = *state;
    start(bench);
    next_event(bench);
    command(bench, SHIM_LEASE, clock_boot_ms() - 1);
    shim_on_timer(&bench->shim);
    assert_event(bench, SHIM_SIGNALLED, SIGTERM);
    assert_int_equal(bench->shim.reason, SHIM_EXPIRED);
    command(bench, SHIM_LEASE, clock_boot_ms() + 100000000);
    assert_in_range(left_ms(bench), 0, FENCE_GRACE_MS);
    assert_int_equal(bench->shim.phase, SHIM_PHASE_ENDING);
}

static void a_lease_also_ends_a_long_grace(void **state)
{
    struct bench *bench = *state;
    start(bench);
    next_event(bench);
    command(bench, SHIM_STOP, 600000000);
    next_event(bench);
    command(bench, SHIM_LEASE, clock_boot_ms() - 1);
    shim_on_timer(&bench->shim);
    assert_in_range(left_ms(bench), 0, FENCE_GRACE_MS);
    assert_int_equal(bench->shim.reason, SHIM_ASKED); // it was first
}

static void no_grace_is_a_kill(void **state)
{
    struct bench *bench = *state;
    bench->shim.spec.header.stop_grace_ms = 0;
    start(bench);
    next_event(bench);
    shim_on_cut(&bench->shim, SHIM_CUT);
    assert_event(bench, SHIM_SIGNALLED, SIGKILL);
    assert_int_equal(bench->shim.phase, SHIM_PHASE_KILLING);
}

static void who_ends_itself_was_not_stopped(void **state)
{
    struct bench *bench = *state;
    start(bench);
    next_event(bench);
    shim_on_exited(&bench->shim, 0, true); // with others left
    assert_event(bench, SHIM_EXITED, 0);
    assert_event(bench, SHIM_SIGNALLED, SIGTERM);
    assert_in_range(left_ms(bench), 0, FENCE_GRACE_MS);
    command(bench, SHIM_STOP, GRACE_MS);
    shim_on_childless(&bench->shim);
    assert_event(bench, SHIM_GONE, SHIM_ENDED_ITSELF);
}

static void a_stop_before_the_start_is_kept(void **state)
{
    struct bench *bench = *state;
    command(bench, SHIM_STOP, GRACE_MS);
    assert_silence(bench);
    start(bench);
    assert_int_equal(next_event(bench).kind, SHIM_STARTED);
    assert_event(bench, SHIM_SIGNALLED, SIGTERM);
    assert_int_equal(bench->shim.phase, SHIM_PHASE_ENDING);
}

static void what_was_not_started_has_no_exit(void **state)
{
    struct bench *bench = *state;
    shim_on_failed(&bench->shim, SHIM_STEP_EXEC, 2);
    struct shim_event event = next_event(bench);
    assert_int_equal(event.kind, SHIM_FAILED);
    assert_int_equal(event.number, 2);
    assert_int_equal(event.first, SHIM_STEP_EXEC);
    shim_on_exited(&bench->shim, 127 << 8, false);
    assert_silence(bench);
    shim_on_childless(&bench->shim);
    assert_event(bench, SHIM_GONE, SHIM_ENDED_ITSELF);
}

static void signals_reach_who_lives(void **state)
{
    struct bench *bench = *state;
    start(bench);
    next_event(bench);
    shim_on_command(&bench->shim, &(struct shim_command){.kind = SHIM_SIGNAL, .number = SIGTERM});
    assert_event(bench, SHIM_SIGNALLED, SIGTERM);
    assert_int_equal(bench->shim.phase, SHIM_PHASE_RUNNING);
    shim_on_exited(&bench->shim, 0, false);
    next_event(bench);
    shim_on_command(&bench->shim, &(struct shim_command){.kind = SHIM_SIGNAL, .number = SIGTERM});
    assert_silence(bench);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_life_without_events),
        TEST(a_stop_can_be_shortened_and_not_lengthened),
        TEST(an_end_of_file_leaves_the_short_grace),
        TEST(a_lease_that_has_passed_stays_passed),
        TEST(a_lease_also_ends_a_long_grace),
        TEST(no_grace_is_a_kill),
        TEST(who_ends_itself_was_not_stopped),
        TEST(a_stop_before_the_start_is_kept),
        TEST(what_was_not_started_has_no_exit),
        TEST(signals_reach_who_lives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
