#include "services/common/http/server.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/clock.h"
#include "services/common/http/listen.h"
#include "services/common/http/loop.h"
#include "services/common/http/server_internal.h"
#include "services/common/http/watchdog.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define CALM_INTERVAL_MS 20

static int64_t or_default(int64_t value, int64_t fallback)
{
    return value > 0 ? value : fallback;
}

static void fill_defaults(struct http_server_settings *settings)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    settings->threads = (int)or_default(settings->threads, cores > 0 ? cores : 1);
    settings->max_connections = (size_t)or_default((int64_t)settings->max_connections, 16384);
    settings->max_connections_per_address = (size_t)or_default((int64_t)settings->max_connections_per_address, 8192);
    settings->head_limit_bytes = (size_t)or_default((int64_t)settings->head_limit_bytes, 16 * 1024);
    settings->body_budget_bytes = (size_t)or_default((int64_t)settings->body_budget_bytes, 256 * 1024 * 1024);
    settings->head_deadline_ms = or_default(settings->head_deadline_ms, 10 * 1000);
    settings->body_deadline_ms = or_default(settings->body_deadline_ms, 30 * 1000);
    settings->reply_stall_ms = or_default(settings->reply_stall_ms, 60 * 1000);
    settings->idle_ms = or_default(settings->idle_ms, 75 * 1000);
    settings->watch_interval_ms = or_default(settings->watch_interval_ms, 500);
    if (!settings->spool_directory)
        settings->spool_directory = "/tmp";
}

static int fit_descriptor_limit(struct http_server_settings *settings, struct err *err)
{
    struct rlimit limit;
    rlim_t wanted = settings->max_connections + 2 * HTTP_RESERVED_DESCRIPTORS;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return err_errno(err, ERR_INTERNAL, errno, "read the limit of open files");
    if (limit.rlim_cur < wanted && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = MIN(wanted, limit.rlim_max);
        if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
            return err_errno(err, ERR_INTERNAL, errno, "raise the limit of open files");
    }
    if (limit.rlim_cur <= 2 * HTTP_RESERVED_DESCRIPTORS)
        return err_set(err, ERR_LIMIT, "the limit of open files is below %d", 2 * HTTP_RESERVED_DESCRIPTORS + 1);
    settings->max_connections = MIN(settings->max_connections, (size_t)limit.rlim_cur - 2 * HTTP_RESERVED_DESCRIPTORS);
    return 0;
}

static void init_locks(struct http_server *server)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&server->lock, NULL);
    pthread_cond_init(&server->tick, &monotonic);
    pthread_cond_init(&server->calm, &monotonic);
    pthread_condattr_destroy(&monotonic);
    for (size_t i = 0; i < HTTP_SHARDS; i++)
        pthread_mutex_init(&server->shards[i].lock, NULL);
}

// Signals are the program's main thread's business: the server's threads are started with all of them blocked.
static int start_threads(struct http_server *server, struct err *err)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int result = http_watchdog_start(server, err);
    if (result == 0)
        result = http_loops_start(server, TAKE_FD(server->listen_fd), err);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return result;
}

static int open_server(struct http_server *server, struct err *err)
{
    struct http_server_settings *settings = &server->settings;
    if (fit_descriptor_limit(settings, err) < 0 || http_router_new(&settings->routes, &server->router, err) < 0 ||
        http_admission_new(settings->max_connections_per_address, &server->admission, err) < 0 ||
        http_listen(settings->address, settings->port, &server->listen_fd, &server->port, &server->socket_path, err) <
            0)
        return -1;
    return start_threads(server, err);
}

int http_server_start(const struct http_server_settings *settings, struct http_server **out, struct err *err)
{
    struct http_server *server = aligned_alloc(64, (sizeof *server + 63) / 64 * 64);
    if (!server)
        return err_set(err, ERR_NO_MEMORY, "server");
    memset(server, 0, sizeof *server);
    server->settings = *settings;
    server->listen_fd = server->hangup_fd = -1;
    fill_defaults(&server->settings);
    init_locks(server);
    if (open_server(server, err) < 0) {
        http_server_free(server);
        return -1;
    }
    *out = server;
    return 0;
}

uint16_t http_server_port(const struct http_server *server)
{
    return server->port;
}

static void stop_listening(struct http_server *server)
{
    http_loops_stop_listening(server);
    if (server->socket_path)
        unlink(server->socket_path);
    free(TAKE_PTR(server->socket_path));
}

static void enter_stage(struct http_server *server, enum http_server_stage stage)
{
    atomic_store(&server->stage, stage);
    http_watchdog_wake(server);
}

// Waits until no connection is left, or until the deadline. INT64_MAX: none.
static bool wait_for_calm(struct http_server *server, int64_t deadline_boot_ms)
{
    pthread_mutex_lock(&server->lock);
    while (atomic_load(&server->connections) > 0 && clock_boot_ms() < deadline_boot_ms) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += CALM_INTERVAL_MS * 1000000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&server->calm, &server->lock, &until);
    }
    pthread_mutex_unlock(&server->lock);
    return atomic_load(&server->connections) == 0;
}

int http_server_drain(struct http_server *server, int64_t deadline_boot_ms)
{
    if (!server->loops)
        return 0;
    enter_stage(server, HTTP_SERVER_DRAINING);
    stop_listening(server);
    bool is_calm = wait_for_calm(server, deadline_boot_ms);
    if (!is_calm) {
        enter_stage(server, HTTP_SERVER_CUTTING);
        wait_for_calm(server, INT64_MAX);
    }
    http_watchdog_stop(server);
    http_loops_stop(server);
    return is_calm ? 0 : 1;
}

void http_server_free(struct http_server *server)
{
    if (!server)
        return;
    http_server_drain(server, 0);
    http_watchdog_stop(server);
    cleanup_close(&server->listen_fd);
    cleanup_close(&server->hangup_fd);
    free(server->socket_path);
    http_router_free(server->router);
    http_admission_free(server->admission);
    pthread_cond_destroy(&server->tick);
    pthread_cond_destroy(&server->calm);
    pthread_mutex_destroy(&server->lock);
    for (size_t i = 0; i < HTTP_SHARDS; i++)
        pthread_mutex_destroy(&server->shards[i].lock);
    free(server);
}

void http_server_stats(const struct http_server *server, struct http_server_stats *out)
{
    *out = (struct http_server_stats){
        .connections = atomic_load(&server->connections),
        .overload = atomic_load(&server->overload),
        .gone = atomic_load(&server->gone),
        .deadlines = atomic_load(&server->deadlines),
    };
    for (size_t i = 0; i < HTTP_SHARDS; i++) {
        struct http_shard *shard = (struct http_shard *)&server->shards[i];
        pthread_mutex_lock(&shard->lock);
        for (const struct http_connection *at = shard->connections; at; at = at->next) {
            out->in_flight += atomic_load_explicit(&at->is_active, memory_order_relaxed);
            out->parked += at->parked || (at->stream && http_stream_is_waiting(at->stream));
        }
        pthread_mutex_unlock(&shard->lock);
    }
}
