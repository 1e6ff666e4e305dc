// A growing byte string, always NUL-terminated.
//
// Appending never fails visibly: when memory runs out the buffer turns `failed`, keeps ignoring appends, and whoever
// uses the content checks once with strbuf_ok(). Not thread-safe.
#pragma once

#include "services/common/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct strbuf {
    char *data; // NULL while nothing was appended; use strbuf_text() to get "" then
    size_t length;
    size_t capacity;
    bool failed;
};
#define STRBUF_INIT {0}
#define AUTO_STRBUF CLEANUP(strbuf_release)

void strbuf_release(struct strbuf *buf); // frees the content; the buffer can be used again
void strbuf_clear(struct strbuf *buf);   // length 0, keeps the capacity, forgets a failure
void strbuf_reserve(struct strbuf *buf, size_t more);
void strbuf_add(struct strbuf *buf, const void *bytes, size_t length);
void strbuf_add_text(struct strbuf *buf, const char *text);
void strbuf_add_char(struct strbuf *buf, char c);
void strbuf_add_i64(struct strbuf *buf, int64_t value); // decimal, no printf
void strbuf_add_format(struct strbuf *buf, const char *format, ...) PRINTF_LIKE(2, 3);
// A JSON string literal with quotes. `text` must be valid UTF-8; control characters, quotes and backslashes are
// escaped.
void strbuf_add_json(struct strbuf *buf, const char *text, size_t length);
// The same for bytes of anybody's: each that is not UTF-8 becomes '?'.
void strbuf_add_json_mended(struct strbuf *buf, const char *text);
void strbuf_drop_front(struct strbuf *buf, size_t bytes); // removes bytes at the beginning

const char *strbuf_text(const struct strbuf *buf); // never NULL
// Zero, or ERR_NO_MEMORY when an append failed.
int strbuf_ok(const struct strbuf *buf, struct err *err) WARN_UNUSED;
// Moves the content to the caller (free with free()); never NULL on success.
int strbuf_take(struct strbuf *buf, char **out, struct err *err) WARN_UNUSED;
