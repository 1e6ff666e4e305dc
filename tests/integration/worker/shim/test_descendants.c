#include "tests/support/test.h"

#include "services/common/base/cleanup.h"
#include "services/worker/shim/descendants.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// A chain of `depth` processes, each the parent of the next, in sessions of their own; says when the last one is there.
static void grow(int depth, int pipe_fd)
{
    if (fork() != 0)
        return;
    setsid();
    signal(SIGTERM, SIG_IGN);
    if (depth > 1)
        grow(depth - 1, pipe_fd);
    else if (write(pipe_fd, "x", 1) != 1)
        _exit(1);
    close(pipe_fd);
    for (;;)
        pause();
}

static void every_descendant_is_hit_and_nobody_else(void **state)
{
    UNUSED(state);
    int fds[2];
    char ready;
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    assert_int_equal(descendants_signal(SIGKILL), 0);
    grow(5, fds[1]);
    grow(1, fds[1]);
    assert_int_equal(read(fds[0], &ready, 1), 1);
    assert_int_equal(read(fds[0], &ready, 1), 1);
    assert_int_equal(descendants_signal(SIGTERM), 6); // they ignore it
    assert_int_equal(descendants_signal(SIGKILL), 6); // orphans come to us, so that all of them can be waited for
    int reaped = 0;
    while (waitpid(-1, NULL, 0) > 0)
        reaped++;
    assert_int_equal(errno, ECHILD);
    assert_int_equal(reaped, 6);
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 0), 0);
    close(fds[0]);
    close(fds[1]);
}

// As on a kernel without pidfds, or under a filter that does not know them.
static void forbid_pidfds(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_open, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {ARRAY_LEN(code), code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
        _exit(2);
}

static _Noreturn void end_tree_without_pidfds(int read_end, int write_end)
{
    char ready;
    forbid_pidfds();
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    grow(5, write_end);
    if (read(read_end, &ready, 1) != 1)
        _exit(3);
    int rounds = 0, reaped = 0;
    for (;; rounds++) {
        descendants_signal(SIGKILL);
        if (waitpid(-1, NULL, 0) < 0)
            break;
        reaped++;
    }
    _exit(errno == ECHILD && reaped == 5 && rounds <= 5 ? 0 : 4);
}

static void without_pidfds_generation_by_generation(void **state)
{
    UNUSED(state);
    int fds[2], status;
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    if (pid == 0)
        end_tree_without_pidfds(fds[0], fds[1]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    close(fds[0]);
    close(fds[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_descendant_is_hit_and_nobody_else),
                                       cmocka_unit_test(without_pidfds_generation_by_generation)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
