// Job files: what is read, when the directory goes along, and what the bundle holds.
#include "tests/support/test.h"

#include "services/cli/job_file.h"
#include "services/common/base/cleanup.h"
#include "services/common/base/fd.h"
#include "tests/support/temp_dir.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void write_file(void **state, const char *name, const char *content, mode_t mode)
{
    struct err err;
    const char *path = temp_path(state, name);
    assert_ok(file_replace(path, content, strlen(content), mode, &err), err);
}

static void make_directory(void **state, const char *name)
{
    struct err err;
    assert_ok(dir_make(temp_path(state, name), 0755, &err), err);
}

// ---- reading

static void test_yaml_becomes_json(void **state)
{
    AUTO_JOB_FILE struct job_file file = {0};
    struct err err;
    write_file(state, "job.yaml", "name: x\ncommand: [\"true\"]\n", 0644);
    assert_ok(job_file_read(temp_path(state, "job.yaml"), &file, &err), err);
    assert_string_equal(strbuf_text(&file.json), "{\"name\":\"x\",\"command\":[\"true\"]}");
    assert_string_equal(file.directory, *(char **)state);
    assert_false(file.needs_bundle);
}

static void test_directory_goes_along(void **state)
{
    static const struct {
        const char *job;
        bool needs;
    } cases[] = {
        {"name: x\ncommand: [./run.sh]\n", true},
        {"name: x\ncommand: [python3, run.sh]\n", true},
        {"name: x\ncommand: [run]\n", false},
        {"name: x\ncommand: [/bin/sh, -c, run.sh x]\n", false},
        {"name: x\ncommand: [sub]\n", false}, // a directory
        {"name: x\ncommand: [./run.sh]\nbundle: "
         "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n",
         false}, // it has one already
        {"name: x\nservices: [{name: s, command: [./run.sh]}]\nstages: [{name: a, command: [ls]}]\n", true},
        {"name: x\nservices: [{name: s, command: [ls], ready: {exec: [./run.sh]}}]\nstages: [{name: a, command: "
         "[ls]}]\n",
         true},
    };
    write_file(state, "run.sh", "#!/bin/sh\n", 0755);
    make_directory(state, "sub");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_JOB_FILE struct job_file file = {0};
        struct err err;
        write_file(state, "job.yaml", cases[i].job, 0644);
        assert_ok(job_file_read(temp_path(state, "job.yaml"), &file, &err), err);
        assert_int_equal(file.needs_bundle, cases[i].needs);
    }
}

static void test_wrong(void **state)
{
    AUTO_JOB_FILE struct job_file file = {0};
    struct err err;
    write_file(state, "wrong.yaml", "name: x\nstages:\n  - name: a\n    comand: [ls]\n", 0644);
    assert_error(job_file_read(temp_path(state, "wrong.yaml"), &file, &err), err, ERR_INVALID, "wrong in 2 places");
    write_file(state, "broken.json", "{\"name\": \"x\",\n \"name\": 1}", 0644);
    assert_error(job_file_read(temp_path(state, "broken.json"), &file, &err), err, ERR_INVALID, "cannot be read");
    assert_int_equal(job_file_read(temp_path(state, "none.yaml"), &file, &err), -1);
}

// ---- packing

static int pack(const char *directory, char hash[static SHA256_HEX_SIZE])
{
    struct err err;
    int fd = -1;
    int64_t length = 0;
    struct stat status;
    assert_ok(job_file_pack(directory, &fd, &length, hash, &err), err);
    assert_int_equal(fstat(fd, &status), 0);
    assert_int_equal(status.st_size, length);
    assert_int_equal(lseek(fd, 0, SEEK_CUR), 0);
    return fd;
}

// "name mode content;..." of all entries.
static void list(int fd, struct strbuf *out)
{
    struct archive *archive = archive_read_new();
    struct archive_entry *entry;
    archive_read_support_filter_zstd(archive);
    archive_read_support_format_tar(archive);
    assert_int_equal(archive_read_open_fd(archive, fd, 4096), ARCHIVE_OK);
    while (archive_read_next_header(archive, &entry) == ARCHIVE_OK) {
        char content[64] = "";
        assert_true(archive_read_data(archive, content, sizeof content - 1) >= 0);
        strbuf_add_format(out, "%s %o %s;", archive_entry_pathname(entry), archive_entry_perm(entry), content);
        assert_int_equal(archive_entry_mtime(entry), 0);
        assert_int_equal(archive_entry_uid(entry), 0);
    }
    archive_read_free(archive);
}

static void fill(void **state)
{
    write_file(state, "b.txt", "bee", 0600);
    write_file(state, "a.sh", "a", 0711);
    make_directory(state, "sub");
    write_file(state, "sub/c", "sea", 0644);
    write_file(state, ".hidden", "no", 0644);
    make_directory(state, ".git");
    write_file(state, ".git/config", "no", 0644);
    make_directory(state, "empty");
    char link[4096];
    snprintf(link, sizeof link, "%s", temp_path(state, "link"));
    assert_int_equal(symlink("/etc/passwd", link), 0);
    assert_int_equal(mkfifo(temp_path(state, "fifo"), 0600), 0);
}

static void test_what_is_packed(void **state)
{
    char hash[SHA256_HEX_SIZE];
    AUTO_STRBUF struct strbuf names = STRBUF_INIT;
    fill(state);
    AUTO_CLOSE int fd = pack(*state, hash);
    list(fd, &names);
    assert_string_equal(strbuf_text(&names), "a.sh 755 a;b.txt 644 bee;sub/c 644 sea;");
}

static void test_same_files_same_hash(void **state)
{
    char first[SHA256_HEX_SIZE], second[SHA256_HEX_SIZE], third[SHA256_HEX_SIZE];
    fill(state);
    close(pack(*state, first));
    const struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 2000}};
    assert_int_equal(utimensat(AT_FDCWD, temp_path(state, "b.txt"), times, 0), 0);
    assert_int_equal(chmod(temp_path(state, "b.txt"), 0664), 0);
    write_file(state, ".another", "hidden", 0644);
    close(pack(*state, second));
    assert_string_equal(first, second);
    write_file(state, "b.txt", "bees", 0644);
    close(pack(*state, third));
    assert_string_not_equal(first, third);
}

// Other than ASCII, and longer than the oldest tar takes.
static void test_names(void **state)
{
    char hash[SHA256_HEX_SIZE], name[256], expected[300];
    AUTO_STRBUF struct strbuf names = STRBUF_INIT;
    memset(name, 'n', 180);
    snprintf(name + 180, sizeof name - 180, "-Straße");
    write_file(state, name, "x", 0644);
    AUTO_CLOSE int fd = pack(*state, hash);
    list(fd, &names);
    snprintf(expected, sizeof expected, "%s 644 x;", name);
    assert_string_equal(strbuf_text(&names), expected);
}

static void test_empty_directory(void **state)
{
    char hash[SHA256_HEX_SIZE];
    AUTO_STRBUF struct strbuf names = STRBUF_INIT;
    AUTO_CLOSE int fd = pack(*state, hash);
    list(fd, &names);
    assert_string_equal(strbuf_text(&names), "");
}

static void test_limits(void **state)
{
    char hash[SHA256_HEX_SIZE], path[4096];
    int fd = -1;
    int64_t length;
    struct err err;
    snprintf(path, sizeof path, "%s", temp_path(state, "huge"));
    AUTO_CLOSE int huge = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    assert_int_equal(ftruncate(huge, (512LL << 20) + 1), 0); // takes no room
    assert_error(job_file_pack(*state, &fd, &length, hash, &err), err, ERR_TOO_LARGE, "512 MiB");
    assert_int_equal(fd, -1);
    assert_int_equal(unlink(path), 0);
    for (int i = 0; i <= 20000; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d", i);
        AUTO_CLOSE int file = open(temp_path(state, name), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
        assert_true(file >= 0);
    }
    assert_error(job_file_pack(*state, &fd, &length, hash, &err), err, ERR_TOO_LARGE, "more than 20000 files");
    assert_error(job_file_pack("/dev/null/x", &fd, &length, hash, &err), err, ERR_IO, "bundle");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, temp_dir_setup, temp_dir_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_yaml_becomes_json),
        TEST(test_directory_goes_along),
        TEST(test_wrong),
        TEST(test_what_is_packed),
        TEST(test_same_files_same_hash),
        TEST(test_names),
        TEST(test_empty_directory),
        TEST(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
