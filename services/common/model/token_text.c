#include "services/common/model/token_text.h"

#include "services/common/base/id.h"

#include <stdint.h>
#include <string.h>

#define RANDOM_BYTES 32
#define DIGITS 52 // of 5 bits

int token_make(char out[static TOKEN_TEXT_SIZE], struct err *err)
{
    static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";
    unsigned char random[RANDOM_BYTES + 1] = {0}; // the last digit reaches beyond the last byte
    if (random_bytes(random, RANDOM_BYTES, err) < 0)
        return -1;
    size_t at = sizeof(TOKEN_PREFIX) - 1;
    memcpy(out, TOKEN_PREFIX, at);
    for (size_t bit = 0; bit < DIGITS * 5; bit += 5) {
        unsigned pair = (unsigned)random[bit / 8] << 8 | random[bit / 8 + 1];
        out[at++] = alphabet[pair >> (11 - bit % 8) & 31];
    }
    out[at] = '\0';
    explicit_bzero(random, sizeof random);
    return 0;
}

int token_digest(const char *text, unsigned char out[static SHA256_SIZE], struct err *err)
{
    return sha256_bytes(text, strlen(text), out, err);
}

bool token_name_is_valid(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    size_t length = strlen(name);
    return length > 0 && length < TOKEN_NAME_SIZE && strspn(name, allowed) == length;
}
