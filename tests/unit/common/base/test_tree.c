// Making and removing directory trees, hostile ones included. As root the tests of permissions run in a child that is
// not.
#include "tests/support/test.h"

#include "services/common/base/fd.h"
#include "tests/support/temp_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOBODY 65534

static bool exists(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0;
}

static void make_file(const char *path)
{
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
}

static void makes_directories(void **state)
{
    struct err err = {0};
    assert_ok(dir_make(temp_path(state, "a/b//c/"), 0700, &err), err);
    assert_true(exists(temp_path(state, "a/b/c")));
    assert_ok(dir_make(temp_path(state, "a/b/c"), 0700, &err), err);
    assert_ok(dir_make("/", 0700, &err), err);
    make_file(temp_path(state, "file"));
    assert_error(dir_make(temp_path(state, "file/sub"), 0700, &err), err, ERR_IO, "file");
    assert_error(dir_make(temp_path(state, "file"), 0700, &err), err, ERR_IO, "File exists");
    assert_error(dir_make("", 0700, &err), err, ERR_INVALID, "0 bytes");
}

static void removes_a_tree(void **state)
{
    struct err err = {0};
    assert_ok(dir_make(temp_path(state, "top/one/two"), 0700, &err), err);
    make_file(temp_path(state, "top/one/file"));
    make_file(temp_path(state, "top/.hidden"));
    make_file(temp_path(state, "top/one/two/..."));
    assert_int_equal(mkfifo(temp_path(state, "top/fifo"), 0600), 0);
    assert_ok(tree_remove(temp_path(state, "top"), &err), err);
    assert_false(exists(temp_path(state, "top")));
}

static void removes_files_and_nothing(void **state)
{
    struct err err = {0};
    make_file(temp_path(state, "file"));
    assert_ok(tree_remove(temp_path(state, "file"), &err), err);
    assert_false(exists(temp_path(state, "file")));
    assert_ok(tree_remove(temp_path(state, "file"), &err), err);
    make_file(temp_path(state, "file"));
    assert_error(tree_remove(temp_path(state, "file/below"), &err), err, ERR_IO, "Not a directory");
}

static void does_not_follow_links(void **state)
{
    struct err err = {0};
    assert_ok(dir_make(temp_path(state, "outside"), 0700, &err), err);
    make_file(temp_path(state, "outside/precious"));
    assert_ok(dir_make(temp_path(state, "top"), 0700, &err), err);
    assert_int_equal(symlink("../outside", temp_path(state, "top/link")), 0);
    assert_int_equal(symlink("..", temp_path(state, "top/up")), 0);
    assert_ok(tree_remove(temp_path(state, "top"), &err), err);
    assert_true(exists(temp_path(state, "outside/precious")));
    assert_int_equal(symlink("outside", temp_path(state, "top")), 0);
    assert_ok(tree_remove(temp_path(state, "top"), &err), err);
    assert_false(exists(temp_path(state, "top")));
    assert_true(exists(temp_path(state, "outside/precious")));
}

static void removes_many_entries(void **state)
{
    struct err err = {0};
    char name[64];
    assert_ok(dir_make(temp_path(state, "top"), 0700, &err), err);
    for (int i = 0; i < 5000; i++) {
        snprintf(name, sizeof name, "top/%s-%d", i % 2 ? "file" : "directory", i);
        if (i % 2)
            make_file(temp_path(state, name));
        else
            assert_int_equal(mkdir(temp_path(state, name), 0700), 0);
    }
    assert_ok(tree_remove(temp_path(state, "top"), &err), err);
    assert_false(exists(temp_path(state, "top")));
}

// Directories nested so deep that neither descriptors nor a path reach the lowest one.
static void make_deep(const char *top, int depth)
{
    int fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; i < depth; i++) {
        assert_int_equal(mkdirat(fd, "deep", 0700), 0);
        int file = openat(fd, "file", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        assert_true(file >= 0);
        close(file);
        int next = openat(fd, "deep", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(next >= 0);
        close(fd);
        fd = next;
    }
    close(fd);
}

static void removes_what_is_nested_very_deeply(void **state)
{
    struct err err = {0};
    struct rlimit before, few = {.rlim_cur = 160, .rlim_max = 0};
    assert_ok(dir_make(temp_path(state, "top/.removing-0"), 0700, &err), err);
    make_deep(temp_path(state, "top"), 3000);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few.rlim_max = before.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    int outcome = tree_remove(temp_path(state, "top"), &err);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_ok(outcome, err);
    assert_false(exists(temp_path(state, "top")));
}

// What an ordinary user's child does below `path`; its exit code names the step that failed.
static int remove_without_permissions(const char *path)
{
    struct err err = {0};
    char name[256];
    if (geteuid() == 0 && (setgid(NOBODY) < 0 || setuid(NOBODY) < 0))
        return 1;
    snprintf(name, sizeof name, "%s/top/closed/inner", path);
    if (dir_make(name, 0700, &err) < 0)
        return 2;
    snprintf(name, sizeof name, "%s/top/closed/file", path);
    int fd = open(name, O_CREAT | O_WRONLY | O_CLOEXEC, 0400);
    if (fd < 0)
        return 3;
    close(fd);
    snprintf(name, sizeof name, "%s/top/closed/inner", path);
    if (chmod(name, 0) < 0)
        return 4;
    snprintf(name, sizeof name, "%s/top/closed", path);
    if (chmod(name, 0500) < 0)
        return 5;
    snprintf(name, sizeof name, "%s/top", path);
    if (chmod(name, 0) < 0)
        return 6;
    return tree_remove(name, &err) < 0 || exists(name) ? 7 : 0;
}

static void removes_directories_that_permit_nothing(void **state)
{
    assert_int_equal(chmod(*state, 0777), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(remove_without_permissions(*state));
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

// Nothing in /proc can be removed, by root either.
static void says_what_it_cannot_remove(void **state)
{
    UNUSED(state);
    struct err err = {0};
    assert_error(tree_remove("/proc/self/fdinfo", &err), err, ERR_IO, "empty directory '/proc/self/fdinfo': ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(makes_directories, temp_dir_setup, temp_dir_teardown),
        cmocka_unit_test_setup_teardown(removes_a_tree, temp_dir_setup, temp_dir_teardown),
        cmocka_unit_test_setup_teardown(removes_files_and_nothing, temp_dir_setup, temp_dir_teardown),
        cmocka_unit_test_setup_teardown(does_not_follow_links, temp_dir_setup, temp_dir_teardown),
        cmocka_unit_test_setup_teardown(removes_many_entries, temp_dir_setup, temp_dir_teardown),
        cmocka_unit_test_setup_teardown(removes_what_is_nested_very_deeply, temp_dir_setup, temp_dir_teardown),
        cmocka_unit_test_setup_teardown(removes_directories_that_permit_nothing, temp_dir_setup, temp_dir_teardown),
        cmocka_unit_test(says_what_it_cannot_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
