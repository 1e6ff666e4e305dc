#include "tests/support/raw_http.h"

#include "services/common/base/clock.h"
#include "services/common/base/macros.h"
#include "tests/support/die.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

int raw_connect(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const void *)&address, sizeof address) < 0)
        die("connect to port %u: %s", port, strerror(errno));
    return fd;
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
