#include "services/worker/shim/namespace.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define FORWARD_SIGNAL (SIGRTMIN + 1)

// fork() with namespace flags. Safe: this process has one thread and libc keeps no pid.
static pid_t clone_init(bool with_user_namespace)
{
    unsigned long flags = CLONE_NEWPID | CLONE_NEWNS | SIGCHLD;
    if (with_user_namespace)
        flags |= CLONE_NEWUSER;
    return (pid_t)syscall(SYS_clone, flags, NULL, NULL, NULL, NULL);
}

static int write_file(const char *path, const char *text)
{
    AUTO_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    return write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -1;
}

// The command keeps its own user and group ids and gains nothing.
static int map_user(uid_t user, gid_t group)
{
    char map[48];
    snprintf(map, sizeof(map), "%u %u 1", user, user);
    if (write_file("/proc/self/uid_map", map) < 0 || write_file("/proc/self/setgroups", "deny") < 0)
        return -1;
    snprintf(map, sizeof(map), "%u %u 1", group, group);
    return write_file("/proc/self/gid_map", map);
}

// A /proc that shows this namespace; the machine's mounts still arrive here, ours do not leave.
static int mount_proc(void)
{
    if (mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL) < 0)
        return -1;
    return mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
}

static void tell_report(int fd, const struct namespace_report *report)
{
    if (write(fd, report, sizeof(*report)) != (ssize_t)sizeof(*report))
        _exit(1); // the shim is gone
}

static void tell(int fd, enum namespace_report_kind kind, int32_t value, int32_t detail)
{
    tell_report(fd, &(struct namespace_report){.kind = (int32_t)kind, .value = value, .detail = detail});
}

// Init keeps nothing open besides its report pipe, so that pipes of the command end with the command.
static void close_all_but(int kept)
{
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; null_fd >= 0 && fd <= STDERR_FILENO; fd++)
        dup2(null_fd, fd);
    if (kept > STDERR_FILENO + 1)
        syscall(SYS_close_range, STDERR_FILENO + 1, kept - 1, 0);
    syscall(SYS_close_range, kept + 1, ~0U, 0);
}

// Waits until the command runs or has failed to.
static void await_command(int command_fd, int64_t start_time, int report_fd)
{
    struct command_report report;
    int32_t pid = 0;
    for (;;) {
        ssize_t length = read(command_fd, &report, sizeof(report));
        if (length < 0 && errno == EINTR)
            continue;
        if (length != (ssize_t)sizeof(report))
            break;
        if (report.step != COMMAND_PID) {
            tell(report_fd, NAMESPACE_COMMAND_FAILED, report.value, report.step);
            return;
        }
        pid = report.value;
    }
    tell_report(report_fd,
                &(struct namespace_report){.kind = NAMESPACE_STARTED, .value = pid, .start_time = start_time});
}

// Reaps until nobody is waiting. Ends init when there is no child left.
static void reap(pid_t *command, int report_fd)
{
    int status;
    pid_t pid;
    int32_t command_status = -1;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid == *command) {
            *command = 0;
            command_status = status;
        }
    }
    bool alone = pid < 0 && errno == ECHILD;
    if (command_status >= 0) {
        if (!alone && kill(-1, SIGTERM) == 0)
            kill(-1, SIGCONT);
        tell(report_fd, NAMESPACE_EXITED, command_status, alone ? 0 : 1);
    }
    if (alone)
        _exit(0);
}

// What to pass on to the command; 0: nothing. Only the shim, which has no pid in here, may ask for it.
static int requested(const siginfo_t *info)
{
    if (info->si_pid != 0 || info->si_code > 0)
        return 0;
    return info->si_signo == FORWARD_SIGNAL && info->si_code == SI_QUEUE ? info->si_value.sival_int : info->si_signo;
}

static _Noreturn void init_loop(pid_t command, int report_fd)
{
    sigset_t all;
    sigfillset(&all);
    for (;;) {
        siginfo_t info;
        int number = sigwaitinfo(&all, &info);
        if (number == SIGCHLD)
            reap(&command, report_fd);
        else if (number > 0 && requested(&info) > 0 && command > 0)
            kill(-command, requested(&info));
    }
}

static _Noreturn void init_run(const struct shim_spec *spec, int cgroup_procs, bool mapped, uid_t user, gid_t group,
                               int fd)
{
    prctl(PR_SET_NAME, "curfew-init");
    // If the shim died before the first call, nobody reads the pipe and the first report ends this process.
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || command_join_cgroup(cgroup_procs) < 0 ||
        (mapped && map_user(user, group) < 0)) {
        tell(fd, NAMESPACE_FAILED, errno, 0);
        _exit(1);
    }
    int host_proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (mount_proc() < 0) {
        tell(fd, NAMESPACE_FAILED, errno, 0);
        _exit(1);
    }
    int command_fd = -1;
    pid_t command = command_start(spec, -1, host_proc, &command_fd);
    if (command < 0) {
        tell(fd, NAMESPACE_COMMAND_FAILED, errno, SHIM_STEP_FORK);
        _exit(1);
    }
    struct process_stat stat = {0};
    if (process_stat_read(command, &stat) < 0) // not waited for yet, so it is there
        stat.start_time = 0;
    await_command(command_fd, stat.start_time, fd);
    close_all_but(fd);
    init_loop(command, fd);
}

pid_t namespace_start(const struct shim_spec *spec, int cgroup_procs, bool with_user_namespace, int *report_fd)
{
    int pipe_fds[2];
    if (pipe2(pipe_fds, O_CLOEXEC) < 0)
        return -1;
    AUTO_CLOSE int read_end = pipe_fds[0];
    AUTO_CLOSE int write_end = pipe_fds[1];
    if (fcntl(read_end, F_SETFL, O_NONBLOCK) < 0)
        return -1;
    uid_t user = geteuid();
    gid_t group = getegid();
    pid_t pid = clone_init(with_user_namespace);
    if (pid == 0) {
        close(TAKE_FD(read_end));
        init_run(spec, cgroup_procs, with_user_namespace, user, group, write_end);
    }
    if (pid > 0)
        *report_fd = TAKE_FD(read_end);
    return pid;
}

int namespace_signal(pid_t init, int signal_number)
{
    if (sigqueue(init, FORWARD_SIGNAL, (union sigval){.sival_int = signal_number}) == 0)
        return 0;
    return errno == EAGAIN ? kill(init, signal_number) : -1; // the queue is full
}

int namespace_try(bool with_user_namespace)
{
    uid_t user = geteuid();
    gid_t group = getegid();
    pid_t pid = clone_init(with_user_namespace);
    if (pid < 0)
        return -1;
    if (pid == 0)
        _exit((with_user_namespace && map_user(user, group) < 0) || mount_proc() < 0 ? 1 : 0);
    int status;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    errno = EPERM;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}
