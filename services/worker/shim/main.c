// curfew-shim: stands between a worker and one command, and sees to it that the command's whole process tree ends with
// its lease. It is started by the worker's process runtime with the descriptors of protocol.h; nobody runs it by hand.
//
//   curfew-shim IDENTITY    runs one command; the identity is for people who look at ps
//   curfew-shim --probe     prints the strongest PID namespace that can be made here: "pidns", "userns" or "none"
//
// Promises:
//  - The command and everything that descends from it, double-forked and setsid children included, is gone when GONE is
//    reported and when the process ends. It ends by itself, by STOP or KILL, by end of file on the control socket (the
//    worker is dead or has let go), or when the lease's deadline passes (the worker is stopped, hung or cut off).
//    CLOCK_BOOTTIME: a deadline that passes in suspend has passed.
//  - SIGTERM, SIGINT, SIGHUP and all others but SIGKILL and SIGSTOP do not touch the shim.
//  - Each signal that is sent, the exit and the end are written to the instance's record with the wall time.
//
// Who kills what, whoever dies:
//   worker dies or lets go       end of file: stop signal, min(grace, fence grace), SIGKILL
//   worker stopped or hung       the deadline passes: the same
//   shim killed                  PID namespace: its init has PR_SET_PDEATHSIG, so the kernel ends init and with it
//   everything
//                                inside. Otherwise: the command itself dies by PR_SET_PDEATHSIG, the worker sees the
//                                end of file and kills the rest by cgroup and by marker
//   shim and worker killed       PID namespace: the kernel, as above; this is why it is preferred to a cgroup alone.
//   Otherwise
//                                the next life of the worker does it, from the record
//   init killed from outside     the kernel ends everything inside; the shim reaps init and reports GONE
//   shim stopped (SIGSTOP)       leases and deadlines do not work in it: the worker's stop runs into its time limit and
//   kills
//                                the shim, and with it the rest
//   command exits, others stay   SIGTERM to them, min(grace, fence grace), SIGKILL
//   machine suspends             timers are CLOCK_BOOTTIME
//   power fails                  nothing is left; the record is of another boot id
// "Nothing left" is not an opinion: waitpid(2) says ECHILD. In a PID namespace the init was reaped, which the kernel
// allows only after everything inside; otherwise this process is a subreaper, to whom every orphan comes. The cgroup,
// when there is one, has to be unpopulated besides.
//
// Not covered: without a PID namespace, a fork bomb that outruns the kills of a machine without cgroup.kill; a process
// in uninterruptible sleep, which nobody can kill (the shim waits and the supervisor calls the instance stuck).
#include "services/common/base/cleanup.h"
#include "services/worker/shim/namespace.h"
#include "services/worker/shim/shim.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define EXIT_USAGE 2
#define EXIT_NOT_STARTED 3

static int probe(void)
{
    if (namespace_try(false) == 0)
        puts("pidns");
    else if (geteuid() != 0 && namespace_try(true) == 0)
        puts("userns");
    else
        puts("none");
    return 0;
}

static void block_signals(void)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
}

// The inherited descriptors must not reach the command.
static void close_on_exec(void)
{
    for (int fd = SHIM_FD_CONTROL; fd <= SHIM_FD_RECORD; fd++)
        fcntl(fd, F_SETFD, FD_CLOEXEC);
}

static int run(void)
{
    struct err err;
    struct shim shim = {
        .control_fd = SHIM_FD_CONTROL, .record_fd = SHIM_FD_RECORD, .report_fd = -1, .cgroup_procs = -1};
    if (fcntl(SHIM_FD_RECORD, F_GETFD) < 0)
        shim.record_fd = -1;
    close_on_exec();
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0) {
        fprintf(stderr, "curfew-shim: cannot become a subreaper: %s\n", strerror(errno));
        return EXIT_NOT_STARTED;
    }
    if (shim_spec_read(SHIM_FD_SPEC, &shim.spec, &err) < 0 || close(SHIM_FD_SPEC) < 0 || shim_run(&shim, &err) < 0) {
        fprintf(stderr, "curfew-shim: %s\n", err.text);
        shim_spec_release(&shim.spec);
        return EXIT_NOT_STARTED;
    }
    shim_spec_release(&shim.spec);
    return 0;
}

int main(int argc, char **argv)
{
    block_signals();
    prctl(PR_SET_NAME, "curfew-shim");
    if (argc == 2 && strcmp(argv[1], "--probe") == 0)
        return probe();
    if (argc == 2 && argv[1][0] != '-')
        return run();
    fprintf(stderr, "usage: curfew-shim IDENTITY (started by curfew-worker) | curfew-shim --probe\n");
    return EXIT_USAGE;
}
