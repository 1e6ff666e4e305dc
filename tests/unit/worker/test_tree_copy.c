#include "services/worker/tree_copy.h"

#include "services/common/base/fd.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *path_of(void **state, const char *name)
{
    return strdup(temp_path(state, name));
}

static void write_file(const char *path, const char *content, mode_t mode)
{
    struct err err;
    assert_ok(file_replace(path, content, strlen(content), mode, &err), err);
    assert_int_equal(chmod(path, mode), 0);
}

static void files_directories_and_links_are_copied(void **state)
{
    struct err err;
    struct stat status;
    char text[64] = "";
    size_t length;
    AUTO_FREE char *content = NULL;
    AUTO_FREE char *from = path_of(state, "from"), *to = path_of(state, "to");
    assert_ok(dir_make(temp_path(state, "from/deep/er"), 0755, &err), err);
    assert_ok(dir_make(to, 0755, &err), err);
    write_file(temp_path(state, "from/deep/run.sh"), "#!/bin/sh\n", 0751);
    write_file(temp_path(state, "from/empty"), "", 0640);
    assert_int_equal(symlink("../run.sh", temp_path(state, "from/deep/er/link")), 0);
    assert_ok(tree_copy(from, to, &err), err);
    assert_int_equal(stat(temp_path(state, "to/deep/run.sh"), &status), 0);
    assert_int_equal(status.st_mode & 07777, 0751);
    assert_int_equal(stat(temp_path(state, "to/empty"), &status), 0);
    assert_int_equal(status.st_size, 0);
    assert_int_equal(readlink(temp_path(state, "to/deep/er/link"), text, sizeof text - 1), 9);
    assert_string_equal(text, "../run.sh");
    assert_ok(file_read(temp_path(state, "to/deep/er/link"), 64, &content, &length, &err), err);
    assert_string_equal(content, "#!/bin/sh\n");
}

static void what_is_no_file_is_refused(void **state)
{
    struct err err;
    AUTO_FREE char *from = path_of(state, "from"), *to = path_of(state, "to");
    assert_ok(dir_make(from, 0755, &err), err);
    assert_ok(dir_make(to, 0755, &err), err);
    assert_int_equal(mkfifo(temp_path(state, "from/fifo"), 0600), 0);
    assert_error(tree_copy(from, to, &err), err, ERR_UNSUPPORTED, "fifo");
}

static void a_directory_that_is_not_there_is_an_error(void **state)
{
    struct err err;
    AUTO_FREE char *from = path_of(state, "from"), *to = path_of(state, "to");
    assert_error(tree_copy(from, to, &err), err, ERR_IO, "from");
    assert_ok(dir_make(from, 0755, &err), err);
    assert_error(tree_copy(from, to, &err), err, ERR_IO, "to");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(files_directories_and_links_are_copied, temp_dir_setup, temp_dir_teardown),
        cmocka_unit_test_setup_teardown(what_is_no_file_is_refused, temp_dir_setup, temp_dir_teardown),
        cmocka_unit_test_setup_teardown(a_directory_that_is_not_there_is_an_error, temp_dir_setup, temp_dir_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
