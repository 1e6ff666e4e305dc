// The guard of an embedded stack: a process that starts its programs, starts again what dies, and ends them in order.
#pragma once

#include "services/cli/stack.h"
#include "services/cli/stack_paths.h"

// Runs in a process of its own (after fork), single-threaded, until SIGTERM or, when owner_fd is not -1, until that is
// at end of file. Writes one line to report_fd when it knows: "up URL" or "failed TEXT". Returns the process's exit
// status.
int stack_guard_run(const struct stack_settings *settings, const struct stack_paths *paths, int report_fd,
                    int owner_fd);
