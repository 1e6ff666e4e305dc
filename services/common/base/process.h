// Processes of this machine as /proc shows them. A bare pid names nobody for long: (boot id, pid, start time) does.
//
// No heap, no locks: usable in a child between fork and exec, and in curfew-shim.
#pragma once

#include "services/common/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PROCESS_BOOT_ID_SIZE 37
#define PROCESS_WALK_BUFFER 4096

struct process_stat {
    pid_t parent;
    pid_t session;
    char state;         // 'R', 'S', 'Z' for a zombie...
    int64_t start_time; // clock ticks since boot
};

struct process_walk {
    int fd;
    size_t length, offset;
    _Alignas(8) char buffer[PROCESS_WALK_BUFFER];
};

int process_boot_id(char out[static PROCESS_BOOT_ID_SIZE], struct err *err) WARN_UNUSED;
// 0, or -1 when there is no such process (any more).
int process_stat_read(pid_t pid, struct process_stat *out) WARN_UNUSED;

// All pids of the machine, one by one: begin, next until it returns 0, end. Processes that come and go meanwhile may be
// missed.
int process_walk_begin(struct process_walk *walk, struct err *err) WARN_UNUSED;
pid_t process_walk_next(struct process_walk *walk);
void process_walk_end(struct process_walk *walk);

// pidfd_open(2): a descriptor (close-on-exec) that is this process and no later one of the same number; -1 when there
// is none.
int process_open(pid_t pid);
int process_send(int pidfd, int signal_number); // pidfd_send_signal(2): 0, or -1 with errno

// In a child before exec: every signal by default, none blocked, whatever whoever started us had ignored.
void process_reset_signals(void);
