// HTTP client for a single-threaded event loop: many calls in flight, connections reused. See client.h for the calls.
//
// Everything runs on the loop's thread. Callbacks may start and cancel calls, and free nothing but their own things.
#pragma once

#include "services/common/base/err.h"
#include "services/common/base/loop.h"
#include "services/common/http/client.h"

#include <stddef.h>

struct http_async;
struct http_async_call;

// `max_connections_per_host` 0: no limit; calls above it wait (within their timeouts).
int http_async_new(struct loop *loop, const struct http_client_settings *settings, long max_connections_per_host,
                   struct http_async **out, struct err *err) WARN_UNUSED;
// Ends all calls without their callbacks. Takes NULL. Not inside a callback. Before loop_free().
void http_async_free(struct http_async *async);

// Called once per call, never from within http_async_start(). `response` is NULL on failure, and then `err` says why
// (codes as for http_call). The body may be taken out of the response; the rest is gone after the callback.
typedef void (*http_async_fn)(void *context, struct http_response *response, const struct err *err);

// Starts a call. `*out` (may be NULL) is valid until its callback or http_async_cancel().
int http_async_start(struct http_async *async, const struct http_call *call, http_async_fn done, void *context,
                     struct http_async_call **out, struct err *err) WARN_UNUSED;
// Ends a call without its callback. Takes NULL. Allowed in any callback but the call's own.
void http_async_cancel(struct http_async_call *call);
size_t http_async_in_flight(const struct http_async *async);
