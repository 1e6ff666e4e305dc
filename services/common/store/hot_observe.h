// What an observation of a worker makes of an instance. Pure.
#pragma once

#include <stdbool.h>

// The state that follows, or -1 when the observation says nothing new or is behind what is known. `said` is what the
// worker reports: an end is a failure when nobody asked for it, whatever the worker calls it, and a stop when somebody
// did.
int observe_next(int state, bool stop_requested, int said);
// True when this step means that the instance ended, or never began, without having been asked to.
bool observe_fails(int state, bool stop_requested, int next);
