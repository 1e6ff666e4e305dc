// The weakest boundary: what descends from this process, found by walking /proc. Works because the shim is a subreaper:
// whoever loses its parent becomes the shim's own child.
#pragma once

// Sends a signal to every descendant that there is at the moment; one that is forked meanwhile may be missed: call
// again until waitpid(2) says ECHILD. Each is held by a pidfd before it is checked, so a recycled pid is never hit.
// Returns how many.
int descendants_signal(int signal_number);
