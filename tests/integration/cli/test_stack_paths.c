// Where a stack lies, and processes that are known by id and start time.
#include "tests/support/test.h"

#include "services/cli/stack_paths.h"
#include "services/common/base/cleanup.h"
#include "services/common/base/fd.h"
#include "tests/support/process.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_paths(void **state)
{
    UNUSED(state);
    struct stack_paths paths;
    struct err err;
    char here[PATH_MAX], expected[PATH_MAX + 16], process[PATH_MAX];
    assert_ok(stack_paths_init(&paths, "/a/b//", &err), err);
    assert_string_equal(paths.directory, "/a/b");
    assert_string_equal(paths.sockets, "/a/b/run/pg");
    assert_string_equal(paths.server_file, "/a/b/run/server");
    stack_process_path(&paths, "worker", process);
    assert_string_equal(process, "/a/b/run/worker.process");
    assert_int_equal(chdir("/tmp"), 0);
    assert_non_null(getcwd(here, sizeof here));
    assert_ok(stack_paths_init(&paths, "x", &err), err);
    snprintf(expected, sizeof expected, "%s/x", here);
    assert_string_equal(paths.directory, expected);
}

static void test_too_long(void **state)
{
    UNUSED(state);
    struct stack_paths paths;
    struct err err;
    char directory[128];
    // A socket's path has 107 bytes, "/run/pg/.s.PGSQL.5432" is 21 of them.
    memset(directory, 'x', sizeof directory);
    directory[0] = '/';
    directory[86] = '\0';
    assert_ok(stack_paths_init(&paths, directory, &err), err);
    directory[86] = 'x';
    directory[87] = '\0';
    assert_error(stack_paths_init(&paths, directory, &err), err, ERR_INVALID, "too long");
    assert_error(stack_paths_init(&paths, "", &err), err, ERR_INVALID, "is empty");
    assert_error(stack_paths_init(&paths, "/a,b", &err), err, ERR_INVALID, "has a comma");
}

static void test_process(void **state)
{
    struct stack_process self;
    struct err err;
    AUTO_CLOSE int pidfd = -1;
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s", temp_path(state, "process"));
    assert_error(stack_process_open(path, &pidfd, &err), err, ERR_NOT_FOUND, "there is no");
    assert_ok(stack_process_of(getpid(), &self, &err), err);
    assert_ok(stack_process_write(path, &self, &err), err);
    assert_ok(stack_process_open(path, &pidfd, &err), err);
    assert_true(pidfd >= 0);
    close(TAKE_FD(pidfd));
    // The same id, another process.
    self.start_time++;
    assert_ok(stack_process_write(path, &self, &err), err);
    assert_error(stack_process_open(path, &pidfd, &err), err, ERR_NOT_FOUND, "has ended");
    // The same id and start time, another boot of the machine.
    self.start_time--;
    self.boot[0] = self.boot[0] == '0' ? '1' : '0';
    assert_ok(stack_process_write(path, &self, &err), err);
    assert_error(stack_process_open(path, &pidfd, &err), err, ERR_NOT_FOUND, "has ended");
    assert_ok(file_replace(path, "nonsense\n", 9, 0600, &err), err);
    assert_error(stack_process_open(path, &pidfd, &err), err, ERR_INVALID, "does not name a process");
}

static void assert_has_ended(const char *path)
{
    struct err err;
    AUTO_CLOSE int pidfd = -1;
    assert_error(stack_process_open(path, &pidfd, &err), err, ERR_NOT_FOUND, "has ended");
}

// One that was killed and that nobody has reaped yet has ended as well.
static void test_ended_process(void **state)
{
    static const char *const argv[] = {"sleep", "1000", NULL};
    AUTO_PROCESS struct process *sleeper = process_start(argv, NULL);
    struct stack_process process;
    struct err err;
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s", temp_path(state, "process"));
    assert_ok(stack_process_of(process_pid(sleeper), &process, &err), err);
    assert_ok(stack_process_write(path, &process, &err), err);
    process_signal(sleeper, SIGKILL);
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)process_pid(sleeper), &info, WEXITED | WNOWAIT), 0);
    assert_has_ended(path);
    assert_int_equal(process_wait(sleeper, 60000), 256 + SIGKILL);
    assert_has_ended(path);
    assert_int_equal(stack_process_of(process_pid(sleeper), &process, &err), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_too_long),
        cmocka_unit_test_setup_teardown(test_process, temp_dir_setup, temp_dir_teardown),
        cmocka_unit_test_setup_teardown(test_ended_process, temp_dir_setup, temp_dir_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
