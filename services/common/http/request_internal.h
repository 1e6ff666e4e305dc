// The inside of a request, for the files of this directory only.
#pragma once

#include "services/common/base/strbuf.h"
#include "services/common/http/head.h"
#include "services/common/http/reply.h"
#include "services/common/http/request.h"
#include "services/common/http/route.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_QUERY_PARAMS 32
#define HTTP_ARENA_BYTES 2048

struct http_connection;
struct MHD_Connection;

struct http_pair {
    const char *name;
    const char *value;
};

// Copies of the request's texts. Most fit the fixed part; what does not goes to blocks on the heap.
struct http_arena {
    size_t used;
    struct http_arena_block *blocks;
    char fixed[HTTP_ARENA_BYTES];
};

// How far a request has come. Only the server thread of its connection changes it.
enum http_stage {
    HTTP_STAGE_HEAD,    // the request line is there
    HTTP_STAGE_BODY,    // the head is accepted or refused, the body arrives
    HTTP_STAGE_HANDLED, // the handler was called, or a reply was sent
};

// Who answers a parked request. Whoever moves it on from PARKED resumes the connection, exactly once.
enum http_park_state {
    HTTP_NOT_PARKED,
    HTTP_PARK_WAITING,   // the owner has it
    HTTP_PARK_LOOKING,   // the same, and it looks whether the client is still there: back in a moment
    HTTP_PARK_COMPLETED, // the owner has answered
    HTTP_PARK_DETACHED,  // the server has given up the connection; the owner's answer goes nowhere
};

struct http_request {
    atomic_int references; // the connection's, the owner's while parked, the watchdog's during a cancel callback
    _Atomic enum http_park_state park_state;
    struct http_connection *connection; // for the connection's own thread
    enum http_stage stage;
    int64_t started_us;

    bool is_head;
    bool is_loopback;
    const char *method;
    const char *path; // the target, cut at the '?'
    size_t path_length;
    const char *query_text; // NULL without a query
    size_t query_length;
    const char *target_in_place; // where the library keeps the target; compared, never read
    size_t target_length;
    struct http_route_match match;
    const char *params[HTTP_ROUTE_PARAMS]; // unescaped
    char id[HTTP_REQUEST_ID_SIZE];

    size_t header_count;
    struct http_pair headers[HTTP_HEAD_FIELDS];
    size_t query_count;
    struct http_pair query[HTTP_QUERY_PARAMS];

    struct http_framing framing;
    struct strbuf body;
    int body_fd; // -1: in memory
    int64_t body_received;
    size_t body_held;      // bytes of the budget of all bodies
    int body_error_status; // 0: none; else what collecting the body came to

    bool refused; // `reply` is the answer, the body is read and dropped
    bool must_close;
    int sent_status; // 0: no reply was queued
    struct http_reply reply;

    void *context;
    void (*destroy_context)(void *context);
    const char *principal;
    int64_t principal_id;
    const char *scope;
    int role;

    bool was_parked;
    http_cancel_fn cancel; // set before the request is parked
    void *cancel_owner;
    bool told_stopping; // under the connection's lock

    struct http_arena arena;
};

// Frees the body's memory, and its share of the budget of all bodies.
void http_body_release(struct http_request *request);
// Makes a request with one reference. `target` is copied. NULL without memory.
struct http_request *http_request_new(const char *target);
void http_request_ref(struct http_request *request);
void http_request_unref(struct http_request *request); // frees it with the last one

// Copies and NUL-terminates. NULL without memory.
char *http_request_copy(struct http_request *request, const char *text, size_t length);
// Splits the target and reads the query. On failure *status is what to send.
int http_request_read_target(struct http_request *request, int *status, struct err *err) WARN_UNUSED;
// Copies the fields that http_head_check() accepted, and chooses the request's id.
int http_request_read_head(struct http_request *request, const struct http_head *head, struct err *err) WARN_UNUSED;
// An id for a request whose head was not accepted.
void http_request_make_id(struct http_request *request);
// Takes over a match and unescapes its parameters.
int http_request_read_match(struct http_request *request, const struct http_route_match *match,
                            struct err *err) WARN_UNUSED;
