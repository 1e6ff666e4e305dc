#include "tests/support/played_engine.h"

#include "services/common/base/macros.h"
#include "tests/support/die.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define REQUEST_MAX 16384
#define RULES_MAX 32
#define SEEN_MAX 512
#define OPEN_MAX 256

struct rule {
    const char *request, *body;
    int status;
};

struct played_engine {
    int listener;
    pthread_t thread;
    pthread_mutex_t lock; // of what follows
    struct rule rules[RULES_MAX];
    int rule_count;
    char seen[SEEN_MAX][80];
    int seen_count;
    int open[OPEN_MAX], open_count; // never answered
};

// The head, and a body that comes with it.
static bool read_request(int fd, char *out)
{
    size_t length = 0;
    do {
        ssize_t count = recv(fd, out + length, REQUEST_MAX - 1 - length, 0);
        if (count <= 0)
            return false;
        length += (size_t)count;
        out[length] = '\0';
    } while (!strstr(out, "\r\n\r\n") && length < REQUEST_MAX - 1);
    return true;
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static void answer(struct played_engine *engine, int fd, const char *request)
{
    struct rule rule = {.status = 404, .body = "{\"message\":\"no rule\"}"};
    pthread_mutex_lock(&engine->lock);
    if (engine->seen_count < SEEN_MAX)
        snprintf(engine->seen[engine->seen_count++], sizeof engine->seen[0], "%.79s", request);
    for (int i = 0; i < engine->rule_count; i++)
        if (begins(request, engine->rules[i].request))
            rule = engine->rules[i];
    bool stays = rule.status == 0 && engine->open_count < OPEN_MAX;
    if (stays)
        engine->open[engine->open_count++] = fd;
    pthread_mutex_unlock(&engine->lock);
    if (stays)
        return;
    dprintf(fd, "HTTP/1.1 %d X\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s", rule.status, strlen(rule.body),
            rule.body);
    shutdown(fd, SHUT_WR);
    close(fd);
}

static void *play(void *context)
{
    struct played_engine *engine = context;
    char request[REQUEST_MAX];
    for (int fd; (fd = accept4(engine->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0;) {
        if (read_request(fd, request))
            answer(engine, fd, request);
        else
            close(fd);
    }
    return NULL;
}

struct played_engine *played_engine_start(const char *socket_path)
{
    struct played_engine *engine = calloc(1, sizeof *engine);
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    if (!engine)
        die("out of memory");
    snprintf(name.sun_path, sizeof name.sun_path, "%.100s", socket_path);
    signal(SIGPIPE, SIG_IGN); // who asked may have gone when it is answered
    pthread_mutex_init(&engine->lock, NULL);
    engine->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(engine->listener, (struct sockaddr *)&name, sizeof name) < 0 || listen(engine->listener, 64) < 0 ||
        pthread_create(&engine->thread, NULL, play, engine) != 0)
        die("cannot play an engine at %s", socket_path);
    return engine;
}

void played_engine_stop(struct played_engine *engine)
{
    if (!engine)
        return;
    shutdown(engine->listener, SHUT_RDWR);
    pthread_join(engine->thread, NULL);
    close(engine->listener);
    for (int i = 0; i < engine->open_count; i++)
        close(engine->open[i]);
    pthread_mutex_destroy(&engine->lock);
    free(engine);
}

void played_engine_rule(struct played_engine *engine, const char *request, int status, const char *body)
{
    int at = 0;
    pthread_mutex_lock(&engine->lock);
    while (at < engine->rule_count && strcmp(engine->rules[at].request, request) != 0)
        at++;
    if (at == RULES_MAX)
        die("too many rules");
    engine->rules[at] = (struct rule){request, body, status};
    engine->rule_count = MAX(engine->rule_count, at + 1);
    pthread_mutex_unlock(&engine->lock);
}

int played_engine_count(struct played_engine *engine, const char *request)
{
    int count = 0;
    pthread_mutex_lock(&engine->lock);
    for (int i = 0; i < engine->seen_count; i++)
        count += begins(engine->seen[i], request);
    pthread_mutex_unlock(&engine->lock);
    return count;
}
