#include "tests/support/pg_guard.h"

#include "tests/support/die.h"
#include "tests/support/pg_processes.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static _Noreturn void guard(const char *directory, int pipe_end)
{
    char byte;
    setsid();
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    int null = open("/dev/null", O_RDWR);
    for (int fd = 0; fd < 3; fd++)
        dup2(null, fd); // whoever reads our output does not wait for the guard
    dup2(pipe_end, 3);
    syscall(SYS_close_range, 4U, ~0U, 0U);
    while (read(3, &byte, 1) < 0 && errno == EINTR)
        ;
    pg_processes_remove(directory);
    _exit(0);
}

struct pg_guard pg_guard_start(const char *directory)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        die("pipe: %s", strerror(errno));
    pid_t pid = fork();
    if (pid < 0)
        die("fork: %s", strerror(errno));
    if (pid == 0) {
        close(ends[1]);
        guard(directory, ends[0]);
    }
    close(ends[0]);
    return (struct pg_guard){.pid = pid, .pipe = ends[1]};
}

void pg_guard_finish(struct pg_guard *guard)
{
    close(guard->pipe);
    while (waitpid(guard->pid, NULL, 0) < 0 && errno == EINTR)
        ;
}
