// Who is killed: each kind with SIGKILL, at a moment that the caller has chosen, and started again if it does not come
// back by itself.
#pragma once

#include "tests/support/engine.h"
#include "tests/support/system.h"

#include <stdbool.h>

enum victim {
    VICTIM_WORKER,
    VICTIM_MANAGER,
    VICTIM_REAPER,
    VICTIM_POSTGRES,
    VICTIM_SHIM,
    VICTIM_SERVICE,
    VICTIM_DOCKERD,
    VICTIM_CONTAINERD,
};
#define VICTIM_COUNT 8

// Who dies where services and tasks are processes, and where they are containers.
struct victims {
    const enum victim *list;
    unsigned count;
};
extern const struct victims victims_of_processes, victims_of_containers;

const char *victim_name(enum victim victim);
// False: there is none of its kind right now. `engine` may be NULL. `pause_ms`: how long it stays away.
bool victim_kill(struct system *system, struct engine *engine, enum victim victim, unsigned choice, int pause_ms);
