// Descriptors and small files.
#include "tests/support/test.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/fd.h"
#include "tests/support/temp_dir.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BIG (1 << 20)

static void make_pipe(int *reading, int *writing)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    *reading = ends[0];
    *writing = ends[1];
}

static void sets_nonblocking(void **state)
{
    UNUSED(state);
    struct err err = {0};
    AUTO_CLOSE int reading = -1;
    AUTO_CLOSE int writing = -1;
    make_pipe(&reading, &writing);
    assert_ok(fd_set_nonblocking(reading, &err), err);
    assert_true(fcntl(reading, F_GETFL) & O_NONBLOCK);
    assert_false(fcntl(writing, F_GETFL) & O_NONBLOCK);
    assert_error(fd_set_nonblocking(-1, &err), err, ERR_IO, "Bad file descriptor");
}

static void on_signal(int number)
{
    UNUSED(number);
}

struct writer {
    int fd;
    const char *bytes;
    int outcome;
};

static void *write_big(void *argument)
{
    struct writer *writer = argument;
    struct err err = {0};
    writer->outcome = fd_write_all(writer->fd, writer->bytes, BIG, &err);
    close(writer->fd);
    return NULL;
}

// A megabyte through a pipe that holds 64 KiB, while signals interrupt the writer.
static void writes_and_reads_everything(void **state)
{
    UNUSED(state);
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGUSR1, &action, NULL);
    AUTO_FREE char *bytes = malloc(BIG);
    AUTO_FREE char *back = NULL;
    assert_non_null(bytes);
    for (size_t i = 0; i < BIG; i++)
        bytes[i] = (char)(i * 31 % 251);
    AUTO_CLOSE int reading = -1;
    struct writer writer = {.bytes = bytes};
    make_pipe(&reading, &writer.fd);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, write_big, &writer), 0);
    for (int i = 0; i < 50; i++)
        pthread_kill(thread, SIGUSR1);
    struct err err = {0};
    size_t length = 0;
    assert_ok(fd_read_all(reading, BIG, &back, &length, &err), err);
    pthread_join(thread, NULL);
    assert_int_equal(writer.outcome, 0);
    assert_int_equal(length, BIG);
    assert_memory_equal(back, bytes, BIG);
    assert_int_equal(back[length], '\0');
}

static void write_to_a_closed_pipe_fails(void **state)
{
    UNUSED(state);
    signal(SIGPIPE, SIG_IGN);
    struct err err = {0};
    AUTO_CLOSE int reading = -1;
    AUTO_CLOSE int writing = -1;
    make_pipe(&reading, &writing);
    cleanup_close(&reading);
    reading = -1;
    assert_error(fd_write_all(writing, "x", 1, &err), err, ERR_IO, "Broken pipe");
}

static void write_file(void **state, const char *name, const char *text)
{
    AUTO_FILE FILE *file = fopen(temp_path(state, name), "we");
    assert_non_null(file);
    assert_int_equal(fputs(text, file) < 0, 0);
}

static void reads_files_up_to_the_limit(void **state)
{
    struct err err = {0};
    AUTO_FREE char *text = NULL;
    AUTO_FREE char *more = NULL;
    size_t length = 0;
    write_file(state, "ten", "0123456789");
    assert_ok(file_read(temp_path(state, "ten"), 10, &text, &length, &err), err);
    assert_int_equal(length, 10);
    assert_string_equal(text, "0123456789");
    assert_error(file_read(temp_path(state, "ten"), 9, &more, &length, &err), err, ERR_TOO_LARGE, "larger than 9");
    assert_null(more);
}

static void reads_an_empty_file_and_one_of_unknown_size(void **state)
{
    struct err err = {0};
    AUTO_FREE char *empty = NULL;
    AUTO_FREE char *status = NULL;
    size_t length = 7;
    write_file(state, "empty", "");
    assert_ok(file_read(temp_path(state, "empty"), 0, &empty, &length, &err), err);
    assert_int_equal(length, 0);
    assert_string_equal(empty, "");
    assert_ok(file_read("/proc/self/status", 1 << 20, &status, &length, &err), err);
    assert_true(length > 100);
    assert_int_equal(strlen(status), length);
}

static void endless_input_is_refused(void **state)
{
    UNUSED(state);
    struct err err = {0};
    char *text = NULL;
    size_t length = 0;
    assert_error(file_read("/dev/zero", 100000, &text, &length, &err), err, ERR_TOO_LARGE, "/dev/zero");
    assert_null(text);
}

static void missing_file_is_not_found(void **state)
{
    struct err err = {0};
    char *text = NULL;
    size_t length = 0;
    assert_error(file_read(temp_path(state, "none"), 10, &text, &length, &err), err, ERR_NOT_FOUND, "none");
    assert_error(file_read(*state, 10, &text, &length, &err), err, ERR_IO, "Is a directory");
}

static int count_entries(const char *path)
{
    DIR *dir = opendir(path);
    assert_non_null(dir);
    int count = 0;
    for (const struct dirent *entry = readdir(dir); entry; entry = readdir(dir))
        count++;
    closedir(dir);
    return count - 2;
}

static void replaces_files(void **state)
{
    struct err err = {0};
    struct stat status;
    AUTO_FREE char *text = NULL;
    size_t length = 0;
    assert_ok(file_replace(temp_path(state, "file"), "old", 3, 0600, &err), err);
    assert_ok(file_replace(temp_path(state, "file"), "new!", 4, 0640, &err), err);
    assert_ok(file_read(temp_path(state, "file"), 100, &text, &length, &err), err);
    assert_string_equal(text, "new!");
    assert_int_equal(stat(temp_path(state, "file"), &status), 0);
    assert_int_equal(status.st_mode & 0777, 0640);
    assert_int_equal(count_entries(*state), 1);
}

static void replace_beside_the_working_directory(void **state)
{
    struct err err = {0};
    char before[4096];
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(*state), 0);
    int outcome = file_replace("plain", "x", 1, 0600, &err);
    assert_int_equal(chdir(before), 0);
    assert_ok(outcome, err);
    assert_int_equal(access(temp_path(state, "plain"), R_OK), 0);
}

static void failed_replace_leaves_nothing(void **state)
{
    struct err err = {0};
    assert_error(file_replace(temp_path(state, "no/file"), "x", 1, 0600, &err), err, ERR_IO, "No such file");
    assert_int_equal(mkdir(temp_path(state, "taken"), 0700), 0);
    assert_error(file_replace(temp_path(state, "taken"), "x", 1, 0600, &err), err, ERR_IO, "rename");
    assert_int_equal(count_entries(*state), 1);
    char path[5000];
    memset(path, 'p', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    assert_error(file_replace(path, "x", 1, 0600, &err), err, ERR_INVALID, "path is longer");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sets_nonblocking),
        cmocka_unit_test(writes_and_reads_everything),
        cmocka_unit_test(write_to_a_closed_pipe_fails),
        cmocka_unit_test_setup_teardown(reads_files_up_to_the_limit, temp_dir_setup, temp_dir_teardown),
        cmocka_unit_test_setup_teardown(reads_an_empty_file_and_one_of_unknown_size, temp_dir_setup, temp_dir_teardown),
        cmocka_unit_test(endless_input_is_refused),
        cmocka_unit_test_setup_teardown(missing_file_is_not_found, temp_dir_setup, temp_dir_teardown),
        cmocka_unit_test_setup_teardown(replaces_files, temp_dir_setup, temp_dir_teardown),
        cmocka_unit_test_setup_teardown(replace_beside_the_working_directory, temp_dir_setup, temp_dir_teardown),
        cmocka_unit_test_setup_teardown(failed_replace_leaves_nothing, temp_dir_setup, temp_dir_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
