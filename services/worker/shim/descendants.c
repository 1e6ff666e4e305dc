#include "services/worker/shim/descendants.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/process.h"

#include <unistd.h>

#define DEPTH_MAX 4096 // a chain that changes while it is followed must not be followed for ever

static bool descends(pid_t pid, pid_t ancestor)
{
    for (int depth = 0; depth < DEPTH_MAX && pid > 1; depth++) {
        struct process_stat stat;
        if (process_stat_read(pid, &stat) < 0)
            return false;
        if (stat.parent == ancestor)
            return true;
        pid = stat.parent;
    }
    return false;
}

int descendants_signal(int signal_number)
{
    struct process_walk walk;
    if (process_walk_begin(&walk, NULL) < 0)
        return 0;
    int count = 0;
    pid_t self = getpid();
    for (pid_t pid; (pid = process_walk_next(&walk)) > 0;) {
        if (pid == self || !descends(pid, self))
            continue;
        AUTO_CLOSE int held = process_open(pid);
        if (held >= 0 && descends(pid, self) && process_send(held, signal_number) == 0)
            count++;
    }
    process_walk_end(&walk);
    return count;
}
