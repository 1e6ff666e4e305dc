// UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing beyond U+10FFFF.
#pragma once

#include <stdbool.h>
#include <stddef.h>

// Length of the well-formed sequence at the beginning of `text` (length > 0), 0 when there is none.
size_t utf8_sequence(const unsigned char *text, size_t length);
bool utf8_valid(const char *text, size_t length); // NUL is a character like any other
