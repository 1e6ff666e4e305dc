// The watchdog thread: ends connections whose deadline has passed, and notices that the clients of parked requests and
// streams have gone, which libmicrohttpd does not. While the server drains it closes what is idle and tells what is
// parked.
#pragma once

#include "services/common/base/err.h"

struct http_server;

int http_watchdog_start(struct http_server *server, struct err *err) WARN_UNUSED;
void http_watchdog_wake(struct http_server *server); // looks at everything now
void http_watchdog_stop(struct http_server *server); // waits for the thread; nothing when it was not started
