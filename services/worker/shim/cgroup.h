// The instance's own cgroup (version 2): made by the worker, emptied and removed here.
#pragma once

#include <stdbool.h>

// A descriptor to join by (close-on-exec), or -1 when there is none.
int cgroup_open_procs(const char *directory);
// SIGKILL to everything inside, at once. Nothing happens when `directory` is "" or the kernel has no cgroup.kill.
void cgroup_kill(const char *directory);
// Whether a process is inside. "" and a cgroup that does not exist are empty.
bool cgroup_populated(const char *directory);
// Only works when it is empty. The directory that it is in goes too, if nobody else has anything there and `with_home`
// says that no worker is left to do it.
void cgroup_remove(const char *directory, bool with_home);
