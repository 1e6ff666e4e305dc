// Base64 (RFC 4648, with padding) for bytes that have to travel as text. Pure.
#pragma once

#include "services/common/base/macros.h"
#include "services/common/base/strbuf.h"

#include <stddef.h>

void base64_encode(struct strbuf *out, const void *bytes, size_t length); // appends
// Strict: no white space, right padding, unused bits zero. `out` has room for length / 4 * 3 bytes. -1 when it is no
// base64.
int base64_decode(const char *text, size_t length, void *out, size_t *out_length) WARN_UNUSED;
