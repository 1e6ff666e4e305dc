// Work that blocks (unpacking, copying, removing), done in a child process that is forked for it.
//
// Only for a single-threaded program. The child holds no descriptor of the worker's (so that no lease pipe stays open
// in it), and dies with the worker. It says how it went by its exit status and, on failure, by an error text.
#pragma once

#include "services/common/base/err.h"

struct background;
struct loop;

// Runs in the child: it may block and may change the process's state. Negative: failure.
typedef int (*background_fn)(const void *argument, struct err *err);
// `error` is NULL on success; valid during the call. The background is gone when this is called.
typedef void (*background_done_fn)(void *context, const struct err *error);

// `argument` is read before this returns in the parent; the child has its own copy of everything. `done` is called
// once, never from within. ERR_UNAVAILABLE: no process or descriptor is to be had.
int background_start(struct loop *loop, background_fn work, const void *argument, background_done_fn done,
                     void *context, struct background **out, struct err *err) WARN_UNUSED;
// Kills it and waits for its end; no callback. Takes NULL. For the end of the program: this may take milliseconds.
void background_cancel(struct background *background);
