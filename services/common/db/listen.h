// Hears NOTIFY on one channel, on a connection of its own. For one thread, which usually does nothing else.
//
// A notification is a hint: those sent while the connection was away are lost, and the owner is told so that it can
// look at everything once.
#pragma once

#include "services/common/base/cleanup.h"
#include "services/common/base/err.h"

#include <stdint.h>

struct listen;

enum listen_outcome {
    LISTEN_TIMEOUT,  // nothing happened
    LISTEN_NOTIFIED, // the callback was called at least once
    LISTEN_WOKEN,    // wake_fd is readable
    LISTEN_MISSED,   // listening from now on (first connection, reconnect, or a sender lost count): anything may have
                     // been missed
    LISTEN_DOWN,     // the database is away; the next wait tries again, not faster than the backoff allows
};

typedef void (*listen_fn)(void *context, const char *item);

// Checks its arguments and connects on the first wait. `channel` is a lower-case SQL identifier.
int listen_open(const char *conninfo, const char *channel, struct listen **out, struct err *err) WARN_UNUSED;
void listen_close(struct listen *listen); // takes NULL
DEFINE_CLEANUP(struct listen *, listen_close);
#define AUTO_LISTEN CLEANUP(cleanup_listen_close)

// Waits for at most timeout_ms (-1: no limit), or until wake_fd (-1: none) is readable; it is not read here. Calls back
// once per item in the order of arrival. Returns an enum listen_outcome, LISTEN_DOWN with `err` filled in; negative
// only for what will never work.
int listen_wait(struct listen *listen, int64_t timeout_ms, int wake_fd, listen_fn function, void *context,
                struct err *err) WARN_UNUSED;
