#include "services/common/http/request_internal.h"
#include "services/common/http/server_internal.h"
#include "services/common/json/problem_document.h"

#include <stdio.h>
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
    char seconds[24];
    snprintf(seconds, sizeof seconds, "%lld", (long long)(delay_ms > 1000 ? (delay_ms + 999) / 1000 : 1));
    http_reply_header(reply, "Retry-After", seconds);
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
    problem_document(
        &(struct problem_document){.status = status, .code = code, .detail = detail, .request_id = request->id}, &body);
    return http_reply_bytes(reply, status, HTTP_TYPE_PROBLEM, &body);
}
