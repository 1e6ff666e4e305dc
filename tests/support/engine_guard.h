// The processes of a private Docker engine: a guard outside, and inside an init of a PID and mount namespace of their
// own, under which dockerd, containerd, its shims and all containers live.
//
//     test program -- guard -- init -- dockerd -- containerd; shims -- containers
//
// The init ends with the test program, however that ends, and the kernel ends everything below it. The guard then
// removes what is left in files: the directory and the control groups.
#pragma once

#include <stdbool.h>
#include <sys/types.h>

enum engine_part { ENGINE_DOCKERD, ENGINE_CONTAINERD };

struct engine_guard {
    pid_t pid;
    int commands; // a socket to the init; closed by the kernel when we die
};

struct engine_guard_plan {
    const char *directory;    // removed at the end
    const char *cgroup;       // the name of the control group that all containers get
    const char *data;         // its data root
    const char *const *argv;  // dockerd's; its output goes to DIRECTORY/log
    const char *memory_below; // a directory that is in memory instead of on disk, or NULL
};

// Call before the program has threads; the guard shares nothing with us but the socket.
struct engine_guard engine_guard_start(const struct engine_guard_plan *plan);
// Starts dockerd; it need not answer yet.
void engine_guard_launch(struct engine_guard *guard);
// SIGKILL, and waits for its end. False when it does not run: a containerd ends with the dockerd that started it.
bool engine_guard_kill(struct engine_guard *guard, enum engine_part part);
// SIGSTOP and SIGCONT; dies when it does not run.
void engine_guard_freeze(struct engine_guard *guard, enum engine_part part);
void engine_guard_thaw(struct engine_guard *guard, enum engine_part part);
// Everything ends now; waits for it.
void engine_guard_finish(struct engine_guard *guard);
