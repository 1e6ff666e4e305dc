// Streaming replies: a bounded buffer between whoever produces the content and the server thread that sends it.
//
//   struct http_stream *stream;
//   if (http_stream_new(&functions, my_state, 64 * 1024, &stream, &err) < 0) ...
//   return http_reply_stream(reply, 200, HTTP_TYPE_NDJSON, stream);
//
// Demand: when the buffer is empty and the client can take more, `more` is called once. The producer answers it, at
// once or later, on any thread, with http_stream_write() or http_stream_end(); writes without demand are fine as well.
// While there is nothing to send, the connection is parked and costs nothing. End: `over` is called once, when the
// client has gone, the server drains or the content was sent to the end.
#pragma once

#include "services/common/base/err.h"
#include "services/common/http/reply.h"

#include <stdbool.h>
#include <stddef.h>

enum http_stream_over {
    HTTP_STREAM_GONE,     // the client has gone: what is written from now on is dropped
    HTTP_STREAM_STOPPING, // the server drains: what is written still arrives; end soon
};

struct http_stream_functions {
    // On a server thread; must not block and may hand over to another thread. NULL: the producer writes when it likes.
    void (*more)(void *context, struct http_stream *stream);
    // On a server thread; at most once per reason, not after the last reference was given up. May be NULL.
    void (*over)(void *context, struct http_stream *stream, enum http_stream_over reason);
    // When nobody uses the stream any more, on any thread. Frees the context. May be NULL.
    void (*destroy)(void *context);
};

// The producer holds one reference until http_stream_end(), the reply another until it was sent. `functions` is static.
int http_stream_new(const struct http_stream_functions *functions, void *context, size_t high_water_bytes,
                    struct http_stream **out, struct err *err) WARN_UNUSED;

// Makes the reply a stream; `stream` moves into it (the reply's reference, not the producer's).
enum http_handled http_reply_stream(struct http_reply *reply, int status, const char *content_type,
                                    struct http_stream *stream);

enum http_stream_written {
    HTTP_STREAM_MORE, // go on
    HTTP_STREAM_FULL, // taken, but the buffer is over its high-water mark: wait for `more`
    HTTP_STREAM_DEAD, // dropped: the client has gone. Call http_stream_end().
};
// Copies the bytes into the buffer. Any thread; not after http_stream_end().
enum http_stream_written http_stream_write(struct http_stream *stream, const void *bytes, size_t length);
// No more content: the reply ends after what was written. Exactly once; the producer's last use of the stream. With
// `complete` false the connection is broken off instead, so that the client sees that content is missing.
void http_stream_end(struct http_stream *stream, bool complete);
