// What a worker and its curfew-shim say to each other: fixed records over one SOCK_SEQPACKET socket pair, and the spec
// in a sealed memory file. Both are built from the same tree and run on the same machine: native byte order, no
// versions to bridge (the magic number changes with the layout).
#pragma once

#include <stdint.h>

// Descriptors of a shim when it starts. 0, 1, 2 are the command's.
#define SHIM_FD_CONTROL 3
#define SHIM_FD_SPEC 4
#define SHIM_FD_RECORD 5 // the instance's record, append only

#define SHIM_MAGIC 0x43465331u // "CFS1"
#define SHIM_SPEC_MAX (8 * 1024 * 1024)

enum shim_flag {
    SHIM_PID_NAMESPACE = 1,  // make a PID namespace
    SHIM_USER_NAMESPACE = 2, // ... inside a user namespace, because this user may not otherwise
};

// The spec: this header, then `size` - sizeof(header) bytes of NUL-terminated strings: working directory, cgroup
// directory (or
// ""), argv..., env....
struct shim_spec_header {
    uint32_t magic;
    uint32_t size; // of everything
    uint32_t argument_count;
    uint32_t variable_count;
    uint32_t flags; // enum shim_flag
    int32_t stop_signal;
    int32_t open_files; // RLIMIT_NOFILE; 0: as inherited
    uint32_t reserved;
    int64_t stop_grace_ms;
    int64_t fence_grace_ms;
    int64_t lease_deadline_boot_ms;
};

enum shim_command_kind {
    SHIM_LEASE,  // value: the new deadline, CLOCK_BOOTTIME milliseconds
    SHIM_SIGNAL, // number: the signal, for the command's process group
    SHIM_STOP,   // value: grace in milliseconds
    SHIM_KILL,
};

// Worker to shim.
struct shim_command {
    uint32_t kind;
    int32_t number;
    int64_t value;
};

enum shim_event_kind {
    SHIM_STARTED,   // number: pid of the command, first: its start time, second: enum shim_boundary
    SHIM_FAILED,    // the command was not started: number: errno, first: enum shim_step
    SHIM_SIGNALLED, // number: a signal was sent
    SHIM_EXITED,    // number: wait status of the command
    SHIM_GONE,      // nothing is left; number: enum shim_reason. The last one
};

enum shim_boundary { SHIM_BOUNDARY_PIDNS = 1, SHIM_BOUNDARY_CGROUP = 2 };

enum shim_step {
    SHIM_STEP_FORK,
    SHIM_STEP_BOUNDARY, // namespaces and their mounts
    SHIM_STEP_CGROUP,
    SHIM_STEP_LIMITS,
    SHIM_STEP_DIRECTORY,
    SHIM_STEP_EXEC,
};

enum shim_reason {
    SHIM_ENDED_ITSELF, // nobody asked
    SHIM_ASKED,        // stop or kill came before the command's exit
    SHIM_CUT,          // end of file: the worker is gone or has let go
    SHIM_EXPIRED,      // the lease's deadline passed
};

// Shim to worker.
struct shim_event {
    uint32_t kind;
    int32_t number;
    int64_t first;
    int64_t second;
    int64_t at_wall_us;
};

// Lines of the record, "key value..."; the worker writes the first block before the start, the shim appends the second:
//   marker DEPLOYMENT/IDENTITY, boot ID, directory PATH, cgroup PATH
//   shim PID STARTTIME, started PID STARTTIME, signal N WALL_US, exited WAITSTATUS WALL_US, gone REASON WALL_US
