// Routes: a const table of method, pattern and handler, and the strict matching of raw request targets against it.
//
// Matching works on the target as it stood in the request line, never on an unescaped copy: "%2f" is not a slash here.
// Handlers see struct http_request and struct http_reply only; the HTTP library stays behind this directory.
#pragma once

#include "services/common/base/err.h"

#include <stddef.h>
#include <stdint.h>

struct http_request;
struct http_reply;
struct strbuf;

enum http_handled {
    HTTP_REPLY,  // the reply is filled in and is sent now
    HTTP_PARKED, // http_request_park() was called and the request was handed over: http_request_complete() will answer
                 // it
};

// Runs on a server thread and must not block: what waits (for a database, another machine, an event) is parked.
// `app` is the pointer of the server's settings.
typedef enum http_handled (*http_handler_fn)(void *app, struct http_request *request, struct http_reply *reply);

enum http_route_flag {
    HTTP_ROUTE_ALWAYS = 1,    // answered above the connection limit too and while draining: health checks
    HTTP_ROUTE_BODY_FILE = 2, // the body goes to an unnamed temporary file: http_request_body_file()
};

struct http_route {
    const char *method;  // "GET" (serves HEAD as well unless the table has a HEAD row), "POST", "PUT", "DELETE", "HEAD"
    const char *pattern; // "/v1/jobs/{id}/stop": a segment is literal text or one {name}; "/" alone is the root
    http_handler_fn handler;
    int role;                 // the program's own meaning; handed to its `authorize` function
    const char *summary;      // one line for the reference
    size_t body_limit_bytes;  // 0: a request with a body gets 413
    unsigned flags;           // enum http_route_flag
    int64_t body_deadline_ms; // to receive the whole body; 0: the server's default
};

struct http_route_table {
    const struct http_route *routes;
    size_t count;
};

#define HTTP_ROUTE_SEGMENTS 12 // most segments of a pattern or a path
#define HTTP_ROUTE_PARAMS 6    // most {name}s of a pattern

// A table prepared for matching. Immutable, so any thread may match.
struct http_router;
// Outcomes: 0; ERR_INVALID names the row with a bad pattern, or the two rows that match the same requests.
int http_router_new(const struct http_route_table *table, struct http_router **out, struct err *err) WARN_UNUSED;
void http_router_free(struct http_router *router); // takes NULL

struct http_route_match {
    const struct http_route *route; // NULL unless found
    size_t param_count;
    struct http_route_param {
        const char *name; // points into the pattern, not NUL-terminated
        size_t name_length;
        const char *value; // points into the path, still escaped, not NUL-terminated
        size_t value_length;
    } params[HTTP_ROUTE_PARAMS];
};

enum http_route_outcome {
    HTTP_ROUTE_FOUND,
    HTTP_ROUTE_NOT_FOUND,          // 404
    HTTP_ROUTE_METHOD_NOT_ALLOWED, // 405: http_router_allow() writes the Allow header
};
// `path` is a target's path that http_target_split() accepted.
enum http_route_outcome http_router_match(const struct http_router *router, const char *method, const char *path,
                                          size_t path_length, struct http_route_match *out);
// Appends "GET, HEAD, POST": the methods that `path` knows, in the order of the table.
void http_router_allow(const struct http_router *router, const char *path, size_t path_length, struct strbuf *out);
