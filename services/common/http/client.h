// HTTP client, blocking: for the command line, tests and threads that may wait. For an event loop see client_async.h.
//
// A client keeps its connection open between calls and is used by one thread at a time. It never follows redirects,
// speaks http and https only, ignores proxy settings of the environment, and installs no signal handlers.
#pragma once

#include "services/common/base/err.h"
#include "services/common/base/strbuf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_client;

struct http_client_settings {
    const char *base_url;       // "http://127.0.0.1:19001", "https://...", or "unix:/path/to.sock"
    const char *token;          // sent as bearer token; NULL: none. Copied.
    const char *user_agent;     // NULL: "curfew"
    const char *ca_file;        // for https; NULL: the system's
    bool unverified;            // https with whoever answers: for what needs no token and is no secret
    int64_t connect_timeout_ms; // 0: 5 s
    int64_t timeout_ms;         // of a whole call; 0: 30 s
};

struct http_header {
    const char *name;
    const char *value;
};

// Response content as it arrives, only for 2xx when on_body is set. Returning negative ends the call with ERR_IO.
typedef int (*http_body_fn)(void *context, const char *bytes, size_t length);

// A call; zeroed fields are absent. Everything is copied or used before the call returns, except for asynchronous
// calls: there `body`, `on_body_context` and `upload_fd` must live until the callback.
struct http_call {
    const char *method;
    const char *path;     // "/v1/jobs?limit=10", already escaped (http_escape)
    const char *base_url; // instead of the client's; the token is not sent there. NULL: the client's
    const struct http_header *headers;
    size_t header_count;
    const char *content_type; // NULL with a body: application/json
    const void *body;
    size_t body_length;
    bool has_upload; // the body is upload_length bytes of upload_fd, read from where it stands
    int upload_fd;
    int64_t upload_length;
    int64_t timeout_ms;      // 0: the client's; negative: none (for streams)
    int64_t idle_timeout_ms; // ERR_TIMEOUT after so long without a byte; 0: none; rounded up to seconds
    size_t response_limit;   // bytes; ERR_TOO_LARGE over it; 0: 64 MiB. Not for on_body.
    http_body_fn on_body;
    void *on_body_context;
    bool no_reuse; // on a connection of its own that is closed afterwards (readiness probes)
};

struct http_response {
    int status;
    int64_t retry_after_ms; // -1: none
    char content_type[96];
    char etag[96];
    char location[256];
    char request_id[72];
    struct strbuf body; // empty when on_body took it
};
#define HTTP_RESPONSE_INIT {0}
#define AUTO_HTTP_RESPONSE CLEANUP(http_response_release)
void http_response_release(struct http_response *response);

int http_client_new(const struct http_client_settings *settings, struct http_client **out, struct err *err) WARN_UNUSED;
void http_client_free(struct http_client *client); // takes NULL

// 0 when a response arrived, whatever its status. ERR_UNAVAILABLE: no connection, or it broke before a response was
// complete (the request may have been carried out); ERR_TIMEOUT; ERR_TOO_LARGE; ERR_INVALID: a bad URL; ERR_IO.
// `response` is released first.
int http_call(struct http_client *client, const struct http_call *call, struct http_response *response,
              struct err *err) WARN_UNUSED;
// http_call() with just this.
int http_get(struct http_client *client, const char *path, struct http_response *response, struct err *err) WARN_UNUSED;
int http_post(struct http_client *client, const char *path, const char *json, size_t length,
              struct http_response *response, struct err *err) WARN_UNUSED;
