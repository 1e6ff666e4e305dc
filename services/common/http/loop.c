#include "services/common/http/loop.h"

#include "services/common/base/cleanup.h"
#include "services/common/http/server_internal.h"
#include "services/common/http/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

// Of a connection's memory: what the library notes of each header, and the head of the reply. Not more than it takes:
// all of a connection's memory is cleared after each request.
#define BESIDE_HEAD_BYTES (8 * 1024)
#define TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"
// The strictest of 1.0. In 0.9 it means a look for Host and nothing else, and what that finds is answered with a page
// whose head comes twice: http_fields_read() finds it as well, and more.
#define STRICTNESS (MHD_VERSION < 0x01000000 ? 0 : 1)

struct http_loop {
    struct http_server *server;
    struct MHD_Daemon *daemon;
    int listen_fd; // closed by the daemon
    int events_fd; // the daemon's epoll set
    int wake_fd;   // ready when there is something new in the following
    atomic_bool stops;
    _Atomic(struct http_connection *) resumed; // those to be resumed, linked by next_resumed
    atomic_int guests;                         // other threads that are in http_loop_resume(), and see this
    bool has_closed;                           // connections, since its last turn; only its own thread asks
    pthread_t thread;
    bool runs;
};

// ---- a thread

// Not by the library, from another thread: it notes the connection and raises an event, and a turn that looked for the
// note before, and takes the event, knows of neither (0.9.75).
void http_loop_resume(struct http_connection *connection)
{
    struct http_loop *loop = connection->loop;
    atomic_fetch_add(&loop->guests, 1);
    struct http_connection *next = atomic_load(&loop->resumed);
    do
        connection->next_resumed = next;
    while (!atomic_compare_exchange_weak(&loop->resumed, &next, connection));
    // From here on the connection may be gone.
    if (!next)
        eventfd_write(loop->wake_fd, 1);
    atomic_fetch_sub(&loop->guests, 1);
}

static void resume(struct http_loop *loop)
{
    struct http_connection *connection = atomic_exchange(&loop->resumed, NULL);
    while (connection) {
        struct http_connection *next = connection->next_resumed;
        MHD_resume_connection(connection->mhd);
        connection = next;
    }
}

// What the library has to do without an event: a request that was read together with the one before, say; or, after a
// connection was closed, to listen again, which it had stopped when there was no descriptor for the next.
static bool has_more(struct http_loop *loop)
{
    unsigned long long timeout_ms = 0;
    return loop->has_closed || (MHD_get_timeout(loop->daemon, &timeout_ms) == MHD_YES && timeout_ms == 0);
}

static void *run(void *context)
{
    struct http_loop *loop = context;
    struct pollfd polls[] = {{.fd = loop->events_fd, .events = POLLIN}, {.fd = loop->wake_fd, .events = POLLIN}};
    while (!atomic_load(&loop->stops)) {
        if (polls[1].revents) {
            eventfd_t count;
            eventfd_read(loop->wake_fd, &count);
        }
        resume(loop);
        loop->has_closed = false;
        MHD_run(loop->daemon);
        poll(polls, ARRAY_LEN(polls), has_more(loop) ? 0 : -1);
    }
    return NULL;
}

// ---- start

static int start_daemon(struct http_loop *loop, struct err *err)
{
    struct http_server *server = loop->server;
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC;
    const struct http_server_settings *settings = &server->settings;
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)TLS_PRIORITIES},
        {MHD_OPTION_HTTPS_CERT_CALLBACK, 0, (void *)http_tls_retrieve()},
        {MHD_OPTION_END, 0, NULL},
    };
    if (settings->tls)
        flags |= MHD_USE_TLS;
    else
        tls[0].option = MHD_OPTION_END;
    // The library stops accepting at its own limit, silently: it is set far above ours.
    loop->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, http_receive, server, MHD_OPTION_LISTEN_SOCKET, loop->listen_fd,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)settings->max_connections + HTTP_RESERVED_DESCRIPTORS,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, settings->head_limit_bytes + BESIDE_HEAD_BYTES,
        MHD_OPTION_CONNECTION_TIMEOUT, 0u, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_STRICT_FOR_CLIENT,
        STRICTNESS, MHD_OPTION_URI_LOG_CALLBACK, http_receive_target, server, MHD_OPTION_NOTIFY_CONNECTION,
        http_connection_notify, loop, MHD_OPTION_NOTIFY_COMPLETED, http_receive_completed, server, MHD_OPTION_ARRAY,
        tls, MHD_OPTION_END);
    if (!loop->daemon)
        return err_errno(err, ERR_UNAVAILABLE, errno, "start of a server thread");
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(loop->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    loop->events_fd = info ? info->epoll_fd : -1;
    return 0;
}

static bool is_same_socket(int one, int other)
{
    struct stat status, other_status;
    return fstat(one, &status) == 0 && fstat(other, &other_status) == 0 && status.st_dev == other_status.st_dev &&
           status.st_ino == other_status.st_ino;
}

static int start_loop(struct http_loop *loop, int listen_fd, struct err *err)
{
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    loop->listen_fd = fcntl(listen_fd, F_DUPFD_CLOEXEC, 0);
    if (loop->wake_fd < 0 || loop->listen_fd < 0)
        return err_errno(err, ERR_UNAVAILABLE, errno, "a descriptor for a server thread");
    if (start_daemon(loop, err) < 0) {
        // Where the library fails decides whether it has closed the descriptor, which somebody else may have by now.
        if (!is_same_socket(loop->listen_fd, listen_fd))
            loop->listen_fd = -1;
        return -1;
    }
    int error = pthread_create(&loop->thread, NULL, run, loop);
    loop->runs = error == 0;
    return error == 0 ? 0 : err_errno(err, ERR_UNAVAILABLE, error, "start of a server thread");
}

static int start_loops(struct http_server *server, int listen_fd, struct err *err)
{
    size_t count = (size_t)server->settings.threads;
    server->loops = calloc(count, sizeof *server->loops);
    if (!server->loops)
        return err_set(err, ERR_NO_MEMORY, "server threads");
    while (server->loop_count < count) {
        struct http_loop *loop = &server->loops[server->loop_count++];
        loop->server = server;
        loop->listen_fd = loop->events_fd = loop->wake_fd = -1;
        if (start_loop(loop, listen_fd, err) < 0)
            return -1;
    }
    return 0;
}

int http_loops_start(struct http_server *server, int listen_fd, struct err *err)
{
    int result = start_loops(server, listen_fd, err);
    close(listen_fd);
    return result;
}

// ---- stop

// Puts something that never becomes ready in each listening descriptor's place: with the last the kernel closes the
// socket and takes it out of every epoll set. Not MHD_quiesce_daemon(), which races with the thread that serves.
void http_loops_stop_listening(struct http_server *server)
{
    AUTO_CLOSE int nothing = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    for (size_t i = 0; i < server->loop_count; i++)
        if (nothing < 0 || dup3(nothing, server->loops[i].listen_fd, O_CLOEXEC) < 0)
            shutdown(server->loops[i].listen_fd, SHUT_RDWR);
}

static void stop_loop(struct http_loop *loop)
{
    if (loop->runs) {
        atomic_store(&loop->stops, true);
        eventfd_write(loop->wake_fd, 1);
        pthread_join(loop->thread, NULL);
    }
    if (loop->daemon)
        MHD_stop_daemon(loop->daemon);
    else
        cleanup_close(&loop->listen_fd);
    while (atomic_load(&loop->guests) > 0)
        sched_yield();
    cleanup_close(&loop->wake_fd);
}

void http_loops_stop(struct http_server *server)
{
    for (size_t i = 0; i < server->loop_count; i++)
        stop_loop(&server->loops[i]);
    server->loop_count = 0;
    free(TAKE_PTR(server->loops));
}

void http_loop_note_closed(struct http_loop *loop)
{
    loop->has_closed = true;
}

struct http_server *http_loop_server(const struct http_loop *loop)
{
    return loop->server;
}
