// Errors: text is made in a local buffer first, so that a format may refer to the text which it replaces.
#include "services/common/base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

// What the analyzer is told in their place.
#undef err_set
#undef err_errno
#undef err_prefix

// Length of `text` (at most `length`) without a UTF-8 sequence that was cut off at its end.
static size_t whole_characters(const char *text, size_t length)
{
    size_t start = length;
    while (start > 0 && length - start < 3 && ((unsigned char)text[start - 1] & 0xC0) == 0x80)
        start--;
    if (start == 0)
        return length;
    unsigned char lead = (unsigned char)text[start - 1];
    size_t need = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
    size_t have = length - (start - 1);
    return have < need ? start - 1 : length;
}

// Copies `text`, which was cut when `wanted` is more than what fits.
static void store_text(struct err *err, const char *text, size_t wanted)
{
    size_t length = wanted;
    if (wanted >= sizeof err->text)
        length = whole_characters(text, sizeof err->text - 1);
    memcpy(err->text, text, length);
    err->text[length] = '\0';
}

// vsnprintf whose result can be added up: a format that cannot be printed counts as empty.
PRINTF_LIKE(3, 0)
static size_t format_into(char *out, size_t size, const char *format, va_list arguments)
{
    int length = vsnprintf(out, size, format, arguments);
    if (length >= 0)
        return (size_t)length;
    if (size > 0)
        out[0] = '\0';
    return 0;
}

static size_t append(char *out, size_t size, size_t at, const char *text)
{
    size_t length = strlen(text);
    if (at < size - 1) {
        size_t fits = MIN(length, size - 1 - at);
        memcpy(out + at, text, fits);
        out[at + fits] = '\0';
    }
    return at + length;
}

int err_set(struct err *err, enum err_code code, const char *format, ...)
{
    if (!err)
        return -1;
    char text[sizeof err->text];
    va_list arguments;
    va_start(arguments, format);
    size_t wanted = format_into(text, sizeof text, format, arguments);
    va_end(arguments);
    err->code = code;
    store_text(err, text, wanted);
    return -1;
}

int err_errno(struct err *err, enum err_code code, int errnum, const char *format, ...)
{
    if (!err)
        return -1;
    char text[sizeof err->text];
    va_list arguments;
    va_start(arguments, format);
    size_t wanted = format_into(text, sizeof text, format, arguments);
    va_end(arguments);
    char description[128];
    wanted = append(text, sizeof text, wanted, ": ");
    wanted = append(text, sizeof text, wanted, strerror_r(errnum, description, sizeof description));
    err->code = errnum == ENOMEM ? ERR_NO_MEMORY : code;
    store_text(err, text, wanted);
    return -1;
}

int err_prefix(struct err *err, const char *format, ...)
{
    if (!err)
        return -1;
    char text[sizeof err->text];
    va_list arguments;
    va_start(arguments, format);
    size_t wanted = format_into(text, sizeof text, format, arguments);
    va_end(arguments);
    wanted = append(text, sizeof text, wanted, ": ");
    wanted = append(text, sizeof text, wanted, err->text);
    store_text(err, text, wanted);
    return -1;
}

const char *err_code_name(enum err_code code)
{
    switch (code) {
    case ERR_INVALID:
        return "invalid";
    case ERR_UNAUTHORIZED:
        return "unauthorized";
    case ERR_FORBIDDEN:
        return "forbidden";
    case ERR_NOT_FOUND:
        return "not_found";
    case ERR_CONFLICT:
        return "conflict";
    case ERR_STALE:
        return "stale";
    case ERR_TOO_LARGE:
        return "too_large";
    case ERR_LIMIT:
        return "limit";
    case ERR_UNAVAILABLE:
        return "unavailable";
    case ERR_TIMEOUT:
        return "timeout";
    case ERR_NO_MEMORY:
        return "no_memory";
    case ERR_IO:
        return "io";
    case ERR_UNSUPPORTED:
        return "unsupported";
    case ERR_INTERNAL:
        return "internal";
    }
    return "internal";
}
