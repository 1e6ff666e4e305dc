// JSON string literals as they stand in a text, quotes and escapes included: checking, comparing and decoding without a
// copy.
//
// All functions but the first want a literal that json_string_check has accepted, given by the address of its opening
// quote.
#pragma once

#include "services/common/base/strbuf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Checks the literal whose opening quote is at `at`. NULL: it is fine and *end is behind its closing quote. Otherwise
// what is wrong with it, and *end is the place.
const char *json_string_check(const char *at, const char *limit, const char **end);

// Decoding, one character at a time. `at` starts behind the opening quote.
struct json_string_reader {
    const char *at;
};
// The bytes of the next character (1 to 4); 0 at the end.
size_t json_string_next(struct json_string_reader *reader, char out[static 4]);

int json_string_compare(const char *a, const char *b); // decoded, like strcmp
bool json_string_equals(const char *literal, const char *text);
uint64_t json_string_hash(const char *literal); // of the decoded bytes
// Decodes up to size - 1 bytes, whole characters only, and a NUL. Returns the length.
size_t json_string_decode(const char *literal, char *out, size_t size);
void json_string_append(const char *literal, struct strbuf *out); // decodes all of it
