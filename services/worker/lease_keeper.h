// Keeps the lease of this worker's former incarnation while its next life waits for the container engine.
//
// With the lease everything would be given up that goes on at an engine which only does not answer yet. Polls as the
// former incarnation, as its state directory proves that it was it: asks for nothing, says nothing of what it holds and
// follows no order, since orders are repeated to whoever registers next. When the manager says that the incarnation is
// over there is nothing left to keep, and it is silent from then on. Single-threaded, on the loop.
#pragma once

#include "services/common/base/err.h"

#include <stdint.h>

struct http_async;
struct lease_keeper;
struct loop;

int lease_keeper_start(struct loop *loop, struct http_async *http, int64_t worker, int incarnation,
                       struct lease_keeper **out, struct err *err) WARN_UNUSED;
// Before the worker registers: a name that another host has used is free only when its lease is over. Takes NULL.
void lease_keeper_free(struct lease_keeper *keeper);
