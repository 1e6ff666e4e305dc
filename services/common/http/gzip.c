#include "services/common/http/gzip.h"

#include "services/common/base/macros.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define LEVEL 1        // most of the gain for a fifth of the time
#define WINDOW_BITS 13 // 8 KB back, which with the memory level makes 64 KB per stream instead of 256
#define GZIP_FORMAT 16
#define MEMORY_LEVEL 6
#define LEAST_BYTES 1024 // less fits a packet anyway
#define PIECE_BYTES 16384

// ---- what the client takes

// "q=0.5" in thousandths; 1000 when there is no weight, 0 when it is none.
static int weight(const char *parameters, size_t length)
{
    int value = 0, unit = 1000;
    const char *at = memchr(parameters, 'q', length), *end = parameters + length;
    if (!memchr(parameters, ';', length))
        return 1000;
    if (!at || at + 2 >= end || at[1] != '=' || (at[2] != '0' && at[2] != '1'))
        return 0;
    value = (at[2] - '0') * unit;
    if (at + 3 < end && at[3] == '.')
        for (at += 4; at < end && *at >= '0' && *at <= '9' && unit > 1; at++)
            value += (*at - '0') * (unit /= 10);
    return MIN(value, 1000);
}

static bool is_coding(const char *item, size_t length, const char *name)
{
    return strlen(name) == length && strncasecmp(item, name, length) == 0;
}

bool http_accepts_gzip(const struct http_request *request)
{
    const char *at = http_request_header(request, "Accept-Encoding");
    int gzip = -1, any = -1, identity = 0;
    while (at && *at) {
        at += strspn(at, " \t,");
        size_t item = strcspn(at, ","), name = strcspn(at, " \t;,");
        int liked = weight(at + name, item - name);
        if (is_coding(at, name, "gzip") || is_coding(at, name, "x-gzip"))
            gzip = liked;
        else if (is_coding(at, name, "*"))
            any = liked;
        else if (is_coding(at, name, "identity"))
            identity = liked;
        at += item;
    }
    gzip = gzip >= 0 ? gzip : any;
    return gzip > 0 && gzip >= identity;
}

// ---- compressing

struct gzip {
    z_stream stream;
};

int gzip_new(struct gzip **out, struct err *err)
{
    struct gzip *gzip = calloc(1, sizeof *gzip);
    if (gzip && deflateInit2(&gzip->stream, LEVEL, Z_DEFLATED, WINDOW_BITS + GZIP_FORMAT, MEMORY_LEVEL,
                             Z_DEFAULT_STRATEGY) == Z_OK) {
        *out = gzip;
        return 0;
    }
    free(gzip);
    return err_set(err, ERR_NO_MEMORY, "no memory to compress");
}

void gzip_free(struct gzip *gzip)
{
    if (!gzip)
        return;
    deflateEnd(&gzip->stream);
    free(gzip);
}

static void run(struct gzip *gzip, int flush, struct strbuf *out)
{
    char piece[PIECE_BYTES];
    do {
        gzip->stream.next_out = (unsigned char *)piece;
        gzip->stream.avail_out = sizeof piece;
        deflate(&gzip->stream, flush);
        strbuf_add(out, piece, sizeof piece - gzip->stream.avail_out);
    } while (gzip->stream.avail_out == 0);
}

void gzip_add(struct gzip *gzip, const void *bytes, size_t length, struct strbuf *out)
{
    gzip->stream.next_in = (unsigned char *)bytes;
    while (length > 0) {
        unsigned now = (unsigned)MIN(length, (size_t)1 << 30);
        gzip->stream.avail_in = now;
        length -= now;
        run(gzip, length > 0 ? Z_NO_FLUSH : Z_SYNC_FLUSH, out);
    }
}

void gzip_end(struct gzip *gzip, struct strbuf *out)
{
    gzip->stream.avail_in = 0;
    run(gzip, Z_FINISH, out);
}

int gzip_bytes(const void *bytes, size_t length, struct strbuf *out, struct err *err)
{
    AUTO_GZIP struct gzip *gzip = NULL;
    if (gzip_new(&gzip, err) < 0)
        return -1;
    gzip_add(gzip, bytes, length, out);
    gzip_end(gzip, out);
    return strbuf_ok(out, err);
}

// ---- whole replies

static bool is_text(const char *content_type)
{
    static const char *const types[] = {"application/json", "application/x-ndjson", "text/"};
    for (size_t i = 0; content_type && i < ARRAY_LEN(types); i++)
        if (strncmp(content_type, types[i], strlen(types[i])) == 0)
            return true;
    return false;
}

// A strong ETag promises the same bytes. The headers are "name\0value\0" pairs.
static void weaken_etag(struct http_reply *reply)
{
    AUTO_STRBUF struct strbuf headers = STRBUF_INIT;
    const char *at = strbuf_text(&reply->headers), *end = at + reply->headers.length;
    while (at < end) {
        const char *value = at + strlen(at) + 1;
        bool is_strong = strcmp(at, "ETag") == 0 && *value == '"';
        strbuf_add(&headers, at, strlen(at) + 1);
        if (is_strong)
            strbuf_add_text(&headers, "W/");
        strbuf_add(&headers, value, strlen(value) + 1);
        at = value + strlen(value) + 1;
    }
    headers.failed |= reply->headers.failed;
    strbuf_release(&reply->headers);
    reply->headers = headers;
    headers = (struct strbuf)STRBUF_INIT;
}

void http_reply_gzip_headers(struct http_reply *reply, bool is_compressed)
{
    http_reply_header(reply, "Vary", "Accept-Encoding");
    if (is_compressed)
        http_reply_header(reply, "Content-Encoding", "gzip");
}

enum http_handled http_reply_packed(struct http_reply *reply, struct strbuf *packed)
{
    strbuf_release(&reply->body);
    reply->body = *packed;
    *packed = (struct strbuf)STRBUF_INIT;
    weaken_etag(reply);
    http_reply_gzip_headers(reply, true);
    return HTTP_REPLY;
}

void http_reply_gzip(struct http_reply *reply, const struct http_request *request)
{
    AUTO_STRBUF struct strbuf packed = STRBUF_INIT;
    bool varies = reply->status == 200 && !reply->stream && !reply->body.failed && reply->body.length >= LEAST_BYTES &&
                  is_text(reply->content_type);
    if (strcmp(http_request_method(request), "GET") != 0 || (!varies && reply->status != 304))
        return;
    if (varies && http_accepts_gzip(request) && gzip_bytes(reply->body.data, reply->body.length, &packed, NULL) == 0)
        http_reply_packed(reply, &packed);
    else
        http_reply_gzip_headers(reply, false);
}
