// Request targets: the raw text between method and version, checked before anything looks at it.
#pragma once

#include "services/common/base/err.h"

#include <stdbool.h>
#include <stddef.h>

#define HTTP_TARGET_LIMIT 8192 // bytes

// Splits "/path?query". Accepts origin form only: a path that begins with a slash, without empty, "." or ".." segments
// (also when they are escaped; one trailing slash is an empty segment), without escapes of control characters, slash
// and backslash, with valid escapes, valid UTF-8 after unescaping, and no bytes outside of RFC 3986. "*", authority
// form, absolute form and fragments are refused. `*query` is what follows the first '?', or NULL without one. Outcomes:
// 0; ERR_INVALID says what is wrong; ERR_TOO_LARGE over HTTP_TARGET_LIMIT.
int http_target_split(const char *target, size_t length, const char **path, size_t *path_length, const char **query,
                      size_t *query_length, struct err *err) WARN_UNUSED;

// Unescapes `length` bytes into `out` (room for length + 1 bytes; NUL-terminated) and sets *out_length. '+' becomes a
// space when plus_is_space. ERR_INVALID for broken escapes, control characters and invalid UTF-8.
int http_unescape(const char *text, size_t length, bool plus_is_space, char *out, size_t *out_length,
                  struct err *err) WARN_UNUSED;

struct strbuf;
// Appends `text` with everything escaped but unreserved characters: for clients that build targets.
void http_escape(struct strbuf *out, const char *text);
