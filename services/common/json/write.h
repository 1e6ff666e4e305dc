// Writes JSON into a strbuf, member by member: commas come by themselves.
//
//     json_open(out, NULL, '{');
//     json_text(out, "name", name);
//     json_open(out, "stages", '[');
//     ...
//     json_close(out, ']');
//     json_close(out, '}');
//
// `key` is NULL for elements of arrays and for the value on top; keys are plain ASCII. A line break before a value on
// top starts a new document (NDJSON). Texts must be valid UTF-8. Memory that runs out shows in strbuf_ok().
#pragma once

#include "services/common/base/strbuf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void json_open(struct strbuf *out, const char *key, char bracket);
void json_close(struct strbuf *out, char bracket);
void json_text(struct strbuf *out, const char *key, const char *text); // NULL: null
void json_text_n(struct strbuf *out, const char *key, const char *text, size_t length);
void json_i64(struct strbuf *out, const char *key, int64_t value);
void json_bool(struct strbuf *out, const char *key, bool value);
void json_null(struct strbuf *out, const char *key);
void json_raw(struct strbuf *out, const char *key, const char *json); // a JSON value as it is; NULL: null
void json_time(struct strbuf *out, const char *key, int64_t wall_us); // RFC 3339; 0: null
