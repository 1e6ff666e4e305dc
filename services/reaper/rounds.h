// A thread of the reaper's that does something again and again beside the sweeps, which it must not hold up.
#pragma once

#include "services/common/base/err.h"

#include <stdint.h>

struct rounds;

// One round, on the thread. Returns how many milliseconds to rest until the next.
typedef int64_t (*round_fn)(void *context);

// The first round begins at once. ERR_UNAVAILABLE: there is no thread to be had.
int rounds_start(round_fn round, void *context, struct rounds **out, struct err *err) WARN_UNUSED;
void rounds_stop(struct rounds *rounds); // waits for the end of the round; takes NULL
