#include "services/common/http/server_internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

// Bodies above this are handed to the library piece by piece, so that the watchdog sees progress.
#define WHOLE_LIMIT_BYTES (64 * 1024)
#define PIECE_BYTES (16 * 1024)

struct blob {
    struct http_connection *connection;
    char *bytes;
    size_t length;
};

static ssize_t read_blob(void *context, uint64_t position, char *buffer, size_t capacity)
{
    struct blob *blob = context;
    if (position >= blob->length)
        return MHD_CONTENT_READER_END_OF_STREAM;
    size_t length = MIN(capacity, blob->length - (size_t)position);
    memcpy(buffer, blob->bytes + position, length);
    http_connection_deadline(blob->connection, blob->connection->server->settings.reply_stall_ms);
    return (ssize_t)length;
}

static void free_blob(void *context)
{
    struct blob *blob = context;
    free(blob->bytes);
    free(blob);
}

static struct MHD_Response *blob_response(struct http_connection *connection, char *bytes, size_t length)
{
    struct blob *blob = malloc(sizeof *blob);
    if (!blob)
        return NULL;
    *blob = (struct blob){.connection = connection, .bytes = bytes, .length = length};
    struct MHD_Response *response = MHD_create_response_from_callback(length, PIECE_BYTES, read_blob, blob, free_blob);
    if (!response)
        free(blob);
    return response;
}

// Moves the content of the reply into a response. NULL without memory: the reply keeps it then.
static struct MHD_Response *response_of(struct http_reply *reply, struct http_connection *connection)
{
    static char nothing[1];
    struct MHD_Response *response;
    if (reply->stream) {
        response = http_stream_response(reply->stream, connection);
        if (response)
            reply->stream = NULL;
        return response;
    }
    if (reply->body.length == 0)
        return MHD_create_response_from_buffer(0, nothing, MHD_RESPMEM_PERSISTENT);
    if (reply->body.length > WHOLE_LIMIT_BYTES)
        response = blob_response(connection, reply->body.data, reply->body.length);
    else
        response = MHD_create_response_from_buffer(reply->body.length, reply->body.data, MHD_RESPMEM_MUST_FREE);
    if (response)
        reply->body = (struct strbuf)STRBUF_INIT;
    return response;
}

static bool add_headers(struct MHD_Response *response, const struct http_request *request)
{
    const struct http_reply *reply = &request->reply;
    bool added = true;
    if (reply->content_type)
        added &= MHD_add_response_header(response, "Content-Type", reply->content_type) == MHD_YES;
    if (request->id[0])
        added &= MHD_add_response_header(response, "X-Request-Id", request->id) == MHD_YES;
    if (request->must_close || reply->close ||
        atomic_load_explicit(&request->connection->server->stage, memory_order_relaxed) != HTTP_SERVER_RUNNING)
        added &= MHD_add_response_header(response, "Connection", "close") == MHD_YES;
    const char *at = strbuf_text(&reply->headers), *end = at + reply->headers.length;
    while (at < end) {
        const char *value = at + strlen(at) + 1;
        added &= MHD_add_response_header(response, at, value) == MHD_YES;
        at = value + strlen(value) + 1;
    }
    return added;
}

static void check_reply(struct http_request *request)
{
    struct http_reply *reply = &request->reply;
    if (reply->status == 0)
        http_reply_problem(reply, request, 500, "internal", "the request was not answered");
    if (reply->body.failed || reply->headers.failed)
        http_reply_problem(reply, request, 500, "internal", "the reply could not be made");
    if (reply->body.failed)
        http_reply_empty(reply, 500);
}

enum MHD_Result http_send(struct http_request *request)
{
    struct http_connection *connection = request->connection;
    check_reply(request);
    struct http_stream *stream = request->reply.stream;
    if (stream)
        http_connection_publish(connection, NULL, stream);
    struct MHD_Response *response = response_of(&request->reply, connection);
    if (!response)
        return MHD_NO;
    enum MHD_Result result = MHD_NO;
    if (add_headers(response, request)) {
        request->sent_status = request->reply.status;
        http_connection_deadline(connection, connection->server->settings.reply_stall_ms);
        result = MHD_queue_response(connection->mhd, (unsigned)request->reply.status, response);
    }
    if (result != MHD_YES)
        http_connection_unpublish(connection);
    MHD_destroy_response(response);
    return result;
}
