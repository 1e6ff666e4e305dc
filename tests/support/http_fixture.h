// A server with routes that exercise everything a handler can do, for the tests of services/common/http.
//
//   GET  /hello               "hello\n"
//   GET  /block               "unblocked\n", and nothing else on its server thread before fixture_unblock()
//   GET  /livez               "ok\n", above the connection limit too
//   GET  /things/{id}         "<id> <query x, or ->\n"
//   POST /echo                the body, up to 64 KiB
//   PUT  /file                up to 8 MiB to a file; "<length> <sum of the bytes>\n"
//   GET  /large?bytes=N       N times 'x'
//   GET  /park                parked until fixture_complete_all(), or cancelled; its cancel callback completes it with
//   503 GET  /hold                parked without a cancel callback POST /hold                the same, with a body up
//   to 4 MiB POST /thread              parked, answered at once by another thread with the body GET  /count?n=N streams
//   the lines 0..N-1 from another thread, paced by demand GET  /follow              a stream that the test writes to
//   GET  /nothing             a handler that forgets to reply
//   GET  /tagged              an ETag "v1"
#pragma once

#include "services/common/http/server.h"
#include "services/common/http/stream.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FIXTURE_PARKED 1024

struct fixture {
    struct http_server *server;
    uint16_t port;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t thread; // answers /thread and /count
    bool stops;
    struct http_request *parked[FIXTURE_PARKED];
    size_t parked_count;
    struct http_request *queue[FIXTURE_PARKED];
    size_t queue_count;
    struct fixture_count *counting; // streams that wait for their next lines
    struct http_stream *followed;
    int cancelled_gone, cancelled_stopping;
    int stream_gone, stream_stopping, streams_destroyed;
    int blocked; // server threads that /block keeps
    int observed, observed_499;
    int last_status;
    int64_t last_microseconds;
};

// Starts with these settings; address, port, routes and functions are filled in. NULL: all defaults.
void fixture_start(struct fixture *fixture, const struct http_server_settings *settings);
void fixture_stop(struct fixture *fixture); // drains with no patience, frees

// Waits until so many requests are parked (/park and /hold). False after a minute.
bool fixture_wait_parked(struct fixture *fixture, size_t count);
void fixture_complete_all(struct fixture *fixture, int status);
void fixture_unblock(struct fixture *fixture); // once fixture_wait(&fixture, &fixture.blocked, ...) has seen them
// Reads a counter of the fixture under its lock.
int fixture_get(struct fixture *fixture, const int *counter);
// Waits until a counter is at least `value`. False after a minute.
bool fixture_wait(struct fixture *fixture, const int *counter, int value);
// Waits until there is a /follow stream, and gives its producer's reference to the test. NULL after a minute.
struct http_stream *fixture_take_followed(struct fixture *fixture);
