#include "tests/support/raw_http.h"

#include "services/common/base/clock.h"
#include "services/common/base/macros.h"
#include "tests/support/die.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

static int tcp_socket(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        die("socket: %s", strerror(errno));
    return fd;
}

static int connect_to(uint16_t port, int fd)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (connect(fd, (const void *)&address, sizeof address) < 0)
        die("connect to port %u: %s", port, strerror(errno));
    return fd;
}

int raw_connect(uint16_t port)
{
    return connect_to(port, tcp_socket());
}

int raw_connect_narrow(uint16_t port)
{
    const int window = 4096, segment = 1400; // as in a network: the server's side keeps 20 segments at first
    int fd = tcp_socket();
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &window, sizeof window) < 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof segment) < 0)
        die("a narrow socket: %s", strerror(errno));
    return connect_to(port, fd);
}

void raw_send(int fd, const void *bytes, size_t length)
{
    for (size_t sent = 0; sent < length;) {
        ssize_t n = send(fd, (const char *)bytes + sent, length - sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return;
        sent += (size_t)n;
    }
}

void raw_send_text(int fd, const char *text)
{
    raw_send(fd, text, strlen(text));
}

// 1: more is there now; 0: the peer has closed; -1: nothing until the deadline.
static int read_more(int fd, struct strbuf *out, int64_t deadline_ms)
{
    char buffer[16 * 1024];
    int64_t left = deadline_ms - clock_boot_ms();
    struct pollfd look = {.fd = fd, .events = POLLIN};
    if (poll(&look, 1, left > 0 ? (int)left : 0) <= 0)
        return -1;
    ssize_t n = read(fd, buffer, sizeof buffer);
    if (n > 0)
        strbuf_add(out, buffer, (size_t)n);
    return n > 0;
}

bool raw_read_to_end(int fd, struct strbuf *out, int64_t timeout_ms)
{
    int64_t deadline = clock_boot_ms() + timeout_ms;
    int result;
    do
        result = read_more(fd, out, deadline);
    while (result > 0);
    return result == 0;
}

bool raw_read_until(int fd, struct strbuf *out, const char *text, int64_t timeout_ms)
{
    int64_t deadline = clock_boot_ms() + timeout_ms;
    while (!memmem(strbuf_text(out), out->length, text, strlen(text)))
        if (read_more(fd, out, deadline) <= 0)
            return false;
    return true;
}

int raw_status(const char *response)
{
    if (strncmp(response, "HTTP/1.1 ", 9) != 0 && strncmp(response, "HTTP/1.0 ", 9) != 0)
        return -1;
    return atoi(response + 9);
}

static size_t content_length(const char *head, const char *end)
{
    for (const char *line = head; line && line < end; line = strstr(line, "\r\n")) {
        line += line == head ? 0 : 2;
        if (strncasecmp(line, "Content-Length:", 15) == 0)
            return (size_t)strtoul(line + 15, NULL, 10);
        if (line == head)
            line++;
    }
    return 0;
}

int raw_read_response(int fd, struct strbuf *out, int64_t timeout_ms)
{
    size_t start = out->length;
    int64_t deadline = clock_boot_ms() + timeout_ms;
    for (;;) {
        const char *head = strbuf_text(out) + start;
        const char *end = out->length > start ? strstr(head, "\r\n\r\n") : NULL;
        if (end && out->length - start >= (size_t)(end + 4 - head) + content_length(head, end))
            return raw_status(head);
        if (read_more(fd, out, deadline) <= 0)
            return -1;
    }
}

// ---- responses

// The value of a field in a head that ends at `end`; copied and cut.
static const char *field(const char *head, const char *end, const char *name, char *out, size_t size)
{
    size_t length = strlen(name);
    out[0] = '\0';
    for (const char *line = head; line && line < end; line = strstr(line, "\r\n")) {
        line += line == head ? 0 : 2;
        if (strncasecmp(line, name, length) == 0 && line[length] == ':') {
            line += length + 1;
            line += strspn(line, " ");
            snprintf(out, size, "%.*s", (int)strcspn(line, "\r"), line);
        }
        line += line == head;
    }
    return out;
}

static void read_head(const char *head, const char *end, struct http_response *out)
{
    char text[32];
    out->status = raw_status(head);
    field(head, end, "Content-Type", out->content_type, sizeof(out->content_type));
    field(head, end, "X-Request-Id", out->request_id, sizeof(out->request_id));
    field(head, end, "ETag", out->etag, sizeof(out->etag));
    field(head, end, "Retry-After", text, sizeof(text));
    out->retry_after_ms = *text ? strtol(text, NULL, 10) * 1000 : -1;
}

// Appends what is there of the chunks from `at` to `end`. The byte behind the last one; NULL: it is not there.
static const char *read_chunks(const char *at, const char *end, struct strbuf *out)
{
    while (at < end) {
        const char *line = memmem(at, (size_t)(end - at), "\r\n", 2);
        size_t size = strtoul(at, NULL, 16);
        if (!line)
            return NULL;
        strbuf_add(out, line + 2, MIN(size, (size_t)(end - line - 2)));
        if ((size_t)(end - line - 2) < size + 2)
            return NULL;
        at = line + 2 + size + 2;
        if (size == 0)
            return at;
    }
    return NULL;
}

static size_t read_body(const char *bytes, const char *body, const char *end, bool at_end, struct http_response *out)
{
    char text[32];
    if (strcasecmp(field(bytes, body - 2, "Transfer-Encoding", text, sizeof(text)), "chunked") == 0) {
        bool may_end = end - body >= 5 && memcmp(end - 5, "0\r\n\r\n", 5) == 0;
        const char *last = may_end || at_end ? read_chunks(body, end, &out->body) : NULL;
        return last ? (size_t)(last - bytes) : 0;
    }
    bool has_length = *field(bytes, body - 2, "Content-Length", text, sizeof(text));
    size_t there = (size_t)(end - body), length = has_length ? strtoul(text, NULL, 10) : there;
    strbuf_add(&out->body, body, MIN(length, there));
    return there >= length && (has_length || at_end) ? (size_t)(body - bytes) + length : 0;
}

size_t raw_parse_response(const char *bytes, size_t length, bool has_body, bool at_end, struct http_response *out)
{
    const char *end = bytes + length, *blank = length ? memmem(bytes, length, "\r\n\r\n", 4) : NULL;
    http_response_release(out);
    if (!blank)
        return 0;
    read_head(bytes, blank, out);
    if (out->status / 100 == 1) {
        size_t interim = (size_t)(blank + 4 - bytes);
        size_t rest = raw_parse_response(blank + 4, length - interim, has_body, at_end, out);
        return rest ? interim + rest : 0;
    }
    if (!has_body || out->status == 204 || out->status == 304)
        return (size_t)(blank + 4 - bytes);
    return read_body(bytes, blank + 4, end, at_end, out);
}
