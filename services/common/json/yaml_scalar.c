#include "services/common/json/yaml_scalar.h"
#include "services/common/base/macros.h"

#include <stdint.h>
#include <string.h>

struct number {
    bool negative;
    int base;                                // 8, 10 or 16
    const char *whole, *fraction, *exponent; // digits; NULL: that part is missing; exponent has its sign
    size_t whole_length, fraction_length, exponent_length;
};

static bool is_one_of(const char *text, size_t length, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strlen(words[i]) == length && memcmp(words[i], text, length) == 0)
            return true;
    }
    return false;
}

static bool is_digit(char c, int base)
{
    if (base == 16 && ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')))
        return true;
    return c >= '0' && c < '0' + MIN(base, 10);
}

static size_t count_digits(const char *at, const char *end, int base)
{
    const char *start = at;
    while (at < end && is_digit(*at, base))
        at++;
    return (size_t)(at - start);
}

static bool read_based(const char *text, const char *end, struct number *out)
{
    if (end - text < 3 || text[0] != '0' || (text[1] != 'x' && text[1] != 'o'))
        return false;
    out->base = text[1] == 'x' ? 16 : 8;
    out->whole = text + 2;
    out->whole_length = count_digits(out->whole, end, out->base);
    return out->whole + out->whole_length == end;
}

static const char *read_exponent(const char *at, const char *end, struct number *out)
{
    if (at == end || (*at != 'e' && *at != 'E'))
        return at;
    out->exponent = ++at;
    if (at < end && (*at == '+' || *at == '-'))
        at++;
    size_t digits = count_digits(at, end, 10);
    out->exponent_length = (size_t)(at - out->exponent) + digits;
    return digits ? at + digits : NULL;
}

static bool read_decimal(const char *at, const char *end, struct number *out)
{
    out->base = 10;
    if (at < end && (*at == '-' || *at == '+'))
        out->negative = *at++ == '-';
    out->whole = at;
    out->whole_length = count_digits(at, end, 10);
    at += out->whole_length;
    if (at < end && *at == '.') {
        out->fraction = ++at;
        out->fraction_length = count_digits(at, end, 10);
        at += out->fraction_length;
    }
    if (!out->whole_length && !out->fraction_length)
        return false;
    return read_exponent(at, end, out) == end;
}

static bool read_number(const char *text, size_t length, struct number *out)
{
    *out = (struct number){0};
    if (read_based(text, text + length, out))
        return true;
    *out = (struct number){0};
    return read_decimal(text, text + length, out);
}

enum yaml_scalar yaml_scalar_kind(const char *text, size_t length)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL"};
    static const char *const booleans[] = {"true", "True", "TRUE", "false", "False", "FALSE"};
    static const char *const not_finite[] = {".inf",  ".Inf",  ".INF",  "+.inf", "+.Inf", "+.INF",
                                             "-.inf", "-.Inf", "-.INF", ".nan",  ".NaN",  ".NAN"};
    struct number number;
    if (is_one_of(text, length, nulls, ARRAY_LEN(nulls)))
        return YAML_NULL;
    if (is_one_of(text, length, booleans, ARRAY_LEN(booleans)))
        return YAML_BOOLEAN;
    if (is_one_of(text, length, not_finite, ARRAY_LEN(not_finite)))
        return YAML_NOT_FINITE;
    return read_number(text, length, &number) ? YAML_NUMBER : YAML_TEXT;
}

static bool write_based(const struct number *number, struct strbuf *out)
{
    uint64_t value = 0;
    for (size_t i = 0; i < number->whole_length; i++) {
        char c = number->whole[i];
        int digit = c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
        if (value > (uint64_t)INT64_MAX / (uint64_t)number->base)
            return false;
        value = value * (uint64_t)number->base + (uint64_t)digit;
    }
    if (value > INT64_MAX)
        return false;
    strbuf_add_i64(out, (int64_t)value);
    return true;
}

static void write_decimal(const struct number *number, struct strbuf *out)
{
    const char *whole = number->whole;
    size_t length = number->whole_length;
    for (; length > 1 && *whole == '0'; length--)
        whole++;
    if (number->negative)
        strbuf_add_char(out, '-');
    strbuf_add(out, length ? whole : "0", length ? length : 1);
    if (number->fraction) {
        strbuf_add_char(out, '.');
        strbuf_add(out, number->fraction_length ? number->fraction : "0", MAX(number->fraction_length, (size_t)1));
    }
    if (number->exponent) {
        strbuf_add_char(out, 'e');
        strbuf_add(out, number->exponent, number->exponent_length);
    }
}

static bool write_number(const char *text, size_t length, struct strbuf *out)
{
    struct number number;
    if (!read_number(text, length, &number))
        return false;
    if (number.base != 10)
        return write_based(&number, out);
    write_decimal(&number, out);
    return true;
}

bool yaml_scalar_write(const char *text, size_t length, enum yaml_scalar kind, struct strbuf *out)
{
    if (kind == YAML_NUMBER)
        return write_number(text, length, out);
    if (kind == YAML_NULL)
        strbuf_add_text(out, "null");
    else
        strbuf_add_text(out, *text == 't' || *text == 'T' ? "true" : "false");
    return true;
}
