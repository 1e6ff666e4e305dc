// Streaming replies: a bounded buffer between whoever produces the content and the server thread that sends it.
//
//   struct http_stream *stream;
//   if (http_stream_new(&functions, my_state, 64 * 1024, &stream, &err) < 0) ...
//   return http_reply_stream(reply, 200, HTTP_TYPE_NDJSON, stream);
//
// A producer works in one of two ways:
//
// On demand (`more` is set): when the buffer is empty and the client can take more, `more` is called. It hands the
// stream to the producer, who answers, at once or much later, on any thread, with one http_stream_write() or
// http_stream_end(), and then must not touch the stream until `more` is called again (which can happen before the write
// has returned). Only a write that returned HTTP_STREAM_DEAD leaves the stream with the producer, who then calls
// http_stream_end(). When the client goes and no demand is open, the stream ends by itself.
//
// Unasked (`more` is NULL): the producer writes when it likes, until it calls http_stream_end(), exactly once, also
// when the client has gone.
//
// While there is nothing to send the connection is parked and costs nothing.
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
    // On a server thread; must not block, so it hands over to another thread or answers right here.
    void (*more)(void *context, struct http_stream *stream);
    // Tells a producer that has not ended the stream; on a server thread, at most once per reason, possibly while or
    // after another thread answers a demand: what it does to the stream has to be settled under a lock of the
    // producer's, as for http_cancel_fn. During the callback stream and context are valid. May be NULL.
    void (*over)(void *context, struct http_stream *stream, enum http_stream_over reason);
    // When nobody uses the stream any more, on any thread. Frees the context. May be NULL.
    void (*destroy)(void *context);
    // For who writes unasked: the buffer is empty, and the client can take more. On a server thread, possibly while
    // another thread writes; must not block. During the callback stream and context are valid. May be NULL.
    void (*drained)(void *context);
};

// `functions` is static. Put it into a reply with http_reply_stream(), which owns it from then on.
int http_stream_new(const struct http_stream_functions *functions, void *context, size_t high_water_bytes,
                    struct http_stream **out, struct err *err) WARN_UNUSED;

// Makes the reply a stream. Afterwards the producer touches it only as described above.
enum http_handled http_reply_stream(struct http_reply *reply, int status, const char *content_type,
                                    struct http_stream *stream);

enum http_stream_written {
    HTTP_STREAM_MORE, // go on
    HTTP_STREAM_FULL, // taken, but the buffer is over its high-water mark: who writes unasked had better pause
    HTTP_STREAM_DEAD, // dropped: the client has gone. Call http_stream_end().
};
// Copies the bytes into the buffer.
enum http_stream_written http_stream_write(struct http_stream *stream, const void *bytes, size_t length);
// No more content: the reply ends after what was written. The producer's last use of the stream. With `complete` false
// the connection is broken off instead, so that the client sees that content is missing.
void http_stream_end(struct http_stream *stream, bool complete);
