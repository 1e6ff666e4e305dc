// The process runtime: making and ending it.
//
// Failure analysis: what if the worker dies right here?
//   before the record         nothing has happened
//   record, no shim           list() shows it, adopt() finds nothing: gone, `absent`
//   shim, command not started the shim looks at its control socket first and starts nothing
//   command runs              end of file at the shim: stop signal, min(grace, fence grace), SIGKILL; its record tells
//   how gone, not released        the record says how it ended; adopt() reports it again (the supervisor's report is
//   idempotent) released                  nothing is left and no record
// What if it is only slow, stopped or cut off? The deadline in every shim passes by itself.
// What if a shim is killed? See services/worker/shim/main.c; here its end of file without GONE starts a sweep.
// What if two workers use one state directory? The second fails at its start: the directory is locked.
// What if a shim is stopped? Orders to end it have a time limit (PROCESS_OVERDUE_MS), then it is killed.
// What if a pid was recycled? Signals go to our own children that were not waited for, or through a pidfd after a
// second look at start time and marker. Not covered: without PID namespace and cgroup, a double-forked process that has
// overwritten its environment and whose shim was killed: nothing connects it to us any more.
#include "services/worker/runtime_process_internal.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/clock.h"
#include "services/common/base/fd.h"
#include "services/common/base/id.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define FENCE_GRACE_MS 1000
#define PORT_FIRST 20000
#define PORT_LAST 29999
#define DEPLOYMENT_MAX 100

void process_stray_add(struct process_runtime *runtime, pid_t shim)
{
    struct process_stray *stray = malloc(sizeof(*stray));
    if (!stray)
        return; // a zombie until this process ends
    *stray = (struct process_stray){shim, runtime->strays};
    runtime->strays = stray;
}

void process_strays_reap(struct process_runtime *runtime)
{
    for (struct process_stray **link = &runtime->strays; *link;) {
        struct process_stray *stray = *link;
        if (waitpid(stray->shim, NULL, WNOHANG) == 0) {
            link = &stray->next;
            continue;
        }
        *link = stray->next;
        free(stray);
    }
}

static void free_strays(struct process_runtime *runtime)
{
    process_strays_reap(runtime);
    while (runtime->strays) {
        struct process_stray *stray = runtime->strays;
        runtime->strays = stray->next;
        free(stray);
    }
}

static int process_runtime_extend_lease(struct runtime *base, int64_t deadline_boot_ms, struct err *err)
{
    UNUSED(err);
    struct process_runtime *runtime = process_runtime_of(base);
    struct shim_command command = {.kind = SHIM_LEASE, .value = MAX(deadline_boot_ms, (int64_t)1)};
    runtime->lease_boot_ms = deadline_boot_ms;
    for (struct process_instance *at = runtime->instances; at; at = at->next) {
        if (at->control_fd >= 0)
            process_instance_send(at, command);
    }
    return 0;
}

static void process_runtime_free(struct runtime *base)
{
    struct process_runtime *runtime = process_runtime_of(base);
    while (runtime->instances) {
        struct process_instance *instance = runtime->instances;
        process_instance_detach(instance);
        process_instance_drop(instance);
    }
    process_ports_settle(runtime);
    process_laters_free(runtime);
    loop_timer_remove(runtime->idle_timer);
    free_strays(runtime);
    process_cgroups_release(&runtime->cgroups);
    cleanup_close(&runtime->lock_fd);
    cleanup_close(&runtime->null_fd);
    free(runtime->shim_path);
    free(runtime->records);
    free(runtime->deployment);
    free(runtime);
}

static const struct runtime_ops PROCESS_OPS = {
    .name = "process",
    .choose_ports = process_runtime_choose_ports,
    .extend_lease = process_runtime_extend_lease,
    .start = process_runtime_start,
    .adopt = process_runtime_adopt,
    .list = process_runtime_list,
    .inspect = process_runtime_inspect,
    .free = process_runtime_free,
    .signal = process_runtime_signal,
    .stop = process_runtime_stop,
    .kill = process_runtime_kill,
    .set_output = process_runtime_set_output,
    .write = process_runtime_write,
    .close_stdin = process_runtime_close_stdin,
    .exec = process_runtime_exec,
    .release = process_runtime_release,
};

static int check_settings(const struct runtime_process_settings *settings, struct err *err)
{
    if (!settings->deployment || !process_identity_valid(settings->deployment) || strchr(settings->deployment, '/') ||
        strlen(settings->deployment) > DEPLOYMENT_MAX)
        return err_set(err, ERR_INVALID, "'%s' is no name of a deployment",
                       settings->deployment ? settings->deployment : "");
    if (!settings->state_directory || settings->state_directory[0] != '/')
        return err_set(err, ERR_INVALID, "the state directory must be an absolute path");
    if (settings->port_first < 0 || settings->port_last > 65535 || settings->port_first > settings->port_last)
        return err_set(err, ERR_INVALID, "%d to %d is no range of ports", settings->port_first, settings->port_last);
    if (!settings->shim_path || access(settings->shim_path, X_OK) < 0)
        return err_errno(err, ERR_NOT_FOUND, errno, "cannot execute '%s'",
                         settings->shim_path ? settings->shim_path : "");
    return 0;
}

// Only one worker may believe that the records are its own.
static int lock_records(struct process_runtime *runtime, const char *state_directory, struct err *err)
{
    AUTO_FREE char *path = NULL;
    if (asprintf(&runtime->records, "%s/shims", state_directory) < 0 || asprintf(&path, "%s/lock", state_directory) < 0)
        return err_set(err, ERR_NO_MEMORY, "no memory for the runtime");
    if (dir_make(runtime->records, 0700, err) < 0)
        return -1;
    runtime->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (runtime->lock_fd < 0)
        return err_errno(err, ERR_IO, errno, "cannot open '%s'", path);
    if (flock(runtime->lock_fd, LOCK_EX | LOCK_NB) < 0)
        return err_set(err, ERR_CONFLICT, "'%s' is used by another worker", state_directory);
    return 0;
}

static void raise_open_files(struct process_runtime *runtime)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    runtime->open_files = limit.rlim_cur > INT32_MAX ? INT32_MAX : (int)limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

// Asks the shim what it can do on this machine; its answer is one word. Blocks for the few milliseconds that it takes.
static int probe_shim(const char *shim_path, char *answer, size_t size, struct err *err)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) < 0)
        return err_errno(err, ERR_IO, errno, "cannot make a pipe");
    AUTO_CLOSE int read_end = fds[0];
    AUTO_CLOSE int write_end = fds[1];
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, write_end, STDOUT_FILENO);
    char *argv[] = {(char[]){"curfew-shim"}, (char[]){"--probe"}, NULL};
    char *env[] = {NULL};
    pid_t pid = 0;
    int failed = posix_spawn(&pid, shim_path, &actions, NULL, argv, env);
    posix_spawn_file_actions_destroy(&actions);
    if (failed)
        return err_errno(err, ERR_NOT_FOUND, failed, "cannot start '%s'", shim_path);
    close(TAKE_FD(write_end));
    ssize_t length = read(read_end, answer, size - 1);
    answer[MAX(length, (ssize_t)0)] = '\0';
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
    }
    return 0;
}

static int find_boundary(struct process_runtime *runtime, const struct runtime_process_settings *settings,
                         struct err *err)
{
    char answer[16] = "";
    if (!settings->without_pid_namespace && probe_shim(settings->shim_path, answer, sizeof(answer), err) < 0)
        return -1;
    if (strcmp(answer, "pidns\n") == 0)
        runtime->shim_flags = SHIM_PID_NAMESPACE;
    else if (strcmp(answer, "userns\n") == 0)
        runtime->shim_flags = SHIM_PID_NAMESPACE | SHIM_USER_NAMESPACE;
    if (!settings->without_cgroup)
        process_cgroups_find(&runtime->cgroups, runtime->deployment);
    const char *namespaces = runtime->shim_flags ? "pidns" : "";
    const char *groups = runtime->cgroups.home ? "cgroup" : "";
    const char *nothing = *namespaces || *groups ? "" : "descendants";
    snprintf(runtime->boundary, sizeof(runtime->boundary), "%s%s%s%s", namespaces, *namespaces && *groups ? "+" : "",
             groups, nothing);
    return 0;
}

static int choose_first_port(struct process_runtime *runtime, const struct runtime_process_settings *settings,
                             struct err *err)
{
    uint32_t random;
    if (random_bytes(&random, sizeof(random), err) < 0)
        return -1;
    runtime->port_first = settings->port_first ? settings->port_first : PORT_FIRST;
    runtime->port_last = settings->port_first ? settings->port_last : PORT_LAST;
    uint32_t size = (uint32_t)(runtime->port_last - runtime->port_first + 1);
    runtime->port_next = runtime->port_first + (int)(random % size);
    return 0;
}

static void on_idle(void *context)
{
    struct process_runtime *runtime = context;
    process_strays_reap(runtime);
    if (!runtime->instances)
        process_cgroups_tidy(&runtime->cgroups);
}

static int fill(struct process_runtime *runtime, const struct runtime_process_settings *settings, struct err *err)
{
    runtime->base.ops = &PROCESS_OPS;
    runtime->loop = settings->loop;
    runtime->lock_fd = runtime->null_fd = -1;
    runtime->fence_grace_ms = settings->fence_grace_ms ? settings->fence_grace_ms : FENCE_GRACE_MS;
    runtime->shim_path = strdup(settings->shim_path);
    runtime->deployment = strdup(settings->deployment);
    if (!runtime->shim_path || !runtime->deployment)
        return err_set(err, ERR_NO_MEMORY, "no memory for the runtime");
    runtime->null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (runtime->null_fd < 0)
        return err_errno(err, ERR_IO, errno, "cannot open /dev/null");
    if (loop_timer_add(runtime->loop, on_idle, runtime, &runtime->idle_timer, err) < 0)
        return -1;
    if (process_boot_id(runtime->boot_id, err) < 0 || lock_records(runtime, settings->state_directory, err) < 0 ||
        find_boundary(runtime, settings, err) < 0 || choose_first_port(runtime, settings, err) < 0)
        return -1;
    raise_open_files(runtime);
    signal(SIGPIPE, SIG_IGN);
    return 0;
}

int runtime_process_new(const struct runtime_process_settings *settings, struct runtime **out, struct err *err)
{
    if (check_settings(settings, err) < 0)
        return -1;
    struct process_runtime *runtime = calloc(1, sizeof(*runtime));
    if (!runtime)
        return err_set(err, ERR_NO_MEMORY, "no memory for the runtime");
    if (fill(runtime, settings, err) < 0) {
        process_runtime_free(&runtime->base);
        return -1;
    }
    *out = &runtime->base;
    return 0;
}

const char *runtime_process_boundary(const struct runtime *runtime)
{
    return process_runtime_of(runtime)->boundary;
}
