// What a former life of this worker has left on this machine: found by the runtime's records and by an independent
// look, and seen to be gone before the worker registers anew, because then its work is given to others.
#pragma once

#include "services/common/base/err.h"
#include "services/worker/runtime.h"

#include <stddef.h>

struct recovery;

// `ended` instances were found and are gone now; or `err` says why that cannot be told.
typedef void (*recovery_fn)(void *context, size_t ended, const struct err *err);

// Lists, adopts and ends everything of an earlier life. Calls `done` once, never from within; the recovery is freed
// then.
int recovery_start(struct runtime *runtime, recovery_fn done, void *context, struct recovery **out,
                   struct err *err) WARN_UNUSED;
void recovery_free(struct recovery *recovery); // takes NULL; before `done` it calls nothing back
