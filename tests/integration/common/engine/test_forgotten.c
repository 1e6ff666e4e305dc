// With a real process in a control group. Not in tests/unit, because valgrind does not know pidfd_open().
#include "services/common/engine/forgotten.h"

#include "services/common/base/cleanup.h"
#include "tests/support/test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ID "e8e9273b682cdc436849ba9eede731f277e7b88f70bf41108be4aafec993c09b"

// In a control group of that name, at the v2 hierarchy or that of v1's pids; NULL: this user may make none.
static char *cgroup_new(void)
{
    static const char *const roots[] = {"/sys/fs/cgroup/pids", "/sys/fs/cgroup"};
    for (size_t i = 0; i < ARRAY_LEN(roots); i++) {
        char *path = NULL;
        if (asprintf(&path, "%s/" ID, roots[i]) < 0)
            abort();
        if (mkdir(path, 0700) == 0)
            return path;
        free(path);
    }
    return NULL;
}

static void join(const char *cgroup)
{
    char path[256];
    snprintf(path, sizeof path, "%s/cgroup.procs", cgroup);
    FILE *file = fopen(path, "we");
    if (!file || fputs("0", file) < 0 || fclose(file) != 0)
        _exit(1);
}

// What another user sees and says: his exit status is 0 when he found it and was not obeyed.
static int look_as_nobody(pid_t pid)
{
    char wanted[64];
    struct engine_forgotten left;
    pid_t child = fork();
    if (child > 0) {
        int status = -1;
        waitpid(child, &status, 0);
        return status;
    }
    snprintf(wanted, sizeof wanted, "`kill -9 %d` as root", (int)pid);
    if (setgid(65534) < 0 || setuid(65534) < 0)
        _exit(2);
    for (int signal_number = 0; signal_number < 2; signal_number++) {
        int outcome = signal_number ? engine_forgotten_end(ID, &left, NULL) : engine_forgotten_look(ID, &left, NULL);
        if (outcome < 0 || left.found != 1 || left.refused != 1 || left.refused_pid != pid ||
            !strstr(left.text, wanted))
            _exit(3);
    }
    _exit(0);
}

static void what_may_not_be_ended_is_told(void **state)
{
    struct engine_forgotten left;
    struct err err = {0};
    int ready[2], status;
    char byte;
    UNUSED(state);
    AUTO_FREE char *cgroup = geteuid() == 0 ? cgroup_new() : NULL;
    if (!cgroup)
        return; // only root may make one, and be somebody else
    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        join(cgroup);
        if (write(ready[1], "r", 1) == 1)
            pause();
        _exit(0);
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    int seen_by_nobody = look_as_nobody(pid);
    assert_ok(engine_forgotten_look(ID, &left, &err), err);
    assert_int_equal(left.found, 1);
    assert_string_equal(left.text, "");
    assert_ok(engine_forgotten_end(ID, &left, &err), err);
    assert_int_equal(left.found, 1);
    assert_int_equal(left.refused, 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_int_equal(rmdir(cgroup), 0);
    assert_int_equal(seen_by_nobody, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_may_not_be_ended_is_told)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
