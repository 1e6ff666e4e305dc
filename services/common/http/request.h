// A request as handlers see it: copied out of the connection, so it stays valid until it is answered, on any thread.
//
// Lifetime: the server makes it and frees it. A handler that returns HTTP_REPLY may use it until it returns. A handler
// that parks it may hand it to one other thread at a time, which may use it until it calls http_request_complete(),
// exactly once. Texts and bytes that accessors return live as long as the request.
#pragma once

#include "services/common/base/err.h"
#include "services/common/http/route.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_REQUEST_ID_SIZE 65

const char *http_request_method(const struct http_request *request); // "GET" for a HEAD that a GET route serves too
const char *http_request_path(const struct http_request *request);   // raw, without the query
const struct http_route *http_request_route(const struct http_request *request);
// What X-Request-Id carried if that is 1 to 64 letters, digits, '.', '_' or '-'; else made here.
const char *http_request_id(const struct http_request *request);
bool http_request_from_loopback(const struct http_request *request); // 127.0.0.0/8, ::1 or the Unix socket

// The {name} of the pattern, unescaped; NULL when the pattern has no such name.
const char *http_request_param(const struct http_request *request, const char *name);
// A query parameter, unescaped ('+' is a space); NULL when it is absent. A query with a duplicate, a broken escape, a
// control character or more than 32 parameters never reaches a handler.
const char *http_request_query(const struct http_request *request, const char *name);
// Refuses parameters that are not in `allowed` (ended by NULL): ERR_INVALID names the first.
int http_request_query_only(const struct http_request *request, const char *const *allowed,
                            struct err *err) WARN_UNUSED;
// A header by name, in any case; the first of several; NULL when it is absent.
const char *http_request_header(const struct http_request *request, const char *name);
// The token of "Authorization: Bearer TOKEN", or NULL.
const char *http_request_bearer(const struct http_request *request);

// The body, NUL-terminated after `*length` bytes; "" without a body. Only for routes that collect it in memory.
const char *http_request_body(const struct http_request *request, size_t *length);
// The body of a route with HTTP_ROUTE_BODY_FILE: an open file without a name, at offset 0. Stays the request's.
int http_request_body_file(const struct http_request *request, int64_t *length);

// A pointer of the handler's, freed with `destroy` (may be NULL) when the request is: after the reply was sent, or the
// client has gone, and nobody uses the request any more. Setting it again destroys the one before. Any thread.
void http_request_set_context(struct http_request *request, void *context, void (*destroy)(void *context));
void *http_request_context(const struct http_request *request);
// Who asks, as `authorize` found: a name, which is copied, and what the program itself tells principals apart by.
void http_request_set_principal(struct http_request *request, const char *name, int64_t id, int role);
const char *http_request_principal(const struct http_request *request); // the name; NULL: nobody set one
int64_t http_request_principal_id(const struct http_request *request);  // 0 unless set
int http_request_role(const struct http_request *request);              // 0 unless set
// What of all that there is the principal sees, in the program's own meaning; copied. ERR_NO_MEMORY.
int http_request_set_scope(struct http_request *request, const char *scope, struct err *err) WARN_UNUSED;
const char *http_request_scope(const struct http_request *request); // NULL: nobody set one

enum http_cancel {
    HTTP_CANCEL_GONE,     // the client has gone; the reply will be discarded
    HTTP_CANCEL_STOPPING, // the server drains; a reply now is still delivered
};
// Tells the owner of a parked request that it should complete it soon. Called at most once per reason, on a thread of
// the server's, possibly while or after another thread completes the request: `owner` must outlive all requests, and
// the callback looks `request` up in the owner's own tables under the owner's own lock, and ignores one that is not
// there. During the callback the request and its context are valid, completed or not. The callback may complete the
// request. It must not block.
typedef void (*http_cancel_fn)(void *owner, struct http_request *request, enum http_cancel reason);

// Parks the request: call it in the handler, before the request is handed to another thread, and then return
// HTTP_PARKED. `cancel` may be NULL for work that completes by itself within seconds.
void http_request_park(struct http_request *request, http_cancel_fn cancel, void *owner);
// Answers a parked request, from any thread, exactly once per park, whatever happened to the client meanwhile; the last
// use of `request` by its owner. `reply` is emptied. It works after the server was freed, too.
void http_request_complete(struct http_request *request, struct http_reply *reply);
// True once the client has gone: work that nobody waits for may be left out. For the owner of a parked request.
bool http_request_cancelled(const struct http_request *request);
// Looks whether the client of a parked request has gone, now and not when the watchdog looks next. True: it has, and
// http_request_cancelled() is true from now on; `cancel` is not called for it. Costs a system call. For the owner, who
// has not completed it.
bool http_request_client_has_gone(struct http_request *request);
