// Starts the command itself: the last steps between fork and exec.
#pragma once

#include "services/worker/shim/spec.h"

#include <sys/types.h>

// What a command's process says over its start pipe: first its own pid, then nothing (end of file: exec succeeded) or a
// failure.
struct command_report {
    int32_t step;  // enum shim_step, or COMMAND_PID
    int32_t value; // errno, or the pid as the machine's /proc shows it
};
#define COMMAND_PID (-1)

// Forks. The child becomes leader of its own session, dies with this process, and executes the command with descriptors
// 0, 1 and 2 as they are and no others, signals as if nobody had touched them, and no way to new privileges.
// `cgroup_procs`: descriptor to join a cgroup by, or -1. `host_proc`: descriptor of the machine's /proc inside a PID
// namespace, or -1. Returns the pid (as this process sees it) with the read end of the start pipe in *report_fd
// (blocking, the caller closes it), or -1 with errno.
pid_t command_start(const struct shim_spec *spec, int cgroup_procs, int host_proc, int *report_fd);

// Joins the calling process to the cgroup; cgroup_procs may be -1 (nothing happens). 0 or -1 with errno.
int command_join_cgroup(int cgroup_procs);
