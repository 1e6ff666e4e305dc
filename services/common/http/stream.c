#include "services/common/http/stream.h"

#include "services/common/base/cleanup.h"
#include "services/common/http/loop.h"
#include "services/common/http/server_internal.h"

#include <string.h>
#include <sys/types.h>

#define PIECE_BYTES (16 * 1024)

struct http_stream {
    atomic_int references; // the producer's, the reply's, the watchdog's while it tells
    const struct http_stream_functions *functions;
    void *context;
    size_t high_water;
    struct http_connection *connection; // set before it is sent; there while its own thread runs, or is suspended

    pthread_mutex_t lock;
    struct strbuf buffer;
    size_t taken;    // bytes of the buffer that were sent
    bool is_waiting; // the connection is suspended; whoever clears it resumes the connection
    bool is_asked;   // `more` was called and not answered yet
    bool is_ended;   // by the producer
    bool is_complete;
    bool is_gone; // the client has gone, or everything was sent
    bool told_stopping;
};

int http_stream_new(const struct http_stream_functions *functions, void *context, size_t high_water_bytes,
                    struct http_stream **out, struct err *err)
{
    struct http_stream *stream = calloc(1, sizeof *stream);
    if (!stream)
        return err_set(err, ERR_NO_MEMORY, "stream");
    atomic_init(&stream->references, 2);
    stream->functions = functions;
    stream->context = context;
    stream->high_water = high_water_bytes;
    pthread_mutex_init(&stream->lock, NULL);
    *out = stream;
    return 0;
}

enum http_handled http_reply_stream(struct http_reply *reply, int status, const char *content_type,
                                    struct http_stream *stream)
{
    http_reply_empty(reply, status);
    reply->content_type = content_type;
    reply->stream = stream;
    return HTTP_REPLY;
}

void http_stream_ref(struct http_stream *stream)
{
    atomic_fetch_add_explicit(&stream->references, 1, memory_order_relaxed);
}

void http_stream_unref(struct http_stream *stream)
{
    if (atomic_fetch_sub_explicit(&stream->references, 1, memory_order_acq_rel) != 1)
        return;
    if (stream->functions->destroy)
        stream->functions->destroy(stream->context);
    strbuf_release(&stream->buffer);
    pthread_mutex_destroy(&stream->lock);
    free(stream);
}

static void tell(struct http_stream *stream, enum http_stream_over reason)
{
    if (stream->functions->over)
        stream->functions->over(stream->context, stream, reason);
}

void http_stream_abort(struct http_stream *stream)
{
    pthread_mutex_lock(&stream->lock);
    bool is_news = !stream->is_gone;
    bool tells = is_news && !stream->is_ended;
    bool resumes = stream->is_waiting;
    bool is_unwatched = tells && stream->functions->more && !stream->is_asked;
    stream->is_gone = true;
    stream->is_waiting = false;
    strbuf_release(&stream->buffer);
    stream->taken = 0;
    pthread_mutex_unlock(&stream->lock);
    if (resumes)
        http_loop_resume(stream->connection);
    if (tells)
        tell(stream, HTTP_STREAM_GONE);
    if (is_unwatched) // nobody will call http_stream_end()
        http_stream_unref(stream);
}

void http_stream_stop(struct http_stream *stream)
{
    pthread_mutex_lock(&stream->lock);
    bool tells = !stream->told_stopping && !stream->is_gone && !stream->is_ended;
    stream->told_stopping = true;
    pthread_mutex_unlock(&stream->lock);
    if (tells)
        tell(stream, HTTP_STREAM_STOPPING);
}

bool http_stream_is_waiting(struct http_stream *stream)
{
    pthread_mutex_lock(&stream->lock);
    bool is_waiting = stream->is_waiting;
    pthread_mutex_unlock(&stream->lock);
    return is_waiting;
}

void http_stream_discard(struct http_stream *stream)
{
    if (!stream)
        return;
    http_stream_abort(stream);
    http_stream_unref(stream);
}

static void response_freed(void *context)
{
    http_stream_discard(context);
}

// Takes what fits out of the buffer. Under the lock.
static ssize_t take(struct http_stream *stream, char *buffer, size_t capacity)
{
    size_t length = MIN(capacity, stream->buffer.length - stream->taken);
    memcpy(buffer, stream->buffer.data + stream->taken, length);
    stream->taken += length;
    if (stream->taken == stream->buffer.length) {
        strbuf_clear(&stream->buffer);
        stream->taken = 0;
    }
    return (ssize_t)length;
}

// Not MHD_CONTENT_READER_END_WITH_ERROR: after a suspension the library then forgets the connection, and never closes
// it. A byte that can no longer be sent makes it notice.
static ssize_t break_off(struct http_stream *stream, char *buffer)
{
    http_connection_break(stream->connection);
    buffer[0] = '\n';
    return 1;
}

// What the connection gets now; 0: it was suspended. Under the lock.
static ssize_t read_locked(struct http_stream *stream, char *buffer, size_t capacity)
{
    const struct http_server_settings *settings = &stream->connection->server->settings;
    if (stream->is_gone || stream->buffer.failed)
        return break_off(stream, buffer);
    if (stream->taken < stream->buffer.length) {
        http_connection_deadline(stream->connection, settings->reply_stall_ms);
        return take(stream, buffer, capacity);
    }
    if (stream->is_ended)
        return stream->is_complete ? MHD_CONTENT_READER_END_OF_STREAM : break_off(stream, buffer);
    MHD_suspend_connection(stream->connection->mhd);
    http_connection_deadline(stream->connection, 0);
    stream->is_waiting = true;
    stream->is_asked = true;
    return 0;
}

static ssize_t read_stream(void *context, uint64_t position, char *buffer, size_t capacity)
{
    UNUSED(position);
    struct http_stream *stream = context;
    pthread_mutex_lock(&stream->lock);
    ssize_t length = read_locked(stream, buffer, capacity);
    bool is_empty = length == 0;
    pthread_mutex_unlock(&stream->lock);
    if (is_empty && stream->functions->more)
        stream->functions->more(stream->context, stream);
    else if (is_empty && stream->functions->drained)
        stream->functions->drained(stream->context);
    return length;
}

struct MHD_Response *http_stream_response(struct http_stream *stream, struct http_connection *connection)
{
    pthread_mutex_lock(&stream->lock); // the producer may be writing already
    stream->connection = connection;
    pthread_mutex_unlock(&stream->lock);
    return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, PIECE_BYTES, read_stream, stream, response_freed);
}

enum http_stream_written http_stream_write(struct http_stream *stream, const void *bytes, size_t length)
{
    pthread_mutex_lock(&stream->lock);
    enum http_stream_written written = HTTP_STREAM_DEAD;
    struct http_connection *connection = stream->connection;
    bool resumes = false;
    if (!stream->is_gone) {
        strbuf_add(&stream->buffer, bytes, length);
        bool is_full = stream->buffer.length - stream->taken >= stream->high_water;
        written = is_full ? HTTP_STREAM_FULL : HTTP_STREAM_MORE;
        resumes = stream->is_waiting;
        stream->is_waiting = false;
        stream->is_asked = false;
    }
    pthread_mutex_unlock(&stream->lock);
    // From here on the stream may be gone: its producer has answered. A suspended connection is there until it is
    // resumed.
    if (resumes)
        http_loop_resume(connection);
    return written;
}

void http_stream_end(struct http_stream *stream, bool complete)
{
    pthread_mutex_lock(&stream->lock);
    stream->is_ended = true;
    stream->is_complete = complete;
    bool resumes = stream->is_waiting;
    stream->is_waiting = false;
    pthread_mutex_unlock(&stream->lock);
    if (resumes)
        http_loop_resume(stream->connection);
    http_stream_unref(stream);
}
