// Strict parsers of small texts. Each reads the whole text by hand: strtoll() takes spaces, plus signs and trailing
// junk.
#include "services/common/base/parse.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define TEN_YEARS_MS (3650 * INT64_C(86400000))

// Reads decimal digits at *at and moves behind them. False when there is none or the number exceeds INT64_MAX.
static bool read_digits(const char **at, int64_t *out)
{
    const char *digit = *at;
    int64_t value = 0;
    for (; *digit >= '0' && *digit <= '9'; digit++) {
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, *digit - '0', &value))
            return false;
    }
    if (digit == *at)
        return false;
    *at = digit;
    *out = value;
    return true;
}

// Like read_digits with a sign, to the end of the text. INT64_MIN has no positive counterpart: digits are subtracted.
static bool read_signed(const char *text, int64_t *out)
{
    bool negative = *text == '-';
    const char *digit = text + negative;
    if (*digit == '\0')
        return false;
    int64_t value = 0;
    for (; *digit; digit++) {
        if (*digit < '0' || *digit > '9')
            return false;
        int step = negative ? '0' - *digit : *digit - '0';
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, step, &value))
            return false;
    }
    *out = value;
    return true;
}

int parse_i64(const char *text, int64_t min, int64_t max, const char *what, int64_t *out, struct err *err)
{
    int64_t value = 0;
    if (!read_signed(text, &value))
        return err_set(err, ERR_INVALID, "%s: '%.40s' is not a 64-bit integer", what, text);
    if (value < min || value > max)
        return err_set(err, ERR_INVALID, "%s: %.40s is not within %lld and %lld", what, text, (long long)min,
                       (long long)max);
    *out = value;
    return 0;
}

struct duration_unit {
    const char *name;
    int64_t ms;
};

static const struct duration_unit duration_units[] = {
    {"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1},
};

// Finds the unit at *at, among those from *rank on (each unit may follow only larger ones), and moves behind it.
static const struct duration_unit *read_unit(const char **at, size_t *rank)
{
    size_t length = strspn(*at, "dhms");
    for (size_t i = *rank; i < ARRAY_LEN(duration_units); i++) {
        const char *name = duration_units[i].name;
        if (strlen(name) == length && strncmp(name, *at, length) == 0) {
            *at += length;
            *rank = i + 1;
            return &duration_units[i];
        }
    }
    return NULL;
}

// One "<digits><unit>" of a duration, added to *total.
static bool read_duration_part(const char **at, size_t *rank, int64_t *total)
{
    int64_t count = 0;
    if (!read_digits(at, &count))
        return false;
    const struct duration_unit *unit = read_unit(at, rank);
    int64_t part = 0;
    return unit && !__builtin_mul_overflow(count, unit->ms, &part) && !__builtin_add_overflow(*total, part, total);
}

int parse_duration_ms(const char *text, const char *what, int64_t *out, struct err *err)
{
    const char *at = text;
    size_t rank = 0;
    int64_t total = 0;
    bool good = *text != '\0';
    if (strcmp(text, "0") == 0)
        at = text + 1;
    while (good && *at)
        good = read_duration_part(&at, &rank, &total);
    if (!good)
        return err_set(err, ERR_INVALID, "%s: '%.40s' is not a duration such as \"250ms\", \"10s\" or \"1h30m\"", what,
                       text);
    if (total > TEN_YEARS_MS)
        return err_set(err, ERR_INVALID, "%s: %.40s is more than 10 years", what, text);
    *out = total;
    return 0;
}

int parse_size_bytes(const char *text, const char *what, int64_t *out, struct err *err)
{
    static const char *const units[] = {"", "Ki", "Mi", "Gi", "Ti"};
    const char *at = text;
    int64_t value = 0;
    size_t unit = 0;
    bool good = read_digits(&at, &value);
    while (good && unit < ARRAY_LEN(units) && strcmp(at, units[unit]) != 0)
        unit++;
    if (!good || unit == ARRAY_LEN(units) || __builtin_mul_overflow(value, INT64_C(1) << (10 * unit), &value))
        return err_set(err, ERR_INVALID, "%s: '%.40s' is not a size such as \"512\", \"64Ki\" or \"2Gi\"", what, text);
    *out = value;
    return 0;
}

void duration_format(int64_t ms, char out[static PARSE_DURATION_TEXT_SIZE])
{
    int64_t rest = ms;
    size_t length = 0;
    for (size_t i = 0; i < ARRAY_LEN(duration_units); i++) {
        int64_t count = rest / duration_units[i].ms;
        if (count == 0)
            continue;
        rest %= duration_units[i].ms;
        length += (size_t)snprintf(out + length, PARSE_DURATION_TEXT_SIZE - length, "%lld%s", (long long)count,
                                   duration_units[i].name);
    }
    if (length == 0)
        memcpy(out, "0s", 3);
}

int parse_hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}
