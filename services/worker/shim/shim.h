// One command under a lease: the state machine of curfew-shim. main.c has the contract.
#pragma once

#include "services/worker/shim/spec.h"

#include <stdbool.h>
#include <sys/types.h>

enum shim_phase {
    SHIM_PHASE_STARTING, // until the command has been executed
    SHIM_PHASE_RUNNING,
    SHIM_PHASE_ENDING,  // asked to end, or the command has ended and others are left: until kill_at
    SHIM_PHASE_KILLING, // SIGKILL, again and again, until nothing is left
    SHIM_PHASE_OVER,
};

struct shim {
    struct shim_spec spec;
    enum shim_phase phase;
    enum shim_reason reason;
    int control_fd; // -1 after end of file
    int record_fd;  // -1 without a record
    int report_fd;  // of the command or the init; -1 after end of file
    int cgroup_procs;
    int signal_fd, timer_fd;
    unsigned boundary;  // enum shim_boundary, of the attempt that runs
    bool refused;       // the namespace could not be made: try without
    bool failed;        // the command was not started
    bool exited;        // its exit was seen
    bool childless;     // waitpid said so
    pid_t child;        // init, or the command
    pid_t command;      // as the machine sees it; set once it was executed
    int64_t start_time; // of `child`, when that is the command
    int64_t lease_boot_ms;
    int64_t kill_boot_ms;
};

// Takes over the descriptors. Signals must be blocked already. Runs until nothing is left of the command.
// ERR_IO when the event descriptors cannot be made (nothing was started).
int shim_run(struct shim *shim, struct err *err) WARN_UNUSED;

// Transitions, in transitions.c. All times CLOCK_BOOTTIME milliseconds.
void shim_on_command(struct shim *shim, const struct shim_command *command);
void shim_on_cut(struct shim *shim, enum shim_reason reason); // end of file, or the lease has passed
void shim_on_started(struct shim *shim, pid_t pid, int64_t start_time);
void shim_on_failed(struct shim *shim, enum shim_step step, int errnum);
void shim_on_exited(struct shim *shim, int wait_status, bool others_told);
void shim_on_timer(struct shim *shim);
void shim_on_childless(struct shim *shim); // no descendant is left

// When shim_on_timer() wants to be called; 0: never.
int64_t shim_next_timer(const struct shim *shim);
