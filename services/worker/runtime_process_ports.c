#include "services/worker/runtime_process_internal.h"

#include "services/common/base/cleanup.h"

#include <netinet/in.h>
#include <sys/socket.h>

static bool given_out(const struct process_runtime *runtime, int port)
{
    for (const struct process_instance *at = runtime->instances; at; at = at->next) {
        for (size_t i = 0; i < at->port_count; i++) {
            if (at->ports[i] == port)
                return true;
        }
    }
    return false;
}

static bool can_bind(int family, const void *address, socklen_t size)
{
    AUTO_CLOSE int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd >= 0 && bind(fd, address, size) == 0;
}

// Free on every address of both families (a machine without IPv6 counts as free there).
static bool is_free(int port)
{
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port), .sin6_addr = in6addr_any};
    AUTO_CLOSE int probe = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return can_bind(AF_INET, &four, sizeof(four)) && (probe < 0 || can_bind(AF_INET6, &six, sizeof(six)));
}

// Goes round the range, so that a number just given out is the last to come again.
static int choose(struct process_runtime *runtime)
{
    int size = runtime->port_last - runtime->port_first + 1;
    for (int tries = 0; tries < size; tries++) {
        int port = runtime->port_next;
        runtime->port_next = port == runtime->port_last ? runtime->port_first : port + 1;
        if (!given_out(runtime, port) && is_free(port))
            return port;
    }
    return -1;
}

int process_runtime_choose_ports(struct runtime *base, bool container, struct runtime_port *ports, size_t count,
                                 struct err *err)
{
    struct process_runtime *runtime = process_runtime_of(base);
    if (container)
        return err_set(err, ERR_UNSUPPORTED, "this worker has no container engine");
    for (size_t i = 0; i < count; i++) {
        ports[i].number = choose(runtime);
        if (ports[i].number < 0)
            return err_set(err, ERR_LIMIT, "no free port between %d and %d", runtime->port_first, runtime->port_last);
    }
    return 0;
}
