// A reply: status, headers, and a body of bytes or a stream.
//
// Building never fails visibly: when memory runs out the reply turns into a 500. Not thread-safe; owned by whoever
// fills it in until it is given to http_request_complete() or the handler returns HTTP_REPLY.
#pragma once

#include "services/common/base/err.h"
#include "services/common/base/strbuf.h"
#include "services/common/http/request.h"

#include <stdbool.h>
#include <stdint.h>

struct http_stream;

struct http_reply {
    int status;               // 0: nothing was filled in, sent as 500
    const char *content_type; // must outlive the reply: a literal; NULL with an empty body
    struct strbuf body;
    struct strbuf headers;      // "name\0value\0" pairs; use http_reply_header()
    struct http_stream *stream; // instead of the body; use http_reply_stream()
    bool close;                 // close the connection after the reply
};
#define HTTP_REPLY_INIT {0}
#define AUTO_HTTP_REPLY CLEANUP(http_reply_release)

#define HTTP_TYPE_JSON "application/json"
#define HTTP_TYPE_PROBLEM "application/problem+json"
#define HTTP_TYPE_NDJSON "application/x-ndjson"
#define HTTP_TYPE_SSE "text/event-stream"
#define HTTP_TYPE_TEXT "text/plain; charset=utf-8"
#define HTTP_TYPE_HTML "text/html; charset=utf-8"

void http_reply_release(struct http_reply *reply); // frees what it holds; it can be used again

// Each of these starts afresh: body, headers and stream of before are dropped. They return HTTP_REPLY, so that a
// handler can end with `return http_reply_...`.
enum http_handled http_reply_empty(struct http_reply *reply, int status);
// Moves `body` (left empty) into the reply. `content_type` must be a literal.
enum http_handled http_reply_bytes(struct http_reply *reply, int status, const char *content_type, struct strbuf *body);
// Copies `text`.
enum http_handled http_reply_text(struct http_reply *reply, int status, const char *content_type, const char *text);

// Adds a header after the functions above. Name and value must be valid; ones with control characters turn the reply
// into a 500.
void http_reply_header(struct http_reply *reply, const char *name, const char *value);
void http_reply_retry_after(struct http_reply *reply, int64_t delay_ms); // rounded up to seconds, at least 1
// Sets the ETag ("..." is added around `tag`, which is visible ASCII without quotes). True when If-None-Match of a GET
// has it: the reply is now an empty 304.
bool http_reply_etag(struct http_reply *reply, const struct http_request *request, const char *tag);

// A problem document from the built-in writer: {type, title, status, code, detail, request_id}. For what the server
// itself refuses, and for programs without a writer of their own. `code` is a stable word, `detail` UTF-8 text.
enum http_handled http_reply_problem(struct http_reply *reply, const struct http_request *request, int status,
                                     const char *code, const char *detail);
