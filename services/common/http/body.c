#include "services/common/base/fd.h"
#include "services/common/http/server_internal.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FIRST_RESERVE_BYTES (64 * 1024)
#define FREE_BYTES (64 * 1024) // of each body: what connections may hold is limited by how many they are
#define DROP_LIMIT_BYTES (1024 * 1024)

// What bodies hold beyond their free part, of all servers of this process: a request may live longer than its server.
static atomic_size_t held;

static bool hold(struct http_request *request, size_t length)
{
    size_t budget = request->connection->server->settings.body_budget_bytes;
    size_t received = (size_t)request->body_received;
    size_t more = received > FREE_BYTES ? MIN(length, received - FREE_BYTES) : 0;
    if (more == 0)
        return true;
    if (atomic_fetch_add_explicit(&held, more, memory_order_relaxed) + more > budget) {
        atomic_fetch_sub_explicit(&held, more, memory_order_relaxed);
        return false;
    }
    request->body_held += more;
    return true;
}

void http_body_release(struct http_request *request)
{
    strbuf_release(&request->body);
    atomic_fetch_sub_explicit(&held, request->body_held, memory_order_relaxed);
    request->body_held = 0;
}

// A file without a name, so that nothing is left behind however the process ends.
static int open_spool(const char *directory)
{
    int fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0)
        return fd;
    char path[4096];
    int length = snprintf(path, sizeof path, "%s/curfew-body-XXXXXX", directory);
    if (length < 0 || (size_t)length >= sizeof path)
        return -1;
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        unlink(path);
    return fd;
}

void http_body_begin(struct http_request *request, const char *spool_directory)
{
    const struct http_route *route = request->match.route;
    if (route->flags & HTTP_ROUTE_BODY_FILE) {
        request->body_fd = open_spool(spool_directory);
        if (request->body_fd < 0)
            request->body_error_status = 500;
    } else if (request->framing.content_length > 0) {
        strbuf_reserve(&request->body, MIN((size_t)request->framing.content_length, (size_t)FIRST_RESERVE_BYTES));
    }
}

// One that there is no memory for is read to its end, which takes none: who sends it has to hear that it may come
// again.
static bool drop(struct http_request *request, size_t length)
{
    bool may_come_again = request->body_error_status == 503;
    request->body_received += (int64_t)length;
    return (size_t)request->body_received <=
           (may_come_again ? request->match.route->body_limit_bytes : (size_t)DROP_LIMIT_BYTES);
}

// The answer will have this status. What has come is forgotten, and what comes is read up to a limit.
static bool give_up(struct http_request *request, int status, size_t length)
{
    request->body_error_status = status;
    http_body_release(request);
    request->body_received = 0;
    return drop(request, length);
}

bool http_body_add(struct http_request *request, const char *bytes, size_t length)
{
    if (request->refused || request->body_error_status != 0)
        return drop(request, length);
    size_t limit = request->match.route->body_limit_bytes;
    if (length > limit || (size_t)request->body_received > limit - length)
        return give_up(request, 413, length);
    request->body_received += (int64_t)length;
    if (request->body_fd >= 0) {
        if (fd_write_all(request->body_fd, bytes, length, NULL) < 0)
            request->body_error_status = 500;
        return true;
    }
    if (!hold(request, length))
        return give_up(request, 503, length);
    strbuf_add(&request->body, bytes, length);
    if (request->body.failed)
        request->body_error_status = 503;
    return true;
}
