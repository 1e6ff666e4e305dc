#include "services/common/base/clock.h"
#include "services/common/http/server_internal.h"

#include <string.h>
#include <unistd.h>

// A refused body up to this size is read and dropped, so that the client sees the answer and the connection lives on.
#define POLITE_BODY_BYTES (256 * 1024)
#define OVERLOAD_RETRY_MS 1000

void *http_receive_target(void *context, const char *target, struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct http_connection *connection = info ? info->socket_context : NULL;
    struct http_request *request = connection ? http_request_new(target) : NULL;
    UNUSED(context);
    if (!request)
        return NULL;
    request->connection = connection;
    request->is_loopback = connection->is_loopback;
    // The first request shares the deadline that began with the connection.
    if (connection->has_served)
        http_connection_deadline(connection, connection->server->settings.head_deadline_ms);
    connection->has_served = true;
    atomic_store_explicit(&connection->is_active, true, memory_order_relaxed);
    return request;
}

static void fill_refusal(struct http_request *request, int status, const char *code, const char *detail)
{
    const struct http_server_settings *settings = &request->connection->server->settings;
    http_reply_release(&request->reply);
    if (settings->refuse)
        settings->refuse(settings->app, request, status, code, detail, &request->reply);
    else
        http_reply_problem(&request->reply, request, status, code, detail);
}

static const char *code_for(int status)
{
    if (status == 413 || status == 414 || status == 431)
        return "too_large";
    if (status == 503)
        return "unavailable";
    return status >= 500 ? "internal" : "invalid";
}

// Answers a head that cannot be trusted, or that we cannot take in: nothing more is read from this connection.
static enum MHD_Result refuse_and_close(struct http_request *request, int status, const char *code, const char *detail)
{
    if (request->id[0] == '\0')
        http_request_make_id(request);
    fill_refusal(request, status, code, detail);
    request->must_close = true;
    request->stage = HTTP_STAGE_HANDLED;
    return http_send(request);
}

// `request->reply` is the answer. A small body is read first; before a large one, or one that waits for our word, the
// answer is sent at once and the library closes the connection.
static enum MHD_Result refuse_politely(struct http_request *request)
{
    request->refused = true;
    if (!request->framing.expects_continue && request->framing.content_length <= POLITE_BODY_BYTES &&
        !request->must_close)
        return MHD_YES;
    request->must_close = true;
    request->stage = HTTP_STAGE_HANDLED;
    return http_send(request);
}

static enum MHD_Result refuse(struct http_request *request, int status, const char *code, const char *detail)
{
    fill_refusal(request, status, code, detail);
    return refuse_politely(request);
}

static enum MHD_Result refuse_method(struct http_request *request)
{
    AUTO_STRBUF struct strbuf allow = STRBUF_INIT;
    http_router_allow(request->connection->server->router, request->path, request->path_length, &allow);
    fill_refusal(request, 405, "method_not_allowed", "this path does not know the method");
    http_reply_header(&request->reply, "Allow", strbuf_text(&allow));
    return refuse_politely(request);
}

static enum MHD_Result refuse_overload(struct http_request *request)
{
    atomic_fetch_add_explicit(&request->connection->server->overload, 1, memory_order_relaxed);
    fill_refusal(request, 503, "unavailable", "too many connections");
    http_reply_retry_after(&request->reply, OVERLOAD_RETRY_MS);
    request->must_close = true;
    return refuse_politely(request);
}

// Checks the head and copies what is needed of it. On failure *status is what to send before closing.
static int take_head(struct http_request *request, const char *method, const char *version, int *status,
                     struct err *err)
{
    struct http_head_field fields[HTTP_HEAD_FIELDS + 1];
    struct http_head head;
    if (http_fields_read(request, request->connection->mhd, method, version, fields, &head, &request->framing, status,
                         err) < 0)
        return -1;
    request->method = http_request_copy(request, method, strlen(method));
    *status = 503;
    if (!request->method || http_request_read_head(request, &head, err) < 0)
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    request->is_head = strcmp(method, "HEAD") == 0;
    return http_request_read_target(request, status, err);
}

// Whether the server's owner lets the request in. Otherwise `reply` was filled in.
static bool is_authorized(struct http_request *request)
{
    const struct http_server_settings *settings = &request->connection->server->settings;
    return !settings->authorize || settings->authorize(settings->app, request, &request->reply);
}

static enum MHD_Result begin_body(struct http_request *request)
{
    const struct http_server_settings *settings = &request->connection->server->settings;
    const struct http_route *route = request->match.route;
    if (request->framing.content_length > (int64_t)route->body_limit_bytes)
        return refuse(request, 413, "too_large", "the body is larger than this call takes");
    if (request->framing.chunked || request->framing.content_length > 0)
        http_connection_deadline(request->connection,
                                 route->body_deadline_ms > 0 ? route->body_deadline_ms : settings->body_deadline_ms);
    http_body_begin(request, settings->spool_directory);
    return MHD_YES;
}

static enum MHD_Result receive_head(struct http_request *request, const char *method, const char *version)
{
    struct http_connection *connection = request->connection;
    struct http_route_match match;
    struct err err = {0};
    int status = 0;
    if (take_head(request, method, version, &status, &err) < 0)
        return refuse_and_close(request, status, code_for(status), err.text);
    request->stage = HTTP_STAGE_BODY;
    enum http_route_outcome outcome =
        http_router_match(connection->server->router, request->method, request->path, request->path_length, &match);
    if (connection->over_limit && !(match.route && (match.route->flags & HTTP_ROUTE_ALWAYS)))
        return refuse_overload(request);
    if (outcome == HTTP_ROUTE_NOT_FOUND)
        return refuse(request, 404, "not_found", "there is nothing at this path");
    if (outcome == HTTP_ROUTE_METHOD_NOT_ALLOWED)
        return refuse_method(request);
    if (http_request_read_match(request, &match, &err) < 0)
        return refuse_and_close(request, 400, "invalid", err.text);
    if (!is_authorized(request))
        return refuse_politely(request);
    return begin_body(request);
}

static enum MHD_Result receive_body(struct http_request *request, const char *bytes, size_t *length)
{
    bool goes_on = http_body_add(request, bytes, *length);
    *length = 0;
    return goes_on ? MHD_YES : MHD_NO;
}

static enum MHD_Result call_handler(struct http_request *request)
{
    const struct http_server_settings *settings = &request->connection->server->settings;
    struct http_reply reply = HTTP_REPLY_INIT;
    if (request->body_fd >= 0)
        lseek(request->body_fd, 0, SEEK_SET);
    enum http_handled handled = request->match.route->handler(settings->app, request, &reply);
    // The connection is suspended, and whatever the handler returned, it is not ours to answer.
    if (request->was_parked) {
        http_reply_release(&reply);
        return MHD_YES;
    }
    if (handled == HTTP_PARKED)
        http_reply_release(&reply);
    request->reply = reply;
    return http_send(request);
}

static void refuse_body(struct http_request *request, int status)
{
    const char *detail = status == 413   ? "the body is larger than this call takes"
                         : status == 503 ? "the bodies of other requests hold all memory that is for them"
                                         : "the body could not be stored";
    fill_refusal(request, status, code_for(status), detail);
    if (status == 503)
        http_reply_retry_after(&request->reply, OVERLOAD_RETRY_MS);
}

// The whole request is there.
static enum MHD_Result receive_end(struct http_request *request)
{
    int status = request->body_error_status;
    request->stage = HTTP_STAGE_HANDLED;
    http_connection_deadline(request->connection, 0);
    if (!request->refused && status != 0)
        refuse_body(request, status);
    return request->refused || status != 0 ? http_send(request) : call_handler(request);
}

// The connection was resumed: by the owner's answer, or because it was given up.
static enum MHD_Result receive_resumed(struct http_request *request)
{
    http_connection_unpublish(request->connection);
    return atomic_load(&request->park_state) == HTTP_PARK_COMPLETED ? http_send(request) : MHD_NO;
}

static enum MHD_Result receive(struct http_request *request, const char *method, const char *version, const char *bytes,
                               size_t *length)
{
    switch (request->stage) {
    case HTTP_STAGE_HEAD:
        return receive_head(request, method, version);
    case HTTP_STAGE_BODY:
        return *length > 0 ? receive_body(request, bytes, length) : receive_end(request);
    case HTTP_STAGE_HANDLED:
        return receive_resumed(request);
    }
    return MHD_NO;
}

enum MHD_Result http_receive(void *context, struct MHD_Connection *mhd, const char *url, const char *method,
                             const char *version, const char *bytes, size_t *length, void **request_context)
{
    UNUSED(context), UNUSED(mhd), UNUSED(url);
    struct http_request *request = *request_context;
    if (!request)
        return MHD_NO;
    enum MHD_Result result = receive(request, method, version, bytes, length);
    if (result != MHD_YES)
        http_connection_break(request->connection);
    return result;
}

void http_receive_completed(void *context, struct MHD_Connection *mhd, void **request_context,
                            enum MHD_RequestTerminationCode code)
{
    UNUSED(context), UNUSED(mhd);
    struct http_request *request = *request_context;
    if (!request)
        return;
    struct http_connection *connection = request->connection;
    const struct http_server_settings *settings = &connection->server->settings;
    *request_context = NULL;
    http_connection_unpublish(connection);
    bool is_sent = code == MHD_REQUEST_TERMINATED_COMPLETED_OK && request->sent_status != 0;
    if (settings->observe)
        settings->observe(settings->app, request, is_sent ? request->sent_status : 499,
                          clock_boot_us() - request->started_us);
    http_connection_deadline(connection, settings->idle_ms);
    atomic_store_explicit(&connection->is_active, false, memory_order_relaxed);
    http_request_unref(request);
}
