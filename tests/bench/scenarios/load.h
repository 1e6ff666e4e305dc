// Load on managers: many keep-alive connections on one thread, written for measuring: no client library, no allocation
// per request.
//
// Closed loop: a connection sends its next request when the answer has come. Open loop: load_every() calls at moments
// that were fixed before, whatever the managers do; who measures from those moments omits nothing. Answers must have a
// Content-Length.
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
    // what is being sent
    char *request;
    size_t request_length, sent;
    // what is being received
    char *reply;
    size_t received, head_length, body_length;
    int64_t began_us;
};

// Called when a connection may send its next request: load_send(), or nothing, to rest until load_wake().
typedef void (*load_next_fn)(struct load_connection *connection);
// An answer: status and body, NUL-terminated, valid during the call. load_next_fn follows.
typedef void (*load_answer_fn)(struct load_connection *connection, int status, const char *body, size_t length);
// A moment of the open loop; `due_us` by clock_boot_us().
typedef void (*load_due_fn)(struct load *load, int64_t due_us);

// Connection i goes to ports[i % port_count] of this machine.
struct load *load_new(const int *ports, int port_count, int connections, load_next_fn next, load_answer_fn answer,
                      void *context);
void load_free(struct load *load);
void *load_context(struct load *load);
struct load_connection *load_connection_at(struct load *load, int index);

void load_send(struct load_connection *connection, const char *method, const char *path, const char *body,
               size_t length);
void load_wake(struct load_connection *connection); // calls next
// From now on `due` is called once per interval; what was missed is made up for, with the moment that it was meant for.
// An interval of 0 ends it.
void load_every(struct load *load, int64_t interval_us, load_due_fn due);
void load_stop(struct load *load); // load_run() returns
// Until load_stop(), or for at most ms.
void load_run(struct load *load, int64_t ms);
