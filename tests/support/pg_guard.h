// A child that removes a cluster when the test program ends, however it ends.
#pragma once

#include <sys/types.h>

struct pg_guard {
    pid_t pid;
    int pipe; // closed by the kernel when we die
};

// Call before the program has threads. The guard shares nothing with us but the pipe.
struct pg_guard pg_guard_start(const char *directory);
// The guard does its work now; waits for it.
void pg_guard_finish(struct pg_guard *guard);
