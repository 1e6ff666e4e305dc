// The last steps before exec, with a spec that is made here. Descriptors 0 to 2 of this program are the command's.
#include "tests/support/test.h"

#include "services/common/base/cleanup.h"
#include "services/worker/shim/command.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

// Starts and returns what it said last: a failure's step and errno, or COMMAND_PID with 0 when exec succeeded.
static struct command_report start(char *const *argv, char *const *env, const char *directory, int cgroup_procs,
                                   int *status)
{
    struct shim_spec spec = {.header = {.stop_signal = 15},
                             .directory = directory,
                             .cgroup = "",
                             .argv = (char **)(uintptr_t)argv,
                             .env = (char **)(uintptr_t)env};
    int report_fd = -1;
    pid_t pid = command_start(&spec, cgroup_procs, -1, &report_fd);
    assert_true(pid > 0);
    struct command_report report, last = {COMMAND_PID, 0};
    while (read(report_fd, &report, sizeof(report)) == sizeof(report)) {
        if (report.step == COMMAND_PID)
            assert_int_equal(report.value, pid);
        else
            last = report;
    }
    close(report_fd);
    assert_int_equal(waitpid(pid, status, 0), pid);
    return last;
}

#define LIST(...) ((char *[]){__VA_ARGS__, NULL})
static char *const NO_ENVIRONMENT[] = {NULL};

static void a_command_runs(void **state)
{
    UNUSED(state);
    int status;
    struct command_report report = start(LIST("sh", "-c", "test \"$A\" = 1 && exit 5"), LIST("A=1"), "/", -1, &status);
    assert_int_equal(report.step, COMMAND_PID);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 5);
}

static void path_is_the_commands_own(void **state)
{
    UNUSED(state);
    int status;
    assert_int_equal(start(LIST("true"), LIST("PATH=/usr/bin:/bin"), "/", -1, &status).step, COMMAND_PID);
    assert_int_equal(start(LIST("true"), NO_ENVIRONMENT, "/", -1, &status).step, COMMAND_PID);            // a default
    assert_int_equal(start(LIST("true"), LIST("PATH=:/no/such"), "/bin", -1, &status).step, COMMAND_PID); // "" is "."
    struct command_report report = start(LIST("true"), LIST("PATH=/etc:/dev"), "/", -1, &status);
    assert_int_equal(report.step, SHIM_STEP_EXEC);
    assert_int_equal(report.value, ENOENT);
    report = start(LIST("passwd"), LIST("PATH=/etc:/no/such"), "/", -1, &status); // there, but not to be executed
    assert_int_equal(report.value, EACCES);
}

static void each_step_that_fails_is_named(void **state)
{
    UNUSED(state);
    int status;
    struct command_report report = start(LIST("/no/such"), NO_ENVIRONMENT, "/", -1, &status);
    assert_int_equal(report.step, SHIM_STEP_EXEC);
    assert_int_equal(report.value, ENOENT);
    report = start(LIST(""), NO_ENVIRONMENT, "/", -1, &status);
    assert_int_equal(report.step, SHIM_STEP_EXEC);
    report = start(LIST("true"), NO_ENVIRONMENT, "/no/such", -1, &status);
    assert_int_equal(report.step, SHIM_STEP_DIRECTORY);
    assert_int_equal(report.value, ENOENT);
    AUTO_CLOSE int no_cgroup = open("/dev/null", O_RDONLY | O_CLOEXEC); // cannot be written to
    report = start(LIST("true"), NO_ENVIRONMENT, "/", no_cgroup, &status);
    assert_int_equal(report.step, SHIM_STEP_CGROUP);
    assert_int_equal(report.value, EBADF);
}

static void it_is_its_own_session(void **state)
{
    UNUSED(state);
    int status;
    const char *script = "read -r s < /proc/$$/stat; set -- $s; test \"$1\" = \"$6\"";
    start(LIST("sh", "-c", (char *)(uintptr_t)script), NO_ENVIRONMENT, "/", -1, &status);
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_command_runs),
        cmocka_unit_test(path_is_the_commands_own),
        cmocka_unit_test(each_step_that_fails_is_named),
        cmocka_unit_test(it_is_its_own_session),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
