#include "tests/support/starting_engine.h"

#include "services/common/base/clock.h"
#include "services/common/base/macros.h"
#include "tests/support/die.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define NETWORK "[{\"Id\":\"n1\",\"Created\":\"2026\",\"Labels\":" STARTING_ENGINE_LABELS "}]"
#define VERSION(more) "{\"Components\":[{\"Name\":\"Engine\"}" more "]}"
#define REQUEST_MAX 65536

static void reply(int fd, int status, const char *body)
{
    dprintf(fd, "HTTP/1.1 %d X\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s", status, strlen(body), body);
}

// The head and as much of the body as it says.
static bool read_request(int fd, char *out)
{
    size_t length = 0, wanted = 0;
    while (length < REQUEST_MAX - 1) {
        ssize_t count = recv(fd, out + length, REQUEST_MAX - 1 - length, 0);
        if (count <= 0)
            return false;
        length += (size_t)count;
        out[length] = '\0';
        const char *end = strstr(out, "\r\n\r\n"), *given = strcasestr(out, "content-length:");
        if (end && wanted == 0)
            wanted = (size_t)(end + 4 - out) + (given && given < end ? strtoul(given + 15, NULL, 10) : 0);
        if (end && strcasestr(out, "expect: 100-continue"))
            dprintf(fd, "HTTP/1.1 100 Continue\r\n\r\n");
        if (end && length >= wanted)
            return true;
    }
    return false;
}

static void answer_create(struct starting_engine *engine, int fd)
{
    char body[32];
    int number = ++engine->creates;
    if (engine->loses_create && number == 1)
        return;
    snprintf(body, sizeof body, "{\"Id\":\"c%d\"}", number);
    reply(fd, 201, body);
}

static void close_streams(struct starting_engine *engine)
{
    while (engine->stream_count > 0)
        close(engine->streams[--engine->stream_count]);
}

static void answer_start(struct starting_engine *engine, int fd)
{
    int64_t now_ms = clock_boot_ms();
    engine->starts++;
    if (engine->dies) {
        engine->runs = true;
        close_streams(engine);
        if (engine->starts > 1)
            reply(fd, 304, "");
        return;
    }
    if (engine->starts == 1) {
        engine->first_start_ms = now_ms;
        reply(fd, engine->refusal_status, engine->refusal);
        return;
    }
    while (engine->holds_start && !engine->released)
        poll(NULL, 0, 1);
    reply(fd, 204, "");
    close_streams(engine); // it has ended
}

static void answer_kill(struct starting_engine *engine, int fd)
{
    reply(fd, 204, "");
    reply(engine->waits, 200, "{\"StatusCode\":137}");
    engine->runs = false;
    close_streams(engine);
}

static bool is_over(const struct starting_engine *engine)
{
    return engine->starts >= 2 && engine->removals >= engine->creates;
}

// Every container has ended well, or is gone.
static void answer_inspect(struct starting_engine *engine, int fd, const char *request)
{
    char id[16] = "", body[512];
    sscanf(request, "GET /containers/%15[^/]", id);
    if (engine->starts < 2 || is_over(engine)) {
        reply(fd, 404, "{\"message\":\"No such container\"}");
        return;
    }
    snprintf(
        body, sizeof body,
        "{\"Id\":\"%s\",\"State\":{\"Status\":\"%s\",\"ExitCode\":%d},\"Config\":{\"Labels\":" STARTING_ENGINE_LABELS
        "}}",
        id, engine->runs ? "running" : "exited", engine->dies ? 137 : 0);
    reply(fd, 200, body);
}

// True when the connection stays open.
static bool answer(struct starting_engine *engine, int fd, const char *request)
{
    if (strstr(request, "/attach?")) {
        engine->attached++;
        dprintf(fd, "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n");
        return engine->starts < 2 || engine->runs;
    }
    if (strstr(request, "/wait HTTP") && engine->runs) {
        engine->waits = fd;
        return true;
    }
    if (strncmp(request, "POST /containers/create", 23) == 0)
        answer_create(engine, fd);
    else if (strncmp(request, "GET /version", 12) == 0)
        reply(fd, ++engine->versions > 0 ? 200 : 500,
              engine->has_containerd ? VERSION(",{\"Name\":\"containerd\"}") : VERSION(""));
    else if (strstr(request, "/start HTTP"))
        answer_start(engine, fd);
    else if (strstr(request, "/kill?"))
        answer_kill(engine, fd);
    else if (strncmp(request, "GET /networks?", 14) == 0)
        reply(fd, 200, is_over(engine) && !engine->miscounts ? "[]" : NETWORK);
    else if (strncmp(request, "GET /networks/n1", 16) == 0)
        reply(fd, 200, "{\"Containers\":{}}");
    else if (strncmp(request, "DELETE /networks/n1", 19) == 0)
        reply(fd, ++engine->network_removals > 0 ? 403 : 500, "{\"message\":\"n1 has active endpoints\"}");
    else if (strncmp(request, "GET /containers/", 16) == 0)
        answer_inspect(engine, fd, request);
    else if (strncmp(request, "DELETE /containers/", 19) == 0)
        reply(fd, ++engine->removals > 0 ? 204 : 500, "");
    else
        reply(fd, 200, "{\"StatusCode\":0}"); // upload, wait
    return false;
}

// It allocates nothing: the worker forks helpers, which would wait for ever for a lock that this thread has held then.
static void *play(void *context)
{
    static char request[REQUEST_MAX];
    struct starting_engine *engine = context;
    engine->listens = true;
    for (int fd; (fd = accept4(engine->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0;) {
        bool stays = read_request(fd, request) && answer(engine, fd, request) && engine->stream_count < 8;
        if (stays)
            engine->streams[engine->stream_count++] = fd;
        else
            close(fd);
    }
    return NULL;
}

void starting_engine_listen(struct starting_engine *engine, const char *socket_path)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    memset(engine, 0, sizeof *engine);
    snprintf(name.sun_path, sizeof name.sun_path, "%.100s", socket_path);
    signal(SIGPIPE, SIG_IGN); // who asked may have gone when it is answered
    engine->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(engine->listener, (struct sockaddr *)&name, sizeof name) < 0 || listen(engine->listener, 64) < 0)
        die("cannot play an engine at %s", socket_path);
}

void starting_engine_play(struct starting_engine *engine)
{
    if (engine->plays)
        return;
    if (pthread_create(&engine->thread, NULL, play, engine) != 0)
        die("no thread to play an engine");
    engine->plays = true;
    while (!engine->listens)
        poll(NULL, 0, 1);
}

void starting_engine_stop(struct starting_engine *engine)
{
    shutdown(engine->listener, SHUT_RDWR);
    pthread_join(engine->thread, NULL);
    close(engine->listener);
    close_streams(engine);
}
