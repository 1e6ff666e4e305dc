#include "services/worker/background.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/fd.h"
#include "services/common/base/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define REPORT_FD 3 // in the child

struct background {
    pid_t pid;
    int report_fd; // end of file: the child has ended
    struct loop_watch *watch;
    struct err report; // what has arrived of it
    size_t report_length;
    background_done_fn done;
    void *context;
};

static void free_background(struct background *background)
{
    loop_watch_remove(background->watch);
    cleanup_close(&background->report_fd);
    free(background);
}

// Waits for a child that has closed its report, or was killed. True when it ended with 0.
static bool reap(pid_t pid)
{
    int status = 0;
    pid_t reaped;
    do
        reaped = waitpid(pid, &status, 0);
    while (reaped < 0 && errno == EINTR);
    return reaped == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void finish(struct background *background)
{
    struct err error = background->report;
    bool succeeded = reap(background->pid);
    bool reported = background->report_length == sizeof error;
    background_done_fn done = background->done;
    void *context = background->context;
    free_background(background);
    error.text[sizeof error.text - 1] = '\0';
    if (!succeeded && !reported)
        err_set(&error, ERR_IO, "a helper process was killed");
    done(context, succeeded ? NULL : &error);
}

static void on_report(void *context, int fd, uint32_t events)
{
    UNUSED(events);
    struct background *background = context;
    size_t room = sizeof background->report - background->report_length;
    char nothing[64];
    char *into = room ? (char *)&background->report + background->report_length : nothing;
    ssize_t length = read(fd, into, room ? room : sizeof nothing);
    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (length > 0)
        background->report_length += room ? (size_t)length : 0;
    else
        finish(background);
}

// What of the worker a child must not have: its descriptors, its life after the worker's end.
static void leave_parent(int report_fd, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    if (report_fd != REPORT_FD && dup2(report_fd, REPORT_FD) < 0)
        _exit(1);
    if (close_range(REPORT_FD + 1, ~0U, 0) < 0)
        _exit(1);
}

static _Noreturn void child(background_fn work, const void *argument, int report_fd, pid_t parent)
{
    struct err err;
    leave_parent(report_fd, parent);
    memset(&err, 0, sizeof err); // its padding travels too
    if (work(argument, &err) >= 0)
        _exit(0);
    _exit(fd_write_all(REPORT_FD, &err, sizeof err, NULL) < 0 ? 2 : 1);
}

static int start_child(struct background *background, background_fn work, const void *argument, int report_fd,
                       struct err *err)
{
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid < 0)
        return err_errno(err, ERR_UNAVAILABLE, errno, "fork a helper process");
    if (pid == 0)
        child(work, argument, report_fd, parent);
    background->pid = pid;
    return 0;
}

int background_start(struct loop *loop, background_fn work, const void *argument, background_done_fn done,
                     void *context, struct background **out, struct err *err)
{
    int fds[2];
    AUTO_FREE struct background *background = calloc(1, sizeof *background);
    if (!background)
        return err_set(err, ERR_NO_MEMORY, "no memory for a helper process");
    if (pipe2(fds, O_CLOEXEC) < 0)
        return err_errno(err, ERR_UNAVAILABLE, errno, "make a pipe");
    AUTO_CLOSE int ours = fds[0], theirs = fds[1];
    *background = (struct background){.report_fd = ours, .done = done, .context = context};
    if (fd_set_nonblocking(ours, err) < 0 ||
        loop_watch_add(loop, ours, EPOLLIN, on_report, background, &background->watch, err) < 0)
        return -1;
    if (start_child(background, work, argument, theirs, err) < 0) {
        loop_watch_remove(background->watch);
        return -1;
    }
    TAKE_FD(ours);
    *out = TAKE_PTR(background);
    return 0;
}

void background_cancel(struct background *background)
{
    if (!background)
        return;
    kill(background->pid, SIGKILL);
    reap(background->pid);
    free_background(background);
}
