#include "services/common/http/target.h"

#include "services/common/base/parse.h"
#include "services/common/base/strbuf.h"
#include "services/common/base/utf8.h"

#include <string.h>

// The byte that the escape at `text` stands for, or -1 when it is none.
static int escape_value(const char *text, size_t length)
{
    if (length < 3 || parse_hex_digit(text[1]) < 0 || parse_hex_digit(text[2]) < 0)
        return -1;
    return parse_hex_digit(text[1]) * 16 + parse_hex_digit(text[2]);
}

static bool is_control(int byte)
{
    return byte < 0x20 || byte == 0x7F;
}

int http_unescape(const char *text, size_t length, bool plus_is_space, char *out, size_t *out_length, struct err *err)
{
    size_t written = 0;
    for (size_t at = 0; at < length; at++) {
        int byte = (unsigned char)text[at];
        if (byte == '%') {
            byte = escape_value(text + at, length - at);
            if (byte < 0)
                return err_set(err, ERR_INVALID, "broken percent escape");
            at += 2;
        } else if (byte == '+' && plus_is_space) {
            byte = ' ';
        }
        if (is_control(byte))
            return err_set(err, ERR_INVALID, "control character");
        out[written++] = (char)byte;
    }
    out[written] = '\0';
    *out_length = written;
    if (!utf8_valid(out, written))
        return err_set(err, ERR_INVALID, "invalid UTF-8");
    return 0;
}

// Unreserved characters, sub-delims, ':' and '@' of RFC 3986, and '/'.
static bool is_path_byte(unsigned char c)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
        return true;
    return c != '\0' && strchr("-._~!$&'()*+,;=:@/", c) != NULL;
}

// Checks the bytes of a path or a query and its escapes. `extra`: characters that are fine besides those of a path.
static int check_bytes(const char *text, size_t length, const char *extra, const char *what, struct err *err)
{
    for (size_t at = 0; at < length; at++) {
        unsigned char c = (unsigned char)text[at];
        if (c == '%') {
            int byte = escape_value(text + at, length - at);
            if (byte < 0)
                return err_set(err, ERR_INVALID, "broken percent escape in the %s", what);
            if (is_control(byte))
                return err_set(err, ERR_INVALID, "escaped control character in the %s", what);
            at += 2;
        } else if (!is_path_byte(c) && (c == '\0' || strchr(extra, c) == NULL)) {
            return err_set(err, ERR_INVALID, "character that has to be escaped in the %s", what);
        }
    }
    return 0;
}

// A segment without its slashes: not empty, no dot segment in any spelling, no escaped separator, valid UTF-8.
static int check_segment(const char *segment, size_t length, struct err *err)
{
    char plain[HTTP_TARGET_LIMIT + 1];
    size_t plain_length = 0;
    if (length == 0)
        return err_set(err, ERR_INVALID, "empty segment in the path");
    if (http_unescape(segment, length, false, plain, &plain_length, err) < 0)
        return err_prefix(err, "path");
    if (memchr(plain, '/', plain_length) || memchr(plain, '\\', plain_length))
        return err_set(err, ERR_INVALID, "escaped separator in the path");
    if (strcmp(plain, ".") == 0 || strcmp(plain, "..") == 0)
        return err_set(err, ERR_INVALID, "dot segment in the path");
    return 0;
}

static int check_path(const char *path, size_t length, struct err *err)
{
    if (check_bytes(path, length, "", "path", err) < 0)
        return -1;
    const char *end = path + length;
    for (const char *segment = path + 1; length > 1 && segment <= end;) {
        const char *slash = memchr(segment, '/', (size_t)(end - segment));
        const char *stop = slash ? slash : end;
        if (check_segment(segment, (size_t)(stop - segment), err) < 0)
            return -1;
        segment = stop + 1;
    }
    return 0;
}

// Escapes that are well formed may still decode to text that is not UTF-8: '+' and '&' do not matter for that.
static int check_query(const char *query, size_t length, struct err *err)
{
    char plain[HTTP_TARGET_LIMIT + 1];
    size_t plain_length = 0;
    if (check_bytes(query, length, "?", "query", err) < 0)
        return -1;
    if (http_unescape(query, length, false, plain, &plain_length, err) < 0)
        return err_prefix(err, "query");
    return 0;
}

int http_target_split(const char *target, size_t length, const char **path, size_t *path_length, const char **query,
                      size_t *query_length, struct err *err)
{
    if (length > HTTP_TARGET_LIMIT)
        return err_set(err, ERR_TOO_LARGE, "the request target has more than %d bytes", HTTP_TARGET_LIMIT);
    if (length == 0 || target[0] != '/')
        return err_set(err, ERR_INVALID, "the request target does not begin with a slash");
    const char *mark = memchr(target, '?', length);
    *path = target;
    *path_length = mark ? (size_t)(mark - target) : length;
    *query = mark ? mark + 1 : NULL;
    *query_length = mark ? length - *path_length - 1 : 0;
    if (check_path(*path, *path_length, err) < 0)
        return -1;
    return *query_length > 0 ? check_query(*query, *query_length, err) : 0;
}

void http_escape(struct strbuf *out, const char *text)
{
    static const char digits[] = "0123456789ABCDEF";
    for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
        bool unreserved = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') || (*at >= '0' && *at <= '9') ||
                          strchr("-._~", *at) != NULL;
        if (unreserved) {
            strbuf_add_char(out, (char)*at);
        } else {
            char escape[3] = {'%', digits[*at >> 4], digits[*at & 15]};
            strbuf_add(out, escape, sizeof escape);
        }
    }
}
