#include "services/common/http/listen.h"

#include "services/common/base/cleanup.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static void chooses_a_free_port(void **state)
{
    UNUSED(state);
    struct err err = {0};
    AUTO_CLOSE int first = -1;
    AUTO_CLOSE int second = -1;
    uint16_t port = 0, other = 0;
    char *path = NULL;
    assert_ok(http_listen("127.0.0.1", 0, &first, &port, &path, &err), err);
    assert_int_not_equal(port, 0);
    assert_null(path);
    assert_error(http_listen("127.0.0.1", port, &second, &other, &path, &err), err, ERR_UNAVAILABLE, "listen on");
    assert_int_equal(second, -1);
}

static void refuses_what_is_no_address(void **state)
{
    UNUSED(state);
    static const char *const addresses[] = {"", "localhost", "127.0.0.1:80", "256.0.0.1", "unix:", "unix:relative"};
    for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
        struct err err = {0};
        int fd = -1;
        uint16_t port = 0;
        char *path = NULL;
        assert_error(http_listen(addresses[i], 0, &fd, &port, &path, &err), err, ERR_INVALID, "no");
        assert_int_equal(fd, -1);
    }
}

static void replaces_only_stale_sockets(void **state)
{
    UNUSED(state);
    AUTO_TEMP_DIR char *directory = temp_dir_new();
    char address[256];
    struct err err = {0};
    struct stat status;
    int fd = -1;
    AUTO_CLOSE int other = -1;
    uint16_t port = 1;
    AUTO_FREE char *path = NULL;
    AUTO_FREE char *again = NULL;
    snprintf(address, sizeof address, "unix:%s/s", directory);
    assert_ok(http_listen(address, 0, &fd, &port, &path, &err), err);
    assert_int_equal(port, 0);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    // Somebody listens there: it stays theirs.
    assert_error(http_listen(address, 0, &other, &port, &again, &err), err, ERR_UNAVAILABLE, "bind");
    close(fd);
    assert_ok(http_listen(address, 0, &other, &port, &again, &err), err);
}

// A file that is no socket is never removed.
static void leaves_other_files_alone(void **state)
{
    UNUSED(state);
    AUTO_TEMP_DIR char *directory = temp_dir_new();
    char address[256];
    struct err err = {0};
    int fd = -1;
    uint16_t port = 0;
    char *path = NULL;
    snprintf(address, sizeof address, "unix:%s/file", directory);
    FILE *file = fopen(address + 5, "w");
    assert_non_null(file);
    fclose(file);
    assert_error(http_listen(address, 0, &fd, &port, &path, &err), err, ERR_UNAVAILABLE, "bind");
    assert_int_equal(access(address + 5, F_OK), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chooses_a_free_port),
        cmocka_unit_test(refuses_what_is_no_address),
        cmocka_unit_test(replaces_only_stale_sockets),
        cmocka_unit_test(leaves_other_files_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
