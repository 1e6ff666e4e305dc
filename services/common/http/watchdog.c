#include "services/common/http/watchdog.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/clock.h"
#include "services/common/http/server_internal.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#define DRAIN_INTERVAL_MS 10
#define BATCH 64

// What was found under a shard's lock and is done after it was let go. Each holds a reference.
struct finding {
    struct http_request *request; // one of the two
    struct http_stream *stream;
    bool is_gone; // false: the server drains
};

struct round {
    struct http_server *server;
    enum http_server_stage stage;
    bool looks; // some client has gone
    int64_t now_ms;
    int64_t quiet_until_ms; // no deadline passes before
    size_t count;           // with look_count never more than BATCH
    struct finding findings[BATCH];
    size_t look_count; // those who wait, and whose clients may have gone
    struct pollfd polls[BATCH];
    struct http_connection *looked_at[BATCH];
};

static bool is_parked(const struct http_connection *connection)
{
    return connection->parked && atomic_load(&connection->parked->park_state) == HTTP_PARK_WAITING;
}

static bool is_waiting(const struct http_connection *connection)
{
    return is_parked(connection) || (connection->stream && http_stream_is_waiting(connection->stream));
}

// Shuts the descriptor down; its own thread sees the end and closes it. Under the shard's lock.
static void end_connection(struct http_connection *connection)
{
    connection->is_ended = true;
    shutdown(connection->fd, SHUT_RDWR);
}

static void note(struct round *round, struct http_connection *connection, bool is_gone)
{
    struct finding *finding = &round->findings[round->count++];
    *finding = (struct finding){.is_gone = is_gone};
    if (connection->parked) {
        finding->request = connection->parked;
        http_request_ref(finding->request);
    } else {
        finding->stream = connection->stream;
        http_stream_ref(finding->stream);
    }
}

static void check_deadline(struct round *round, struct http_connection *connection)
{
    int64_t deadline = atomic_load_explicit(&connection->deadline_ms, memory_order_relaxed);
    if (deadline == 0 || connection->is_ended)
        return;
    if (deadline > round->now_ms) {
        round->quiet_until_ms = MIN(round->quiet_until_ms, deadline);
        return;
    }
    atomic_fetch_add_explicit(&round->server->deadlines, 1, memory_order_relaxed);
    end_connection(connection);
}

// While the server drains: idle connections go, parked ones are told once.
static void check_drain(struct round *round, struct http_connection *connection)
{
    if (!atomic_load_explicit(&connection->is_active, memory_order_relaxed) && !connection->is_ended)
        end_connection(connection);
    if (is_parked(connection) && !connection->parked->told_stopping) {
        connection->parked->told_stopping = true;
        note(round, connection, false);
    } else if (connection->stream && !connection->told_stream) {
        connection->told_stream = true;
        note(round, connection, false);
    }
}

// The server gives everything up: parked ones are detached, all descriptors are shut down.
static void check_cut(struct round *round, struct http_connection *connection)
{
    if (connection->parked || connection->stream)
        note(round, connection, true);
    end_connection(connection);
}

// Of those that are looked at, the clients that have gone; one system call for all.
static void check_clients(struct round *round)
{
    int found = round->look_count ? poll(round->polls, round->look_count, 0) : 0;
    for (size_t i = 0; i < round->look_count && found > 0; i++) {
        if (round->polls[i].revents == 0)
            continue;
        found--;
        if ((round->polls[i].revents & (POLLRDHUP | POLLHUP | POLLERR)) == 0)
            continue;
        atomic_fetch_add_explicit(&round->server->gone, 1, memory_order_relaxed);
        note(round, round->looked_at[i], true);
    }
    round->look_count = 0;
}

static void look_later(struct round *round, struct http_connection *connection)
{
    if (!round->looks || !is_waiting(connection))
        return;
    round->polls[round->look_count] = (struct pollfd){.fd = connection->fd, .events = POLLRDHUP};
    round->looked_at[round->look_count++] = connection;
}

static void check(struct round *round, struct http_connection *connection)
{
    switch (round->stage) {
    case HTTP_SERVER_RUNNING:
        check_deadline(round, connection);
        look_later(round, connection);
        return;
    case HTTP_SERVER_DRAINING:
        check_deadline(round, connection);
        check_drain(round, connection);
        look_later(round, connection);
        return;
    case HTTP_SERVER_CUTTING:
        check_cut(round, connection);
        return;
    }
}

static void act_on_request(const struct finding *finding)
{
    struct http_request *request = finding->request;
    bool tells = !finding->is_gone || http_request_detach(request);
    if (tells && request->cancel)
        request->cancel(request->cancel_owner, request, finding->is_gone ? HTTP_CANCEL_GONE : HTTP_CANCEL_STOPPING);
    http_request_unref(request);
}

static void act_on_stream(const struct finding *finding)
{
    if (finding->is_gone)
        http_stream_abort(finding->stream);
    else
        http_stream_stop(finding->stream);
    http_stream_unref(finding->stream);
}

static void act(struct round *round)
{
    for (size_t i = 0; i < round->count; i++) {
        if (round->findings[i].request)
            act_on_request(&round->findings[i]);
        else
            act_on_stream(&round->findings[i]);
    }
    round->count = 0;
}

// Looks at a shard. What does not fit into one round waits for the next; one connection adds at most a finding and a
// look.
static void look_at(struct round *round, struct http_shard *shard)
{
    pthread_mutex_lock(&shard->lock);
    struct http_connection *connection = shard->connections;
    for (; connection && round->count < BATCH - 1; connection = connection->next) {
        check(round, connection);
        if (round->count + round->look_count >= BATCH - 1)
            check_clients(round);
    }
    check_clients(round);
    if (connection)
        round->quiet_until_ms = 0;
    pthread_mutex_unlock(&shard->lock);
    act(round);
}

// Waits for the next tick. False: the watchdog ends.
static bool wait_for_tick(struct http_server *server, int64_t interval_ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += interval_ms / 1000;
    until.tv_nsec += interval_ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&server->lock);
    if (!server->watchdog_stop && !server->watchdog_woken)
        pthread_cond_timedwait(&server->tick, &server->lock, &until);
    bool goes_on = !server->watchdog_stop;
    server->watchdog_woken = false;
    pthread_mutex_unlock(&server->lock);
    return goes_on;
}

bool http_watchdog_suspects(struct http_server *server)
{
    struct epoll_event event;
    return atomic_load(&server->hangup_missed) || epoll_wait(server->hangup_fd, &event, 1, 0) != 0;
}

// What is set from now on ends no earlier.
static int64_t shortest_deadline_ms(const struct http_server_settings *settings)
{
    int64_t shortest_ms = MIN(settings->head_deadline_ms, settings->body_deadline_ms);
    shortest_ms = MIN(shortest_ms, settings->reply_stall_ms);
    shortest_ms = MIN(shortest_ms, settings->idle_ms);
    for (size_t i = 0; i < settings->routes.count; i++)
        if (settings->routes.routes[i].body_deadline_ms > 0)
            shortest_ms = MIN(shortest_ms, settings->routes.routes[i].body_deadline_ms);
    return shortest_ms;
}

static bool is_quiet(const struct round *round)
{
    return round->stage == HTTP_SERVER_RUNNING && !round->looks && round->now_ms < round->quiet_until_ms;
}

static void *watch(void *context)
{
    struct http_server *server = context;
    const int64_t shortest_ms = shortest_deadline_ms(&server->settings);
    struct round round = {.server = server};
    int64_t interval_ms = server->settings.watch_interval_ms;
    while (wait_for_tick(server, interval_ms)) {
        round.stage = atomic_load(&server->stage);
        round.now_ms = clock_boot_ms();
        round.looks = http_watchdog_suspects(server);
        if (is_quiet(&round))
            continue;
        round.quiet_until_ms = round.now_ms + shortest_ms;
        for (size_t i = 0; i < HTTP_SHARDS; i++)
            look_at(&round, &server->shards[i]);
        if (round.stage != HTTP_SERVER_RUNNING)
            interval_ms = DRAIN_INTERVAL_MS;
    }
    return NULL;
}

void http_watchdog_add(struct http_server *server, int fd)
{
    struct epoll_event event = {.events = EPOLLRDHUP};
    if (epoll_ctl(server->hangup_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        atomic_store(&server->hangup_missed, true);
}

int http_watchdog_start(struct http_server *server, struct err *err)
{
    server->hangup_fd = epoll_create1(EPOLL_CLOEXEC);
    if (server->hangup_fd < 0)
        return err_errno(err, ERR_UNAVAILABLE, errno, "epoll");
    int error = pthread_create(&server->watchdog, NULL, watch, server);
    if (error != 0)
        return err_errno(err, ERR_UNAVAILABLE, error, "start of the watchdog thread");
    server->watchdog_runs = true;
    return 0;
}

void http_watchdog_wake(struct http_server *server)
{
    pthread_mutex_lock(&server->lock);
    server->watchdog_woken = true;
    pthread_cond_signal(&server->tick);
    pthread_mutex_unlock(&server->lock);
}

void http_watchdog_stop(struct http_server *server)
{
    if (!server->watchdog_runs)
        return;
    pthread_mutex_lock(&server->lock);
    server->watchdog_stop = true;
    pthread_cond_signal(&server->tick);
    pthread_mutex_unlock(&server->lock);
    pthread_join(server->watchdog, NULL);
    server->watchdog_runs = false;
}
