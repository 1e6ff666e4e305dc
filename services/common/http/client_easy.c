#include "services/common/http/client_easy.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/parse.h"
#include "services/common/base/version.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define DEFAULT_RESPONSE_LIMIT ((size_t)64 * 1024 * 1024)
#define DEFAULT_CONNECT_TIMEOUT_MS 5000
#define DEFAULT_TIMEOUT_MS 30000
// Below the server's idle deadline, so that we do not pick up a connection that it is just closing.
#define LONGEST_IDLE_S 50L

static void init_library(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

static int copy_text(const char *text, char **out, struct err *err)
{
    *out = text ? strdup(text) : NULL;
    return text && !*out ? err_set(err, ERR_NO_MEMORY, "client") : 0;
}

static bool has_controls(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text <= 0x20 || *text == 0x7F)
            return true;
    return false;
}

static int check_url(const char *url, struct err *err)
{
    bool is_http = strncmp(url, "http://", 7) == 0 && url[7];
    bool is_https = strncmp(url, "https://", 8) == 0 && url[8];
    const char *authority = strstr(url, "://");
    if ((!is_http && !is_https) || has_controls(url) || strpbrk(authority + 3, "/?#@"))
        return err_set(err, ERR_INVALID, "'%.100s' is not http://host:port, https://host:port or unix:/path", url);
    return 0;
}

// Splits "unix:/path" into a socket and a host that goes into the Host header only.
static int set_base(struct http_origin *origin, const char *base_url, struct err *err)
{
    if (strncmp(base_url, "unix:", 5) == 0) {
        if (base_url[5] != '/')
            return err_set(err, ERR_INVALID, "'%.100s' has no absolute path", base_url);
        if (copy_text(base_url + 5, &origin->socket_path, err) < 0)
            return -1;
        return copy_text("http://localhost", &origin->url, err);
    }
    AUTO_FREE char *url = NULL;
    if (copy_text(base_url, &url, err) < 0)
        return -1;
    size_t length = strlen(url);
    if (length > 0 && url[length - 1] == '/')
        url[length - 1] = '\0';
    if (check_url(url, err) < 0)
        return -1;
    origin->url = TAKE_PTR(url);
    return 0;
}

static int set_token(struct http_origin *origin, const char *token, struct err *err)
{
    AUTO_STRBUF struct strbuf header = STRBUF_INIT;
    if (!token)
        return 0;
    if (!*token || has_controls(token))
        return err_set(err, ERR_INVALID, "the token is empty or has spaces or control characters");
    strbuf_add_text(&header, "Authorization: Bearer ");
    strbuf_add_text(&header, token);
    return strbuf_take(&header, &origin->authorization, err);
}

int http_origin_init(struct http_origin *origin, const struct http_client_settings *settings, struct err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_library);
    *origin = (struct http_origin){
        .connect_timeout_ms =
            settings->connect_timeout_ms > 0 ? settings->connect_timeout_ms : DEFAULT_CONNECT_TIMEOUT_MS,
        .timeout_ms = settings->timeout_ms > 0 ? settings->timeout_ms : DEFAULT_TIMEOUT_MS,
        .unverified = settings->unverified,
    };
    if (settings->unverified && settings->token)
        return err_set(err, ERR_INVALID, "a token is not sent to whoever answers");
    if (set_base(origin, settings->base_url, err) < 0 || set_token(origin, settings->token, err) < 0 ||
        copy_text(settings->user_agent ? settings->user_agent : "curfew/" CURFEW_VERSION, &origin->user_agent, err) <
            0 ||
        copy_text(settings->ca_file, &origin->ca_file, err) < 0) {
        http_origin_release(origin);
        return -1;
    }
    return 0;
}

void http_origin_release(struct http_origin *origin)
{
    free(origin->url);
    free(origin->socket_path);
    free(origin->authorization);
    free(origin->user_agent);
    free(origin->ca_file);
    *origin = (struct http_origin){0};
}

static void keep(char *out, size_t size, const char *value, size_t length)
{
    if (length >= size)
        length = size - 1;
    memcpy(out, value, length);
    out[length] = '\0';
}

static void keep_retry_after(struct http_response *response, const char *value, size_t length)
{
    char text[16];
    int64_t seconds = 0;
    keep(text, sizeof text, value, length);
    if (parse_i64(text, 0, 86400, "Retry-After", &seconds, NULL) == 0)
        response->retry_after_ms = seconds * 1000;
}

// One header line of the response.
static size_t take_header(char *line, size_t size, size_t count, void *context)
{
    struct http_response *response = &((struct http_exchange *)context)->response;
    size_t length = size * count;
    const char *colon = memchr(line, ':', length);
    if (!colon)
        return length;
    size_t name = (size_t)(colon - line);
    const char *value = colon + 1, *end = line + length;
    while (value < end && (*value == ' ' || *value == '\t'))
        value++;
    while (end > value && (end[-1] == '\r' || end[-1] == '\n' || end[-1] == ' '))
        end--;
    size_t value_length = (size_t)(end - value);
    if (name == 12 && strncasecmp(line, "Content-Type", name) == 0)
        keep(response->content_type, sizeof response->content_type, value, value_length);
    else if (name == 4 && strncasecmp(line, "ETag", name) == 0)
        keep(response->etag, sizeof response->etag, value, value_length);
    else if (name == 8 && strncasecmp(line, "Location", name) == 0)
        keep(response->location, sizeof response->location, value, value_length);
    else if (name == 12 && strncasecmp(line, "X-Request-Id", name) == 0)
        keep(response->request_id, sizeof response->request_id, value, value_length);
    else if (name == 11 && strncasecmp(line, "Retry-After", name) == 0)
        keep_retry_after(response, value, value_length);
    return length;
}

static size_t take_body(char *bytes, size_t size, size_t count, void *context)
{
    struct http_exchange *exchange = context;
    size_t length = size * count;
    long status = 0;
    curl_easy_getinfo(exchange->easy, CURLINFO_RESPONSE_CODE, &status);
    if (exchange->is_refused_by_caller)
        return 0;
    if (exchange->on_body && status >= 200 && status < 300) {
        if (exchange->on_body(exchange->on_body_context, bytes, length) >= 0)
            return length;
        exchange->is_refused_by_caller = true;
        return 0;
    }
    if (length > exchange->response_limit - exchange->response.body.length) {
        exchange->is_too_large = true;
        return 0;
    }
    strbuf_add(&exchange->response.body, bytes, length);
    return exchange->response.body.failed ? 0 : length;
}

static size_t give_upload(char *buffer, size_t size, size_t count, void *context)
{
    struct http_exchange *exchange = context;
    size_t wanted = size * count;
    if ((int64_t)wanted > exchange->upload_left)
        wanted = (size_t)exchange->upload_left;
    if (wanted == 0)
        return 0;
    ssize_t got;
    do
        got = read(exchange->upload_fd, buffer, wanted);
    while (got < 0 && errno == EINTR);
    if (got <= 0)
        return CURL_READFUNC_ABORT;
    exchange->upload_left -= got;
    return (size_t)got;
}

static int add_line(struct http_exchange *exchange, const char *line, struct err *err)
{
    struct curl_slist *longer = curl_slist_append(exchange->headers, line);
    if (!longer)
        return err_set(err, ERR_NO_MEMORY, "request headers");
    exchange->headers = longer;
    return 0;
}

static int add_header(struct http_exchange *exchange, const char *name, const char *value, struct err *err)
{
    AUTO_STRBUF struct strbuf line = STRBUF_INIT;
    for (const char *at = value; *at; at++)
        if (((unsigned char)*at < 0x20 && *at != '\t') || *at == 0x7F)
            return err_set(err, ERR_INVALID, "header '%s' has control characters", name);
    strbuf_add_text(&line, name);
    strbuf_add_text(&line, *value ? ": " : ";"); // how libcurl spells an empty header
    strbuf_add_text(&line, value);
    return strbuf_ok(&line, err) < 0 ? -1 : add_line(exchange, strbuf_text(&line), err);
}

// The base that a call goes to: the client's own, or the call's, which never sees the token.
static int set_target(struct http_exchange *exchange, const struct http_origin *origin, const struct http_call *call,
                      struct err *err)
{
    struct http_origin other CLEANUP(http_origin_release) = {0};
    if (call->base_url) {
        if (set_base(&other, call->base_url, err) < 0)
            return -1;
        origin = &other;
    }
    AUTO_STRBUF struct strbuf url = STRBUF_INIT;
    if (!call->path || call->path[0] != '/' || has_controls(call->path))
        return err_set(err, ERR_INVALID, "a request path begins with a slash and has no spaces");
    strbuf_add_text(&url, origin->url);
    strbuf_add_text(&url, call->path);
    if (strbuf_take(&url, &exchange->url, err) < 0 || copy_text(origin->socket_path, &exchange->socket_path, err) < 0)
        return -1;
    curl_easy_setopt(exchange->easy, CURLOPT_URL, exchange->url);
    curl_easy_setopt(exchange->easy, CURLOPT_UNIX_SOCKET_PATH, exchange->socket_path);
    return origin->authorization ? add_line(exchange, origin->authorization, err) : 0;
}

static int set_headers(struct http_exchange *exchange, const struct http_call *call, struct err *err)
{
    bool has_body = call->has_upload || call->body;
    if (has_body &&
        add_header(exchange, "Content-Type", call->content_type ? call->content_type : "application/json", err) < 0)
        return -1;
    // Without this line libcurl would call the empty body of a POST a form.
    if (!has_body && add_line(exchange, "Content-Type:", err) < 0)
        return -1;
    for (size_t i = 0; i < call->header_count; i++)
        if (add_header(exchange, call->headers[i].name, call->headers[i].value, err) < 0)
            return -1;
    curl_easy_setopt(exchange->easy, CURLOPT_HTTPHEADER, exchange->headers);
    return 0;
}

static int set_body(struct http_exchange *exchange, const struct http_call *call, bool body_lives, struct err *err)
{
    CURL *easy = exchange->easy;
    bool posts = strcmp(call->method, "POST") == 0;
    if (call->has_upload) {
        exchange->upload_fd = call->upload_fd;
        exchange->upload_left = call->upload_length;
        curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(easy, CURLOPT_READFUNCTION, give_upload);
        curl_easy_setopt(easy, CURLOPT_READDATA, exchange);
        curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)call->upload_length);
    } else if (call->body || posts) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body_length);
        CURLcode code = curl_easy_setopt(easy, body_lives ? CURLOPT_POSTFIELDS : CURLOPT_COPYPOSTFIELDS,
                                         call->body ? call->body : "");
        if (code != CURLE_OK)
            return err_set(err, ERR_NO_MEMORY, "request body");
    }
    if (strcmp(call->method, "HEAD") == 0)
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    else
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, call->method);
    return 0;
}

static void set_limits(struct http_exchange *exchange, const struct http_origin *origin, const struct http_call *call)
{
    CURL *easy = exchange->easy;
    int64_t timeout_ms = call->timeout_ms == 0 ? origin->timeout_ms : call->timeout_ms;
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)origin->connect_timeout_ms);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, timeout_ms > 0 ? (long)timeout_ms : 0L);
    if (call->idle_timeout_ms > 0) {
        curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
        curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (long)((call->idle_timeout_ms + 999) / 1000));
    }
    curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, LONGEST_IDLE_S);
    if (call->no_reuse) {
        curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
        curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
    }
}

static void set_manners(struct http_exchange *exchange, const struct http_origin *origin)
{
    CURL *easy = exchange->easy;
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, origin->user_agent);
    if (origin->unverified) {
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    if (origin->ca_file)
        curl_easy_setopt(easy, CURLOPT_CAINFO, origin->ca_file);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, exchange->error_text);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, exchange);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, exchange);
}

int http_exchange_begin(struct http_exchange *exchange, const struct http_origin *origin, const struct http_call *call,
                        bool body_lives, struct err *err)
{
    exchange->response.retry_after_ms = -1;
    exchange->response_limit = call->response_limit > 0 ? call->response_limit : DEFAULT_RESPONSE_LIMIT;
    exchange->on_body = call->on_body;
    exchange->on_body_context = call->on_body_context;
    curl_easy_reset(exchange->easy);
    set_manners(exchange, origin);
    set_limits(exchange, origin, call);
    if (set_target(exchange, origin, call, err) < 0 || set_headers(exchange, call, err) < 0)
        return -1;
    return set_body(exchange, call, body_lives, err);
}

static enum err_code code_of(CURLcode code)
{
    switch ((int)code) {
    case CURLE_OPERATION_TIMEDOUT:
        return ERR_TIMEOUT;
    case CURLE_OUT_OF_MEMORY:
        return ERR_NO_MEMORY;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return ERR_INVALID;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_PARTIAL_FILE:
    case CURLE_SSL_CONNECT_ERROR:
        return ERR_UNAVAILABLE;
    default:
        return ERR_IO;
    }
}

int http_exchange_end(struct http_exchange *exchange, CURLcode code, struct err *err)
{
    const char *url = exchange->url ? exchange->url : "";
    long status = 0;
    if (exchange->is_too_large)
        return err_set(err, ERR_TOO_LARGE, "%.100s: the response is larger than %zu bytes", url,
                       exchange->response_limit);
    if (exchange->is_refused_by_caller)
        return err_set(err, ERR_IO, "%.100s: the response could not be taken", url);
    if (exchange->response.body.failed)
        return err_set(err, ERR_NO_MEMORY, "%.100s: response", url);
    if (code == CURLE_COULDNT_CONNECT && exchange->socket_path) // libcurl would name the host of the URL, which is none
        return err_set(err, ERR_UNAVAILABLE, "unix:%.160s: nobody answers", exchange->socket_path);
    if (code != CURLE_OK)
        return err_set(err, code_of(code), "%.100s: %s", url,
                       exchange->error_text[0] ? exchange->error_text : curl_easy_strerror(code));
    curl_easy_getinfo(exchange->easy, CURLINFO_RESPONSE_CODE, &status);
    exchange->response.status = (int)status;
    return 0;
}

void http_exchange_release(struct http_exchange *exchange)
{
    http_response_release(&exchange->response);
    curl_slist_free_all(exchange->headers);
    free(exchange->url);
    free(exchange->socket_path);
    exchange->headers = NULL;
    exchange->url = exchange->socket_path = NULL;
}
