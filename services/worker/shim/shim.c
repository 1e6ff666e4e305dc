// Descriptors and children of one instance: turns what happens into the transitions of transitions.c.
#include "services/worker/shim/shim.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/clock.h"
#include "services/common/base/process.h"
#include "services/worker/shim/cgroup.h"
#include "services/worker/shim/descendants.h"
#include "services/worker/shim/namespace.h"
#include "services/worker/shim/record.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

static void close_fd(int *fd)
{
    cleanup_close(fd);
    *fd = -1;
}

// The command has its own copies; ours would keep its pipes open.
static void let_go_of_stdio(void)
{
    AUTO_CLOSE int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; null_fd >= 0 && fd <= STDERR_FILENO; fd++)
        dup2(null_fd, fd);
}

static bool namespaced(const struct shim *shim)
{
    return shim->boundary & SHIM_BOUNDARY_PIDNS;
}

// Starts the command inside the strongest boundary that is left to try.
static void launch(struct shim *shim)
{
    uint32_t flags = shim->spec.header.flags;
    bool with_namespace = (flags & SHIM_PID_NAMESPACE) && !shim->refused;
    shim->refused = false;
    shim->boundary = shim->cgroup_procs >= 0 ? SHIM_BOUNDARY_CGROUP : 0;
    if (with_namespace) {
        shim->boundary |= SHIM_BOUNDARY_PIDNS;
        shim->child = namespace_start(&shim->spec, shim->cgroup_procs, flags & SHIM_USER_NAMESPACE, &shim->report_fd);
        if (shim->child > 0)
            return;
        shim->boundary &= ~(unsigned)SHIM_BOUNDARY_PIDNS;
    }
    shim->child = command_start(&shim->spec, shim->cgroup_procs, -1, &shim->report_fd);
    struct process_stat stat;
    if (shim->child > 0 && process_stat_read(shim->child, &stat) == 0) // not waited for yet, so it is there
        shim->start_time = stat.start_time;
    if (shim->child > 0 && fcntl(shim->report_fd, F_SETFL, O_NONBLOCK) == 0)
        return;
    shim_on_failed(shim, SHIM_STEP_FORK, errno);
}

static void on_namespace_report(struct shim *shim, const struct namespace_report *report)
{
    switch ((enum namespace_report_kind)report->kind) {
    case NAMESPACE_FAILED:
        shim->refused = true;
        return;
    case NAMESPACE_COMMAND_FAILED:
        shim_on_failed(shim, (enum shim_step)report->detail, report->value);
        return;
    case NAMESPACE_STARTED:
        let_go_of_stdio();
        shim_on_started(shim, report->value, report->start_time);
        return;
    case NAMESPACE_EXITED:
        shim_on_exited(shim, report->value, report->detail != 0);
        return;
    }
}

// Everything that the init has said.
static void read_namespace(struct shim *shim)
{
    struct namespace_report report;
    ssize_t length;
    while ((length = read(shim->report_fd, &report, sizeof(report))) == (ssize_t)sizeof(report))
        on_namespace_report(shim, &report);
    if (length == 0)
        close_fd(&shim->report_fd);
}

// Everything that the command's process has said; end of file means that exec has succeeded.
static void read_command(struct shim *shim)
{
    struct command_report report;
    ssize_t length;
    while ((length = read(shim->report_fd, &report, sizeof(report))) == (ssize_t)sizeof(report)) {
        if (report.step != COMMAND_PID)
            shim_on_failed(shim, (enum shim_step)report.step, report.value);
    }
    if (length != 0)
        return;
    close_fd(&shim->report_fd);
    let_go_of_stdio();
    if (!shim->failed)
        shim_on_started(shim, shim->child, shim->start_time);
}

static void read_reports(struct shim *shim)
{
    if (shim->report_fd < 0)
        return;
    if (namespaced(shim))
        read_namespace(shim);
    else
        read_command(shim);
}

// Whether any child is left after one of them, `pid`, was reaped.
static bool others_left(void)
{
    siginfo_t info;
    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

static void on_child_gone(struct shim *shim, pid_t pid, int status)
{
    if (pid != shim->child)
        return;
    read_reports(shim); // all that was said before, so that `started` comes before `exited`
    if (namespaced(shim) || shim->failed)
        return;
    bool told = shim->phase < SHIM_PHASE_KILLING && others_left() && descendants_signal(SIGTERM) > 0;
    if (told)
        descendants_signal(SIGCONT);
    shim_on_exited(shim, status, told);
}

static void reap(struct shim *shim)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        on_child_gone(shim, pid, status);
    if (pid == 0 || errno != ECHILD || shim->childless)
        return;
    if (shim->refused && shim->phase == SHIM_PHASE_STARTING) {
        close_fd(&shim->report_fd);
        launch(shim);
    } else {
        shim_on_childless(shim);
    }
}

static void read_control(struct shim *shim)
{
    for (;;) {
        struct shim_command command;
        ssize_t length = recv(shim->control_fd, &command, sizeof(command), MSG_DONTWAIT);
        if (length == (ssize_t)sizeof(command)) {
            shim_on_command(shim, &command);
        } else if (length < 0 && (errno == EAGAIN || errno == EINTR)) {
            return;
        } else {
            close_fd(&shim->control_fd);
            shim_on_cut(shim, SHIM_CUT);
            return;
        }
    }
}

static void arm_timer(const struct shim *shim)
{
    int64_t at = shim_next_timer(shim);
    struct itimerspec when = {.it_value = {.tv_sec = at / 1000, .tv_nsec = (at % 1000) * 1000000}};
    timerfd_settime(shim->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

// Readable descriptors are emptied; what they say is looked up by other means.
static void drain(int fd)
{
    char buffer[sizeof(struct signalfd_siginfo) * 4];
    while (read(fd, buffer, sizeof(buffer)) > 0) {
    }
}

static void turn(struct shim *shim)
{
    arm_timer(shim);
    struct pollfd fds[] = {{.fd = shim->control_fd, .events = POLLIN},
                           {.fd = shim->signal_fd, .events = POLLIN},
                           {.fd = shim->timer_fd, .events = POLLIN},
                           {.fd = shim->report_fd, .events = POLLIN}};
    if (poll(fds, ARRAY_LEN(fds), -1) < 0)
        return;
    drain(shim->timer_fd);
    drain(shim->signal_fd);
    if (fds[3].revents)
        read_reports(shim);
    if (fds[0].revents)
        read_control(shim);
    if (shim->phase != SHIM_PHASE_OVER)
        shim_on_timer(shim);
    if (shim->phase != SHIM_PHASE_OVER)
        reap(shim);
}

static int open_events(struct shim *shim, struct err *err)
{
    sigset_t children;
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    shim->signal_fd = signalfd(-1, &children, SFD_NONBLOCK | SFD_CLOEXEC);
    shim->timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
    if (shim->signal_fd < 0 || shim->timer_fd < 0)
        return err_errno(err, ERR_IO, errno, "cannot make the event descriptors");
    return 0;
}

int shim_run(struct shim *shim, struct err *err)
{
    if (open_events(shim, err) < 0)
        return -1;
    struct process_stat self = {0};
    if (process_stat_read(getpid(), &self) == 0)
        record_line(shim->record_fd, "shim %d %lld\n", (int)getpid(), (long long)self.start_time);
    shim->lease_boot_ms = shim->spec.header.lease_deadline_boot_ms;
    shim->cgroup_procs = cgroup_open_procs(shim->spec.cgroup);
    shim_on_timer(shim);
    read_control(shim); // whoever has died or changed its mind meanwhile must not see the command start
    if (shim->phase == SHIM_PHASE_STARTING && shim->kill_boot_ms == 0)
        launch(shim);
    reap(shim);
    while (shim->phase != SHIM_PHASE_OVER)
        turn(shim);
    return 0;
}
