// The process runtime: every instance is a tree of processes below a curfew-shim (services/worker/shim/main.c has the
// contract of that program and what holds the tree together).
//
// Owns: the shims, their control sockets, log pipes and cgroups, and the records in <state>/shims/. Failure analysis is
// in runtime_process.c.
#pragma once

#include "services/common/base/loop.h"
#include "services/worker/runtime.h"

struct runtime_process_settings {
    struct loop *loop;           // outlives the runtime
    const char *shim_path;       // absolute path of curfew-shim
    const char *state_directory; // the worker's own; made if absent; nobody else uses it meanwhile
    const char *deployment; // name of this deployment: part of the marker, same characters as an identity without '/'
    int64_t fence_grace_ms; // between stop signal and SIGKILL when a lease was cut or has passed; 0: 1000
    int port_first, port_last;  // range for runtime_choose_ports(); 0: 20000 to 29999
    bool without_pid_namespace; // for tests and for machines where it must not be used
    bool without_cgroup;
};

// The names below are valid from the first byte on: everything is copied. Raises this process's soft RLIMIT_NOFILE to
// the hard one (instances get the old one unless their spec says otherwise). ERR_INVALID: a setting; ERR_NOT_FOUND: no
// shim there; ERR_IO: the state directory.
int runtime_process_new(const struct runtime_process_settings *settings, struct runtime **out,
                        struct err *err) WARN_UNUSED;

// What a machine offers, tried out once: "pidns+cgroup", "pidns", "cgroup" or "descendants"; for logs and `why`.
const char *runtime_process_boundary(const struct runtime *runtime);

// The independent listing: counts processes of this machine whose environment carries `marker` as a whole variable,
// like "CURFEW_INSTANCE=deployment/job/cache/1", or that descend from one that does, shims included. With pids not NULL
// the first `capacity` are stored. Returns the count, or -1. Reads /proc only; touches nothing.
int64_t runtime_process_scan(const char *marker, pid_t *pids, size_t capacity, struct err *err);
