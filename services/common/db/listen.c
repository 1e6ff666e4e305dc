#include "services/common/db/listen.h"

#include "services/common/base/clock.h"
#include "services/common/db/channel.h"
#include "services/common/db/connection.h"
#include "services/common/db/notifier.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

struct listen {
    struct db *db;
    char channel[CHANNEL_SIZE];
    bool listening; // on the current connection
};

int listen_open(const char *conninfo, const char *channel, struct listen **out, struct err *err)
{
    static const struct db_options options = {.application_name = "curfew listen"};
    if (channel_check(channel, err) < 0)
        return -1;
    struct listen *listen AUTO_LISTEN = calloc(1, sizeof *listen);
    if (!listen)
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    snprintf(listen->channel, sizeof listen->channel, "%s", channel);
    if (db_open(conninfo, &options, &listen->db, err) < 0)
        return -1;
    *out = TAKE_PTR(listen);
    return 0;
}

void listen_close(struct listen *listen)
{
    if (!listen)
        return;
    db_close(listen->db);
    free(listen);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < 0 ? b : b < 0 ? a : MIN(a, b);
}

// Waits until the socket (-1: none) or wake_fd is readable or the deadline (-1: none) has passed.
// LISTEN_WOKEN, LISTEN_TIMEOUT, or LISTEN_NOTIFIED when the socket is readable.
static int wait_for(int socket, int wake_fd, int64_t deadline_ms, struct err *err)
{
    for (;;) {
        int64_t left = deadline_ms < 0 ? -1 : MAX(deadline_ms - clock_boot_ms(), 0);
        struct pollfd descriptors[] = {{.fd = socket, .events = POLLIN}, {.fd = wake_fd, .events = POLLIN}};
        int ready = poll(descriptors, ARRAY_LEN(descriptors), (int)MIN(left, INT64_C(3600000)));
        if (ready < 0 && errno != EINTR)
            return err_errno(err, ERR_IO, errno, "poll");
        if (ready > 0)
            return descriptors[1].revents ? LISTEN_WOKEN : LISTEN_NOTIFIED;
        if (ready == 0 && left == 0)
            return LISTEN_TIMEOUT;
    }
}

// Connects and listens, unless the backoff says that it is too early: then waits for that.
static int start(struct listen *listen, int64_t deadline_ms, int wake_fd, struct err *err)
{
    struct db *db = listen->db;
    char sql[CHANNEL_SIZE + 16];
    if (!db->connection && clock_boot_ms() < db->retry_at_ms) {
        int outcome = wait_for(-1, wake_fd, earlier(deadline_ms, db->retry_at_ms), err);
        if (outcome != LISTEN_TIMEOUT)
            return outcome;
    }
    snprintf(sql, sizeof sql, "LISTEN %s", listen->channel);
    if (db_ensure(db, err) < 0 || db_sql(db, sql, NULL, RESULT_TEXT, NULL, err) < 0)
        return LISTEN_DOWN;
    listen->listening = true;
    return LISTEN_MISSED;
}

struct delivery {
    listen_fn function;
    void *context;
    bool missed;
};

static void deliver_item(struct delivery *delivery, const char *item)
{
    if (strcmp(item, NOTIFIER_EVERYTHING) == 0)
        delivery->missed = true;
    else if (*item)
        delivery->function(delivery->context, item);
}

// A payload holds items with a newline between them.
static void deliver(struct delivery *delivery, char *payload)
{
    char *rest = payload;
    while (rest)
        deliver_item(delivery, strsep(&rest, "\n"));
}

// Number of notifications that were waiting.
static int deliver_all(struct listen *listen, struct delivery *delivery)
{
    int count = 0;
    PGnotify *notification;
    while ((notification = PQnotifies(listen->db->connection))) {
        count++;
        deliver(delivery, notification->extra);
        PQfreemem(notification);
    }
    return count;
}

static int receive(struct listen *listen, int64_t deadline_ms, int wake_fd, struct delivery *delivery, struct err *err)
{
    struct db *db = listen->db;
    while (deliver_all(listen, delivery) == 0) {
        int outcome = wait_for(PQsocket(db->connection), wake_fd, deadline_ms, err);
        if (outcome != LISTEN_NOTIFIED)
            return outcome;
        if (!PQconsumeInput(db->connection) || db->hung_up) {
            listen->listening = false;
            connection_lose(db, "the connection that listens is lost", err);
            return LISTEN_DOWN;
        }
    }
    return delivery->missed ? LISTEN_MISSED : LISTEN_NOTIFIED;
}

int listen_wait(struct listen *listen, int64_t timeout_ms, int wake_fd, listen_fn function, void *context,
                struct err *err)
{
    struct delivery delivery = {.function = function, .context = context};
    int64_t deadline_ms = timeout_ms < 0 ? -1 : clock_boot_ms() + timeout_ms;
    if (!listen->listening || !listen->db->connection)
        return start(listen, deadline_ms, wake_fd, err);
    return receive(listen, deadline_ms, wake_fd, &delivery, err);
}
