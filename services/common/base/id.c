// Identifiers. The last one handed out is one atomic word, so that a process never repeats itself, whatever its clock
// does.
#include "services/common/base/id.h"

#include "services/common/base/clock.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/random.h>

#define EPOCH_2020_MS INT64_C(1577836800000)
#define COUNTER_BITS 21
#define DIGITS 13

static const char alphabet[33] = "0123456789abcdefghjkmnpqrstvwxyz";

static int64_t random_counter(void)
{
    uint32_t random = 0;
    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
        random = (uint32_t)clock_boot_us();
    return (int64_t)(random & ((1U << COUNTER_BITS) - 1));
}

int64_t id_new(void)
{
    static _Atomic int64_t last;
    int64_t now_ms = MAX(clock_wall_us() / 1000 - EPOCH_2020_MS, INT64_C(1));
    int64_t fresh = (now_ms << COUNTER_BITS) | random_counter();
    int64_t previous = atomic_load(&last);
    int64_t next = 0;
    do {
        // A counter that runs over lends from the next millisecond; a clock that was set back is waited for the same
        // way.
        bool millisecond_is_used = previous >> COUNTER_BITS >= now_ms;
        next = millisecond_is_used ? previous + 1 : fresh;
    } while (!atomic_compare_exchange_weak(&last, &previous, next));
    return next;
}

void id_format(char prefix, int64_t id, char out[static ID_TEXT_SIZE])
{
    uint64_t rest = (uint64_t)id;
    out[0] = prefix;
    for (int i = DIGITS; i >= 1; i--) {
        out[i] = alphabet[rest & 31];
        rest >>= 5;
    }
    out[DIGITS + 1] = '\0';
}

static int digit_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        c = (char)(c - 'A' + 'a');
    const char *found = c ? strchr(alphabet, c) : NULL;
    return found ? (int)(found - alphabet) : -1;
}

int id_parse(char prefix, const char *text, int64_t *out)
{
    if (text[0] != prefix || strnlen(text, DIGITS + 2) != DIGITS + 1)
        return -1;
    uint64_t value = 0;
    for (int i = 1; i <= DIGITS; i++) {
        int digit = digit_value(text[i]);
        // 13 digits hold 65 bits; identifiers use 63 of them.
        if (digit < 0 || value >> 58)
            return -1;
        value = (value << 5) | (uint64_t)digit;
    }
    if (value == 0)
        return -1;
    *out = (int64_t)value;
    return 0;
}

int random_bytes(void *out, size_t length, struct err *err)
{
    unsigned char *at = out;
    while (length > 0) {
        ssize_t got = getrandom(at, length, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_errno(err, ERR_IO, errno, "read randomness");
        at += got;
        length -= (size_t)got;
    }
    return 0;
}
