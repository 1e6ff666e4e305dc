// The start of an instance, up to the moment when its shim runs. Whatever fails here leaves nothing behind.
#include "services/worker/runtime_process_internal.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/clock.h"
#include "services/common/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FIRST_SAFE_FD 16 // above every number that the shim expects something at

// Descriptors for the shim, close-on-exec and out of the way of the numbers that they get there.
struct shim_descriptors {
    int standard[3];
    int control, spec, record;
};

static void descriptors_close(struct shim_descriptors *descriptors)
{
    int *all[] = {&descriptors->standard[0], &descriptors->standard[1], &descriptors->standard[2],
                  &descriptors->control,     &descriptors->spec,        &descriptors->record};
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        cleanup_close(all[i]);
}

static int fail_descriptor(const char *what, struct err *err)
{
    enum err_code code = errno == EMFILE || errno == ENFILE ? ERR_LIMIT : ERR_IO;
    return err_errno(err, code, errno, "cannot make %s", what);
}

void process_list_free(char **list)
{
    for (size_t i = 0; list && list[i]; i++)
        free(list[i]);
    free(list);
}

int process_list_copy(const char *const *list, char ***out, struct err *err)
{
    size_t count = 0;
    while (list && list[count])
        count++;
    char **copy = calloc(count + 1, sizeof(*copy));
    bool complete = copy != NULL;
    for (size_t i = 0; complete && i < count; i++)
        complete = (copy[i] = strdup(list[i])) != NULL;
    if (!complete) {
        process_list_free(copy);
        return err_set(err, ERR_NO_MEMORY, "no memory for an instance");
    }
    *out = copy;
    return 0;
}

static int check_spec(const struct process_runtime *runtime, const struct runtime_spec *spec, struct err *err)
{
    if (!spec->identity || !process_identity_valid(spec->identity))
        return err_set(err, ERR_INVALID, "'%s' is no identity of an instance", spec->identity ? spec->identity : "");
    if (!spec->argv || !spec->argv[0] || spec->argv[0][0] == '\0')
        return err_set(err, ERR_INVALID, "instance '%s' has no command", spec->identity);
    if (!spec->directory || spec->directory[0] != '/' || strchr(spec->directory, '\n'))
        return err_set(err, ERR_INVALID, "instance '%s' has no absolute working directory", spec->identity);
    if (spec->stop_signal < 0 || spec->stop_signal >= NSIG || spec->stop_signal == SIGKILL ||
        spec->stop_signal == SIGSTOP || spec->stop_signal == SIGCHLD)
        return err_set(err, ERR_INVALID, "%d is no signal to stop with", spec->stop_signal);
    if (runtime->lease_boot_ms <= clock_boot_ms())
        return err_set(err, ERR_STALE, "no lease holds");
    return 0;
}

// A pipe whose end `ours` is kept here (non-blocking) and whose other end goes to the shim.
static int make_pipe(int ours_index, int *ours, int *theirs, struct err *err)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) < 0)
        return fail_descriptor("a pipe", err);
    *ours = fds[ours_index];
    *theirs = fds[1 - ours_index];
    return fd_set_nonblocking(*ours, err);
}

static int make_stdin(struct process_instance *instance, const struct runtime_spec *spec, int *out, struct err *err)
{
    switch (spec->stdin_mode) {
    case RUNTIME_STDIN_EMPTY:
        *out = open("/dev/null", O_RDONLY | O_CLOEXEC);
        return *out < 0 ? fail_descriptor("standard input", err) : 0;
    case RUNTIME_STDIN_BYTES:
        *out = process_memory_file("curfew-stdin", spec->stdin_bytes, spec->stdin_length, err);
        return *out < 0 ? -1 : 0;
    case RUNTIME_STDIN_PIPE:
        return make_pipe(1, &instance->stdin_fd, out, err);
    }
    return err_set(err, ERR_INVALID, "unknown kind of standard input");
}

static int make_control(struct process_instance *instance, int *out, struct err *err)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return fail_descriptor("a socket pair", err);
    instance->control_fd = pair[0];
    *out = pair[1];
    return 0;
}

// Moves a descriptor above all the target numbers.
static int move_up(int *fd, struct err *err)
{
    int moved = fcntl(*fd, F_DUPFD_CLOEXEC, FIRST_SAFE_FD);
    if (moved < 0)
        return fail_descriptor("a descriptor", err);
    close(*fd);
    *fd = moved;
    return 0;
}

static int make_descriptors(struct process_instance *instance, const struct runtime_spec *spec,
                            struct shim_descriptors *out, struct err *err)
{
    struct process_stream *streams = instance->streams;
    if (make_stdin(instance, spec, &out->standard[0], err) < 0 ||
        make_pipe(0, &streams[RUNTIME_STDOUT].fd, &out->standard[1], err) < 0 ||
        make_pipe(0, &streams[RUNTIME_STDERR].fd, &out->standard[2], err) < 0 ||
        make_control(instance, &out->control, err) < 0)
        return -1;
    out->spec = process_spec_file(instance, spec, err);
    if (out->spec < 0)
        return -1;
    int *all[] = {&out->standard[0], &out->standard[1], &out->standard[2], &out->control, &out->spec, &out->record};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        if (move_up(all[i], err) < 0)
            return -1;
    }
    return 0;
}

static int add_actions(posix_spawn_file_actions_t *actions, const struct shim_descriptors *descriptors)
{
    const int sources[] = {descriptors->standard[0], descriptors->standard[1], descriptors->standard[2],
                           descriptors->control,     descriptors->spec,        descriptors->record};
    int failed = 0;
    for (int target = 0; target < (int)ARRAY_LEN(sources) && !failed; target++)
        failed = posix_spawn_file_actions_adddup2(actions, sources[target], target);
    return failed ? failed : posix_spawn_file_actions_addclosefrom_np(actions, (int)ARRAY_LEN(sources));
}

// The shim gets a session of its own (so that a terminal's signals pass it by) and starts with all signals blocked.
static int set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t all;
    sigfillset(&all);
    int failed = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID);
    return failed ? failed : posix_spawnattr_setsigmask(attributes, &all);
}

// vfork semantics: costs the same whatever this process's size, and only async-signal-safe calls come before exec.
static int spawn(struct process_instance *instance, const struct shim_descriptors *descriptors, struct err *err)
{
    struct process_runtime *runtime = process_owner(instance);
    char marker[RUNTIME_IDENTITY_SIZE + 160];
    if (process_marker(runtime, instance->identity, marker, err) < 0)
        return -1;
    char *argv[] = {(char[]){"curfew-shim"}, instance->identity, NULL};
    char *env[] = {marker, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    int failed = add_actions(&actions, descriptors);
    if (!failed)
        failed = set_attributes(&attributes);
    pid_t pid = 0;
    if (!failed)
        failed = posix_spawn(&pid, runtime->shim_path, &actions, &attributes, argv, env);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (failed)
        return err_errno(err, failed == EAGAIN ? ERR_UNAVAILABLE : ERR_IO, failed, "cannot start '%s'",
                         runtime->shim_path);
    instance->shim = pid;
    return 0;
}

static int copy_spec(struct process_instance *instance, const struct runtime_spec *spec, struct err *err)
{
    instance->grace_ms = spec->stop_grace_ms;
    instance->directory = strdup(spec->directory);
    instance->record = process_record_path(process_owner(instance), instance->identity);
    instance->cgroup = process_cgroup_path(&process_owner(instance)->cgroups, instance->identity);
    instance->ports = calloc(spec->port_count + 1, sizeof(*instance->ports));
    if (!instance->directory || !instance->record || !instance->cgroup || !instance->ports)
        return err_set(err, ERR_NO_MEMORY, "no memory for instance '%s'", spec->identity);
    for (size_t i = 0; i < spec->port_count; i++)
        instance->ports[i] = spec->ports[i].number;
    instance->port_count = spec->port_count;
    return process_list_copy(spec->env, &instance->env, err);
}

// What comes behind the record.
static int start_recorded(struct process_instance *instance, const struct runtime_spec *spec,
                          struct shim_descriptors *descriptors, struct err *err)
{
    if (process_cgroup_make(&process_owner(instance)->cgroups, instance->cgroup, spec, &instance->limited, err) < 0 ||
        make_descriptors(instance, spec, descriptors, err) < 0 || process_instance_watch(instance, err) < 0)
        return -1;
    return spawn(instance, descriptors, err);
}

static int start_instance(struct process_instance *instance, const struct runtime_spec *spec, struct err *err)
{
    struct shim_descriptors descriptors = {{-1, -1, -1}, -1, -1, -1};
    if (copy_spec(instance, spec, err) < 0)
        return -1;
    descriptors.record = process_record_create(instance, err);
    if (descriptors.record < 0)
        return -1;
    int result = start_recorded(instance, spec, &descriptors, err);
    if (result < 0) {
        process_cgroup_remove(instance->cgroup);
        unlink(instance->record);
    }
    descriptors_close(&descriptors);
    return result;
}

int process_runtime_start(struct runtime *base, const struct runtime_spec *spec, const struct runtime_events *events,
                          void *context, struct runtime_instance **out, struct err *err)
{
    struct process_runtime *runtime = process_runtime_of(base);
    if (check_spec(runtime, spec, err) < 0)
        return -1;
    if (process_instance_find(runtime, spec->identity))
        return err_set(err, ERR_CONFLICT, "instance '%s' exists already", spec->identity);
    process_strays_reap(runtime);
    struct process_instance *instance = process_instance_new(runtime, spec->identity, events, context, err);
    if (!instance)
        return -1;
    if (start_instance(instance, spec, err) < 0) {
        process_instance_detach(instance);
        process_instance_drop(instance);
        return -1;
    }
    *out = &instance->base;
    return 0;
}
