#include "services/worker/shim/descendants.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/process.h"

#include <errno.h>
#include <signal.h>
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

static bool signal_one(pid_t pid, pid_t self, int signal_number)
{
    AUTO_CLOSE int held = process_open(pid);
    if (held >= 0)
        return descends(pid, self) && process_send(held, signal_number) == 0;
    struct process_stat stat;
    bool without_pidfd = errno != ESRCH;
    return without_pidfd && process_stat_read(pid, &stat) == 0 && stat.parent == self && kill(pid, signal_number) == 0;
}

int descendants_signal(int signal_number)
{
    struct process_walk walk;
    if (process_walk_begin(&walk, NULL) < 0)
        return 0;
    int count = 0;
    pid_t self = getpid();
    for (pid_t pid; (pid = process_walk_next(&walk)) > 0;) {
        if (pid != self && descends(pid, self) && signal_one(pid, self, signal_number))
            count++;
    }
    process_walk_end(&walk);
    return count;
}
