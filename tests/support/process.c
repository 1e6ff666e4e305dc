#include "tests/support/process.h"

#include "services/common/base/clock.h"
#include "services/common/base/fd.h"
#include "tests/support/die.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct process {
    pid_t pid;
    int output[2]; // memory files: stdout, stderr
    char *text[2];
    bool reaped;
    int status;
};

bool wait_until(bool (*predicate)(void *context), void *context, int64_t timeout_ms)
{
    int64_t deadline_ms = clock_boot_ms() + timeout_ms;
    long pause_us = 500;
    for (;;) {
        if (predicate(context))
            return true;
        if (clock_boot_ms() >= deadline_ms)
            return false;
        nanosleep(&(struct timespec){.tv_nsec = pause_us * 1000}, NULL);
        pause_us = MIN(pause_us * 2, 20000);
    }
}

int hold_port(int *port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        bind(fd, (struct sockaddr *)&address, length) < 0 || getsockname(fd, (struct sockaddr *)&address, &length) < 0)
        die("hold_port: %s", strerror(errno));
    *port = ntohs(address.sin_port);
    return fd;
}

int free_port(void)
{
    int port;
    close(hold_port(&port));
    return port;
}

const char *build_dir(void)
{
    static char path[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length < 0)
        die("build_dir: %s", strerror(errno));
    path[length] = '\0';
    char *tests = NULL;
    for (char *at = strstr(path, "/tests/"); at; at = strstr(at + 1, "/tests/"))
        tests = at;
    if (!tests)
        die("build_dir: %s is not below a directory tests", path);
    *tests = '\0';
    return path;
}

const char *program_path(const char *name)
{
    static _Thread_local char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/bin/%s", build_dir(), name);
    if (access(path, X_OK) == 0)
        return path;
    const char *search = getenv("PATH");
    for (const char *at = search ? search : ""; *at; at += *at == ':') {
        size_t length = strcspn(at, ":");
        snprintf(path, sizeof path, "%.*s/%s", (int)length, at, name);
        if (access(path, X_OK) == 0)
            return path;
        at += length;
    }
    return NULL;
}

// Everything that allocates or takes locks happens before the fork: tests may have threads.
struct plan {
    const char *const *argv;
    char **environment;
    const char *directory;
    const char *user;
    uid_t uid;
    gid_t gid;
    bool switch_user, survive;
    pid_t parent;
    int output[2];
};

static char **merge_environment(const char *const *more)
{
    size_t ours = 0, theirs = 0;
    while (environ[ours])
        ours++;
    while (more && more[theirs])
        theirs++;
    char **merged = calloc(ours + theirs + 1, sizeof *merged);
    if (!merged)
        die("out of memory");
    size_t count = 0;
    for (size_t i = 0; i < ours; i++) {
        bool replaced = false;
        size_t name = strcspn(environ[i], "=") + 1;
        for (size_t k = 0; k < theirs; k++)
            replaced = replaced || strncmp(environ[i], more[k], name) == 0;
        if (!replaced)
            merged[count++] = environ[i];
    }
    for (size_t i = 0; i < theirs; i++)
        merged[count++] = (char *)(uintptr_t)more[i];
    return merged;
}

static void find_user(struct plan *plan)
{
    if (!plan->user || geteuid() != 0)
        return;
    const struct passwd *entry = getpwnam(plan->user);
    if (!entry)
        die("there is no user %s", plan->user);
    plan->uid = entry->pw_uid;
    plan->gid = entry->pw_gid;
    plan->switch_user = true;
}

static _Noreturn void child(const struct plan *plan)
{
    sigset_t none;
    sigemptyset(&none);
    for (int i = 1; i < NSIG; i++)
        signal(i, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    int null = open("/dev/null", O_RDONLY);
    dup2(null, 0);
    dup2(plan->output[0], 1);
    dup2(plan->output[1], 2);
    syscall(SYS_close_range, 3U, ~0U, 0U);
    if (plan->switch_user && (setgroups(1, &plan->gid) < 0 || setresgid(plan->gid, plan->gid, plan->gid) < 0 ||
                              setresuid(plan->uid, plan->uid, plan->uid) < 0))
        _exit(126);
    if (!plan->survive) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); // after the change of user, which clears it
        if (getppid() != plan->parent)
            _exit(126);
    }
    if (plan->directory && chdir(plan->directory) < 0)
        _exit(126);
    execvpe(plan->argv[0], (char *const *)(uintptr_t)plan->argv, plan->environment);
    _exit(127);
}

struct process *process_start(const char *const argv[], const struct process_options *options)
{
    static const struct process_options defaults = {0};
    if (!options)
        options = &defaults;
    struct process *process = calloc(1, sizeof *process);
    if (!process)
        die("out of memory");
    struct plan plan = {.argv = argv,
                        .environment = merge_environment(options->environment),
                        .directory = options->directory,
                        .user = options->user,
                        .survive = options->survive,
                        .parent = getpid()};
    find_user(&plan);
    for (int i = 0; i < 2; i++) {
        int fd = memfd_create("output", MFD_CLOEXEC);
        if (fd < 0 || fcntl(fd, F_SETFL, O_APPEND) < 0)
            die("process_start: %s", strerror(errno));
        process->output[i] = plan.output[i] = fd;
    }
    process->pid = fork();
    if (process->pid < 0)
        die("fork: %s", strerror(errno));
    if (process->pid == 0)
        child(&plan);
    free(plan.environment);
    return process;
}

pid_t process_pid(const struct process *process)
{
    return process->pid;
}

void process_signal(struct process *process, int signal_number)
{
    if (process_is_running(process))
        kill(process->pid, signal_number);
}

bool process_is_running(struct process *process)
{
    int status;
    if (process->reaped)
        return false;
    pid_t pid = waitpid(process->pid, &status, WNOHANG);
    if (pid == 0 || (pid < 0 && errno == EINTR))
        return true;
    process->reaped = true;
    process->status = pid < 0 ? 256 : WIFSIGNALED(status) ? 256 + WTERMSIG(status) : WEXITSTATUS(status);
    return false;
}

static bool has_ended(void *context)
{
    return !process_is_running(context);
}

int process_wait(struct process *process, int64_t timeout_ms)
{
    return wait_until(has_ended, process, timeout_ms) ? process->status : -1;
}

static const char *read_output(struct process *process, int which)
{
    off_t size = lseek(process->output[which], 0, SEEK_END);
    free(process->text[which]);
    process->text[which] = calloc(1, (size_t)size + 1);
    if (!process->text[which])
        die("out of memory");
    ssize_t length = pread(process->output[which], process->text[which], (size_t)size, 0);
    process->text[which][MAX(length, 0)] = '\0';
    return process->text[which];
}

const char *process_stdout(struct process *process)
{
    return read_output(process, 0);
}

const char *process_stderr(struct process *process)
{
    return read_output(process, 1);
}

struct wanted_output {
    struct process *process;
    const char *text;
};

static bool has_written(void *context)
{
    struct wanted_output *wanted = context;
    return strstr(process_stdout(wanted->process), wanted->text) ||
           strstr(process_stderr(wanted->process), wanted->text);
}

bool process_wait_output(struct process *process, const char *text, int64_t timeout_ms)
{
    return wait_until(has_written, &(struct wanted_output){process, text}, timeout_ms);
}

void process_free(struct process *process)
{
    if (!process)
        return;
    if (process_is_running(process)) {
        kill(process->pid, SIGKILL);
        waitpid(process->pid, NULL, 0);
    }
    for (int i = 0; i < 2; i++) {
        close(process->output[i]);
        free(process->text[i]);
    }
    free(process);
}

int process_run(const char *const argv[], const struct process_options *options)
{
    struct process *process AUTO_PROCESS = process_start(argv, options);
    return process_wait(process, 60000);
}
