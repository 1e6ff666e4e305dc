#include "services/worker/shim/command.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DEFAULT_PATH "/usr/local/bin:/usr/bin:/bin"
#define EXIT_BEFORE_EXEC 127 // nobody takes it for the command's: the start pipe has said what happened

static void report(int fd, int32_t step, int32_t value)
{
    struct command_report record = {step, value};
    ssize_t ignored = write(fd, &record, sizeof(record));
    UNUSED(ignored);
}

static _Noreturn void fail(int fd, enum shim_step step)
{
    report(fd, (int32_t)step, errno);
    _exit(EXIT_BEFORE_EXEC);
}

// The pid by which the machine's /proc knows this process.
static pid_t host_pid(int host_proc)
{
    char text[24];
    ssize_t length = host_proc < 0 ? -1 : readlinkat(host_proc, "self", text, sizeof(text) - 1);
    if (length <= 0)
        return getpid();
    text[length] = '\0';
    return (pid_t)strtol(text, NULL, 10);
}

static int set_limits(const struct shim_spec *spec)
{
    struct rlimit none = {0, 0};
    if (setrlimit(RLIMIT_CORE, &none) < 0)
        return -1;
    struct rlimit files;
    if (spec->header.open_files == 0 || getrlimit(RLIMIT_NOFILE, &files) < 0)
        return 0;
    files.rlim_cur = MIN((rlim_t)spec->header.open_files, files.rlim_max);
    return setrlimit(RLIMIT_NOFILE, &files);
}

static void close_others(int kept)
{
    if (kept > STDERR_FILENO + 1)
        syscall(SYS_close_range, STDERR_FILENO + 1, kept - 1, 0);
    syscall(SYS_close_range, kept + 1, ~0U, 0);
}

static const char *search_path(char *const *env)
{
    for (size_t i = 0; env[i]; i++) {
        if (strncmp(env[i], "PATH=", 5) == 0)
            return env[i] + 5;
    }
    return DEFAULT_PATH;
}

// execve along PATH of the command's own environment. Returns only on failure, with errno: EACCES if any candidate was
// refused, else of the last one. Never falls back to a shell.
static void execute(const struct shim_spec *spec)
{
    const char *name = spec->argv[0];
    if (strchr(name, '/') || name[0] == '\0') {
        execve(name, spec->argv, spec->env);
        return;
    }
    bool refused = false;
    char path[4096];
    for (const char *at = search_path(spec->env); at; at = strchr(at, ':') ? strchr(at, ':') + 1 : NULL) {
        size_t length = strcspn(at, ":");
        const char *directory = length ? at : ".";
        int needed = snprintf(path, sizeof(path), "%.*s/%s", length ? (int)length : 1, directory, name);
        if (needed < 0 || (size_t)needed >= sizeof(path))
            continue;
        execve(path, spec->argv, spec->env);
        if (errno == EACCES)
            refused = true;
        else if (errno != ENOENT && errno != ENOTDIR)
            return;
    }
    errno = refused ? EACCES : ENOENT;
}

static _Noreturn void command_run(const struct shim_spec *spec, int cgroup_procs, int host_proc, pid_t parent,
                                  int pipe_fd)
{
    // The parent may have died before the call: then nobody would ever send the signal.
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
        fail(pipe_fd, SHIM_STEP_FORK);
    setsid();
    if (command_join_cgroup(cgroup_procs) < 0)
        fail(pipe_fd, SHIM_STEP_CGROUP);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || set_limits(spec) < 0)
        fail(pipe_fd, SHIM_STEP_LIMITS);
    if (chdir(spec->directory) < 0)
        fail(pipe_fd, SHIM_STEP_DIRECTORY);
    umask(022);
    report(pipe_fd, COMMAND_PID, (int32_t)host_pid(host_proc));
    close_others(pipe_fd);
    process_reset_signals();
    execute(spec);
    fail(pipe_fd, SHIM_STEP_EXEC);
}

int command_join_cgroup(int cgroup_procs)
{
    if (cgroup_procs < 0)
        return 0;
    return write(cgroup_procs, "0", 1) == 1 ? 0 : -1;
}

pid_t command_start(const struct shim_spec *spec, int cgroup_procs, int host_proc, int *report_fd)
{
    int pipe_fds[2];
    if (pipe2(pipe_fds, O_CLOEXEC) < 0)
        return -1;
    AUTO_CLOSE int read_end = pipe_fds[0];
    AUTO_CLOSE int write_end = pipe_fds[1];
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0)
        command_run(spec, cgroup_procs, host_proc, parent, write_end);
    if (pid > 0)
        *report_fd = TAKE_FD(read_end);
    return pid;
}
