// The watchdog thread: ends connections whose deadline has passed, and notices that the clients of parked requests and
// streams have gone, which libmicrohttpd does not. While the server drains it closes what is idle and tells what is
// parked.
#pragma once

#include "services/common/base/err.h"

#include <stdbool.h>

struct http_server;

int http_watchdog_start(struct http_server *server, struct err *err) WARN_UNUSED;
// Lets it notice when the client of a new connection goes, until the descriptor is closed. On the connection's thread.
void http_watchdog_add(struct http_server *server, int fd);
// Whether there are connections whose clients have gone: only then is it worth while to look at each. One system call,
// however many connections there are, as the kernel keeps these ready. Thread-safe.
bool http_watchdog_suspects(struct http_server *server);
void http_watchdog_wake(struct http_server *server); // looks at everything now
void http_watchdog_stop(struct http_server *server); // waits for the thread; nothing when it was not started
