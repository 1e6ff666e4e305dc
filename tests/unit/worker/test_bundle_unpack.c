#include "services/worker/bundle_unpack.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/fd.h"
#include "services/common/base/loop.h"
#include "services/worker/background.h"
#include "tests/support/bundle_make.h"
#include "tests/support/loop_test.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test.h"

#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct paths {
    char archive[512], target[512], size[512];
};

static struct paths paths_of(void **state)
{
    struct paths paths;
    struct err err;
    snprintf(paths.archive, sizeof paths.archive, "%s", temp_path(state, "bundle.tar.zst"));
    snprintf(paths.target, sizeof paths.target, "%s", temp_path(state, "files"));
    snprintf(paths.size, sizeof paths.size, "%s", temp_path(state, "size"));
    assert_ok(dir_make(paths.target, 0755, &err), err);
    return paths;
}

static int unpack_in_child(const void *argument, struct err *err)
{
    const struct paths *paths = argument;
    struct bundle_size size;
    if (bundle_unpack(paths->archive, paths->target, &size, err) < 0)
        return -1;
    return file_replace(paths->size, &size, sizeof size, 0600, err);
}

struct seen {
    bool ended, failed;
    struct err error;
};

static void on_done(void *context, const struct err *error)
{
    struct seen *seen = context;
    seen->ended = true;
    seen->failed = error != NULL;
    if (error)
        seen->error = *error;
}

static int unpack(const struct paths *paths, struct bundle_size *out, struct err *err)
{
    struct loop *loop;
    struct background *background;
    struct seen seen = {0};
    AUTO_FREE char *content = NULL;
    size_t length;
    assert_ok(loop_new(&loop, err), *err);
    assert_ok(background_start(loop, unpack_in_child, paths, on_done, &seen, &background, err), *err);
    assert_true(loop_until_set(loop, &seen.ended, 600000)); // under valgrind and beside others a minute is too short
    loop_free(loop);
    *err = seen.error;
    if (seen.failed)
        return -1;
    assert_ok(file_read(paths->size, sizeof *out, &content, &length, err), *err);
    memcpy(out, content, sizeof *out);
    return 0;
}

static void files_come_out_as_they_went_in(void **state)
{
    struct err err;
    struct stat status;
    struct bundle_size size;
    AUTO_FREE char *content = NULL;
    size_t length;
    struct paths paths = paths_of(state);
    struct bundle_maker *maker = bundle_maker_new(paths.archive);
    bundle_add_directory(maker, "./");
    bundle_add_file(maker, "./run.sh", 0755, "#!/bin/sh\n", 10);
    bundle_add_text(maker, "lib/deep/data.txt", "hello");
    bundle_add_file(maker, "secret", 0000, "x", 1);
    bundle_add_text(maker, "names/gr\xc3\xbc\xc3\x9f.txt", "hi");
    bundle_add_link(maker, "lib/back", "../run.sh");
    bundle_add_link(maker, "lib/self", ".");
    bundle_add_hard_link(maker, "again", "lib/deep/data.txt");
    bundle_maker_close(maker);
    assert_ok(unpack(&paths, &size, &err), err);
    assert_int_equal(size.entries, 8);
    assert_int_equal(size.bytes, 18);
    assert_int_equal(stat(temp_path(state, "files/run.sh"), &status), 0);
    assert_int_equal(status.st_mode & 07777, 0755);
    assert_int_equal(status.st_mtime, 1000000000);
    assert_int_equal(stat(temp_path(state, "files/secret"), &status), 0);
    assert_int_equal(status.st_mode & 0600, 0600);
    assert_int_equal(access(temp_path(state, "files/names/gr\xc3\xbc\xc3\x9f.txt"), F_OK), 0);
    assert_ok(file_read(temp_path(state, "files/again"), 64, &content, &length, &err), err);
    assert_string_equal(content, "hello");
    assert_int_equal(access(temp_path(state, "files/lib/back"), X_OK), 0);
}

enum kind { A_FILE, A_LINK, A_HARD_LINK, A_DEVICE, A_SETUID };

static void what_leaves_the_directory_is_refused(void **state)
{
    static const struct {
        enum kind kind;
        const char *name, *to, *text;
    } cases[] = {
        {A_FILE, "../out", NULL, "leaves the bundle"},
        {A_FILE, "a/../../out", NULL, "leaves the bundle"},
        {A_FILE, "a/../b", NULL, "leaves the bundle"},
        {A_FILE, "/etc/out", NULL, "leaves the bundle"},
        {A_FILE, "l/out", NULL, ""}, // through the symbolic link that comes first
        {A_LINK, "x", "/etc/passwd", "leaves the bundle"},
        {A_LINK, "x", "..", "leaves the bundle"},
        {A_LINK, "x", "../x", "leaves the bundle"},
        {A_LINK, "a/b/x", "../../../out", "leaves the bundle"},
        {A_LINK, "x", "d/l/..", "behind a name"},
        {A_HARD_LINK, "x", "/etc/passwd", "hard link"},
        {A_HARD_LINK, "x", "../bundle.tar.zst", "hard link"},
        {A_HARD_LINK, "x", "d/up", "hard link"},
        {A_HARD_LINK, "x", "nothing", "hard link"},
        {A_DEVICE, "null", NULL, "no file"},
        {A_SETUID, "su", NULL, "set-user-id"},
        {A_FILE,
         "1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/"
         "1/1/1/"
         "1/1/1/1/1/1/1/1",
         NULL, "too deep"},
    };
    struct paths paths = paths_of(state);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err err;
        struct bundle_size size;
        assert_ok(tree_remove(paths.target, &err), err);
        assert_ok(dir_make(paths.target, 0755, &err), err);
        struct bundle_maker *maker = bundle_maker_new(paths.archive);
        bundle_add_directory(maker, "d");
        bundle_add_link(maker, "l", "d");
        bundle_add_link(maker, "d/up", "..");
        if (cases[i].kind == A_FILE)
            bundle_add_text(maker, cases[i].name, "x");
        else if (cases[i].kind == A_LINK)
            bundle_add_link(maker, cases[i].name, cases[i].to);
        else if (cases[i].kind == A_HARD_LINK)
            bundle_add_hard_link(maker, cases[i].name, cases[i].to);
        else if (cases[i].kind == A_DEVICE)
            bundle_add_device(maker, cases[i].name);
        else
            bundle_add_file(maker, cases[i].name, 04755, "x", 1);
        bundle_maker_close(maker);
        if (unpack(&paths, &size, &err) == 0 || !strstr(err.text, cases[i].text))
            fail_msg("%s -> %s: %s", cases[i].name, cases[i].to ? cases[i].to : "", err.text);
        assert_int_not_equal(access(temp_path(state, "out"), F_OK), 0);
        assert_int_not_equal(access("/etc/out", F_OK), 0);
    }
}

static void too_much_is_refused(void **state)
{
    struct err err;
    struct bundle_size size;
    struct paths paths = paths_of(state);
    struct bundle_maker *maker = bundle_maker_new(paths.archive);
    bundle_add_text(maker, "small", "x");
    bundle_add_zeros(maker, "bomb", BUNDLE_BYTES_MAX);
    bundle_maker_close(maker);
    assert_error(unpack(&paths, &size, &err), err, ERR_TOO_LARGE, "bytes unpacked");
    maker = bundle_maker_new(paths.archive);
    for (int i = 0; i <= BUNDLE_ENTRIES_MAX; i++) {
        char name[32];
        snprintf(name, sizeof name, "%d", i);
        bundle_add_text(maker, name, "");
    }
    bundle_maker_close(maker);
    assert_error(unpack(&paths, &size, &err), err, ERR_TOO_LARGE, "entries");
}

static void what_is_no_archive_is_refused(void **state)
{
    struct err err;
    struct bundle_size size;
    struct paths paths = paths_of(state);
    assert_ok(file_replace(paths.archive, "this is no archive", 18, 0600, &err), err);
    assert_error(unpack(&paths, &size, &err), err, ERR_INVALID, "bundle");
    assert_int_equal(unlink(paths.archive), 0);
    assert_error(unpack(&paths, &size, &err), err, ERR_INVALID, "bundle");
}

int main(void)
{
    setlocale(LC_CTYPE, "C.UTF-8"); // for the names that the maker of bundles is given
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(files_come_out_as_they_went_in, temp_dir_setup, temp_dir_teardown),
        cmocka_unit_test_setup_teardown(what_leaves_the_directory_is_refused, temp_dir_setup, temp_dir_teardown),
        cmocka_unit_test_setup_teardown(too_much_is_refused, temp_dir_setup, temp_dir_teardown),
        cmocka_unit_test_setup_teardown(what_is_no_archive_is_refused, temp_dir_setup, temp_dir_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
