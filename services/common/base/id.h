// Identifiers of jobs: 63-bit integers that grow with time, made without asking the database, written as 13 characters
// of lower-case Crockford base32 behind a prefix.
//
// 42 bits of milliseconds since 2020, 21 bits of a counter that starts at a random point each millisecond. Within a
// process they grow strictly; two processes collide only in the same millisecond with 2^-21 per pair, and the primary
// key catches that.
#pragma once

#include "services/common/base/err.h"

#include <stdint.h>

#define ID_TEXT_SIZE 16 // prefix, 13 digits, NUL, one to spare

int64_t id_new(void); // thread-safe; always positive
void id_format(char prefix, int64_t id, char out[static ID_TEXT_SIZE]);
// Accepts exactly what id_format writes (upper-case digits too). 0, or -1 when it is no such identifier.
int id_parse(char prefix, const char *text, int64_t *out);

// `length` bytes of the kernel's randomness.
int random_bytes(void *out, size_t length, struct err *err) WARN_UNUSED;
