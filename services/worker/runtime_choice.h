// A runtime that is two: what runs in containers goes to one, everything else to the other.
//
// What has been started before is looked for in both: an identity is in one of them at most.
#pragma once

#include "services/worker/runtime.h"

// Takes both over, and frees them with itself; on failure they stay the caller's.
int runtime_choice_new(struct runtime *process, struct runtime *container, struct runtime **out,
                       struct err *err) WARN_UNUSED;
