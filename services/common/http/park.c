#include "services/common/http/loop.h"
#include "services/common/http/server_internal.h"
#include "services/common/http/watchdog.h"

#include <poll.h>

void http_request_park(struct http_request *request, http_cancel_fn cancel, void *owner)
{
    request->was_parked = true;
    request->cancel = cancel;
    request->cancel_owner = owner;
    http_request_ref(request);
    atomic_store(&request->park_state, HTTP_PARK_WAITING);
    MHD_suspend_connection(request->connection->mhd);
    http_connection_publish(request->connection, request, NULL);
}

// Whoever wins this move resumes the connection; it cannot go away before that.
static bool leave_waiting(struct http_request *request, enum http_park_state state)
{
    enum http_park_state expected = HTTP_PARK_WAITING;
    if (!atomic_compare_exchange_strong(&request->park_state, &expected, state))
        return false;
    http_loop_resume(request->connection);
    return true;
}

void http_request_complete(struct http_request *request, struct http_reply *reply)
{
    if (!http_request_cancelled(request)) {
        request->reply = *reply;
        *reply = (struct http_reply)HTTP_REPLY_INIT;
        leave_waiting(request, HTTP_PARK_COMPLETED);
    }
    http_reply_release(reply);
    http_request_unref(request);
}

bool http_request_cancelled(const struct http_request *request)
{
    return atomic_load(&request->park_state) == HTTP_PARK_DETACHED;
}

static bool client_has_gone(const struct http_connection *connection)
{
    struct pollfd look = {.fd = connection->fd, .events = POLLRDHUP};
    return http_watchdog_suspects(connection->server) && poll(&look, 1, 0) > 0 &&
           (look.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

// While the owner looks nobody else can resume the connection: its descriptor stays what it is.
bool http_request_client_has_gone(struct http_request *request)
{
    enum http_park_state expected = HTTP_PARK_WAITING;
    if (!atomic_compare_exchange_strong(&request->park_state, &expected, HTTP_PARK_LOOKING))
        return http_request_cancelled(request);
    bool has_gone = client_has_gone(request->connection);
    if (has_gone)
        atomic_fetch_add_explicit(&request->connection->server->gone, 1, memory_order_relaxed);
    atomic_store(&request->park_state, has_gone ? HTTP_PARK_DETACHED : HTTP_PARK_WAITING);
    if (has_gone)
        http_loop_resume(request->connection);
    return has_gone;
}

bool http_request_detach(struct http_request *request)
{
    return leave_waiting(request, HTTP_PARK_DETACHED);
}
