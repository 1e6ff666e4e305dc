// SHA-256, for the names of bundles and for fingerprints; done by GnuTLS.
#pragma once

#include "services/common/base/err.h"

#include <stdbool.h>
#include <stddef.h>

#define SHA256_SIZE 32
#define SHA256_HEX_SIZE 65 // 64 lower-case digits and NUL

struct sha256;

// In pieces: open, update any number of times, finish (which frees). sha256_free abandons; takes NULL.
int sha256_new(struct sha256 **out, struct err *err) WARN_UNUSED;
int sha256_update(struct sha256 *hash, const void *bytes, size_t length, struct err *err) WARN_UNUSED;
void sha256_finish(struct sha256 *hash, char out[static SHA256_HEX_SIZE]);
void sha256_free(struct sha256 *hash);

// At once.
int sha256_hex(const void *bytes, size_t length, char out[static SHA256_HEX_SIZE], struct err *err) WARN_UNUSED;
int sha256_bytes(const void *bytes, size_t length, unsigned char out[static SHA256_SIZE], struct err *err) WARN_UNUSED;

// Whether two digests are the same, in a time that does not depend on where they differ.
bool sha256_same(const unsigned char a[static SHA256_SIZE], const unsigned char b[static SHA256_SIZE]);
