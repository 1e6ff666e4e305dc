// The HTTP server: listens, checks, routes, parks and answers.
//
// Promises: a request with a dubious head (RFC 9112 smuggling, folded headers, odd targets) gets a 4xx and its
// connection is closed; every phase of a connection has a hard deadline; requests above the connection limit get 503
// with Retry-After while routes with HTTP_ROUTE_ALWAYS still answer; a parked request whose client goes is noticed
// within two seconds; a drain ends, whatever clients and handlers of parked requests do. Does not: HTTP/2, compression
// (see gzip.h), authentication (see `authorize`).
#pragma once

#include "services/common/base/err.h"
#include "services/common/http/reply.h"
#include "services/common/http/request.h"
#include "services/common/http/route.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_server;
struct http_tls;

struct http_server_settings {
    const char
        *address; // a numeric IPv4 or IPv6 address; "unix:/path" for a Unix socket (mode 0600; a stale one is replaced)
    uint16_t port;        // 0: any free port
    struct http_tls *tls; // NULL: plain; borrowed, outlives the server
    struct http_route_table routes;
    void *app;                   // handed to handlers and to the functions below; outlives the server
    int threads;                 // 0: one per core
    const char *spool_directory; // for HTTP_ROUTE_BODY_FILE; NULL: /tmp

    // Called when head and route are accepted, before the body is read. True: go on. False: `reply` is the answer. Must
    // not block.
    bool (*authorize)(void *app, struct http_request *request, struct http_reply *reply);
    // Writes the problem documents of the server's own refusals; NULL: http_reply_problem().
    void (*refuse)(void *app, const struct http_request *request, int status, const char *code, const char *detail,
                   struct http_reply *reply);
    // Once per answered request, on a server thread: from the request line to the last byte of the reply handed to the
    // kernel. The request has no route when none matched; status 499 when the client went before the reply. May be
    // NULL.
    void (*observe)(void *app, const struct http_request *request, int status, int64_t microseconds);

    // Limits; 0 means the default.
    size_t max_connections;             // 16384; above it 503. Lowered to what the descriptor limit allows.
    size_t max_connections_per_address; // 8192; above it 503; the Unix socket is exempt
    size_t head_limit_bytes;            // 16 KiB, request line and headers
    size_t body_budget_bytes;           // 256 MiB that bodies hold in memory, beyond 64 KiB of each; above it 503
    int64_t head_deadline_ms;           // 10 s from the connection or the request line to the end of the headers
    int64_t body_deadline_ms;           // 30 s from the headers to the end of the body, unless the route says otherwise
    int64_t reply_stall_ms;             // 60 s without progress while a reply is sent
    int64_t idle_ms;                    // 75 s between requests
    int64_t watch_interval_ms;          // 500 ms: how often deadlines and parked clients are looked at
};

// Starts threads and listens. Raises the soft limit of open files as far as the hard one and the connection limit
// allow. ERR_UNAVAILABLE when the address is in use, ERR_INVALID when it is none.
int http_server_start(const struct http_server_settings *settings, struct http_server **out,
                      struct err *err) WARN_UNUSED;
uint16_t http_server_port(const struct http_server *server); // the real one; 0 for a Unix socket

// Stops listening, closes idle connections, tells parked requests and streams that the server stops, and waits until
// all are answered. At the deadline (clock_boot_ms) it cuts off the rest. Then nothing of the server runs any more;
// parked requests that are still owned may be completed later, into the void. Handlers must return for it to end.
// Outcomes: 0 all were answered; 1 some were cut off.
int http_server_drain(struct http_server *server, int64_t deadline_boot_ms);
void http_server_free(
    struct http_server *server); // takes NULL; drains with a deadline that has passed unless that was done

struct http_server_stats {
    int64_t connections; // open now
    int64_t in_flight;   // requests between their request line and the end of their reply
    int64_t parked;      // requests and streams that are parked now
    int64_t overload;    // since the start: refused with 503 for the connection limits
    int64_t gone;        // since the start: parked requests and streams whose client went
    int64_t deadlines;   // since the start: connections that a deadline ended
};
void http_server_stats(const struct http_server *server, struct http_server_stats *out); // any thread
