#include "services/common/json/number_token.h"
#include "services/common/json/scan.h"

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const char *skip_digits(const char *at, const char *limit)
{
    while (at < limit && *at >= '0' && *at <= '9')
        at++;
    return at;
}

static const char *check_whole(const char **at, const char *limit)
{
    if (*at < limit && **at == '-')
        ++*at;
    const char *digits = *at;
    *at = skip_digits(digits, limit);
    if (*at == digits)
        return "a number needs a digit here";
    if (*digits == '0' && *at - digits > 1)
        return "a number must not begin with a zero";
    return NULL;
}

static const char *check_fraction(const char **at, const char *limit)
{
    if (*at == limit || **at != '.')
        return NULL;
    const char *digits = ++*at;
    *at = skip_digits(digits, limit);
    return *at == digits ? "a digit has to follow the decimal point" : NULL;
}

static const char *check_exponent(const char **at, const char *limit)
{
    if (*at == limit || (**at != 'e' && **at != 'E'))
        return NULL;
    ++*at;
    if (*at < limit && (**at == '+' || **at == '-'))
        ++*at;
    const char *digits = *at;
    *at = skip_digits(digits, limit);
    return *at == digits ? "a digit has to follow the exponent" : NULL;
}

static bool fits_int64(const char *at, const char *end)
{
    bool negative = *at == '-';
    uint64_t bound = negative ? (uint64_t)INT64_MAX + 1 : INT64_MAX, value = 0;
    for (at += negative; at < end; at++) {
        uint64_t digit = (uint64_t)(*at - '0');
        if (value > (bound - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    return true;
}

static bool fits_double(const char *at, const char *end)
{
    char copy[JSON_NUMBER_BYTES_MAX + 1];
    size_t length = (size_t)(end - at);
    memcpy(copy, at, length);
    copy[length] = '\0';
    return isfinite(strtod(copy, NULL));
}

static const char *check_magnitude(const char *start, const struct json_number *number)
{
    if (number->end - start > JSON_NUMBER_BYTES_MAX)
        return "the number has too many digits";
    if (number->is_integer)
        return fits_int64(start, number->end) ? NULL : "the integer does not fit into 64 bits";
    return fits_double(start, number->end) ? NULL : "the number is too big for a double";
}

const char *json_number_check(const char *at, const char *limit, struct json_number *out)
{
    const char *start = at;
    const char *problem = check_whole(&at, limit);
    const char *whole_end = at;
    if (!problem)
        problem = check_fraction(&at, limit);
    if (!problem)
        problem = check_exponent(&at, limit);
    out->end = at;
    out->is_integer = at == whole_end;
    if (problem)
        return problem;
    problem = check_magnitude(start, out);
    if (problem)
        out->end = start;
    return problem;
}
