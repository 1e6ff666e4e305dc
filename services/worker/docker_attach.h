// A connection to the standard streams of one container: what it writes as it comes, and its stdin.
//
// The engine's call takes over the connection, which libcurl has no part in. Single-threaded, on the loop; nothing is
// called back from within a function. In every callback each function may be called, docker_attach_free() too.
#pragma once

#include "services/common/engine/frames.h"
#include "services/worker/docker_address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct docker_attach;
struct loop;

struct docker_attach_events {
    void (*opened)(void *context); // the engine listens and tells: now the container may be started
    void (*output)(void *context, enum engine_stream stream, const char *bytes, size_t length);
    void (*writable)(void *context); // after a write that took less than it was given
    // The last: NULL when the streams have ended (the container has), else ERR_UNAVAILABLE (the engine went away),
    // ERR_NOT_FOUND (no such container) or ERR_IO.
    void (*closed)(void *context, const struct err *error);
};

// `path` is the whole of the call, with version and query; it is copied.
int docker_attach_open(struct loop *loop, const struct docker_address *address, const char *path,
                       const struct docker_attach_events *events, void *context, struct docker_attach **out,
                       struct err *err) WARN_UNUSED;
void docker_attach_free(struct docker_attach *attach);               // takes NULL; no callback any more
void docker_attach_pause(struct docker_attach *attach, bool paused); // nothing is read, both streams wait
// How many bytes were taken; the rest after events.writable. ERR_CONFLICT: stdin is closed.
ssize_t docker_attach_write(struct docker_attach *attach, const char *bytes, size_t length,
                            struct err *err) WARN_UNUSED;
// Nobody is there any more, whether that was told or not: a write that fails says nothing of the command then.
bool docker_attach_is_gone(const struct docker_attach *attach);
void docker_attach_close_stdin(struct docker_attach *attach);
