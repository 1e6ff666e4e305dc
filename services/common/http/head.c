#include "services/common/http/head.h"

#include "services/common/base/utf8.h"

#include <string.h>
#include <strings.h>

enum singleton {
    HOST,
    CONTENT_LENGTH,
    TRANSFER_ENCODING,
    EXPECT,
    AUTHORIZATION,
    CONTENT_TYPE,
    IDEMPOTENCY_KEY,
    SINGLETON_COUNT,
};

static const struct {
    const char *name;
    size_t length;
} singletons[SINGLETON_COUNT] = {
    [HOST] = {"Host", 4},
    [CONTENT_LENGTH] = {"Content-Length", 14},
    [TRANSFER_ENCODING] = {"Transfer-Encoding", 17},
    [EXPECT] = {"Expect", 6},
    [AUTHORIZATION] = {"Authorization", 13},
    [CONTENT_TYPE] = {"Content-Type", 12},
    [IDEMPOTENCY_KEY] = {"Idempotency-Key", 15},
};

static int refuse(int *status, int code, struct err *err, const char *text)
{
    *status = code;
    return err_set(err, ERR_INVALID, "%s", text);
}

static bool is_alphanumeric(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_token(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        if (!is_alphanumeric(c) && (c == '\0' || !strchr("!#$%&'*+-.^_`|~", c)))
            return false;
    }
    return length > 0;
}

static bool is_clean_value(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        if ((c < 0x20 && c != '\t') || c == 0x7F)
            return false;
    }
    return utf8_valid(text, length);
}

static bool is_host(const struct http_head_field *field)
{
    for (size_t i = 0; i < field->value_length; i++) {
        unsigned char c = (unsigned char)field->value[i];
        if (!is_alphanumeric(c) && (c == '\0' || !strchr("-._~:[]%", c)))
            return false;
    }
    return field->value_length > 0;
}

static bool value_is(const struct http_head_field *field, const char *text)
{
    return field->value_length == strlen(text) && strncasecmp(field->value, text, field->value_length) == 0;
}

// Sorts the fields that may stand only once into `found`.
static int collect(const struct http_head *head, const struct http_head_field **found, int *status, struct err *err)
{
    for (size_t i = 0; i < head->count; i++) {
        const struct http_head_field *field = &head->fields[i];
        if (!is_token(field->name, field->name_length))
            return refuse(status, 400, err, "a header name is not a token");
        if (!is_clean_value(field->value, field->value_length))
            return refuse(status, 400, err, "a header value has control characters or is not UTF-8");
        for (int single = 0; single < SINGLETON_COUNT; single++) {
            if (field->name_length != singletons[single].length ||
                strncasecmp(field->name, singletons[single].name, field->name_length) != 0)
                continue;
            if (found[single])
                return refuse(status, 400, err, "a header that may stand once is repeated");
            found[single] = field;
        }
    }
    return 0;
}

static int read_content_length(const struct http_head_field *field, int64_t *out, int *status, struct err *err)
{
    int64_t value = 0;
    if (field->value_length == 0 || field->value_length > 19)
        return refuse(status, 400, err, "the Content-Length is not a number of bytes");
    for (size_t i = 0; i < field->value_length; i++) {
        int digit = field->value[i] - '0';
        if (digit < 0 || digit > 9 || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, digit, &value))
            return refuse(status, 400, err, "the Content-Length is not a number of bytes");
    }
    *out = value;
    return 0;
}

static int read_framing(const struct http_head_field *const *found, bool is_1_1, struct http_framing *out, int *status,
                        struct err *err)
{
    *out = (struct http_framing){.content_length = -1};
    if (found[TRANSFER_ENCODING]) {
        if (found[CONTENT_LENGTH])
            return refuse(status, 400, err, "Content-Length together with Transfer-Encoding");
        if (!is_1_1 || !value_is(found[TRANSFER_ENCODING], "chunked"))
            return refuse(status, 400, err, "a Transfer-Encoding other than chunked, or in HTTP/1.0");
        out->chunked = true;
    }
    if (found[CONTENT_LENGTH] && read_content_length(found[CONTENT_LENGTH], &out->content_length, status, err) < 0)
        return -1;
    if (found[EXPECT] && !value_is(found[EXPECT], "100-continue"))
        return refuse(status, 417, err, "an expectation other than 100-continue");
    out->expects_continue = found[EXPECT] != NULL;
    return 0;
}

int http_head_check(const struct http_head *head, struct http_framing *out, int *status, struct err *err)
{
    const struct http_head_field *found[SINGLETON_COUNT] = {NULL};
    bool is_1_1 = strcmp(head->version, "HTTP/1.1") == 0;
    if (!is_1_1 && strcmp(head->version, "HTTP/1.0") != 0)
        return refuse(status, 505, err, "only HTTP/1.0 and HTTP/1.1 are spoken here");
    if (head->count > HTTP_HEAD_FIELDS)
        return refuse(status, 431, err, "too many headers");
    if (collect(head, found, status, err) < 0)
        return -1;
    if (is_1_1 && !found[HOST])
        return refuse(status, 400, err, "a request without Host");
    if (found[HOST] && !is_host(found[HOST]))
        return refuse(status, 400, err, "a Host with characters that no host has");
    return read_framing(found, is_1_1, out, status, err);
}
