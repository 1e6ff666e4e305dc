// UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing beyond U+10FFFF.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Length of the well-formed sequence at the beginning of `text` (length > 0), 0 when there is none.
size_t utf8_sequence(const unsigned char *text, size_t length);
bool utf8_valid(const char *text, size_t length); // NUL is a character like any other
// The length of the longest part of `text` that is valid, has at most `max` bytes and does not end within a character.
size_t utf8_prefix(const char *text, size_t length, size_t max);
// Ends a text, that was cut to fit, before the character that it ends within.
void utf8_cut(char *text);
// Writes a code point that is no surrogate; returns its bytes (1 to 4).
size_t utf8_encode(uint32_t code_point, char out[static 4]);
