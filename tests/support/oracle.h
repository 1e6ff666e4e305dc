// Looks at the processes of this machine, and at nothing that Curfew says about them.
//
// A process carries a marker "NAME=VALUE" when
//   - its environment has that variable, or
//   - VALUE is a component of the path in its environment's CURFEW_INSTANCE (so that shims and inits are seen), or
//   - it is in a cgroup of ours whose name has VALUE as a component, or
//   - it descends from one that does (programs that write a title over their environment are found so).
// Zombies do not count, nor what the kernel has taken the memory of already: neither will ever do anything.
#pragma once

#include <stdint.h>
#include <sys/types.h>

// How many processes carry it; the first `capacity` pids are stored in `pids` (may be NULL).
int64_t oracle_find(const char *marker, pid_t *pids, size_t capacity);
// Looks again until none is left or the time is over. Returns how many are left.
int64_t oracle_wait_none(const char *marker, int64_t timeout_ms);
// One line per process on stderr: pid, state, name, command line. For messages of failed tests.
void oracle_print(const char *marker);
