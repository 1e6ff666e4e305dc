#include "services/worker/docker_archive.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/fd.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void put(void **state, const char *name, const char *text, mode_t mode)
{
    struct err err;
    assert_ok(file_replace(temp_path(state, name), text, strlen(text), mode, &err), err);
}

static char *pack(void **state, size_t *length)
{
    AUTO_FREE char *directory = strdup(temp_path(state, "work"));
    AUTO_FREE char *output = strdup(temp_path(state, "work.output"));
    AUTO_FREE char *archive = strdup(temp_path(state, "work.tar"));
    const struct docker_packing packing = {directory, output, archive};
    char *text = NULL;
    struct err err;
    assert_ok(docker_archive_pack(&packing, &err), err);
    assert_ok(file_read(archive, 1 << 20, &text, length, &err), err);
    return text;
}

// The mode of an entry below the working directory; 0: there is none. Asserts that nobody of this machine owns it.
static mode_t find(const char *text, size_t length, const char *path)
{
    struct archive *archive = archive_read_new();
    struct archive_entry *entry;
    mode_t mode = 0;
    archive_read_support_format_tar(archive);
    assert_int_equal(archive_read_open_memory(archive, text, length), ARCHIVE_OK);
    while (archive_read_next_header(archive, &entry) == ARCHIVE_OK) {
        char name[512];
        snprintf(name, sizeof name, "/%s", archive_entry_pathname(entry));
        size_t end = strlen(name);
        if (name[end - 1] == '/')
            name[end - 1] = '\0';
        assert_int_equal(archive_entry_uid(entry), 0);
        if (strcmp(name, path) == 0)
            mode = archive_entry_mode(entry);
    }
    archive_read_free(archive);
    return mode;
}

static void a_working_directory(void **state)
{
    size_t length;
    mkdir(temp_path(state, "work"), 0700);
    mkdir(temp_path(state, "work/sub"), 0700);
    put(state, "work/run.sh", "#!/bin/sh\n", 0700);
    put(state, "work/sub/data", "hello", 0600);
    assert_int_equal(symlink("data", temp_path(state, "work/sub/link")), 0);
    AUTO_FREE char *text = pack(state, &length);
    assert_int_equal(find(text, length, temp_path(state, "work")), S_IFDIR | 0777);
    assert_int_equal(find(text, length, temp_path(state, "work/run.sh")), S_IFREG | 0777);
    assert_int_equal(find(text, length, temp_path(state, "work/sub/data")), S_IFREG | 0666);
    assert_int_equal(find(text, length, temp_path(state, "work/sub/link")) & S_IFMT, S_IFLNK);
    assert_int_equal(find(text, length, temp_path(state, "work.output")), S_IFREG | 0666);
    assert_int_equal(find(text, length, temp_path(state, ".")), 0); // nothing above it
}

static void a_file_comes_out(void **state)
{
    size_t length, size;
    struct err err;
    mkdir(temp_path(state, "work"), 0700);
    put(state, "work/one", "hello", 0600);
    AUTO_FREE char *text = pack(state, &length);
    AUTO_FREE char *content = NULL;
    assert_ok(docker_archive_take_file(text, length, temp_path(state, "out"), &err), err);
    assert_ok(file_read(temp_path(state, "out"), 100, &content, &size, &err), err);
    assert_string_equal(content, "hello");
    assert_error(docker_archive_take_file(text, length, temp_path(state, "out"), &err), err, ERR_IO, "put out");
}

static void nothing_comes_out_of_nothing(void **state)
{
    struct err err;
    char empty[1024] = {0};
    assert_error(docker_archive_take_file(empty, sizeof empty, temp_path(state, "out"), &err), err, ERR_NOT_FOUND, "");
    memset(empty, 'x', sizeof empty);
    assert_int_equal(docker_archive_take_file(empty, sizeof empty, temp_path(state, "out"), &err), -1);
}

static void what_cannot_be_packed(void **state)
{
    AUTO_FREE char *directory = strdup(temp_path(state, "missing"));
    AUTO_FREE char *archive = strdup(temp_path(state, "missing.tar"));
    const struct docker_packing packing = {directory, NULL, archive};
    struct err err;
    assert_error(docker_archive_pack(&packing, &err), err, ERR_IO, "packing");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_working_directory, temp_dir_setup, temp_dir_teardown),
        cmocka_unit_test_setup_teardown(a_file_comes_out, temp_dir_setup, temp_dir_teardown),
        cmocka_unit_test_setup_teardown(nothing_comes_out_of_nothing, temp_dir_setup, temp_dir_teardown),
        cmocka_unit_test_setup_teardown(what_cannot_be_packed, temp_dir_setup, temp_dir_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
