#include "services/worker/docker_address.h"

#include "tests/support/test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

static void sockets(void **state)
{
    struct docker_address address;
    struct err err;
    UNUSED(state);
    assert_ok(docker_address_read("unix:/run/d.sock", &address, &err), err);
    assert_string_equal(address.url, "unix:/run/d.sock");
    assert_string_equal(((struct sockaddr_un *)(void *)&address.socket)->sun_path, "/run/d.sock");
    assert_ok(docker_address_read("unix:///run/d.sock", &address, &err), err);
    assert_string_equal(address.url, "unix:/run/d.sock");
}

static void hosts(void **state)
{
    struct docker_address address;
    struct err err;
    UNUSED(state);
    assert_ok(docker_address_read("http://127.0.0.1:2375/", &address, &err), err);
    assert_string_equal(address.url, "http://127.0.0.1:2375");
    assert_int_equal(ntohs(((struct sockaddr_in *)(void *)&address.socket)->sin_port), 2375);
    assert_ok(docker_address_read("http://[::1]:80", &address, &err), err);
    assert_int_equal(address.socket.ss_family, AF_INET6);
}

static void what_cannot_be(void **state)
{
    struct docker_address address;
    struct err err;
    char path[200];
    UNUSED(state);
    assert_error(docker_address_read("/run/d.sock", &address, &err), err, ERR_INVALID, "neither unix: nor http://");
    assert_error(docker_address_read("unix:d.sock", &address, &err), err, ERR_INVALID, "absolute path");
    assert_error(docker_address_read("http://127.0.0.1", &address, &err), err, ERR_INVALID, "http://HOST:PORT");
    assert_error(docker_address_read("http://:x", &address, &err), err, ERR_INVALID, "engine");
    memset(path, 'x', sizeof path);
    memcpy(path, "unix:/", 6);
    path[sizeof path - 1] = '\0';
    assert_error(docker_address_read(path, &address, &err), err, ERR_INVALID, "107 bytes");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sockets),
        cmocka_unit_test(hosts),
        cmocka_unit_test(what_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
