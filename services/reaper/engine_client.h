// What the reaper asks of a container engine: list what carries our deployment's label, look at one, signal it, remove
// it. Blocking, each call with a deadline; for one thread. Does not decide anything.
//
// Stopping is signal by signal, so that the reaper never waits for a grace, and can say which signals were sent when.
#pragma once

#include "services/common/engine/reply.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct engine_client;

struct engine_listing {
    struct engine_container *containers;
    size_t container_count;
    struct engine_network *networks;
    size_t network_count;
};

// `url`: "unix:/var/run/docker.sock" or "http://host:port". Nothing is sent yet.
int engine_client_new(const char *url, struct engine_client **out, struct err *err) WARN_UNUSED;
void engine_client_free(struct engine_client *engine); // takes NULL

// Agrees on a version and asks for the engine's id, which is valid until the next call. ERR_UNAVAILABLE it does not
// answer, or may not be asked; ERR_INVALID too old, or no container engine. Texts say what to do.
int engine_client_hello(struct engine_client *engine, const char **id, struct err *err) WARN_UNUSED;

// Everything with this deployment's label.
int engine_client_list(struct engine_client *engine, const char *deployment, struct arena *arena,
                       struct engine_listing *out, struct err *err) WARN_UNUSED;

enum engine_outcome {
    ENGINE_ABSENT, // there is no such container (any more)
    ENGINE_DONE,
    ENGINE_MISCOUNTED, // only of a network: REMOVAL_MISCOUNTED
};
// Of all of these: ERR_IO when the engine cannot do it for this object, or answers what cannot be read.
int engine_client_inspect(struct engine_client *engine, const char *id, struct arena *arena,
                          struct engine_container *out, struct err *err) WARN_UNUSED;
// A container that has ended by itself meanwhile is ENGINE_DONE too.
int engine_client_signal(struct engine_client *engine, const char *id, const char *signal_name,
                         struct err *err) WARN_UNUSED;
// With its anonymous volumes; ERR_CONFLICT as long as it runs.
int engine_client_remove(struct engine_client *engine, const char *id, struct err *err) WARN_UNUSED;
// With what is left in it of containers that do not exist (network_removal.h); ERR_CONFLICT while something uses it.
int engine_client_remove_network(struct engine_client *engine, const char *id, struct err *err) WARN_UNUSED;
