// The kill boundary that needs no survivor: a PID namespace whose init dies with the shim, and with it, by the kernel's
// hand, everything inside, whatever it did with sessions, forks and signals.
//
// The init is a fork of the shim and does three things: it reaps, it passes signals that come from outside on to the
// command's process group, and it ends when it has no child left. When the command has ended it sends SIGTERM to
// whatever else there is.
#pragma once

#include "services/worker/shim/command.h"

#include <stdbool.h>

enum namespace_report_kind {
    NAMESPACE_FAILED,         // value: errno; the boundary could not be made: nothing was started
    NAMESPACE_COMMAND_FAILED, // value: errno, detail: enum shim_step
    NAMESPACE_STARTED,        // value: pid of the command as the machine sees it, start_time of that
    NAMESPACE_EXITED,         // value: wait status of the command, detail: 1 when SIGTERM was sent to what is left
};

// What the init tells the shim.
struct namespace_report {
    int32_t kind;
    int32_t value;
    int32_t detail;
    int64_t start_time;
};

// Clones the init with new PID and mount namespaces (and a user namespace, if `with_user_namespace`). Returns its pid
// with the read end of its report pipe in *report_fd (non-blocking, the caller closes it), or -1 with errno. All
// signals of the caller must be blocked.
pid_t namespace_start(const struct shim_spec *spec, int cgroup_procs, bool with_user_namespace, int *report_fd);

// Has the init send a signal to the command's process group. 0, or -1 with errno. By a queued signal with a payload: a
// plain one would be lost when somebody inside has just sent the init the same.
int namespace_signal(pid_t init, int signal_number);

// Whether such a boundary can be made here, by making one. 0, or -1 with errno.
int namespace_try(bool with_user_namespace);
