// A growing byte string. Capacity doubles; data[length] is NUL whenever data is not NULL.
#include "services/common/base/strbuf.h"

#include "services/common/base/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SMALLEST_CAPACITY 64

void strbuf_release(struct strbuf *buf)
{
    free(buf->data);
    *buf = (struct strbuf)STRBUF_INIT;
}

void strbuf_clear(struct strbuf *buf)
{
    buf->length = 0;
    buf->failed = false;
    if (buf->data)
        buf->data[0] = '\0';
}

void strbuf_reserve(struct strbuf *buf, size_t more)
{
    if (buf->failed)
        return;
    size_t needed = 0;
    if (__builtin_add_overflow(buf->length, more, &needed) || __builtin_add_overflow(needed, 1, &needed)) {
        buf->failed = true;
        return;
    }
    if (needed <= buf->capacity)
        return;
    size_t doubled = buf->capacity > SIZE_MAX / 2 ? SIZE_MAX : buf->capacity * 2;
    size_t least = MAX(needed, (size_t)SMALLEST_CAPACITY);
    size_t capacity = MAX(least, doubled);
    char *data = realloc(buf->data, capacity);
    if (!data) {
        buf->failed = true;
        return;
    }
    data[buf->length] = '\0';
    buf->data = data;
    buf->capacity = capacity;
}

void strbuf_add(struct strbuf *buf, const void *bytes, size_t length)
{
    if (buf->capacity - buf->length <= length)
        strbuf_reserve(buf, length);
    if (buf->failed || length == 0)
        return;
    memcpy(buf->data + buf->length, bytes, length);
    buf->length += length;
    buf->data[buf->length] = '\0';
}

void strbuf_add_text(struct strbuf *buf, const char *text)
{
    strbuf_add(buf, text, strlen(text));
}

void strbuf_add_char(struct strbuf *buf, char c)
{
    strbuf_add(buf, &c, 1);
}

static const char two_digits[201] = "00010203040506070809"
                                    "10111213141516171819"
                                    "20212223242526272829"
                                    "30313233343536373839"
                                    "40414243444546474849"
                                    "50515253545556575859"
                                    "60616263646566676869"
                                    "70717273747576777879"
                                    "80818283848586878889"
                                    "90919293949596979899";

void strbuf_add_i64(struct strbuf *buf, int64_t value)
{
    char digits[20];
    char *at = digits + sizeof digits;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    while (rest >= 100) {
        at -= 2;
        memcpy(at, two_digits + (rest % 100) * 2, 2);
        rest /= 100;
    }
    if (rest >= 10) {
        at -= 2;
        memcpy(at, two_digits + rest * 2, 2);
    } else {
        *--at = (char)('0' + rest);
    }
    if (value < 0)
        *--at = '-';
    strbuf_add(buf, at, (size_t)(digits + sizeof digits - at));
}

void strbuf_add_format(struct strbuf *buf, const char *format, ...)
{
    if (buf->failed)
        return;
    size_t room = buf->capacity - buf->length;
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(room ? buf->data + buf->length : NULL, room, format, arguments);
    va_end(arguments);
    if (length < 0) {
        buf->failed = true;
        return;
    }
    if ((size_t)length >= room) {
        strbuf_reserve(buf, (size_t)length);
        if (buf->failed)
            return;
        va_start(arguments, format);
        vsnprintf(buf->data + buf->length, (size_t)length + 1, format, arguments);
        va_end(arguments);
    }
    buf->length += (size_t)length;
}

// What stands behind the backslash: 0 when the byte needs none, 'u' for \u00XX. Bytes above 0x7E stand for themselves.
static const char escapes[256] = {
    [0x00] = 'u', [0x01] = 'u', [0x02] = 'u', [0x03] = 'u', [0x04] = 'u', [0x05] = 'u', [0x06] = 'u',
    [0x07] = 'u', ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', [0x0B] = 'u', ['\f'] = 'f', ['\r'] = 'r',
    [0x0E] = 'u', [0x0F] = 'u', [0x10] = 'u', [0x11] = 'u', [0x12] = 'u', [0x13] = 'u', [0x14] = 'u',
    [0x15] = 'u', [0x16] = 'u', [0x17] = 'u', [0x18] = 'u', [0x19] = 'u', [0x1A] = 'u', [0x1B] = 'u',
    [0x1C] = 'u', [0x1D] = 'u', [0x1E] = 'u', [0x1F] = 'u', ['"'] = '"',  ['\\'] = '\\'};

// Number of bytes at the beginning of `text` that need no escape; eight at a time while none of them does.
static size_t plain_run(const unsigned char *text, size_t length)
{
    const uint64_t ones = 0x0101010101010101U, highs = 0x8080808080808080U;
    size_t at = 0;
    while (length - at >= 8) {
        uint64_t word = 0;
        memcpy(&word, text + at, 8);
        uint64_t quote = word ^ (ones * '"'), backslash = word ^ (ones * '\\');
        uint64_t special =
            ((word - ones * 0x20) & ~word) | ((quote - ones) & ~quote) | ((backslash - ones) & ~backslash);
        if (special & highs)
            break;
        at += 8;
    }
    while (at < length && !escapes[text[at]])
        at++;
    return at;
}

static void add_escape(struct strbuf *buf, unsigned char byte)
{
    static const char hex[] = "0123456789abcdef";
    char escape = escapes[byte];
    if (escape != 'u') {
        strbuf_add(buf, (const char[2]){'\\', escape}, 2);
        return;
    }
    strbuf_add(buf, (const char[6]){'\\', 'u', '0', '0', hex[byte >> 4], hex[byte & 15]}, 6);
}

static void add_escaped(struct strbuf *buf, const char *text, size_t length)
{
    const unsigned char *bytes = (const unsigned char *)text;
    for (size_t at = 0; at < length;) {
        size_t run = plain_run(bytes + at, length - at);
        strbuf_add(buf, bytes + at, run);
        at += run;
        if (at < length)
            add_escape(buf, bytes[at++]);
    }
}

void strbuf_add_json(struct strbuf *buf, const char *text, size_t length)
{
    if (length < SIZE_MAX - 2)
        strbuf_reserve(buf, length + 2);
    strbuf_add_char(buf, '"');
    add_escaped(buf, text, length);
    strbuf_add_char(buf, '"');
}

void strbuf_add_json_mended(struct strbuf *buf, const char *text)
{
    size_t length = strlen(text);
    strbuf_add_char(buf, '"');
    for (size_t at = 0; at < length; at++) {
        size_t valid = utf8_prefix(text + at, length - at, length - at);
        add_escaped(buf, text + at, valid);
        at += valid;
        if (at < length)
            strbuf_add_char(buf, '?');
    }
    strbuf_add_char(buf, '"');
}

void strbuf_drop_front(struct strbuf *buf, size_t bytes)
{
    if (bytes >= buf->length) {
        buf->length = 0;
    } else {
        memmove(buf->data, buf->data + bytes, buf->length - bytes);
        buf->length -= bytes;
    }
    if (buf->data)
        buf->data[buf->length] = '\0';
}

const char *strbuf_text(const struct strbuf *buf)
{
    return buf->data ? buf->data : "";
}

int strbuf_ok(const struct strbuf *buf, struct err *err)
{
    if (buf->failed)
        return err_set(err, ERR_NO_MEMORY, "out of memory for a text of more than %zu bytes", buf->length);
    return 0;
}

int strbuf_take(struct strbuf *buf, char **out, struct err *err)
{
    strbuf_reserve(buf, 0);
    if (strbuf_ok(buf, err) < 0)
        return -1;
    *out = buf->data;
    *buf = (struct strbuf)STRBUF_INIT;
    return 0;
}
