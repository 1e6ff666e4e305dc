// The init of a PID namespace, alone. On a machine that allows none the tests hold trivially.
#include "tests/support/test.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/clock.h"
#include "services/common/base/process.h"
#include "services/worker/shim/namespace.h"
#include "tests/support/process.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static bool with_user_namespace;
static bool possible;

static int find_out(void **state)
{
    UNUSED(state);
    possible = namespace_try(false) == 0;
    if (!possible && geteuid() != 0)
        possible = with_user_namespace = namespace_try(true) == 0;
    return 0;
}

struct inside {
    pid_t init;
    int report_fd;
};

// The init wants all signals blocked; this program wants them back.
static struct inside begin(const char *script)
{
    static char shell[] = "sh", option[] = "-c";
    char *argv[] = {shell, option, (char *)(uintptr_t)script, NULL};
    char *env[] = {NULL};
    struct shim_spec spec = {.header = {.stop_signal = 15}, .directory = "/", .cgroup = "", .argv = argv, .env = env};
    struct inside inside = {.report_fd = -1};
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    inside.init = namespace_start(&spec, -1, with_user_namespace, &inside.report_fd);
    sigprocmask(SIG_SETMASK, &before, NULL);
    assert_true(inside.init > 0);
    return inside;
}

static struct namespace_report next(const struct inside *inside)
{
    struct namespace_report report = {.kind = -1};
    struct pollfd ready = {.fd = inside->report_fd, .events = POLLIN};
    assert_int_equal(poll(&ready, 1, 20000), 1);
    if (read(inside->report_fd, &report, sizeof(report)) != sizeof(report))
        report.kind = -1; // the end
    return report;
}

static void finish(struct inside *inside, int signal_number)
{
    int status;
    assert_int_equal(waitpid(inside->init, &status, 0), inside->init);
    if (signal_number)
        assert_int_equal(WTERMSIG(status), signal_number);
    else
        assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(next(inside).kind, -1);
    close(inside->report_fd);
}

static void an_exit_is_reported_and_the_init_goes(void **state)
{
    UNUSED(state);
    if (!possible)
        return;
    struct inside inside = begin("exit 6");
    struct namespace_report report = next(&inside);
    assert_int_equal(report.kind, NAMESPACE_STARTED);
    assert_true(report.value > 0 && report.start_time > 0);
    report = next(&inside);
    assert_int_equal(report.kind, NAMESPACE_EXITED);
    assert_int_equal(WEXITSTATUS(report.value), 6);
    assert_int_equal(report.detail, 0);
    finish(&inside, 0);
}

static void orphans_keep_the_init_and_get_term(void **state)
{
    UNUSED(state);
    if (!possible)
        return;
    struct inside inside = begin("setsid sleep 600 & exit 0");
    assert_int_equal(next(&inside).kind, NAMESPACE_STARTED);
    struct namespace_report report = next(&inside);
    assert_int_equal(report.kind, NAMESPACE_EXITED);
    assert_int_equal(report.detail, 1);
    finish(&inside, 0);
}

static bool file_exists(void *path)
{
    return access(path, F_OK) == 0;
}

static void signals_from_outside_are_passed_on_and_from_inside_not(void **state)
{
    UNUSED(state);
    if (!possible)
        return;
    AUTO_TEMP_DIR char *directory = temp_dir_new();
    char ready[256], script[512];
    snprintf(ready, sizeof(ready), "%s/ready", directory);
    snprintf(script, sizeof(script),
             "trap 'exit 9' TERM; kill -TERM 1; kill -35 1; kill -KILL 1; : > %s; while :; do sleep 0.02; done", ready);
    struct inside inside = begin(script);
    struct namespace_report report = next(&inside);
    struct process_stat stat;
    assert_int_equal(process_stat_read(report.value, &stat), 0);
    assert_int_equal(stat.parent, inside.init);
    assert_true(wait_until(file_exists, ready, 60000));
    assert_int_equal(kill(inside.init, SIGWINCH), 0);
    assert_int_equal(namespace_signal(inside.init, SIGTERM), 0);
    report = next(&inside);
    assert_int_equal(report.kind, NAMESPACE_EXITED);
    assert_true(WIFEXITED(report.value));
    assert_int_equal(WEXITSTATUS(report.value), 9);
    finish(&inside, 0);
}

static void with_the_init_everything_goes(void **state)
{
    UNUSED(state);
    if (!possible)
        return;
    struct inside inside = begin("trap '' TERM; setsid sleep 600 & sleep 600");
    struct namespace_report report = next(&inside);
    assert_int_equal(kill(inside.init, SIGKILL), 0);
    struct process_stat stat;
    finish(&inside, SIGKILL); // which the kernel allows only after all others
    assert_int_equal(process_stat_read(report.value, &stat), -1);
}

static void a_command_that_is_not_there(void **state)
{
    UNUSED(state);
    if (!possible)
        return;
    char *argv[] = {(char[]){"/no/such"}, NULL};
    char *env[] = {NULL};
    struct shim_spec spec = {.directory = "/", .cgroup = "", .argv = argv, .env = env};
    struct inside inside = {.report_fd = -1};
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    inside.init = namespace_start(&spec, -1, with_user_namespace, &inside.report_fd);
    sigprocmask(SIG_SETMASK, &before, NULL);
    struct namespace_report report = next(&inside);
    assert_int_equal(report.kind, NAMESPACE_COMMAND_FAILED);
    assert_int_equal(report.detail, SHIM_STEP_EXEC);
    while (next(&inside).kind != -1) {
    }
    close(inside.report_fd);
    assert_int_equal(waitpid(inside.init, NULL, 0), inside.init);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_exit_is_reported_and_the_init_goes),
        cmocka_unit_test(orphans_keep_the_init_and_get_term),
        cmocka_unit_test(signals_from_outside_are_passed_on_and_from_inside_not),
        cmocka_unit_test(with_the_init_everything_goes),
        cmocka_unit_test(a_command_that_is_not_there),
    };
    return cmocka_run_group_tests(tests, find_out, NULL);
}
