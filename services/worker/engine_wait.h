// Waits for the container engine before a worker begins, and says when one that was given up works after all.
//
// A worker whose former life had an engine waits a minute for it, because dockerd and worker often restart together,
// and keeps the lease of that life meanwhile (lease_keeper.h): what goes on at the engine stays this worker's. Who had
// none asks once. Single-threaded, on the loop.
#pragma once

#include "services/worker/docker_engine.h"

struct engine_wait;
struct http_async;
struct loop;
struct state;

struct engine_wait_settings {
    struct loop *loop;
    struct http_async *http;   // to the manager
    const char *url;           // of the engine: docker_engine_new()
    const struct state *state; // of this worker's former life; borrowed during the call
};

struct engine_wait_events {
    // Once: the engine works, or it is waited for no longer, and `error` says why.
    void (*over)(void *context, const struct err *error);
    // After an error: it works now. Said every second from then on.
    void (*works_again)(void *context);
};

int engine_wait_start(const struct engine_wait_settings *settings, const struct engine_wait_events *events,
                      void *context, struct engine_wait **out, struct err *err) WARN_UNUSED;
void engine_wait_free(struct engine_wait *wait);                    // takes NULL; its engine goes with it
struct docker_engine *engine_wait_engine(struct engine_wait *wait); // borrowed; after `over` without an error
void engine_wait_registers(struct engine_wait *wait); // the worker does: no former lease is kept; takes NULL
