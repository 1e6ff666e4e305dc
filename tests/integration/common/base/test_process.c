#include "tests/support/test.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/process.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void the_boot_id_is_a_uuid(void **state)
{
    UNUSED(state);
    char first[PROCESS_BOOT_ID_SIZE], second[PROCESS_BOOT_ID_SIZE];
    struct err err;
    assert_ok(process_boot_id(first, &err), err);
    assert_ok(process_boot_id(second, &err), err);
    assert_string_equal(first, second);
    assert_int_equal(strlen(first), 36);
    for (size_t i = 0; i < 36; i++)
        assert_true(isxdigit((unsigned char)first[i]) || first[i] == '-');
}

static void a_process_has_a_parent_a_session_and_a_start_time(void **state)
{
    UNUSED(state);
    struct process_stat stat;
    assert_int_equal(process_stat_read(getpid(), &stat), 0);
    assert_int_equal(stat.parent, getppid());
    assert_int_equal(stat.session, getsid(0));
    assert_int_equal(stat.state, 'R');
    assert_true(stat.start_time > 0);
}

static void a_name_with_parentheses_does_not_confuse(void **state)
{
    UNUSED(state);
    char before[16];
    struct process_stat stat;
    prctl(PR_GET_NAME, before);
    prctl(PR_SET_NAME, ") Z 1 (x) 2");
    int result = process_stat_read(getpid(), &stat);
    prctl(PR_SET_NAME, before);
    assert_int_equal(result, 0);
    assert_int_equal(stat.parent, getppid());
}

static void zombies_show_and_strangers_do_not_exist(void **state)
{
    UNUSED(state);
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    struct process_stat stat;
    assert_int_equal(process_stat_read(pid, &stat), 0);
    assert_int_equal(stat.state, 'Z');
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(process_stat_read(pid, &stat), -1);
}

static void a_walk_finds_us_and_ends(void **state)
{
    UNUSED(state);
    struct process_walk walk;
    struct err err;
    bool self = false, parent = false;
    assert_ok(process_walk_begin(&walk, &err), err);
    for (pid_t pid; (pid = process_walk_next(&walk)) > 0;) {
        self |= pid == getpid();
        parent |= pid == getppid();
    }
    assert_int_equal(process_walk_next(&walk), 0);
    process_walk_end(&walk);
    assert_true(self && parent);
}

static void a_held_process_gets_signals_and_no_successor_does(void **state)
{
    UNUSED(state);
    pid_t pid = fork();
    if (pid == 0) {
        for (;;)
            pause();
    }
    AUTO_CLOSE int held = process_open(pid);
    assert_true(held >= 0);
    assert_int_equal(process_send(held, 0), 0);
    assert_int_equal(process_send(held, SIGKILL), 0);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WTERMSIG(status), SIGKILL);
    assert_int_equal(process_send(held, SIGKILL), -1);
    assert_int_equal(errno, ESRCH);
    assert_int_equal(process_open(pid), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_boot_id_is_a_uuid),
        cmocka_unit_test(a_process_has_a_parent_a_session_and_a_start_time),
        cmocka_unit_test(a_name_with_parentheses_does_not_confuse),
        cmocka_unit_test(zombies_show_and_strangers_do_not_exist),
        cmocka_unit_test(a_walk_finds_us_and_ends),
        cmocka_unit_test(a_held_process_gets_signals_and_no_successor_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
