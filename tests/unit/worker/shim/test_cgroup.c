// Against a directory that looks like a cgroup; the real one is in tests/integration/worker/.
#include "tests/support/test.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/fd.h"
#include "services/worker/shim/cgroup.h"
#include "tests/support/temp_dir.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void put(void **state, const char *name, const char *text)
{
    struct err err;
    assert_ok(file_replace(temp_path(state, name), text, strlen(text), 0600, &err), err);
}

static void whether_somebody_is_inside(void **state)
{
    const char *directory = *state;
    assert_false(cgroup_populated(""));
    assert_false(cgroup_populated("/no/such/cgroup"));
    assert_false(cgroup_populated(directory));
    put(state, "cgroup.events", "populated 0\nfrozen 0\n");
    assert_false(cgroup_populated(directory));
    put(state, "cgroup.events", "populated 1\nfrozen 0\n");
    assert_true(cgroup_populated(directory));
}

static void killing_is_one_write(void **state)
{
    struct err err;
    AUTO_FREE char *text = NULL;
    size_t length;
    cgroup_kill("");
    cgroup_kill("/no/such/cgroup");
    put(state, "cgroup.kill", "");
    cgroup_kill(*state);
    assert_ok(file_read(temp_path(state, "cgroup.kill"), 16, &text, &length, &err), err);
    assert_string_equal(text, "1");
}

static void joining_needs_a_cgroup(void **state)
{
    assert_int_equal(cgroup_open_procs(""), -1);
    assert_int_equal(cgroup_open_procs(*state), -1);
    put(state, "cgroup.procs", "");
    AUTO_CLOSE int fd = cgroup_open_procs(*state);
    assert_true(fd >= 0);
}

static void what_is_not_empty_stays(void **state)
{
    put(state, "cgroup.kill", "");
    cgroup_remove("", true);
    cgroup_remove(*state, true);
    assert_int_equal(access(*state, F_OK), 0);
}

static void an_empty_home_goes_with_the_last_one(void **state)
{
    char home[512], first[600], second[600];
    snprintf(home, sizeof(home), "%s/home", (const char *)*state);
    snprintf(first, sizeof(first), "%s/first", home);
    snprintf(second, sizeof(second), "%s/second", home);
    assert_int_equal(mkdir(home, 0700) | mkdir(first, 0700) | mkdir(second, 0700), 0);
    cgroup_remove(first, true);
    assert_int_equal(access(home, F_OK), 0);
    cgroup_remove(second, false);
    assert_int_equal(access(home, F_OK), 0);
    assert_int_equal(mkdir(second, 0700), 0);
    cgroup_remove(second, true);
    assert_int_equal(access(home, F_OK), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(whether_somebody_is_inside, temp_dir_setup, temp_dir_teardown),
        cmocka_unit_test_setup_teardown(killing_is_one_write, temp_dir_setup, temp_dir_teardown),
        cmocka_unit_test_setup_teardown(joining_needs_a_cgroup, temp_dir_setup, temp_dir_teardown),
        cmocka_unit_test_setup_teardown(what_is_not_empty_stays, temp_dir_setup, temp_dir_teardown),
        cmocka_unit_test_setup_teardown(an_empty_home_goes_with_the_last_one, temp_dir_setup, temp_dir_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
