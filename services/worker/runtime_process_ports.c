// Ports of services. One that was chosen and that nobody listens on yet looks free to every worker of the machine, so a
// worker claims it as long as its instance is there: with a Unix socket whose name is the port's. Such names belong to
// the same network namespace as the ports do, and go with the process that has them.
#include "services/worker/runtime_process_internal.h"

#include "services/common/base/cleanup.h"

#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

struct process_claim {
    struct process_claim *next;
    int port, fd;
};

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

static void unclaim(struct process_claim **at)
{
    struct process_claim *claim = *at;
    *at = claim->next;
    close(claim->fd);
    free(claim);
}

void process_ports_settle(struct process_runtime *runtime)
{
    for (struct process_claim **at = &runtime->claims; *at;) {
        if (given_out(runtime, (*at)->port))
            at = &(*at)->next;
        else
            unclaim(at);
    }
}

// False when a worker has it, this one or another.
static bool claim(struct process_runtime *runtime, int port)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int length = snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1, "curfew-port-%d", port);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
    AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&name, size) < 0)
        return false;
    struct process_claim *added = malloc(sizeof(*added));
    if (!added)
        return false;
    *added = (struct process_claim){.next = runtime->claims, .port = port, .fd = TAKE_FD(fd)};
    runtime->claims = added;
    return true;
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
        if (given_out(runtime, port) || !claim(runtime, port))
            continue;
        if (is_free(port))
            return port;
        unclaim(&runtime->claims);
    }
    return -1;
}

int process_runtime_choose_ports(struct runtime *base, bool container, struct runtime_port *ports, size_t count,
                                 struct err *err)
{
    struct process_runtime *runtime = process_runtime_of(base);
    if (container)
        return err_set(err, ERR_UNSUPPORTED, "this worker has no container engine");
    process_ports_settle(runtime); // the start that a choice was for has come, or has failed
    for (size_t i = 0; i < count; i++) {
        ports[i].number = choose(runtime);
        if (ports[i].number < 0)
            return err_set(err, ERR_LIMIT, "no free port between %d and %d", runtime->port_first, runtime->port_last);
    }
    return 0;
}
