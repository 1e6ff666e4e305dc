#include "tests/support/process.h"

#include "services/common/base/clock.h"
#include "tests/support/test.h"

#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ARGV(...) ((const char *const[]){__VA_ARGS__, NULL})

static void output_and_status_are_captured(void **state)
{
    UNUSED(state);
    struct process *process AUTO_PROCESS = process_start(ARGV("sh", "-c", "echo out; echo err >&2; exit 3"), NULL);
    assert_int_equal(process_wait(process, 60000), 3);
    assert_string_equal(process_stdout(process), "out\n");
    assert_string_equal(process_stderr(process), "err\n");
    assert_false(process_is_running(process));
    process_signal(process, SIGKILL); // of no effect
}

static void stdin_is_empty_and_signals_are_fresh(void **state)
{
    UNUSED(state);
    struct process *process AUTO_PROCESS = process_start(ARGV("sh", "-c", "cat; kill -TERM $$"), NULL);
    assert_int_equal(process_wait(process, 60000), 256 + SIGTERM);
    assert_string_equal(process_stdout(process), "");
}

static void a_running_process_can_be_waited_for(void **state)
{
    UNUSED(state);
    struct process *process AUTO_PROCESS = process_start(ARGV("sh", "-c", "echo ready; exec sleep 1000"), NULL);
    assert_true(process_wait_output(process, "ready", 60000));
    assert_true(process_is_running(process));
    assert_int_equal(process_wait(process, 10), -1);
    process_signal(process, SIGTERM);
    assert_int_equal(process_wait(process, 60000), 256 + SIGTERM);
}

static void options_apply(void **state)
{
    UNUSED(state);
    char *directory AUTO_TEMP_DIR = temp_dir_new();
    const struct process_options options = {.environment = (const char *const[]){"CURFEW_X=1", "HOME=/nowhere", NULL},
                                            .directory = directory};
    struct process *process AUTO_PROCESS = process_start(ARGV("sh", "-c", "echo $CURFEW_X $HOME; pwd"), &options);
    assert_int_equal(process_wait(process, 60000), 0);
    char expected[PATH_MAX];
    snprintf(expected, sizeof expected, "1 /nowhere\n%s\n", directory);
    assert_string_equal(process_stdout(process), expected);
}

static void a_program_that_does_not_exist_is_127(void **state)
{
    UNUSED(state);
    assert_int_equal(process_run(ARGV("curfew-no-such-program"), NULL), 127);
    assert_null(program_path("curfew-no-such-program"));
    assert_non_null(program_path("sh"));
}

static bool never(void *context)
{
    ++*(int *)context;
    return false;
}

static void waiting_has_a_deadline(void **state)
{
    UNUSED(state);
    int asked = 0;
    int64_t before = clock_boot_ms();
    assert_false(wait_until(never, &asked, 50));
    assert_true(clock_boot_ms() - before >= 50);
    assert_true(asked > 1);
}

static void directories_are_private_and_removed(void **state)
{
    UNUSED(state);
    char copy[PATH_MAX];
    struct stat status;
    char *first = temp_dir_new();
    char *second AUTO_TEMP_DIR = temp_dir_new();
    assert_string_not_equal(first, second);
    assert_int_equal(stat(first, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
    snprintf(copy, sizeof copy, "%s", first);
    assert_int_equal(process_run(ARGV("mkdir", "-p", temp_path((void **)&first, "a/b")), NULL), 0);
    temp_dir_free(first);
    assert_int_equal(access(copy, F_OK), -1);
    temp_dir_free(NULL);
}

static void ports_are_free(void **state)
{
    UNUSED(state);
    assert_in_range(free_port(), 1024, 65535);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(output_and_status_are_captured),       cmocka_unit_test(stdin_is_empty_and_signals_are_fresh),
        cmocka_unit_test(a_running_process_can_be_waited_for),  cmocka_unit_test(options_apply),
        cmocka_unit_test(a_program_that_does_not_exist_is_127), cmocka_unit_test(waiting_has_a_deadline),
        cmocka_unit_test(directories_are_private_and_removed),  cmocka_unit_test(ports_are_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
