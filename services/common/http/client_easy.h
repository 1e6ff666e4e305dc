// What the blocking and the asynchronous client share: turning a call into a libcurl handle, and its end into a
// response.
#pragma once

#include "services/common/http/client.h"

#include <curl/curl.h>

// A client's settings with their defaults, copied.
struct http_origin {
    char *url;           // scheme and authority, without a trailing slash
    char *socket_path;   // of "unix:/path"; NULL otherwise
    char *authorization; // "Authorization: Bearer ..." or NULL
    char *user_agent;
    char *ca_file;
    bool unverified;
    int64_t connect_timeout_ms;
    int64_t timeout_ms;
};
// Once per process before the first handle; thread-safe. Checks the base URL.
int http_origin_init(struct http_origin *origin, const struct http_client_settings *settings,
                     struct err *err) WARN_UNUSED;
void http_origin_release(struct http_origin *origin);

// What goes on behind a handle. Stays at one address from http_exchange_begin() to http_exchange_release().
struct http_exchange {
    CURL *easy;
    struct curl_slist *headers;
    char *url, *socket_path; // of this call; no socket_path: NULL
    struct http_response response;
    size_t response_limit;
    http_body_fn on_body;
    void *on_body_context;
    int upload_fd;
    int64_t upload_left;
    bool is_too_large;
    bool is_refused_by_caller; // on_body returned negative
    char error_text[CURL_ERROR_SIZE];
};
// Sets all options of `exchange->easy` for the call. `body_lives` false: the body is copied.
int http_exchange_begin(struct http_exchange *exchange, const struct http_origin *origin, const struct http_call *call,
                        bool body_lives, struct err *err) WARN_UNUSED;
// After the transfer has ended with `code`: fills in the status and the rest, or the error.
int http_exchange_end(struct http_exchange *exchange, CURLcode code, struct err *err) WARN_UNUSED;
void http_exchange_release(struct http_exchange *exchange); // all but the handle
