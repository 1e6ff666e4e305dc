#include "tests/support/engine_guard.h"

#include "services/common/base/fd.h"
#include "tests/support/die.h"
#include "tests/support/engine_mend.h"
#include "tests/support/process.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define TICK_MS 20
#define END_MS 20000

enum command {
    LAUNCH = 's',
    KILL_DOCKERD = 'd',
    KILL_CONTAINERD = 'c',
    FREEZE_DOCKERD = 'z',
    FREEZE_CONTAINERD = 'Z',
    THAW_DOCKERD = 't',
    THAW_CONTAINERD = 'T',
};

// ---- the init: PID 1 of its namespace

static pid_t dockerd; // 0: does not run

static void reap(void)
{
    for (pid_t pid; (pid = waitpid(-1, NULL, WNOHANG)) > 0;) {
        if (pid == dockerd)
            dockerd = 0;
    }
}

// What dockerd writes outside of its directory goes to memory that ends with the namespace.
static void mount_everything(const struct engine_guard_plan *plan)
{
    if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0 ||
        mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0 ||
        mount("engine", "/run", "tmpfs", 0, "mode=755") < 0)
        _exit(1);
    mkdir("/etc/docker", 0755);
    if (mount("engine", "/etc/docker", "tmpfs", 0, "mode=755") < 0)
        _exit(1);
    if (plan->memory_below && mount("engine", plan->memory_below, "tmpfs", 0, "mode=711") < 0)
        _exit(1);
}

static pid_t launch(const struct engine_guard_plan *plan)
{
    char log[PATH_MAX];
    snprintf(log, sizeof log, "%s/log", plan->directory);
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    for (int i = 1; i < NSIG; i++)
        signal(i, SIG_DFL);
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0644);
    dup2(fd, 1);
    dup2(fd, 2);
    syscall(SYS_close_range, 3U, ~0U, 0U);
    setenv("TMPDIR", plan->directory, 1); // where containerd writes its stacks when it is ended for not answering
    execvp(plan->argv[0], (char *const *)(uintptr_t)plan->argv);
    dprintf(2, "%s: %s\n", plan->argv[0], strerror(errno));
    _exit(127);
}

static pid_t containerd_pid(const struct engine_guard_plan *plan)
{
    char path[PATH_MAX], *text AUTO_FREE = NULL;
    size_t length = 0;
    snprintf(path, sizeof path, "%s/exec/containerd/containerd.pid", plan->directory);
    return file_read(path, 64, &text, &length, NULL) < 0 ? 0 : (pid_t)strtol(text, NULL, 10);
}

static bool is_alive(pid_t pid)
{
    char path[64], *text AUTO_FREE = NULL;
    size_t length = 0;
    reap();
    if (pid == dockerd)
        return true; // a zombie as long as one of its threads is left
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    const char *state = file_read(path, 4096, &text, &length, NULL) < 0 ? NULL : strrchr(text, ')');
    return state && strncmp(state, ") Z", 3) != 0;
}

// containerd may be dockerd's child, which reaps it.
static char kill_process(pid_t pid)
{
    if (pid <= 1 || kill(pid, SIGKILL) < 0)
        return 'n';
    for (int waited = 0; is_alive(pid); waited += TICK_MS) {
        if (waited > END_MS)
            return 'n';
        poll(NULL, 0, TICK_MS);
    }
    return 'y';
}

static char signal_process(pid_t pid, int number)
{
    return pid > 1 && kill(pid, number) == 0 ? 'y' : 'n';
}

static char obey(const struct engine_guard_plan *plan, char command)
{
    reap();
    switch ((enum command)command) {
    case LAUNCH:
        if (dockerd)
            return 'n';
        engine_mend_networks(plan->data);
        dockerd = launch(plan);
        return dockerd > 0 ? 'y' : 'n';
    case KILL_DOCKERD:
        return kill_process(dockerd);
    case KILL_CONTAINERD:
        return kill_process(containerd_pid(plan));
    case FREEZE_DOCKERD:
        return signal_process(dockerd, SIGSTOP);
    case FREEZE_CONTAINERD:
        return signal_process(containerd_pid(plan), SIGSTOP);
    case THAW_DOCKERD:
        return signal_process(dockerd, SIGCONT);
    case THAW_CONTAINERD:
        return signal_process(containerd_pid(plan), SIGCONT);
    }
    return 'n';
}

static _Noreturn void run_init(const struct engine_guard_plan *plan, int commands)
{
    mount_everything(plan);
    for (;;) {
        struct pollfd ready = {.fd = commands, .events = POLLIN};
        char command;
        int count = poll(&ready, 1, TICK_MS);
        reap();
        if (count <= 0)
            continue;
        if (read(commands, &command, 1) != 1)
            _exit(0); // the test program has ended
        char reply = obey(plan, command);
        if (write(commands, &reply, 1) != 1)
            _exit(0);
    }
}

// ---- the guard

static int remove_group(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    UNUSED(status);
    UNUSED(walk);
    if (type == FTW_DP)
        rmdir(path);
    return 0;
}

static void remove_groups(const char *cgroup)
{
    glob_t found = {0};
    char v1[PATH_MAX], v2[PATH_MAX];
    snprintf(v1, sizeof v1, "/sys/fs/cgroup/*/%s", cgroup);
    snprintf(v2, sizeof v2, "/sys/fs/cgroup/%s", cgroup);
    glob(v1, 0, NULL, &found);
    glob(v2, GLOB_APPEND, NULL, &found);
    for (size_t i = 0; i < found.gl_pathc; i++)
        nftw(found.gl_pathv[i], remove_group, 16, FTW_DEPTH | FTW_PHYS);
    globfree(&found);
}

static _Noreturn void run_guard(const struct engine_guard_plan *plan, int commands)
{
    setsid();
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    int null = open("/dev/null", O_RDWR);
    for (int fd = 0; fd < 3; fd++)
        dup2(null, fd); // whoever reads our output does not wait for the guard
    dup2(commands, 3);
    syscall(SYS_close_range, 4U, ~0U, 0U);
    pid_t init = (pid_t)syscall(SYS_clone, CLONE_NEWPID | CLONE_NEWNS | SIGCHLD, NULL, NULL, NULL, NULL);
    if (init == 0)
        run_init(plan, 3);
    close(3);
    while (init > 0 && waitpid(init, NULL, 0) < 0 && errno == EINTR)
        ; // the kernel has ended everything below it by then
    remove_groups(plan->cgroup);
    UNUSED(tree_remove(plan->directory, NULL) < 0);
    _exit(0);
}

struct engine_guard engine_guard_start(const struct engine_guard_plan *plan)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        die("socketpair: %s", strerror(errno));
    pid_t pid = fork();
    if (pid < 0)
        die("fork: %s", strerror(errno));
    if (pid == 0) {
        close(ends[1]);
        run_guard(plan, ends[0]);
    }
    close(ends[0]);
    return (struct engine_guard){.pid = pid, .commands = ends[1]};
}

static bool try_command(struct engine_guard *guard, enum command what)
{
    char byte = (char)what;
    if (send(guard->commands, &byte, 1, MSG_NOSIGNAL) != 1 || read(guard->commands, &byte, 1) != 1)
        die("the engine's init has ended: it may neither make namespaces nor mount here");
    return byte == 'y';
}

static void command(struct engine_guard *guard, enum command what)
{
    if (!try_command(guard, what))
        die("the engine's init cannot do '%c'", (char)what);
}

void engine_guard_launch(struct engine_guard *guard)
{
    command(guard, LAUNCH);
}

bool engine_guard_kill(struct engine_guard *guard, enum engine_part part)
{
    return try_command(guard, part == ENGINE_DOCKERD ? KILL_DOCKERD : KILL_CONTAINERD);
}

void engine_guard_freeze(struct engine_guard *guard, enum engine_part part)
{
    command(guard, part == ENGINE_DOCKERD ? FREEZE_DOCKERD : FREEZE_CONTAINERD);
}

void engine_guard_thaw(struct engine_guard *guard, enum engine_part part)
{
    command(guard, part == ENGINE_DOCKERD ? THAW_DOCKERD : THAW_CONTAINERD);
}

void engine_guard_finish(struct engine_guard *guard)
{
    close(guard->commands);
    while (waitpid(guard->pid, NULL, 0) < 0 && errno == EINTR)
        ;
}
