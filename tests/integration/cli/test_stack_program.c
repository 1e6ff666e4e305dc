// Children of a stack's guard.
#include "tests/support/test.h"

#include "services/cli/stack_program.h"
#include "services/common/base/cleanup.h"
#include "services/common/base/fd.h"
#include "tests/support/process.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static char *shell[] = {"/bin/sh", "-c", NULL, NULL};

static struct stack_program program_of(const char *script)
{
    shell[2] = (char *)(uintptr_t)script;
    return (struct stack_program){
        .name = "thing", .argv = shell, .uid = geteuid(), .gid = getegid(), .stop_signal = SIGTERM, .pidfd = -1};
}

static void test_runs_to_its_end(void **state)
{
    struct stack_program program = program_of("echo one; echo two >&2");
    struct err err;
    AUTO_FREE char *log = NULL;
    size_t length;
    assert_ok(stack_program_run(&program, *state, 60000, &err), err);
    assert_ok(file_read(temp_path(state, "thing.log"), 1000, &log, &length, &err), err);
    assert_string_equal(log, "one\ntwo\n");
    assert_int_equal(program.pid, 0);
}

static void test_explains_failures(void **state)
{
    struct err err;
    struct stack_program program = program_of("echo first; echo why it failed; exit 7");
    assert_error(stack_program_run(&program, *state, 60000, &err), err, ERR_INTERNAL,
                 "thing exited with 7: why it failed (log: ");
    program = program_of("kill -9 $$");
    assert_error(stack_program_run(&program, *state, 60000, &err), err, ERR_INTERNAL, "was ended by signal 9");
    program = program_of("echo 'time=now level=error event=\"cannot serve\" error=\"no port\"'; exit 1");
    assert_error(stack_program_run(&program, *state, 60000, &err), err, ERR_INTERNAL,
                 "exited with 1: error=\"no port\"");
    program = program_of("yes | head -c 100000; exit 1");
    assert_error(stack_program_run(&program, *state, 60000, &err), err, ERR_INTERNAL, "exited with 1: y (log");
}

static void test_notes_restarts(void **state)
{
    struct stack_program program = program_of("");
    struct err err;
    AUTO_FREE char *log = NULL;
    size_t length;
    stack_program_note_restart(&program, *state, SIGKILL);
    stack_program_note_restart(&program, *state, W_EXITCODE(3, 0));
    assert_ok(file_read(temp_path(state, "thing.log"), 1000, &log, &length, &err), err);
    assert_non_null(strstr(log, "event=\"thing has ended, and is started again\" signal=9\ntime="));
    assert_non_null(strstr(log, "event=\"thing has ended, and is started again\" exit=3\n"));
}

static void test_time_is_over(void **state)
{
    struct err err;
    struct stack_program program = program_of("trap '' TERM; while :; do sleep 1; done");
    assert_error(stack_program_run(&program, *state, 100, &err), err, ERR_TIMEOUT, "did not end in time");
    assert_int_equal(program.pid, 0);
}

// Not the caller's session, descriptors, signal mask or ignored signals. Asked of children of the shell, which has
// pipes and a signal mask of its own while it starts them; ls adds one descriptor, for the directory.
static void test_is_on_its_own(void **state)
{
    struct err err;
    AUTO_FREE char *log = NULL;
    size_t length;
    signal(SIGTERM, SIG_IGN);
    struct stack_program program =
        program_of("ls -l /proc/self/fd | grep -c -- '->'; ps -o sid= -p $$ | grep -qw $$ && echo own; "
                   "grep -E 'SigIgn|SigBlk' /proc/self/status | cut -f 2 | tr -d 0 | tr -d '\\n'");
    assert_ok(stack_program_run(&program, *state, 60000, &err), err);
    signal(SIGTERM, SIG_DFL);
    assert_ok(file_read(temp_path(state, "thing.log"), 1000, &log, &length, &err), err);
    assert_string_equal(log, "4\nown\n");
}

static bool has_ended(void *context)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d", *(pid_t *)context);
    return access(path, F_OK) < 0;
}

// The child of a process that is killed is told to end.
static void test_ends_with_its_parent(void **state)
{
    int report[2];
    pid_t child = 0;
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 0), 0);
    assert_int_equal(pipe(report), 0);
    pid_t parent = fork();
    if (parent == 0) {
        struct stack_program program = program_of("exec sleep 1000");
        if (stack_program_start(&program, *state, NULL) < 0 ||
            write(report[1], &program.pid, sizeof program.pid) != sizeof program.pid)
            _exit(1);
        for (;;)
            pause();
    }
    assert_int_equal(read(report[0], &child, sizeof child), sizeof child);
    assert_false(has_ended(&child));
    kill(parent, SIGKILL);
    assert_int_equal(waitpid(parent, NULL, 0), parent);
    assert_true(wait_until(has_ended, &child, 60000));
    close(report[0]);
    close(report[1]);
}

static void test_start_fails(void **state)
{
    UNUSED(state);
    struct err err;
    struct stack_program program = program_of("true");
    assert_error(stack_program_start(&program, "/dev/null/x", &err), err, ERR_IO, "log '/dev/null/x/thing.log'");
    assert_int_equal(program.pid, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, temp_dir_setup, temp_dir_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_runs_to_its_end), TEST(test_notes_restarts), TEST(test_explains_failures),
        TEST(test_time_is_over),    TEST(test_is_on_its_own),  TEST(test_ends_with_its_parent),
        TEST(test_start_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
