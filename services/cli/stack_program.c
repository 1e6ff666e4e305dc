#include "services/cli/stack_program.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/clock.h"
#include "services/common/base/fd.h"
#include "services/common/base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOG_TAIL_BYTES 4096

const struct stack_kind stack_kinds[STACK_PROGRAM_COUNT] = {
    {"postgres", SIGINT, 60000}, // its fast shutdown
    {"jobmanager", SIGTERM, 20000},
    {"reaper", SIGTERM, 10000},
    {"worker", SIGTERM, 90000},
};

static int open_log(const struct stack_program *program, const char *log_directory, struct err *err)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s.log", log_directory, program->name);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    return fd >= 0 ? fd : err_errno(err, ERR_IO, errno, "log '%.180s'", path);
}

// In the child, between fork and exec: nothing but system calls.
static void become(const struct stack_program *program, int log_fd, pid_t parent)
{
    int null = open("/dev/null", O_RDONLY);
    bool ready = null >= 0 && dup2(null, STDIN_FILENO) >= 0 && dup2(log_fd, STDOUT_FILENO) >= 0 &&
                 dup2(log_fd, STDERR_FILENO) >= 0;
    if (geteuid() == 0 && program->uid != 0)
        ready = ready && setgroups(0, NULL) == 0 && setgid(program->gid) == 0 && setuid(program->uid) == 0;
    ready = ready && setsid() > 0;                 // a signal for the guard's terminal is not for them
    prctl(PR_SET_PDEATHSIG, program->stop_signal); // after setuid, which clears it
    if (!ready || getppid() != parent)
        _exit(127);
    close_range(STDERR_FILENO + 1, ~0U, 0);
    process_reset_signals();
    execv(program->argv[0], program->argv);
    _exit(127);
}

int stack_program_start(struct stack_program *program, const char *log_directory, struct err *err)
{
    AUTO_CLOSE int log_fd = open_log(program, log_directory, err);
    if (log_fd < 0)
        return -1;
    pid_t parent = getpid(), pid = fork();
    if (pid < 0)
        return err_errno(err, ERR_IO, errno, "start of %s", program->name);
    if (pid == 0)
        become(program, log_fd, parent);
    program->pid = pid;
    program->pidfd = pidfd_open(pid, 0);
    program->started_at_ms = clock_boot_ms();
    if (program->pidfd >= 0)
        return 0;
    int errnum = errno;
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    program->pid = 0;
    return err_errno(err, ERR_IO, errnum, "start of %s", program->name);
}

int stack_program_reap(struct stack_program *program, int *status)
{
    if (waitpid(program->pid, status, WNOHANG) != program->pid)
        return 0;
    close(program->pidfd);
    program->pidfd = -1;
    program->pid = 0;
    return 1;
}

void stack_program_signal(struct stack_program *program, int signal_number)
{
    if (program->pid > 0)
        kill(program->pid, signal_number); // not reaped yet, so it is still ours
}

// The last line of a log, however long that is; "" when it cannot be read.
static void read_last_line(const char *path, char out[static LOG_TAIL_BYTES])
{
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    *out = '\0';
    if (fd < 0 || fstat(fd, &status) < 0)
        return;
    off_t start = status.st_size > LOG_TAIL_BYTES - 1 ? status.st_size - (LOG_TAIL_BYTES - 1) : 0;
    ssize_t length = pread(fd, out, LOG_TAIL_BYTES - 1, start);
    while (length > 0 && out[length - 1] == '\n')
        length--;
    out[length > 0 ? length : 0] = '\0';
    const char *newline = strrchr(out, '\n');
    if (newline)
        memmove(out, newline + 1, strlen(newline + 1) + 1);
}

int stack_program_explain(const struct stack_program *program, const char *log_directory, int status, struct err *err)
{
    char path[PATH_MAX], line[LOG_TAIL_BYTES];
    snprintf(path, sizeof path, "%s/%s.log", log_directory, program->name);
    read_last_line(path, line);
    const char *how = WIFSIGNALED(status) ? "was ended by signal" : "exited with";
    // What a line of our own log says in the end is why.
    const char *why = strstr(line, " error=");
    return err_set(err, ERR_INTERNAL, "%s %s %d: %.120s (log: %.80s)", program->name, how,
                   WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), why ? why + 1 : line, path);
}

void stack_program_note_restart(const struct stack_program *program, const char *log_directory, int status)
{
    char now[CLOCK_TEXT_SIZE];
    AUTO_CLOSE int fd = open_log(program, log_directory, NULL);
    clock_format(clock_wall_us(), now);
    if (fd >= 0)
        dprintf(fd, "time=%s level=warn program=curfew event=\"%s has ended, and is started again\" %s=%d\n", now,
                program->name, WIFSIGNALED(status) ? "signal" : "exit",
                WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

int stack_program_run(struct stack_program *program, const char *log_directory, int64_t timeout_ms, struct err *err)
{
    int status = 0;
    if (stack_program_start(program, log_directory, err) < 0)
        return -1;
    int64_t until_ms = clock_boot_ms() + timeout_ms;
    struct pollfd ended = {.fd = program->pidfd, .events = POLLIN};
    while (!stack_program_reap(program, &status)) {
        int64_t left_ms = until_ms - clock_boot_ms();
        if (left_ms <= 0) {
            stack_program_signal(program, SIGKILL);
            until_ms = INT64_MAX / 2;
            err_set(err, ERR_TIMEOUT, "%s did not end in time", program->name);
            timeout_ms = -1;
        }
        poll(&ended, 1, (int)(left_ms > 0 && left_ms < 1000 ? left_ms : 1000));
    }
    if (timeout_ms < 0)
        return -1;
    return status == 0 ? 0 : stack_program_explain(program, log_directory, status, err);
}
