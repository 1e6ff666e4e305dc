#include "services/common/json/string_token.h"

#include "services/common/base/parse.h"
#include "services/common/base/utf8.h"

#include <string.h>

// The four digits behind "\u"; -1 when they are not there.
static int32_t unicode_escape(const char *at, const char *limit)
{
    if (limit - at < 6 || at[0] != '\\' || at[1] != 'u')
        return -1;
    int32_t unit = 0;
    for (int i = 2; i < 6; i++) {
        int digit = parse_hex_digit(at[i]);
        if (digit < 0)
            return -1;
        unit = unit * 16 + digit;
    }
    return unit;
}

static bool is_high_surrogate(int32_t unit)
{
    return unit >= 0xd800 && unit <= 0xdbff;
}

static bool is_low_surrogate(int32_t unit)
{
    return unit >= 0xdc00 && unit <= 0xdfff;
}

static const char *check_unicode_escape(const char **at, const char *limit)
{
    int32_t unit = unicode_escape(*at, limit);
    if (unit < 0)
        return "\\u needs four hex digits";
    if (unit == 0)
        return "\\u0000 is not allowed";
    if (is_low_surrogate(unit))
        return "a low surrogate without a high one before it";
    if (is_high_surrogate(unit) && !is_low_surrogate(unicode_escape(*at + 6, limit)))
        return "a high surrogate without a low one behind it";
    *at += is_high_surrogate(unit) ? 12 : 6;
    return NULL;
}

static const char *check_escape(const char **at, const char *limit)
{
    if (limit - *at < 2)
        return "the string does not end";
    char kind = (*at)[1];
    if (kind == 'u')
        return check_unicode_escape(at, limit);
    if (kind == '\0' || !strchr("\"\\/bfnrt", kind))
        return "an escape that does not exist";
    *at += 2;
    return NULL;
}

static const char *check_character(const char **at, const char *limit)
{
    unsigned char byte = (unsigned char)**at;
    if (byte == '\\')
        return check_escape(at, limit);
    if (byte < 0x20)
        return "a control character in a string has to be escaped";
    size_t step = utf8_sequence((const unsigned char *)*at, (size_t)(limit - *at));
    if (!step)
        return "not valid UTF-8";
    *at += step;
    return NULL;
}

// Over the ASCII characters that stand for themselves.
static const char *skip_plain(const char *at, const char *limit)
{
    while (at < limit && (signed char)*at >= 0x20 && *at != '"' && *at != '\\')
        at++;
    return at;
}

const char *json_string_check(const char *at, const char *limit, const char **end)
{
    const char *problem = NULL;
    at++;
    while (!problem) {
        at = skip_plain(at, limit);
        if (at == limit) {
            problem = "the string does not end";
        } else if (*at == '"') {
            at++;
            break;
        } else {
            problem = check_character(&at, limit);
        }
    }
    *end = at;
    return problem;
}

static size_t next_escape(struct json_string_reader *reader, char out[static 4])
{
    char kind = reader->at[1];
    if (kind != 'u') {
        static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
        out[0] = to[strchr(from, kind) - from];
        reader->at += 2;
        return 1;
    }
    uint32_t unit = (uint32_t)unicode_escape(reader->at, reader->at + 6);
    reader->at += 6;
    if (is_high_surrogate((int32_t)unit)) {
        uint32_t low = (uint32_t)unicode_escape(reader->at, reader->at + 6);
        reader->at += 6;
        unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
    }
    return utf8_encode(unit, out);
}

size_t json_string_next(struct json_string_reader *reader, char out[static 4])
{
    if (*reader->at == '"')
        return 0;
    if (*reader->at == '\\')
        return next_escape(reader, out);
    size_t length = utf8_sequence((const unsigned char *)reader->at, 4);
    memcpy(out, reader->at, length);
    reader->at += length;
    return length;
}

static struct json_string_reader reader_of(const char *literal)
{
    return (struct json_string_reader){.at = literal + 1};
}

// Characters are compared whole: that is the order of bytes, as UTF-8 keeps the order of code points.
int json_string_compare(const char *a, const char *b)
{
    struct json_string_reader left = reader_of(a), right = reader_of(b);
    for (;;) {
        char x[4] = {0}, y[4] = {0};
        size_t x_length = json_string_next(&left, x), y_length = json_string_next(&right, y);
        int order = memcmp(x, y, sizeof x);
        if (order || !x_length || !y_length)
            return order ? order : (int)x_length - (int)y_length;
    }
}

bool json_string_equals(const char *literal, const char *text)
{
    struct json_string_reader reader = reader_of(literal);
    char bytes[4];
    size_t length;
    while ((length = json_string_next(&reader, bytes))) {
        if (strncmp(text, bytes, length) != 0)
            return false;
        text += length;
    }
    return *text == '\0';
}

static uint64_t hash_bytes(uint64_t hash, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)bytes[i]) * 0x100000001b3u;
    return hash;
}

uint64_t json_string_hash(const char *literal)
{
    struct json_string_reader reader = reader_of(literal);
    uint64_t hash = 0xcbf29ce484222325u;
    while (*reader.at != '"') {
        char bytes[4];
        if (*reader.at == '\\')
            hash = hash_bytes(hash, bytes, next_escape(&reader, bytes));
        else
            hash = hash_bytes(hash, reader.at++, 1);
    }
    return hash;
}

void json_string_append(const char *literal, struct strbuf *out)
{
    struct json_string_reader reader = reader_of(literal);
    while (*reader.at != '"') {
        char bytes[4];
        const char *run = reader.at;
        while (*reader.at != '"' && *reader.at != '\\')
            reader.at++;
        strbuf_add(out, run, (size_t)(reader.at - run));
        if (*reader.at == '\\')
            strbuf_add(out, bytes, next_escape(&reader, bytes));
    }
}

size_t json_string_decode(const char *literal, char *out, size_t size)
{
    struct json_string_reader reader = reader_of(literal);
    size_t used = 0;
    char bytes[4];
    size_t length;
    while ((length = json_string_next(&reader, bytes)) && used + length < size) {
        memcpy(out + used, bytes, length);
        used += length;
    }
    out[used] = '\0';
    return used;
}
