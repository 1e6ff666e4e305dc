// What a former life of this worker has left: found by the runtime's records and by an independent look. Processes are
// seen to be gone before the worker registers anew, because then their work is given to others; so are containers of
// which the manager knows nothing (streams). What survives its worker beside those is only listed, see survivors.h.
#pragma once

#include "services/common/base/err.h"
#include "services/worker/runtime.h"
#include "services/worker/survivors.h"

#include <stddef.h>

struct recovery;

// `ended` instances were found and are gone now; or `err` says why that cannot be told.
typedef void (*recovery_fn)(void *context, size_t ended, const struct err *err);

// Lists everything of an earlier life, adds what survives to `survivors`, adopts and ends the rest. Calls `done` once,
// never from within; the recovery is freed then.
int recovery_start(struct runtime *runtime, struct survivors *survivors, recovery_fn done, void *context,
                   struct recovery **out, struct err *err) WARN_UNUSED;
void recovery_free(struct recovery *recovery); // takes NULL; before `done` it calls nothing back
