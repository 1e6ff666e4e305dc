#include "tests/bench/scenarios/load.h"

#include "services/common/base/clock.h"
#include "services/common/base/macros.h"
#include "tests/support/die.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define REQUEST_MAX (LOAD_BODY_MAX + 1024)
#define EVENTS 256

struct load {
    int epoll_fd;
    int count;
    struct load_connection *connections;
    load_next_fn next;
    load_answer_fn answer;
    void *context;
    bool stopped;
    load_due_fn due; // of the open loop
    int64_t due_us, interval_us;
};

static int connect_to(int port)
{
    const int on = 1;
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof address) < 0)
        die("load: connect: %s", strerror(errno));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static void open_connection(struct load *load, int index, int port)
{
    struct load_connection *connection = &load->connections[index];
    *connection = (struct load_connection){.load = load, .index = index, .fd = connect_to(port)};
    connection->request = malloc(REQUEST_MAX);
    connection->reply = malloc(REQUEST_MAX);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    if (!connection->request || !connection->reply ||
        epoll_ctl(load->epoll_fd, EPOLL_CTL_ADD, connection->fd, &event) < 0)
        die("load: connection %d", index);
}

struct load *load_new(const int *ports, int port_count, int connections, load_next_fn next, load_answer_fn answer,
                      void *context)
{
    struct load *load = calloc(1, sizeof *load);
    if (!load)
        die("load: no memory");
    *load = (struct load){.epoll_fd = epoll_create1(EPOLL_CLOEXEC),
                          .count = connections,
                          .next = next,
                          .answer = answer,
                          .context = context};
    load->connections = calloc((size_t)connections, sizeof *load->connections);
    if (!load->connections || load->epoll_fd < 0)
        die("load: no memory");
    for (int i = 0; i < connections; i++)
        open_connection(load, i, ports[i % port_count]);
    return load;
}

void load_free(struct load *load)
{
    for (int i = 0; i < load->count; i++) {
        close(load->connections[i].fd);
        free(load->connections[i].request);
        free(load->connections[i].reply);
    }
    close(load->epoll_fd);
    free(load->connections);
    free(load);
}

void *load_context(struct load *load)
{
    return load->context;
}

struct load_connection *load_connection_at(struct load *load, int index)
{
    return &load->connections[index];
}

void load_stop(struct load *load)
{
    load->stopped = true;
}

void load_wake(struct load_connection *connection)
{
    connection->load->next(connection);
}

// The sockets block; requests are small, so a send takes everything at once or the manager is not reading at all.
void load_send(struct load_connection *connection, const char *method, const char *path, const char *body,
               size_t length)
{
    int head =
        snprintf(connection->request, REQUEST_MAX,
                 "%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
                 method, path, length);
    memcpy(connection->request + head, body, length);
    connection->request_length = (size_t)head + length;
    connection->began_us = clock_boot_us();
    for (connection->sent = 0; connection->sent < connection->request_length;) {
        ssize_t sent = send(connection->fd, connection->request + connection->sent,
                            connection->request_length - connection->sent, MSG_NOSIGNAL);
        if (sent < 0 && errno != EINTR)
            die("load: send: %s", strerror(errno));
        connection->sent += sent > 0 ? (size_t)sent : 0;
    }
}

static void read_head(struct load_connection *connection)
{
    char *end = memmem(connection->reply, connection->received, "\r\n\r\n", 4);
    if (!end)
        return;
    *end = '\0';
    const char *length = strcasestr(connection->reply, "\r\ncontent-length:");
    connection->head_length = (size_t)(end - connection->reply) + 4;
    connection->body_length = length ? strtoul(length + strlen("\r\ncontent-length:"), NULL, 10) : 0;
    if (connection->head_length + connection->body_length >= REQUEST_MAX)
        die("load: an answer of %zu bytes", connection->body_length);
}

static void receive(struct load_connection *connection)
{
    ssize_t got = recv(connection->fd, connection->reply + connection->received, REQUEST_MAX - 1 - connection->received,
                       MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0)
        die("load: the manager closed connection %d", connection->index);
    connection->received += (size_t)got;
    if (connection->head_length == 0)
        read_head(connection);
    if (connection->head_length == 0 || connection->received < connection->head_length + connection->body_length)
        return;
    int status = atoi(connection->reply + strlen("HTTP/1.1 "));
    char *body = connection->reply + connection->head_length;
    body[connection->body_length] = '\0';
    connection->load->answer(connection, status, body, connection->body_length);
    connection->received = connection->head_length = connection->body_length = 0;
    if (!connection->load->stopped)
        connection->load->next(connection);
}

void load_every(struct load *load, int64_t interval_us, load_due_fn due)
{
    load->due = due;
    load->interval_us = interval_us;
    load->due_us = clock_boot_us() + interval_us;
}

static void call_due(struct load *load)
{
    while (load->interval_us > 0 && load->due_us <= clock_boot_us()) {
        int64_t due_us = load->due_us;
        load->due_us += load->interval_us;
        load->due(load, due_us);
    }
}

static int wait_events(struct load *load, int64_t until_us, struct epoll_event *events)
{
    if (load->interval_us > 0)
        until_us = MIN(until_us, load->due_us);
    int64_t left_us = MAX(until_us - clock_boot_us(), 0);
    const struct timespec timeout = {.tv_sec = left_us / 1000000, .tv_nsec = left_us % 1000000 * 1000};
    int count = epoll_pwait2(load->epoll_fd, events, EVENTS, &timeout, NULL);
    if (count < 0 && errno != EINTR)
        die("load: epoll: %s", strerror(errno));
    return count;
}

void load_run(struct load *load, int64_t ms)
{
    int64_t until_us = clock_boot_us() + ms * 1000;
    struct epoll_event events[EVENTS];
    load->stopped = false;
    while (!load->stopped && clock_boot_us() < until_us) {
        int count = wait_events(load, until_us, events);
        for (int i = 0; i < count && !load->stopped; i++)
            receive(events[i].data.ptr);
        call_due(load);
    }
}
