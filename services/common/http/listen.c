#include "services/common/http/listen.h"

#include "services/common/base/cleanup.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 4096

static int set_option(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof value);
}

// Connections inherit these: peers that vanished without a word are noticed within about a minute.
static void set_keepalive(int fd)
{
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, 20);
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, 10);
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
    set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 60000);
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

union any_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static int parse_address(const char *text, uint16_t port, union any_address *out, socklen_t *length, struct err *err)
{
    *out = (union any_address){0};
    if (inet_pton(AF_INET, text, &out->v4.sin_addr) == 1) {
        out->v4.sin_family = AF_INET;
        out->v4.sin_port = htons(port);
        *length = sizeof out->v4;
        return 0;
    }
    if (inet_pton(AF_INET6, text, &out->v6.sin6_addr) == 1) {
        out->v6.sin6_family = AF_INET6;
        out->v6.sin6_port = htons(port);
        *length = sizeof out->v6;
        return 0;
    }
    return err_set(err, ERR_INVALID, "'%s' is no numeric IP address and no unix:/path", text);
}

static int listen_tcp(const char *address, uint16_t port, int *out, uint16_t *real_port, struct err *err)
{
    union any_address bound;
    socklen_t length = 0;
    if (parse_address(address, port, &bound, &length, err) < 0)
        return -1;
    AUTO_CLOSE int fd = socket(bound.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_errno(err, ERR_UNAVAILABLE, errno, "socket for %s", address);
    set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    set_keepalive(fd);
    if (bind(fd, &bound.any, length) < 0 || listen(fd, BACKLOG) < 0 || getsockname(fd, &bound.any, &length) < 0)
        return err_errno(err, ERR_UNAVAILABLE, errno, "listen on %s port %u", address, port);
    *real_port = ntohs(bound.any.sa_family == AF_INET ? bound.v4.sin_port : bound.v6.sin6_port);
    *out = TAKE_FD(fd);
    return 0;
}

// Removes a socket that is left from a process that ended: one that refuses connections.
static void remove_stale(const struct sockaddr_un *address)
{
    struct stat status;
    if (stat(address->sun_path, &status) < 0 || !S_ISSOCK(status.st_mode))
        return;
    AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const void *)address, sizeof *address) < 0 && errno == ECONNREFUSED)
        unlink(address->sun_path);
}

static int listen_unix(const char *path, int *out, char **socket_path, struct err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (path[0] != '/' || strlen(path) >= sizeof address.sun_path)
        return err_set(err, ERR_INVALID, "'unix:%s' is not an absolute path of less than %zu bytes", path,
                       sizeof address.sun_path);
    memcpy(address.sun_path, path, strlen(path) + 1);
    remove_stale(&address);
    AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    AUTO_FREE char *copy = strdup(path);
    if (fd < 0 || !copy)
        return err_errno(err, ERR_UNAVAILABLE, errno, "socket for %s", path);
    // The mode is set before anybody can connect: connections need listen().
    if (bind(fd, (const void *)&address, sizeof address) < 0)
        return err_errno(err, ERR_UNAVAILABLE, errno, "bind to %s", path);
    if (chmod(path, 0600) < 0 || listen(fd, BACKLOG) < 0) {
        int error = errno;
        unlink(path);
        return err_errno(err, ERR_UNAVAILABLE, error, "listen on %s", path);
    }
    *socket_path = TAKE_PTR(copy);
    *out = TAKE_FD(fd);
    return 0;
}

int http_listen(const char *address, uint16_t port, int *fd, uint16_t *real_port, char **socket_path, struct err *err)
{
    *real_port = 0;
    *socket_path = NULL;
    if (strncmp(address, "unix:", 5) == 0)
        return listen_unix(address + 5, fd, socket_path, err);
    return listen_tcp(address, port, fd, real_port, err);
}
