// The server's threads: each accepts, reads and answers, with a daemon of libmicrohttpd of its own.
//
// Not the library's own threads. Those take events, 128 at a time, until they get fewer than they asked for; when there
// were exactly as many they wait for more without having served a single one of those they hold, for as long as nothing
// else happens. Here a thread waits by itself, and asks the library only for what is there.
#pragma once

#include "services/common/base/err.h"

struct http_connection;
struct http_loop;
struct http_server;

// Starts settings.threads threads that serve `listen_fd`, and inherit the caller's signal mask. The descriptor is
// theirs from now on. ERR_UNAVAILABLE, ERR_NO_MEMORY: what was started may serve somebody already, and is stopped like
// the whole.
int http_loops_start(struct http_server *server, int listen_fd, struct err *err) WARN_UNUSED;
// No connection is accepted any more. Any thread, once.
void http_loops_stop_listening(struct http_server *server);
// Ends the threads. No connection may be left: stopping the library with a suspended one would abort the process.
void http_loops_stop(struct http_server *server);

struct http_server *http_loop_server(const struct http_loop *loop);
// On the thread itself: a connection was closed, after which the library may have more to do than it says.
void http_loop_note_closed(struct http_loop *loop);
// Lets a suspended connection go on, on its own thread. Any thread; from then on the connection may be gone.
void http_loop_resume(struct http_connection *connection);
