#include "tests/support/http_fixture.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/parse.h"
#include "tests/support/die.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_S 60

static enum http_handled hello(void *app, struct http_request *request, struct http_reply *reply)
{
    UNUSED(app), UNUSED(request);
    return http_reply_text(reply, 200, HTTP_TYPE_TEXT, "hello\n");
}

// Keeps its server thread.
static enum http_handled block(void *app, struct http_request *request, struct http_reply *reply)
{
    UNUSED(request);
    struct fixture *fixture = app;
    pthread_mutex_lock(&fixture->lock);
    fixture->blocked++;
    pthread_cond_broadcast(&fixture->changed);
    while (fixture->blocked > 0)
        pthread_cond_wait(&fixture->changed, &fixture->lock);
    pthread_mutex_unlock(&fixture->lock);
    return http_reply_text(reply, 200, HTTP_TYPE_TEXT, "unblocked\n");
}

static enum http_handled livez(void *app, struct http_request *request, struct http_reply *reply)
{
    UNUSED(app), UNUSED(request);
    return http_reply_text(reply, 200, HTTP_TYPE_TEXT, "ok\n");
}

static enum http_handled thing(void *app, struct http_request *request, struct http_reply *reply)
{
    UNUSED(app);
    struct strbuf body = STRBUF_INIT;
    const char *x = http_request_query(request, "x");
    strbuf_add_format(&body, "%s %s\n", http_request_param(request, "id"), x ? x : "-");
    return http_reply_bytes(reply, 200, HTTP_TYPE_TEXT, &body);
}

static void reply_with_body(struct http_request *request, struct http_reply *reply)
{
    struct strbuf body = STRBUF_INIT;
    size_t length = 0;
    const char *bytes = http_request_body(request, &length);
    strbuf_add(&body, bytes, length);
    http_reply_bytes(reply, 200, HTTP_TYPE_JSON, &body);
}

static enum http_handled echo(void *app, struct http_request *request, struct http_reply *reply)
{
    UNUSED(app);
    reply_with_body(request, reply);
    return HTTP_REPLY;
}

static enum http_handled file(void *app, struct http_request *request, struct http_reply *reply)
{
    UNUSED(app);
    struct strbuf body = STRBUF_INIT;
    int64_t length = 0, sum = 0;
    unsigned char buffer[4096];
    int fd = http_request_body_file(request, &length);
    for (ssize_t n; (n = read(fd, buffer, sizeof buffer)) > 0;)
        for (ssize_t i = 0; i < n; i++)
            sum += buffer[i];
    strbuf_add_format(&body, "%lld %lld\n", (long long)length, (long long)sum);
    return http_reply_bytes(reply, 200, HTTP_TYPE_TEXT, &body);
}

static int64_t number(const struct http_request *request, const char *name)
{
    const char *text = http_request_query(request, name);
    int64_t value = 0;
    if (!text || parse_i64(text, 0, 1 << 30, name, &value, NULL) < 0)
        return 0;
    return value;
}

static enum http_handled large(void *app, struct http_request *request, struct http_reply *reply)
{
    UNUSED(app);
    struct strbuf body = STRBUF_INIT;
    char block[4096];
    size_t left = (size_t)number(request, "bytes");
    memset(block, 'x', sizeof block);
    strbuf_reserve(&body, left);
    for (size_t length; left > 0; left -= length) {
        length = MIN(left, sizeof block);
        strbuf_add(&body, block, length);
    }
    return http_reply_bytes(reply, 200, HTTP_TYPE_TEXT, &body);
}

static enum http_handled nothing(void *app, struct http_request *request, struct http_reply *reply)
{
    UNUSED(app), UNUSED(request), UNUSED(reply);
    return HTTP_REPLY;
}

static enum http_handled tagged(void *app, struct http_request *request, struct http_reply *reply)
{
    UNUSED(app);
    http_reply_text(reply, 200, HTTP_TYPE_TEXT, "tagged\n");
    http_reply_etag(reply, request, "v1");
    return HTTP_REPLY;
}

// Takes the request out of the table; false when somebody else has completed it.
static bool take_parked(struct fixture *fixture, const struct http_request *request)
{
    for (size_t i = 0; i < fixture->parked_count; i++) {
        if (fixture->parked[i] != request)
            continue;
        fixture->parked[i] = fixture->parked[--fixture->parked_count];
        return true;
    }
    return false;
}

static void on_cancel(void *owner, struct http_request *request, enum http_cancel reason)
{
    struct fixture *fixture = owner;
    struct http_reply reply = HTTP_REPLY_INIT;
    pthread_mutex_lock(&fixture->lock);
    bool is_mine = take_parked(fixture, request);
    if (reason == HTTP_CANCEL_GONE)
        fixture->cancelled_gone++;
    else
        fixture->cancelled_stopping++;
    pthread_cond_broadcast(&fixture->changed);
    pthread_mutex_unlock(&fixture->lock);
    if (!is_mine)
        return;
    http_reply_text(&reply, 503, HTTP_TYPE_TEXT, "stopping\n");
    http_request_complete(request, &reply);
}

static enum http_handled park_with(struct fixture *fixture, struct http_request *request, http_cancel_fn cancel)
{
    http_request_park(request, cancel, fixture);
    pthread_mutex_lock(&fixture->lock);
    if (fixture->parked_count == FIXTURE_PARKED)
        die("too many parked requests");
    fixture->parked[fixture->parked_count++] = request;
    pthread_cond_broadcast(&fixture->changed);
    pthread_mutex_unlock(&fixture->lock);
    return HTTP_PARKED;
}

static enum http_handled park(void *app, struct http_request *request, struct http_reply *reply)
{
    UNUSED(reply);
    return park_with(app, request, on_cancel);
}

static enum http_handled hold(void *app, struct http_request *request, struct http_reply *reply)
{
    UNUSED(reply);
    return park_with(app, request, NULL);
}

static enum http_handled thread(void *app, struct http_request *request, struct http_reply *reply)
{
    UNUSED(reply);
    struct fixture *fixture = app;
    http_request_park(request, NULL, NULL);
    pthread_mutex_lock(&fixture->lock);
    if (fixture->queue_count == FIXTURE_PARKED)
        die("too many queued requests");
    fixture->queue[fixture->queue_count++] = request;
    pthread_cond_broadcast(&fixture->changed);
    pthread_mutex_unlock(&fixture->lock);
    return HTTP_PARKED;
}

struct fixture_count {
    struct fixture *fixture;
    struct fixture_count *next;
    struct http_stream *stream;
    int64_t at, end;
};

static void count_more(void *context, struct http_stream *stream)
{
    struct fixture_count *count = context;
    pthread_mutex_lock(&count->fixture->lock);
    count->stream = stream;
    count->next = count->fixture->counting;
    count->fixture->counting = count;
    pthread_cond_broadcast(&count->fixture->changed);
    pthread_mutex_unlock(&count->fixture->lock);
}

static const struct http_stream_functions count_functions = {.more = count_more, .destroy = free};

static enum http_handled count(void *app, struct http_request *request, struct http_reply *reply)
{
    struct fixture_count *count = calloc(1, sizeof *count);
    struct http_stream *stream = NULL;
    if (!count || http_stream_new(&count_functions, count, 4096, &stream, NULL) < 0)
        die("no memory");
    *count = (struct fixture_count){.fixture = app, .end = number(request, "n")};
    return http_reply_stream(reply, 200, HTTP_TYPE_NDJSON, stream);
}

// Answers one demand with up to 500 lines, or with the end.
static void count_on(struct fixture_count *count)
{
    AUTO_STRBUF struct strbuf lines = STRBUF_INIT;
    struct http_stream *stream = count->stream;
    for (int i = 0; i < 500 && count->at < count->end; i++)
        strbuf_add_format(&lines, "%lld\n", (long long)count->at++);
    if (lines.length == 0 || http_stream_write(stream, lines.data, lines.length) == HTTP_STREAM_DEAD)
        http_stream_end(stream, true);
}

static void bump(struct fixture *fixture, int *counter)
{
    pthread_mutex_lock(&fixture->lock);
    (*counter)++;
    pthread_cond_broadcast(&fixture->changed);
    pthread_mutex_unlock(&fixture->lock);
}

static void follow_over(void *context, struct http_stream *stream, enum http_stream_over reason)
{
    UNUSED(stream);
    struct fixture *fixture = context;
    bump(fixture, reason == HTTP_STREAM_GONE ? &fixture->stream_gone : &fixture->stream_stopping);
}

static void follow_destroy(void *context)
{
    struct fixture *fixture = context;
    bump(fixture, &fixture->streams_destroyed);
}

static const struct http_stream_functions follow_functions = {.over = follow_over, .destroy = follow_destroy};

static enum http_handled follow(void *app, struct http_request *request, struct http_reply *reply)
{
    UNUSED(request);
    struct fixture *fixture = app;
    struct http_stream *stream = NULL;
    if (http_stream_new(&follow_functions, fixture, 4096, &stream, NULL) < 0)
        die("no memory");
    pthread_mutex_lock(&fixture->lock);
    fixture->followed = stream;
    pthread_cond_broadcast(&fixture->changed);
    pthread_mutex_unlock(&fixture->lock);
    return http_reply_stream(reply, 200, HTTP_TYPE_SSE, stream);
}

// Answers /thread and /count until the fixture stops.
static void *serve(void *context)
{
    struct fixture *fixture = context;
    pthread_mutex_lock(&fixture->lock);
    while (!fixture->stops || fixture->queue_count > 0 || fixture->counting) {
        struct http_request *request = fixture->queue_count > 0 ? fixture->queue[--fixture->queue_count] : NULL;
        struct fixture_count *counting = request ? NULL : fixture->counting;
        if (counting)
            fixture->counting = counting->next;
        if (!request && !counting) {
            pthread_cond_wait(&fixture->changed, &fixture->lock);
            continue;
        }
        pthread_mutex_unlock(&fixture->lock);
        if (request) {
            struct http_reply reply = HTTP_REPLY_INIT;
            reply_with_body(request, &reply);
            http_request_complete(request, &reply);
        } else {
            count_on(counting);
        }
        pthread_mutex_lock(&fixture->lock);
    }
    pthread_mutex_unlock(&fixture->lock);
    return NULL;
}

static void observe(void *app, const struct http_request *request, int status, int64_t microseconds)
{
    UNUSED(request);
    struct fixture *fixture = app;
    pthread_mutex_lock(&fixture->lock);
    fixture->observed++;
    fixture->observed_499 += status == 499;
    fixture->last_status = status;
    fixture->last_microseconds = microseconds;
    pthread_cond_broadcast(&fixture->changed);
    pthread_mutex_unlock(&fixture->lock);
}

static const struct http_route routes[] = {
    {.method = "GET", .pattern = "/hello", .handler = hello},
    {.method = "GET", .pattern = "/block", .handler = block},
    {.method = "GET", .pattern = "/livez", .handler = livez, .flags = HTTP_ROUTE_ALWAYS},
    {.method = "GET", .pattern = "/things/{id}", .handler = thing},
    {.method = "POST", .pattern = "/echo", .handler = echo, .body_limit_bytes = 64 * 1024},
    {.method = "PUT",
     .pattern = "/file",
     .handler = file,
     .body_limit_bytes = 8 * 1024 * 1024,
     .flags = HTTP_ROUTE_BODY_FILE},
    {.method = "GET", .pattern = "/large", .handler = large},
    {.method = "GET", .pattern = "/park", .handler = park},
    {.method = "GET", .pattern = "/hold", .handler = hold},
    {.method = "POST", .pattern = "/hold", .handler = hold, .body_limit_bytes = 4 * 1024 * 1024},
    {.method = "POST", .pattern = "/thread", .handler = thread, .body_limit_bytes = 64 * 1024},
    {.method = "GET", .pattern = "/count", .handler = count},
    {.method = "GET", .pattern = "/follow", .handler = follow},
    {.method = "GET", .pattern = "/nothing", .handler = nothing},
    {.method = "GET", .pattern = "/tagged", .handler = tagged},
};

void fixture_start(struct fixture *fixture, const struct http_server_settings *settings)
{
    struct http_server_settings all = settings ? *settings : (struct http_server_settings){0};
    struct err err = {0};
    memset(fixture, 0, sizeof *fixture);
    pthread_mutex_init(&fixture->lock, NULL);
    pthread_cond_init(&fixture->changed, NULL);
    all.address = all.address ? all.address : "127.0.0.1";
    all.routes = (struct http_route_table){routes, ARRAY_LEN(routes)};
    all.app = fixture;
    all.threads = all.threads ? all.threads : 2;
    all.observe = observe;
    if (pthread_create(&fixture->thread, NULL, serve, fixture) != 0)
        die("no thread");
    if (http_server_start(&all, &fixture->server, &err) < 0)
        die("server: %s", err.text);
    fixture->port = http_server_port(fixture->server);
}

void fixture_stop(struct fixture *fixture)
{
    http_server_free(fixture->server);
    pthread_mutex_lock(&fixture->lock);
    fixture->stops = true;
    pthread_cond_broadcast(&fixture->changed);
    pthread_mutex_unlock(&fixture->lock);
    pthread_join(fixture->thread, NULL);
    fixture_complete_all(fixture, 200);
    pthread_cond_destroy(&fixture->changed);
    pthread_mutex_destroy(&fixture->lock);
}

// Waits for a change of the fixture, at most until `until`. Under the lock.
static bool wait_change(struct fixture *fixture, const struct timespec *until)
{
    return pthread_cond_timedwait(&fixture->changed, &fixture->lock, until) == 0;
}

static struct timespec patience(void)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    return until;
}

bool fixture_wait_parked(struct fixture *fixture, size_t count)
{
    struct timespec until = patience();
    pthread_mutex_lock(&fixture->lock);
    while (fixture->parked_count < count && wait_change(fixture, &until))
        continue;
    bool reached = fixture->parked_count >= count;
    pthread_mutex_unlock(&fixture->lock);
    return reached;
}

void fixture_complete_all(struct fixture *fixture, int status)
{
    struct http_request *parked[FIXTURE_PARKED];
    pthread_mutex_lock(&fixture->lock);
    size_t count = fixture->parked_count;
    memcpy(parked, fixture->parked, count * sizeof parked[0]);
    fixture->parked_count = 0;
    pthread_mutex_unlock(&fixture->lock);
    for (size_t i = 0; i < count; i++) {
        struct http_reply reply = HTTP_REPLY_INIT;
        http_reply_text(&reply, status, HTTP_TYPE_TEXT, "completed\n");
        http_request_complete(parked[i], &reply);
    }
}

int fixture_get(struct fixture *fixture, const int *counter)
{
    pthread_mutex_lock(&fixture->lock);
    int value = *counter;
    pthread_mutex_unlock(&fixture->lock);
    return value;
}

bool fixture_wait(struct fixture *fixture, const int *counter, int value)
{
    struct timespec until = patience();
    pthread_mutex_lock(&fixture->lock);
    while (*counter < value && wait_change(fixture, &until))
        continue;
    bool reached = *counter >= value;
    pthread_mutex_unlock(&fixture->lock);
    return reached;
}

void fixture_unblock(struct fixture *fixture)
{
    pthread_mutex_lock(&fixture->lock);
    fixture->blocked = 0;
    pthread_cond_broadcast(&fixture->changed);
    pthread_mutex_unlock(&fixture->lock);
}

struct http_stream *fixture_take_followed(struct fixture *fixture)
{
    struct timespec until = patience();
    pthread_mutex_lock(&fixture->lock);
    while (!fixture->followed && wait_change(fixture, &until))
        continue;
    struct http_stream *stream = TAKE_PTR(fixture->followed);
    pthread_mutex_unlock(&fixture->lock);
    return stream;
}
