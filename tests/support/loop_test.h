// Turning an event loop in tests until something has happened.
#pragma once

#include "services/common/base/loop.h"

#include <stdbool.h>
#include <stdint.h>

// Steps until the predicate holds; false when it did not within timeout_ms.
bool loop_until(struct loop *loop, bool (*predicate)(void *context), void *context, int64_t timeout_ms);
// The same for a flag.
bool loop_until_set(struct loop *loop, const bool *flag, int64_t timeout_ms);
// Steps for a while, and once when it is over: for things that must not happen.
void loop_for(struct loop *loop, int64_t ms);
