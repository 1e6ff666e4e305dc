#include "services/worker/trash.h"

#include "services/common/base/fd.h"
#include "services/common/base/loop.h"
#include "tests/support/loop_test.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool is_empty(void *context)
{
    int count = 0;
    DIR *dir = opendir(context);
    assert_non_null(dir);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count == 2; // "." and ".."
}

static void make_tree(void **state, const char *name)
{
    struct err err;
    char path[256];
    snprintf(path, sizeof path, "%s/deep/deeper", name);
    assert_ok(dir_make(temp_path(state, path), 0755, &err), err);
    snprintf(path, sizeof path, "%s/deep/file", name);
    assert_ok(file_replace(temp_path(state, path), "x", 1, 0400, &err), err);
    snprintf(path, sizeof path, "%s/deep", name);
}

static void trees_are_away_at_once_and_removed_later(void **state)
{
    struct err err;
    struct loop *loop;
    struct trash *trash;
    char directory[512];
    snprintf(directory, sizeof directory, "%s", temp_path(state, "trash"));
    make_tree(state, "trash/from-an-earlier-life");
    make_tree(state, "one");
    make_tree(state, "two");
    assert_ok(loop_new(&loop, &err), err);
    assert_ok(trash_new(loop, directory, &trash, &err), err);
    assert_ok(trash_add(trash, temp_path(state, "one"), &err), err);
    assert_int_not_equal(access(temp_path(state, "one"), F_OK), 0);
    assert_true(loop_until(loop, is_empty, directory, 60000));
    assert_ok(trash_add(trash, temp_path(state, "two"), &err), err);
    assert_true(loop_until(loop, is_empty, directory, 60000));
    make_tree(state, "three");
    assert_ok(trash_add(trash, temp_path(state, "three"), &err), err);
    trash_free(trash);
    trash_free(NULL);
    assert_int_not_equal(access(directory, F_OK), 0);
    loop_free(loop);
}

static void what_is_empty_or_not_there_is_done_at_once(void **state)
{
    struct err err;
    struct loop *loop;
    struct trash *trash;
    assert_ok(loop_new(&loop, &err), err);
    assert_ok(trash_new(loop, temp_path(state, "trash"), &trash, &err), err);
    assert_ok(dir_make(temp_path(state, "empty"), 0755, &err), err);
    assert_ok(trash_add(trash, temp_path(state, "empty"), &err), err);
    assert_int_not_equal(access(temp_path(state, "empty"), F_OK), 0);
    assert_true(is_empty((char *)(intptr_t)temp_path(state, "trash")));
    assert_ok(trash_add(trash, temp_path(state, "never-was"), &err), err);
    trash_free(trash);
    loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(trees_are_away_at_once_and_removed_later, temp_dir_setup, temp_dir_teardown),
        cmocka_unit_test_setup_teardown(what_is_empty_or_not_there_is_done_at_once, temp_dir_setup, temp_dir_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
