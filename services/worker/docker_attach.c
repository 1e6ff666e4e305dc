#include "services/worker/docker_attach.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/clock.h"
#include "services/common/base/loop.h"
#include "services/common/base/strbuf.h"
#include "services/common/engine/reply.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define HEAD_BYTES_MAX 16384
#define AGAIN_MS 100 // after memory has run out
#define BUFFER_BYTES ((size_t)64 << 10)

enum attach_state { ATTACH_CONNECTING, ATTACH_ASKING, ATTACH_LISTENING, ATTACH_OPEN, ATTACH_OVER };

struct docker_attach {
    struct loop *loop;
    struct docker_attach_events events;
    void *context;
    enum attach_state state;
    int fd;
    struct loop_watch *watch;
    struct loop_timer *later; // what is in the buffer is delivered when the one who paused it has returned
    struct strbuf request, head;
    struct engine_frames frames;
    char *buffer;
    size_t buffered, delivered;
    bool paused, wants_to_write, stdin_closed;
    bool busy, freed; // inside a callback; and freed by it
};

static void release(struct docker_attach *attach)
{
    loop_watch_remove(attach->watch);
    loop_timer_remove(attach->later);
    if (attach->fd >= 0)
        close(attach->fd);
    strbuf_release(&attach->request);
    strbuf_release(&attach->head);
    free(attach->buffer);
    free(attach);
}

void docker_attach_free(struct docker_attach *attach)
{
    if (!attach)
        return;
    attach->freed = true;
    if (!attach->busy)
        release(attach);
}

static bool is_read_up(const struct docker_attach *attach)
{
    return attach->delivered == attach->buffered;
}

static uint32_t wanted_events(const struct docker_attach *attach)
{
    switch (attach->state) {
    case ATTACH_CONNECTING:
    case ATTACH_ASKING:
        return EPOLLOUT;
    case ATTACH_LISTENING:
        return EPOLLIN;
    case ATTACH_OPEN:
        return (attach->paused || !is_read_up(attach) ? 0u : EPOLLIN) | (attach->wants_to_write ? EPOLLOUT : 0u);
    case ATTACH_OVER:
        return 0;
    }
    return 0;
}

static void on_event(void *context, int fd, uint32_t events);

// The watch goes when nothing is wanted: a hangup is told whether it is asked for or not, again and again.
static void look_for(struct docker_attach *attach)
{
    uint32_t events = wanted_events(attach);
    if (!events)
        loop_watch_remove(TAKE_PTR(attach->watch));
    else if (attach->watch && loop_watch_change(attach->watch, events, NULL) == 0)
        return;
    else if (attach->watch ||
             loop_watch_add(attach->loop, attach->fd, events, on_event, attach, &attach->watch, NULL) < 0)
        loop_timer_arm(attach->later, clock_boot_ms() + AGAIN_MS);
}

static void finish(struct docker_attach *attach, const struct err *error)
{
    if (attach->state == ATTACH_OVER)
        return;
    attach->state = ATTACH_OVER;
    loop_watch_remove(TAKE_PTR(attach->watch));
    attach->events.closed(attach->context, error);
}

static void fail(struct docker_attach *attach, int errnum)
{
    struct err error = {0};
    err_errno(&error, ERR_UNAVAILABLE, errnum, "connection to the container's streams");
    finish(attach, &error);
}

// ---- what comes

static void deliver(struct docker_attach *attach)
{
    struct engine_piece piece;
    struct err error = {0};
    while (attach->delivered < attach->buffered && !attach->paused && !attach->freed) {
        ssize_t used = engine_frames_next(&attach->frames, attach->buffer + attach->delivered,
                                          attach->buffered - attach->delivered, &piece, &error);
        if (used < 0) {
            finish(attach, &error);
            return;
        }
        attach->delivered += (size_t)used;
        if (piece.length > 0)
            attach->events.output(attach->context, piece.stream, piece.bytes, piece.length);
    }
}

static void refuse(struct docker_attach *attach, int status, const char *body)
{
    struct err error = {0};
    char message[160];
    engine_message_read(body, strlen(body), message, sizeof message);
    err_set(&error, status == 404 ? ERR_NOT_FOUND : ERR_IO, "attaching: the engine says %d: %s", status, message);
    finish(attach, &error);
}

// The head of the answer is complete: what follows it are the first frames already.
static void open_streams(struct docker_attach *attach, const char *end)
{
    int status = 0;
    const char *head = strbuf_text(&attach->head);
    if (sscanf(head, "HTTP/1.%*d %d", &status) != 1 || (status != 101 && status != 200)) {
        refuse(attach, status, end);
        return;
    }
    size_t rest = attach->head.length - (size_t)(end - head);
    attach->state = ATTACH_OPEN;
    attach->buffered = MIN(rest, BUFFER_BYTES);
    attach->delivered = 0;
    memcpy(attach->buffer, end, attach->buffered);
    strbuf_release(&attach->head);
    if (attach->stdin_closed)
        shutdown(attach->fd, SHUT_WR);
    attach->events.opened(attach->context);
    deliver(attach);
}

static void read_head(struct docker_attach *attach, size_t length)
{
    strbuf_add(&attach->head, attach->buffer, length);
    const char *end = strstr(strbuf_text(&attach->head), "\r\n\r\n");
    if (end)
        open_streams(attach, end + 4);
    else if (attach->head.length > HEAD_BYTES_MAX || attach->head.failed)
        refuse(attach, 0, "no end of an answer");
}

static void take_input(struct docker_attach *attach)
{
    // The first frames come with the head: it must not be longer than what the buffer has room for.
    size_t room = attach->state == ATTACH_LISTENING ? BUFFER_BYTES / 2 : BUFFER_BYTES;
    ssize_t length = read(attach->fd, attach->buffer, room);
    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (length < 0) {
        fail(attach, errno);
    } else if (length == 0 && attach->state == ATTACH_LISTENING) {
        fail(attach, ECONNRESET);
    } else if (length == 0) {
        finish(attach, NULL);
    } else if (attach->state == ATTACH_LISTENING) {
        read_head(attach, (size_t)length);
    } else {
        attach->buffered = (size_t)length;
        attach->delivered = 0;
        deliver(attach);
    }
}

// ---- what goes

static void send_request(struct docker_attach *attach)
{
    ssize_t sent = send(attach->fd, attach->request.data, attach->request.length, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (sent < 0) {
        fail(attach, errno);
        return;
    }
    strbuf_drop_front(&attach->request, (size_t)sent);
    if (attach->request.length == 0)
        attach->state = ATTACH_LISTENING;
}

static void take_connection(struct docker_attach *attach)
{
    int failed = 0;
    socklen_t length = sizeof failed;
    getsockopt(attach->fd, SOL_SOCKET, SO_ERROR, &failed, &length);
    if (failed) {
        fail(attach, failed);
        return;
    }
    attach->state = ATTACH_ASKING;
    send_request(attach);
}

static void take_room(struct docker_attach *attach)
{
    attach->wants_to_write = false;
    if (attach->events.writable)
        attach->events.writable(attach->context);
}

// ---- events

static void end_turn(struct docker_attach *attach)
{
    attach->busy = false;
    if (attach->freed)
        release(attach);
    else if (attach->state != ATTACH_OVER)
        look_for(attach);
}

static void on_event(void *context, int fd, uint32_t events)
{
    struct docker_attach *attach = context;
    UNUSED(fd);
    attach->busy = true;
    if (attach->state == ATTACH_CONNECTING)
        take_connection(attach);
    else if (attach->state == ATTACH_ASKING)
        send_request(attach);
    else if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) && is_read_up(attach) &&
             (!attach->paused || attach->state == ATTACH_LISTENING))
        take_input(attach);
    if ((events & EPOLLOUT) && attach->state == ATTACH_OPEN && attach->wants_to_write && !attach->freed)
        take_room(attach);
    end_turn(attach);
}

static void on_later(void *context)
{
    struct docker_attach *attach = context;
    attach->busy = true;
    if (attach->state == ATTACH_OPEN)
        deliver(attach);
    end_turn(attach);
}

// ---- calls

static int connect_to(struct docker_attach *attach, const struct docker_address *address, struct err *err)
{
    attach->fd = socket(address->socket.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (attach->fd < 0)
        return err_errno(err, ERR_UNAVAILABLE, errno, "no socket");
    if (connect(attach->fd, (const struct sockaddr *)&address->socket, address->socket_length) < 0 &&
        errno != EINPROGRESS)
        return err_errno(err, ERR_UNAVAILABLE, errno, "cannot connect to %.100s", address->url);
    return loop_watch_add(attach->loop, attach->fd, EPOLLOUT, on_event, attach, &attach->watch, err);
}

int docker_attach_open(struct loop *loop, const struct docker_address *address, const char *path,
                       const struct docker_attach_events *events, void *context, struct docker_attach **out,
                       struct err *err)
{
    struct docker_attach *attach = calloc(1, sizeof *attach);
    if (!attach)
        return err_set(err, ERR_NO_MEMORY, "no memory for a container's streams");
    *attach = (struct docker_attach){
        .loop = loop, .events = *events, .context = context, .fd = -1, .buffer = malloc(BUFFER_BYTES)};
    strbuf_add_format(&attach->request,
                      "POST %s HTTP/1.1\r\nHost: engine\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
                      "Content-Length: 0\r\n\r\n",
                      path);
    if (!attach->buffer || attach->request.failed) {
        release(attach);
        return err_set(err, ERR_NO_MEMORY, "no memory for a container's streams");
    }
    if (loop_timer_add(loop, on_later, attach, &attach->later, err) < 0 || connect_to(attach, address, err) < 0) {
        release(attach);
        return -1;
    }
    *out = attach;
    return 0;
}

void docker_attach_pause(struct docker_attach *attach, bool paused)
{
    if (attach->paused == paused || attach->state == ATTACH_OVER)
        return;
    attach->paused = paused;
    if (!paused && attach->delivered < attach->buffered)
        loop_timer_arm(attach->later, clock_boot_ms());
    if (!attach->busy)
        look_for(attach);
}

ssize_t docker_attach_write(struct docker_attach *attach, const char *bytes, size_t length, struct err *err)
{
    if (attach->stdin_closed || attach->state == ATTACH_OVER)
        return err_set(err, ERR_CONFLICT, "stdin is closed");
    ssize_t sent = 0;
    if (attach->state == ATTACH_OPEN) {
        sent = send(attach->fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno != EAGAIN && errno != EINTR)
            return err_errno(err, ERR_CONFLICT, errno, "stdin is closed");
        sent = MAX(sent, (ssize_t)0);
    }
    if ((size_t)sent < length) {
        attach->wants_to_write = true;
        if (!attach->busy)
            look_for(attach);
    }
    return sent;
}

bool docker_attach_is_gone(const struct docker_attach *attach)
{
    struct pollfd both = {.fd = attach->fd};
    return attach->state == ATTACH_OVER || (poll(&both, 1, 0) > 0 && (both.revents & (POLLHUP | POLLERR)));
}

void docker_attach_close_stdin(struct docker_attach *attach)
{
    if (attach->stdin_closed)
        return;
    attach->stdin_closed = true;
    if (attach->state == ATTACH_OPEN)
        shutdown(attach->fd, SHUT_WR);
}
