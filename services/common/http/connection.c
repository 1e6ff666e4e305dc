#include "services/common/base/cleanup.h"
#include "services/common/base/clock.h"
#include "services/common/http/loop.h"
#include "services/common/http/server_internal.h"
#include "services/common/http/watchdog.h"

#include <sys/socket.h>

void http_connection_deadline(struct http_connection *connection, int64_t delay_ms)
{
    int64_t deadline = delay_ms > 0 ? clock_boot_ms() + delay_ms : 0;
    atomic_store_explicit(&connection->deadline_ms, deadline, memory_order_relaxed);
}

void http_connection_break(const struct http_connection *connection)
{
    shutdown(connection->fd, SHUT_RDWR);
}

void http_connection_publish(struct http_connection *connection, struct http_request *parked,
                             struct http_stream *stream)
{
    pthread_mutex_lock(&connection->shard->lock);
    connection->parked = parked;
    connection->stream = stream;
    pthread_mutex_unlock(&connection->shard->lock);
    connection->has_published = true;
}

void http_connection_unpublish(struct http_connection *connection)
{
    if (!connection->has_published)
        return;
    pthread_mutex_lock(&connection->shard->lock);
    connection->parked = NULL;
    connection->stream = NULL;
    pthread_mutex_unlock(&connection->shard->lock);
    connection->has_published = false;
}

static void link_to_shard(struct http_connection *connection)
{
    struct http_shard *shard = connection->shard;
    pthread_mutex_lock(&shard->lock);
    connection->next = shard->connections;
    if (shard->connections)
        shard->connections->previous = connection;
    shard->connections = connection;
    pthread_mutex_unlock(&shard->lock);
}

static void unlink_from_shard(struct http_connection *connection)
{
    struct http_shard *shard = connection->shard;
    pthread_mutex_lock(&shard->lock);
    if (connection->previous)
        connection->previous->next = connection->next;
    else
        shard->connections = connection->next;
    if (connection->next)
        connection->next->previous = connection->previous;
    pthread_mutex_unlock(&shard->lock);
}

// Without memory there is no connection object: its requests are refused by closing, see http_receive_target().
static void opened(struct http_loop *loop, struct MHD_Connection *mhd, void **socket_context)
{
    struct http_server *server = http_loop_server(loop);
    struct http_connection *connection = calloc(1, sizeof *connection);
    *socket_context = connection;
    if (!connection)
        return;
    connection->server = server;
    connection->loop = loop;
    connection->mhd = mhd;
    // Each answer of libmicrohttpd 1.0 stands where the one before stood: it is used up before the next question.
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    connection->fd = info ? info->connect_fd : -1;
    info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    connection->address = http_address_from(info ? info->client_addr : NULL, &connection->is_loopback);
    unsigned index = atomic_fetch_add_explicit(&server->next_shard, 1, memory_order_relaxed);
    connection->shard = &server->shards[index % HTTP_SHARDS];
    bool admitted = http_admission_enter(server->admission, &connection->address);
    int64_t connections = atomic_fetch_add(&server->connections, 1) + 1;
    connection->over_limit = !admitted || connections > (int64_t)server->settings.max_connections;
    http_connection_deadline(connection, server->settings.head_deadline_ms);
    link_to_shard(connection);
    http_watchdog_add(server, connection->fd);
}

static void closed(struct http_loop *loop, struct http_connection *connection)
{
    http_loop_note_closed(loop);
    if (!connection)
        return;
    struct http_server *server = http_loop_server(loop);
    unlink_from_shard(connection);
    http_admission_leave(server->admission, &connection->address);
    free(connection);
    int64_t left = atomic_fetch_sub(&server->connections, 1) - 1;
    if (left > 0 || atomic_load(&server->stage) == HTTP_SERVER_RUNNING)
        return;
    pthread_mutex_lock(&server->lock);
    pthread_cond_broadcast(&server->calm);
    pthread_mutex_unlock(&server->lock);
}

void http_connection_notify(void *context, struct MHD_Connection *mhd, void **socket_context,
                            enum MHD_ConnectionNotificationCode code)
{
    if (code == MHD_CONNECTION_NOTIFY_STARTED)
        opened(context, mhd, socket_context);
    else
        closed(context, *socket_context);
}
