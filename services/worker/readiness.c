#include "services/worker/readiness.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/clock.h"
#include "services/common/base/loop.h"
#include "services/common/base/strbuf.h"
#include "services/common/http/client_async.h"
#include "services/worker/runtime.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINE_BYTES_MAX 4096
#define URL_SIZE 128
#define LASTS_MS 100         // a connection through a proxy
#define CERTAIN_MS 3000      // behind a proxy, of trouble
#define UNMADE_PAUSE_MS 5000 // at most, until a probe is tried again that could not be made
#define FIRST_PAUSE_MS 5     // doubles up to the interval until the first success
#define LONG_MS 3000         // without being ready: people want to know why; and until it is said anew
#define TEXT_SIZE 240

struct readiness {
    struct loop *loop;
    struct http_async *http;
    struct readiness_target target;
    struct readiness_events events;
    void *context;
    char host[INET6_ADDRSTRLEN], url[URL_SIZE];
    struct loop_timer *timer; // the next probe, or the deadline of the one under way
    bool probing, lasting, ready, was_ready, stopped;
    int64_t failures;           // in a row
    int64_t unhealthy_since_ms; // that many; 0: not
    int64_t pause_ms, began_ms;
    char last_failure[TEXT_SIZE];
    char trouble[TEXT_SIZE]; // what was told of last; "": nothing
    int64_t lacks_told_ms;   // when that was a failure; 0: it was not
    // the probe that is under way
    int fd;
    struct loop_watch *watch;
    struct http_async_call *call;
    // the log
    regex_t pattern;
    bool has_pattern, seen;
    struct strbuf line;
};

static void on_timer(void *context);

// ---- results

static void end_probe(struct readiness *readiness)
{
    loop_watch_remove(readiness->watch);
    readiness->watch = NULL;
    if (readiness->fd >= 0)
        close(readiness->fd);
    readiness->fd = -1;
    http_async_cancel(readiness->call);
    readiness->call = NULL;
    readiness->probing = readiness->lasting = false;
}

static void next_probe(struct readiness *readiness, int64_t longest_ms)
{
    int64_t interval_ms = MIN(readiness->target.spec->interval_ms, longest_ms);
    int64_t pause_ms = readiness->was_ready ? interval_ms : MIN(readiness->pause_ms, interval_ms);
    readiness->pause_ms = pause_ms * 2;
    loop_timer_arm(readiness->timer, clock_boot_ms() + pause_ms);
}

static void tell(struct readiness *readiness, const char *trouble)
{
    if (!readiness->events.on_trouble || strcmp(trouble, readiness->trouble) == 0)
        return;
    snprintf(readiness->trouble, sizeof readiness->trouble, "%s", trouble);
    readiness->events.on_trouble(readiness->context, *trouble ? readiness->trouble : NULL);
}

// What the failures say may be another thing each time.
static void tell_what_it_lacks(struct readiness *readiness, const char *what)
{
    int64_t now_ms = clock_boot_ms(), since_ms = MAX(readiness->began_ms, readiness->lacks_told_ms);
    bool tells = !readiness->was_ready && now_ms - since_ms >= LONG_MS;
    if (tells || readiness->lacks_told_ms == 0)
        tell(readiness, tells ? what : "");
    if (tells)
        readiness->lacks_told_ms = now_ms;
}

static void is_made(struct readiness *readiness)
{
    end_probe(readiness);
    next_probe(readiness, INT64_MAX);
}

// Neither this nor that.
static void unmade(struct readiness *readiness, const char *why)
{
    end_probe(readiness);
    next_probe(readiness, UNMADE_PAUSE_MS);
    snprintf(readiness->last_failure, sizeof readiness->last_failure, "its check cannot be made: %s", why);
    tell(readiness, readiness->last_failure);
    readiness->lacks_told_ms = 0;
}

static void succeeded(struct readiness *readiness)
{
    is_made(readiness);
    tell(readiness, "");
    readiness->failures = 0;
    readiness->unhealthy_since_ms = 0;
    if (readiness->ready)
        return;
    readiness->ready = readiness->was_ready = true;
    readiness->events.on_ready(readiness->context);
}

static bool is_certain(struct readiness *readiness)
{
    int64_t now_ms = clock_boot_ms();
    if (!readiness->target.behind_proxy)
        return true;
    bool disturbed = runtime_disturbed(readiness->target.instance); // looks into it from the first time on
    if (readiness->unhealthy_since_ms == 0 || disturbed)
        readiness->unhealthy_since_ms = now_ms;
    return now_ms - readiness->unhealthy_since_ms >= CERTAIN_MS;
}

static void failed(struct readiness *readiness, const char *what, const char *why)
{
    is_made(readiness);
    snprintf(readiness->last_failure, sizeof readiness->last_failure, "%s: %s", what, why);
    tell_what_it_lacks(readiness, readiness->last_failure);
    if (!readiness->ready || ++readiness->failures < readiness->target.spec->failures)
        return;
    if (!is_certain(readiness)) {
        next_probe(readiness, CERTAIN_MS);
        return;
    }
    readiness->ready = false;
    readiness->failures = 0;
    readiness->unhealthy_since_ms = 0;
    readiness->events.on_unhealthy(readiness->context, readiness->last_failure);
}

// ---- tcp

// Whoever has something to say is there; who closes at once is a proxy's idea of nobody.
static void on_said(void *context, int fd, uint32_t events)
{
    struct readiness *readiness = context;
    char byte;
    UNUSED(events);
    ssize_t length = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (length > 0)
        succeeded(readiness);
    else if (length == 0 || (errno != EAGAIN && errno != EINTR))
        failed(readiness, "connect", "nobody is behind the port");
}

static void wait_for_proxy(struct readiness *readiness, int fd)
{
    struct err err;
    loop_watch_remove(readiness->watch);
    readiness->watch = NULL;
    readiness->lasting = true;
    if (loop_watch_add(readiness->loop, fd, EPOLLIN | EPOLLRDHUP, on_said, readiness, &readiness->watch, &err) < 0)
        failed(readiness, "connect", err.text);
    else
        loop_timer_arm(readiness->timer, clock_boot_ms() + LASTS_MS);
}

static void on_connected(void *context, int fd, uint32_t events)
{
    UNUSED(events);
    struct readiness *readiness = context;
    int errnum = 0;
    socklen_t size = sizeof errnum;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &errnum, &size) < 0)
        errnum = errno;
    if (errnum == 0 && readiness->target.behind_proxy)
        wait_for_proxy(readiness, fd);
    else if (errnum == 0)
        succeeded(readiness);
    else
        failed(readiness, "connect", strerror(errnum));
}

static socklen_t make_address(const struct readiness *readiness, struct sockaddr_storage *out)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)out;
    *out = (struct sockaddr_storage){0};
    if (inet_pton(AF_INET, readiness->host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)readiness->target.port);
        return sizeof *v4;
    }
    if (inet_pton(AF_INET6, readiness->host, &v6->sin6_addr) != 1)
        return 0;
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons((uint16_t)readiness->target.port);
    return sizeof *v6;
}

static void probe_tcp(struct readiness *readiness)
{
    struct sockaddr_storage address;
    struct err err;
    socklen_t size = make_address(readiness, &address);
    readiness->fd = size ? socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0) : -1;
    if (readiness->fd < 0) {
        failed(readiness, "connect", size ? strerror(errno) : "no numeric address");
        return;
    }
    int outcome = connect(readiness->fd, (struct sockaddr *)&address, size);
    if (outcome == 0)
        on_connected(readiness, readiness->fd, EPOLLOUT);
    else if (errno != EINPROGRESS)
        failed(readiness, "connect", strerror(errno));
    else if (loop_watch_add(readiness->loop, readiness->fd, EPOLLOUT, on_connected, readiness, &readiness->watch,
                            &err) < 0)
        failed(readiness, "connect", err.text);
}

// ---- http

static void on_answer(void *context, struct http_response *response, const struct err *err)
{
    struct readiness *readiness = context;
    char status[32];
    readiness->call = NULL;
    if (!response) {
        failed(readiness, "http", err->text);
    } else if (response->status >= 200 && response->status < 400) {
        succeeded(readiness);
    } else {
        snprintf(status, sizeof status, "status %d", response->status);
        failed(readiness, "http", status);
    }
}

static void probe_http(struct readiness *readiness)
{
    struct err err;
    const struct http_call call = {
        .method = "GET",
        .path = readiness->target.spec->http_path,
        .base_url = readiness->url,
        .timeout_ms = readiness->target.spec->timeout_ms,
        .response_limit = 1 << 20,
        .no_reuse = true,
    };
    if (http_async_start(readiness->http, &call, on_answer, readiness, &readiness->call, &err) < 0)
        failed(readiness, "http", err.text);
}

// ---- a command

static void on_exec(void *context, const struct runtime_exit *exited, const struct err *trouble)
{
    struct readiness *readiness = context;
    char why[48] = "it did not end in time";
    if (readiness->stopped)
        return;
    if (exited->known && exited->signal)
        snprintf(why, sizeof why, "signal %d", exited->signal);
    else if (exited->known)
        snprintf(why, sizeof why, "exit %d", exited->code);
    if (trouble)
        unmade(readiness, trouble->text);
    else if (exited->known && exited->signal == 0 && exited->code == 0)
        succeeded(readiness);
    else
        failed(readiness, "check", why);
}

// The runtime keeps its deadline: an answer comes in any case.
static void probe_exec(struct readiness *readiness)
{
    struct err err;
    loop_timer_disarm(readiness->timer);
    if (runtime_exec(readiness->target.instance, readiness->target.exec, readiness->target.spec->timeout_ms, on_exec,
                     readiness, &err) < 0)
        unmade(readiness, err.text);
}

// ---- the log

static void look_at_line(struct readiness *readiness)
{
    if (!readiness->seen && regexec(&readiness->pattern, strbuf_text(&readiness->line), 0, NULL, 0) == 0) {
        readiness->seen = true;
        strbuf_release(&readiness->line);
        loop_timer_arm(readiness->timer, clock_boot_ms());
        return;
    }
    strbuf_clear(&readiness->line);
}

void readiness_output(struct readiness *readiness, const char *bytes, size_t length)
{
    if (!readiness || !readiness->has_pattern || readiness->seen || readiness->stopped)
        return;
    while (length > 0 && !readiness->seen) {
        const char *newline = memchr(bytes, '\n', length);
        size_t part = newline ? (size_t)(newline - bytes) : length;
        size_t room = LINE_BYTES_MAX - MIN(readiness->line.length, (size_t)LINE_BYTES_MAX);
        strbuf_add(&readiness->line, bytes, MIN(part, room));
        if (newline)
            look_at_line(readiness);
        part += newline ? 1 : 0;
        bytes += part;
        length -= part;
    }
}

// ---- the round of probes

// readiness_output() comes back here.
static void wait_for_line(struct readiness *readiness)
{
    tell_what_it_lacks(readiness, "no line of its output matches ready.log");
    if (!readiness->trouble[0])
        loop_timer_arm(readiness->timer, readiness->began_ms + LONG_MS);
}

static void probe(struct readiness *readiness)
{
    const struct ready_spec *spec = readiness->target.spec;
    bool once = spec->kind == READY_STARTED || spec->kind == READY_LOG;
    if (spec->kind == READY_LOG && !readiness->seen && !readiness->ready) {
        wait_for_line(readiness);
        return;
    }
    if (once) {
        if (!readiness->ready) {
            readiness->ready = true;
            readiness->events.on_ready(readiness->context);
        }
        return;
    }
    readiness->probing = true;
    loop_timer_arm(readiness->timer, clock_boot_ms() + spec->timeout_ms);
    if (spec->kind == READY_TCP)
        probe_tcp(readiness);
    else if (spec->kind == READY_HTTP)
        probe_http(readiness);
    else
        probe_exec(readiness);
}

static void on_timer(void *context)
{
    struct readiness *readiness = context;
    if (readiness->probing && readiness->lasting)
        succeeded(readiness);
    else if (readiness->probing)
        failed(readiness, "check", "no answer in time");
    else
        probe(readiness);
}

static int compile_pattern(struct readiness *readiness, struct err *err)
{
    const struct ready_spec *spec = readiness->target.spec;
    if (spec->kind != READY_LOG)
        return 0;
    if (regcomp(&readiness->pattern, spec->log_pattern, REG_EXTENDED | REG_NOSUB) != 0)
        return err_set(err, ERR_INVALID, "ready.log is no regular expression");
    readiness->has_pattern = true;
    return 0;
}

int readiness_new(struct loop *loop, struct http_async *http, const struct readiness_target *target,
                  const struct readiness_events *events, void *context, struct readiness **out, struct err *err)
{
    struct readiness *readiness = calloc(1, sizeof *readiness);
    if (!readiness)
        return err_set(err, ERR_NO_MEMORY, "no memory for probes");
    *readiness = (struct readiness){.loop = loop,
                                    .http = http,
                                    .target = *target,
                                    .events = *events,
                                    .context = context,
                                    .ready = target->was_ready,
                                    .was_ready = target->was_ready,
                                    .fd = -1,
                                    .pause_ms = FIRST_PAUSE_MS,
                                    .began_ms = clock_boot_ms()};
    snprintf(readiness->host, sizeof readiness->host, "%s", target->host ? target->host : "");
    snprintf(readiness->url, sizeof readiness->url, strchr(readiness->host, ':') ? "http://[%s]:%d" : "http://%s:%d",
             readiness->host, target->port);
    if (compile_pattern(readiness, err) < 0 || loop_timer_add(loop, on_timer, readiness, &readiness->timer, err) < 0) {
        readiness_free(readiness);
        return -1;
    }
    loop_timer_arm(readiness->timer, clock_boot_ms());
    *out = readiness;
    return 0;
}

void readiness_stop(struct readiness *readiness)
{
    if (!readiness)
        return;
    readiness->stopped = true;
    end_probe(readiness);
    loop_timer_remove(TAKE_PTR(readiness->timer));
}

void readiness_free(struct readiness *readiness)
{
    if (!readiness)
        return;
    readiness_stop(readiness);
    if (readiness->has_pattern)
        regfree(&readiness->pattern);
    strbuf_release(&readiness->line);
    free(readiness);
}

const char *readiness_last_failure(const struct readiness *readiness)
{
    return readiness ? readiness->last_failure : "";
}
