// Who is killed: each kind with SIGKILL, at a moment that the caller has chosen, and started again if it does not come
// back by itself.
#pragma once

#include "tests/support/system.h"

#include <stdbool.h>

enum victim { VICTIM_WORKER, VICTIM_MANAGER, VICTIM_REAPER, VICTIM_POSTGRES, VICTIM_SHIM, VICTIM_SERVICE };
#define VICTIM_COUNT 6

const char *victim_name(enum victim victim);
// False: there is none of its kind right now. `pause_ms`: how long it stays away.
bool victim_kill(struct system *system, enum victim victim, unsigned choice, int pause_ms);
