// The strict check of a request's head: everything that smuggles requests past proxies or confuses handlers is refused
// before the body is looked at. Pure: works on fields that the caller collected.
#pragma once

#include "services/common/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_HEAD_FIELDS 64 // most header lines

struct http_head_field {
    const char *name;
    size_t name_length;
    const char *value;
    size_t value_length;
};

struct http_head {
    const char *version; // "HTTP/1.1"
    const struct http_head_field *fields;
    size_t count;
};

struct http_framing {
    bool chunked;
    bool expects_continue;
    int64_t content_length; // -1: none given
};

// Refuses: versions other than 1.0 and 1.1; names that are no tokens; control characters and invalid UTF-8 in values;
// more than one Host, Content-Length, Transfer-Encoding, Authorization, Content-Type, Expect or Idempotency-Key; no
// Host in 1.1 or one with odd characters; a Content-Length that is not plain digits; a Transfer-Encoding other than
// "chunked", in 1.0, or together with Content-Length; an expectation other than 100-continue. On failure *status is the
// 4xx or 5xx to send, and the connection has to be closed.
int http_head_check(const struct http_head *head, struct http_framing *out, int *status, struct err *err) WARN_UNUSED;
