#include "services/common/base/sha256.h"
#include "services/common/base/cleanup.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdlib.h>

struct sha256 {
    gnutls_hash_hd_t handle;
};

static void to_hex(const unsigned char digest[static SHA256_SIZE], char out[static SHA256_HEX_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < SHA256_SIZE; i++) {
        out[2 * i] = digits[digest[i] >> 4];
        out[2 * i + 1] = digits[digest[i] & 15];
    }
    out[SHA256_HEX_SIZE - 1] = '\0';
}

int sha256_new(struct sha256 **out, struct err *err)
{
    struct sha256 *hash AUTO_FREE = calloc(1, sizeof *hash);
    if (!hash)
        return err_set(err, ERR_NO_MEMORY, "no memory for a hash");
    int status = gnutls_hash_init(&hash->handle, GNUTLS_DIG_SHA256);
    if (status < 0)
        return err_set(err, ERR_INTERNAL, "cannot hash: %s", gnutls_strerror(status));
    *out = TAKE_PTR(hash);
    return 0;
}

int sha256_update(struct sha256 *hash, const void *bytes, size_t length, struct err *err)
{
    int status = gnutls_hash(hash->handle, bytes, length);
    return status < 0 ? err_set(err, ERR_INTERNAL, "cannot hash: %s", gnutls_strerror(status)) : 0;
}

void sha256_finish(struct sha256 *hash, char out[static SHA256_HEX_SIZE])
{
    unsigned char digest[SHA256_SIZE];
    gnutls_hash_deinit(hash->handle, digest);
    free(hash);
    to_hex(digest, out);
}

void sha256_free(struct sha256 *hash)
{
    if (!hash)
        return;
    gnutls_hash_deinit(hash->handle, NULL);
    free(hash);
}

int sha256_bytes(const void *bytes, size_t length, unsigned char out[static SHA256_SIZE], struct err *err)
{
    int status = gnutls_hash_fast(GNUTLS_DIG_SHA256, bytes, length, out);
    return status < 0 ? err_set(err, ERR_INTERNAL, "cannot hash: %s", gnutls_strerror(status)) : 0;
}

int sha256_hex(const void *bytes, size_t length, char out[static SHA256_HEX_SIZE], struct err *err)
{
    unsigned char digest[SHA256_SIZE];
    if (sha256_bytes(bytes, length, digest, err) < 0)
        return -1;
    to_hex(digest, out);
    return 0;
}

bool sha256_same(const unsigned char a[static SHA256_SIZE], const unsigned char b[static SHA256_SIZE])
{
    return gnutls_memcmp(a, b, SHA256_SIZE) == 0;
}
