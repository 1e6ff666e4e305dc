#include "tests/support/test.h"

#include "services/common/base/cleanup.h"
#include "services/worker/shim/descendants.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_descendant_is_hit_and_nobody_else)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
