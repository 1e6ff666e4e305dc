// What still runs of a container that its engine takes for one that does not run.
//
// An engine that is killed between the start of a container and its answer (Docker's, or its containerd alone) has
// forgotten the start when it is back: no call of its API ends such a command any more, and a removal leaves it
// running. The kernel has not forgotten: the path of each process's control group holds the container's id. Who is on
// the engine's machine, sees its processes and is root can therefore end what the engine cannot. Who sees them and may
// not end them knows that the container is not gone, whatever its engine says. On another machine, or in a container of
// one's own, nothing is found.
#pragma once

#include "services/common/base/err.h"

#include <stdbool.h>
#include <sys/types.h>

// What is said of it in the log.
#define ENGINE_FORGOTTEN_ENDED "a container ran that its engine had forgotten, its processes are ended"
#define ENGINE_FORGOTTEN_REFUSED \
    "a container runs that its engine has forgotten, and only root may end its processes: kill -9 them"
#define ENGINE_FORGOTTEN_TEXT_SIZE 200

struct engine_forgotten {
    int found;                             // processes
    int refused;                           // of them: may not be signalled by this user
    pid_t refused_pid;                     // the first of these: the container's init, mostly
    char text[ENGINE_FORGOTTEN_TEXT_SIZE]; // of the refused: what there is and what to do; "" without any
};

// Sends SIGKILL to every process of this machine that is in a control group of the container, by the whole of its id
// (64 hexadecimal digits; with anything else nothing is found). Reads /proc once, which takes milliseconds: for
// containers that there is doubt about. Returns 0, or negative when /proc cannot be read. Thread-safe.
int engine_forgotten_end(const char *container, struct engine_forgotten *out, struct err *err) WARN_UNUSED;
// The same without a signal: only looks.
int engine_forgotten_look(const char *container, struct engine_forgotten *out, struct err *err) WARN_UNUSED;

// Whether the text of a /proc/PID/cgroup says so.
bool engine_forgotten_is_in(const char *cgroups, const char *container);
