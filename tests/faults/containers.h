// What must hold at the container engine, by Debian's client: nothing runs for a job that is closed, no job has lost a
// service that it needed, what is not ours is as it was, and in the end nothing of ours is left.
#pragma once

#include "tests/support/system.h"

struct engine;

// What looks like ours and is not: of no deployment, and of another one.
struct strangers;
struct strangers *strangers_start(struct engine *engine);
// How many have changed.
int strangers_check(const struct strangers *strangers);
void strangers_free(struct strangers *strangers);

// Each returns how many violations there are, and prints them.
int containers_check_closed(struct engine *engine, struct system *system, const char *job);
// When everything runs again: containers, networks and volumes of this system that are there after ten seconds. Where
// all of that are networks that the engine has lost count of (docs/decisions/0035-lost-count.md), *miscounted says how
// many: the reaper has to know it, the engine is started again, and has another ten seconds to be rid of them.
int containers_check_end(struct engine *engine, struct system *system, int *miscounted);
