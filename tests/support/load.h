// Load on a manager: many keep-alive connections on one thread, written for measuring: no client library, no allocation
// per request, latencies of all requests.
//
// Closed loop: a connection sends its next request when the answer has come. Answers must have a Content-Length.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOAD_BODY_MAX (1 << 20)

struct load;

struct load_connection {
    struct load *load;
    int index;
    int fd;
    void *state; // the scenario's
    // what is being sent
    char *request;
    size_t request_length, sent;
    // what is being received
    char *reply;
    size_t received, head_length, body_length;
    int64_t began_us;
};

// Called when a connection may send its next request: load_send(), or load_rest() to send nothing until load_wake().
typedef void (*load_next_fn)(struct load_connection *connection);
// An answer: status and body, NUL-terminated, valid during the call. load_next_fn follows.
typedef void (*load_answer_fn)(struct load_connection *connection, int status, const char *body, size_t length);

struct load *load_new(int port, int connections, load_next_fn next, load_answer_fn answer, void *context);
void load_free(struct load *load);
void *load_context(struct load *load);
struct load_connection *load_connection_at(struct load *load, int index);

void load_send(struct load_connection *connection, const char *method, const char *path, const char *body,
               size_t length);
void load_wake(struct load_connection *connection); // calls next for a resting connection, from within the loop
void load_stop(struct load *load);                  // load_run() returns
// Until load_stop(), or for at most ms.
void load_run(struct load *load, int64_t ms);

// Latencies in microseconds, kept whole.
struct latencies {
    uint32_t *values;
    size_t count, capacity;
};
void latencies_add(struct latencies *latencies, int64_t us);
// The value below which `part` (0..1) of them lie; sorts. 0 when there are none.
int64_t latencies_at(struct latencies *latencies, double part);
void latencies_free(struct latencies *latencies);
