// The inside of the server, for the files of this directory only: connections, and the state that they share.
//
// Threads: a connection belongs to one of the server's threads. What others touch is atomic or under its shard's
// lock. The shard's lock is held whenever a connection's descriptor is used from outside of its thread, and taken
// before the connection is forgotten, so a descriptor that is used is never one that was closed and reused.
#pragma once

#include "services/common/http/admission.h"
#include "services/common/http/request_internal.h"
#include "services/common/http/server.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

#define HTTP_SHARDS 32
#define HTTP_RESERVED_DESCRIPTORS 256 // for all else: databases, files, connections that are being refused

struct http_loop;
struct http_stream;

struct http_connection {
    struct http_server *server;
    struct http_shard *shard;
    struct http_connection *previous, *next; // in the shard, under its lock
    struct http_loop *loop;                  // its thread
    struct http_connection *next_resumed;    // of those that the thread is to resume
    struct MHD_Connection *mhd;
    int fd;
    bool is_loopback;
    bool over_limit;
    bool has_served;    // it has sent a request line before
    bool has_published; // `parked` or `stream` was set for the request at hand; only its own thread asks
    struct http_address address;
    _Atomic int64_t deadline_ms; // clock_boot_ms(); 0: none
    atomic_bool is_active;       // between a request line and the end of its reply

    // Under the shard's lock.
    struct http_request *parked;
    struct http_stream *stream;
    bool told_stream; // that the server stops
    bool is_ended;    // shut down by a deadline or a drain
};

struct http_shard {
    _Alignas(64) pthread_mutex_t lock;
    struct http_connection *connections;
};

enum http_server_stage {
    HTTP_SERVER_RUNNING,
    HTTP_SERVER_DRAINING, // no new connections, idle ones are closed, replies close theirs
    HTTP_SERVER_CUTTING,  // everything is broken off
};

struct http_server {
    struct http_server_settings settings; // defaults filled in
    struct http_router *router;
    struct http_admission *admission;
    struct http_loop *loops; // the threads, see loop.h
    size_t loop_count;
    int listen_fd; // before the threads own it
    uint16_t port;
    char *socket_path; // of a Unix socket, removed at the end
    struct http_shard shards[HTTP_SHARDS];
    atomic_uint next_shard;
    _Atomic int64_t connections;
    _Atomic int64_t overload, gone, deadlines; // since the start
    _Atomic enum http_server_stage stage;

    int hangup_fd;             // an epoll set of all connections, ready while the client of any has gone
    atomic_bool hangup_missed; // some connection is not in it: all are looked at
    pthread_t watchdog;
    bool watchdog_runs;
    bool watchdog_stop, watchdog_woken; // under `lock`
    pthread_mutex_t lock;               // for the two conditions
    pthread_cond_t tick;                // wakes the watchdog
    pthread_cond_t calm;                // a connection was closed while draining
};

// Callbacks for libmicrohttpd; `context` is the server, and the thread for http_connection_notify().
void http_connection_notify(void *context, struct MHD_Connection *mhd, void **socket_context,
                            enum MHD_ConnectionNotificationCode code);
void *http_receive_target(void *context, const char *target, struct MHD_Connection *mhd);
enum MHD_Result http_receive(void *context, struct MHD_Connection *mhd, const char *url, const char *method,
                             const char *version, const char *bytes, size_t *length, void **request_context);
void http_receive_completed(void *context, struct MHD_Connection *mhd, void **request_context,
                            enum MHD_RequestTerminationCode code);

// Sets the connection's deadline to `delay_ms` from now; 0: none.
void http_connection_deadline(struct http_connection *connection, int64_t delay_ms);
// Shuts the connection down, on its own thread, so that the client sees the end at once.
void http_connection_break(const struct http_connection *connection);
// Lets the watchdog see the request or stream that the connection waits for. Either may be NULL, not both.
void http_connection_publish(struct http_connection *connection, struct http_request *parked,
                             struct http_stream *stream);
void http_connection_unpublish(struct http_connection *connection);

// Reads the head out of the library and checks it: http_head_check(), the size, and that nothing was folded or cut.
// `fields` has room for HTTP_HEAD_FIELDS + 1.
int http_fields_read(const struct http_request *request, struct MHD_Connection *mhd, const char *method,
                     const char *version, struct http_head_field *fields, struct http_head *head,
                     struct http_framing *framing, int *status, struct err *err) WARN_UNUSED;

// Collects the body, to memory or to a file as the route says. What is too much or fails is kept in body_error_status.
void http_body_begin(struct http_request *request, const char *spool_directory);
// False: so much has been dropped that the connection is better closed.
bool http_body_add(struct http_request *request, const char *bytes, size_t length);

// Queues request->reply. On the connection's thread.
enum MHD_Result http_send(struct http_request *request);

// The streams' side of the connection.
struct MHD_Response *http_stream_response(struct http_stream *stream, struct http_connection *connection);
bool http_stream_is_waiting(struct http_stream *stream);
void http_stream_ref(struct http_stream *stream);
void http_stream_unref(struct http_stream *stream);
// Gives up the reply's reference: what was not sent by now never will be. Takes NULL.
void http_stream_discard(struct http_stream *stream);
void http_stream_abort(struct http_stream *stream); // the client has gone
void http_stream_stop(struct http_stream *stream);  // the server drains

// The server's side of parked requests: gives the connection up if the owner has not answered. True: it was given up
// now.
bool http_request_detach(struct http_request *request);
