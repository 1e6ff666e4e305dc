// UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Bytes of the character at `at` (1 to 4), 0 when the `available` bytes do not begin with a whole valid one.
size_t utf8_length(const char *at, size_t available);
// Writes a code point that is no surrogate; returns its bytes.
size_t utf8_encode(uint32_t code_point, char out[static 4]);
// The longest part of `text` that is valid UTF-8, has at most `max` bytes and does not end within a character.
size_t utf8_prefix(const char *text, size_t length, size_t max);
