// Where things lie in the directory of an embedded stack, and what identifies its guard.
#pragma once

#include "services/common/base/err.h"
#include "services/common/base/process.h"

#include <limits.h>
#include <sys/types.h>

struct stack_paths {
    char directory[PATH_MAX / 2]; // absolute
    char cluster[PATH_MAX], run[PATH_MAX], sockets[PATH_MAX], log[PATH_MAX], worker[PATH_MAX];
    char server_file[PATH_MAX], guard_file[PATH_MAX], lock_file[PATH_MAX];
};

// ERR_INVALID when a socket in there would have too long a name, or one with a comma.
int stack_paths_init(struct stack_paths *paths, const char *directory, struct err *err) WARN_UNUSED;

// A process that is named by its id, start time and boot, so that a successor of the same id is not taken for it.
struct stack_process {
    pid_t pid;
    int64_t start_time; // clock ticks since boot
    char boot[PROCESS_BOOT_ID_SIZE];
};
// "DIR/run/NAME.process"
void stack_process_path(const struct stack_paths *paths, const char *name, char out[static PATH_MAX]);
// ERR_NOT_FOUND when there is no process of that id.
int stack_process_of(pid_t pid, struct stack_process *out, struct err *err) WARN_UNUSED;
int stack_process_write(const char *path, const struct stack_process *process, struct err *err) WARN_UNUSED;
// A descriptor for the process that the file names; ERR_NOT_FOUND when there is none any more.
int stack_process_open(const char *path, int *pidfd, struct err *err) WARN_UNUSED;
