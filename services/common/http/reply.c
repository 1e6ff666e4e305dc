#include "services/common/http/request_internal.h"
#include "services/common/http/server_internal.h"

#include <string.h>

void http_reply_release(struct http_reply *reply)
{
    strbuf_release(&reply->body);
    strbuf_release(&reply->headers);
    http_stream_discard(reply->stream);
    *reply = (struct http_reply)HTTP_REPLY_INIT;
}

enum http_handled http_reply_empty(struct http_reply *reply, int status)
{
    http_reply_release(reply);
    reply->status = status;
    return HTTP_REPLY;
}

enum http_handled http_reply_bytes(struct http_reply *reply, int status, const char *content_type, struct strbuf *body)
{
    http_reply_empty(reply, status);
    reply->content_type = content_type;
    reply->body = *body;
    *body = (struct strbuf)STRBUF_INIT;
    return HTTP_REPLY;
}

enum http_handled http_reply_text(struct http_reply *reply, int status, const char *content_type, const char *text)
{
    struct strbuf body = STRBUF_INIT;
    strbuf_add_text(&body, text);
    return http_reply_bytes(reply, status, content_type, &body);
}

static bool is_clean(const char *text)
{
    for (; *text; text++)
        if (((unsigned char)*text < 0x20 && *text != '\t') || *text == 0x7F)
            return false;
    return true;
}

void http_reply_header(struct http_reply *reply, const char *name, const char *value)
{
    if (!*name || !is_clean(name) || !is_clean(value)) {
        reply->headers.failed = true;
        return;
    }
    strbuf_add(&reply->headers, name, strlen(name) + 1);
    strbuf_add(&reply->headers, value, strlen(value) + 1);
}

void http_reply_retry_after(struct http_reply *reply, int64_t delay_ms)
{
    AUTO_STRBUF struct strbuf seconds = STRBUF_INIT;
    strbuf_add_i64(&seconds, delay_ms > 1000 ? (delay_ms + 999) / 1000 : 1);
    http_reply_header(reply, "Retry-After", strbuf_text(&seconds));
}

// Whether If-None-Match lists `quoted`, weakly or not, or is "*".
static bool lists_etag(const char *header, const char *quoted)
{
    size_t length = strlen(quoted);
    while (*header) {
        header += strspn(header, " \t,");
        if (*header == '*')
            return true;
        if (strncmp(header, "W/", 2) == 0)
            header += 2;
        size_t item = strcspn(header, ",");
        size_t trimmed = item;
        while (trimmed > 0 && (header[trimmed - 1] == ' ' || header[trimmed - 1] == '\t'))
            trimmed--;
        if (trimmed == length && memcmp(header, quoted, length) == 0)
            return true;
        header += item;
    }
    return false;
}

bool http_reply_etag(struct http_reply *reply, const struct http_request *request, const char *tag)
{
    AUTO_STRBUF struct strbuf quoted = STRBUF_INIT;
    strbuf_add_char(&quoted, '"');
    strbuf_add_text(&quoted, tag);
    strbuf_add_char(&quoted, '"');
    const char *wanted = http_request_header(request, "If-None-Match");
    bool matches = wanted && strcmp(http_request_method(request), "GET") == 0 && strbuf_ok(&quoted, NULL) == 0 &&
                   lists_etag(wanted, strbuf_text(&quoted));
    if (matches)
        http_reply_empty(reply, 304);
    http_reply_header(reply, "ETag", strbuf_text(&quoted));
    return matches;
}

enum http_handled http_reply_problem(struct http_reply *reply, const struct http_request *request, int status,
                                     const char *code, const char *detail)
{
    struct strbuf body = STRBUF_INIT;
    const char *title = http_status_title(status);
    strbuf_add_text(&body, "{\"type\":\"about:blank\",\"title\":");
    strbuf_add_json(&body, title, strlen(title));
    strbuf_add_text(&body, ",\"status\":");
    strbuf_add_i64(&body, status);
    strbuf_add_text(&body, ",\"code\":");
    strbuf_add_json(&body, code, strlen(code));
    strbuf_add_text(&body, ",\"detail\":");
    strbuf_add_json(&body, detail, strlen(detail));
    strbuf_add_text(&body, ",\"request_id\":");
    strbuf_add_json(&body, request->id, strlen(request->id));
    strbuf_add_text(&body, ",\"errors\":[]}\n");
    return http_reply_bytes(reply, status, HTTP_TYPE_PROBLEM, &body);
}

const char *http_status_title(int status)
{
    static const struct {
        int status;
        const char *title;
    } titles[] = {
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {304, "Not Modified"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {417, "Expectation Failed"},
        {422, "Unprocessable Content"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
    };
    for (size_t i = 0; i < ARRAY_LEN(titles); i++)
        if (titles[i].status == status)
            return titles[i].title;
    return "Unknown";
}
