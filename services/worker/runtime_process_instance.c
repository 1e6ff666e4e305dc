// The life of an instance's handle: what its shim says, what its owner asks for, and its end.
#include "services/worker/runtime_process_internal.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/clock.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void on_timer(void *context);

struct process_instance *process_instance_new(struct process_runtime *runtime, const char *identity,
                                              const struct runtime_events *events, void *context, struct err *err)
{
    AUTO_FREE struct process_instance *instance = calloc(1, sizeof(*instance));
    if (!instance) {
        err_set(err, ERR_NO_MEMORY, "no memory for instance '%s'", identity);
        return NULL;
    }
    instance->base.runtime = &runtime->base;
    instance->references = 1;
    instance->events = *events;
    instance->context = context;
    instance->control_fd = instance->stdin_fd = -1;
    snprintf(instance->identity, sizeof(instance->identity), "%s", identity);
    for (int i = 0; i < RUNTIME_STREAM_COUNT; i++)
        instance->streams[i] =
            (struct process_stream){.instance = instance, .stream = (enum runtime_stream)i, .fd = -1};
    if (loop_timer_add(runtime->loop, on_timer, instance, &instance->timer, err) < 0)
        return NULL;
    instance->next = runtime->instances;
    if (instance->next)
        instance->next->previous = instance;
    runtime->instances = instance;
    return TAKE_PTR(instance);
}

struct process_instance *process_instance_find(struct process_runtime *runtime, const char *identity)
{
    struct process_instance *instance = runtime->instances;
    while (instance && strcmp(instance->identity, identity) != 0)
        instance = instance->next;
    return instance;
}

void process_instance_hold(struct process_instance *instance)
{
    instance->references++;
}

void process_instance_drop(struct process_instance *instance)
{
    if (--instance->references > 0)
        return;
    free(instance->record);
    free(instance->directory);
    free(instance->cgroup);
    free(instance->ports);
    process_list_free(instance->env);
    free(instance);
}

static void close_control(struct process_instance *instance)
{
    loop_watch_remove(TAKE_PTR(instance->control_watch));
    cleanup_close(&instance->control_fd);
    instance->control_fd = -1;
}

void process_instance_detach(struct process_instance *instance)
{
    struct process_runtime *runtime = process_owner(instance);
    if (instance->released)
        return;
    instance->released = true;
    process_probes_forget(instance);
    if (instance->as_probe && !instance->over)
        process_probe_abandon(TAKE_PTR(instance->as_probe));
    close_control(instance);
    if (instance->shim > 0)
        process_stray_add(runtime, instance->shim);
    process_runtime_close_stdin(&instance->base);
    for (int i = 0; i < RUNTIME_STREAM_COUNT; i++)
        process_stream_close(&instance->streams[i]);
    loop_timer_remove(TAKE_PTR(instance->timer));
    if (instance->previous)
        instance->previous->next = instance->next;
    else
        runtime->instances = instance->next;
    if (instance->next)
        instance->next->previous = instance->previous;
    process_ports_settle(runtime);
    if (!runtime->instances)
        loop_timer_arm(runtime->idle_timer, clock_boot_ms() + PROCESS_IDLE_MS);
}

void process_runtime_release(struct runtime_instance *base)
{
    struct process_instance *instance = process_instance_of(base);
    if (instance->over && instance->record)
        unlink(instance->record);
    process_instance_detach(instance);
    process_instance_drop(instance);
}

int process_instance_send(const struct process_instance *instance, struct shim_command command)
{
    ssize_t sent = send(instance->control_fd, &command, sizeof(command), MSG_DONTWAIT | MSG_NOSIGNAL);
    return sent < 0 ? -1 : 0;
}

int process_runtime_signal(struct runtime_instance *base, int signal_number, struct err *err)
{
    struct process_instance *instance = process_instance_of(base);
    if (signal_number <= 0 || signal_number >= NSIG || signal_number == SIGKILL || signal_number == SIGSTOP ||
        signal_number == SIGCHLD)
        return err_set(err, ERR_INVALID, "%d is no signal for an instance", signal_number);
    if (instance->control_fd < 0)
        return 0;
    if (process_instance_send(instance, (struct shim_command){.kind = SHIM_SIGNAL, .number = signal_number}) < 0 &&
        errno != EPIPE && errno != ECONNRESET)
        return err_errno(err, ERR_UNAVAILABLE, errno, "cannot reach the shim of '%s'", instance->identity);
    return 0;
}

// Whatever becomes of the command on its way, the timer sees to it.
static void ask_to_end(struct process_instance *instance, struct shim_command command)
{
    instance->asked = true;
    if (instance->control_fd < 0 || instance->told)
        return;
    process_instance_send(instance, command);
    loop_timer_arm(instance->timer, clock_boot_ms() + MAX(command.value, (int64_t)0) + PROCESS_OVERDUE_MS);
}

int process_runtime_stop(struct runtime_instance *base, int64_t grace_ms, struct err *err)
{
    UNUSED(err);
    struct process_instance *instance = process_instance_of(base);
    int64_t grace = grace_ms < 0 ? instance->grace_ms : grace_ms;
    ask_to_end(instance, (struct shim_command){.kind = SHIM_STOP, .value = grace});
    return 0;
}

int process_runtime_kill(struct runtime_instance *base, struct err *err)
{
    UNUSED(err);
    ask_to_end(process_instance_of(base), (struct shim_command){.kind = SHIM_KILL});
    return 0;
}

static void boundary_text(int64_t boundary, char out[static RUNTIME_BOUNDARY_SIZE])
{
    const char *text = "descendants";
    if (boundary == (SHIM_BOUNDARY_PIDNS | SHIM_BOUNDARY_CGROUP))
        text = "pidns+cgroup";
    else if (boundary & SHIM_BOUNDARY_PIDNS)
        text = "pidns";
    else if (boundary & SHIM_BOUNDARY_CGROUP)
        text = "cgroup";
    snprintf(out, RUNTIME_BOUNDARY_SIZE, "%s", text);
}

static void on_started(struct process_instance *instance, const struct shim_event *event)
{
    struct runtime_started started = {.pid = event->number,
                                      .start_time = event->first,
                                      .limited = instance->limited,
                                      .port_numbers = instance->ports};
    boundary_text(event->second, started.boundary);
    snprintf(started.object, sizeof(started.object), "%s:%d:%lld", process_owner(instance)->boot_id, event->number,
             (long long)event->first);
    instance->started = true;
    if (instance->events.started)
        instance->events.started(instance->context, &instance->base, &started);
    // Not before: output comes after `started`. Should there be no memory for a watch, the instance cannot be served.
    for (int i = 0; i < RUNTIME_STREAM_COUNT && !instance->released; i++) {
        if (process_stream_watch(&instance->streams[i], NULL) < 0)
            ask_to_end(instance, (struct shim_command){.kind = SHIM_KILL});
    }
}

static void on_failed(struct process_instance *instance, const struct shim_event *event)
{
    static const char *const STEPS[] = {
        [SHIM_STEP_FORK] = "cannot start a process",          [SHIM_STEP_BOUNDARY] = "cannot make a namespace",
        [SHIM_STEP_CGROUP] = "cannot join the cgroup",        [SHIM_STEP_LIMITS] = "cannot set limits",
        [SHIM_STEP_DIRECTORY] = "cannot enter the directory", [SHIM_STEP_EXEC] = "cannot execute the command",
    };
    enum err_code code = event->first == SHIM_STEP_FORK ? ERR_UNAVAILABLE : ERR_IO;
    if (event->first >= SHIM_STEP_DIRECTORY && event->number == ENOENT)
        code = ERR_NOT_FOUND;
    else if (event->first >= SHIM_STEP_DIRECTORY && event->number == EACCES)
        code = ERR_FORBIDDEN;
    else if (event->first == SHIM_STEP_EXEC)
        code = ERR_INVALID;
    const char *what =
        event->first >= 0 && event->first < (int64_t)ARRAY_LEN(STEPS) ? STEPS[event->first] : "cannot start";
    instance->failed = true;
    err_errno(&instance->gone.start_error, code, event->number, "%s", what);
}

static enum runtime_reason reason_of(const struct process_instance *instance, enum shim_reason reason)
{
    if (instance->failed)
        return RUNTIME_NOT_STARTED;
    switch (reason) {
    case SHIM_ENDED_ITSELF:
        return RUNTIME_EXITED;
    case SHIM_ASKED:
        return RUNTIME_STOPPED;
    case SHIM_CUT:
    case SHIM_EXPIRED:
        return RUNTIME_FENCED;
    }
    return RUNTIME_LOST;
}

static void on_event(struct process_instance *instance, const struct shim_event *event)
{
    struct runtime_gone *gone = &instance->gone;
    switch ((enum shim_event_kind)event->kind) {
    case SHIM_STARTED:
        on_started(instance, event);
        return;
    case SHIM_FAILED:
        on_failed(instance, event);
        return;
    case SHIM_SIGNALLED:
        process_signal_add(gone->signals, &gone->signal_count, event->number, event->at_wall_us);
        return;
    case SHIM_EXITED:
        process_exit_from_status(event->number, event->at_wall_us, &gone->exit);
        if (instance->events.exited)
            instance->events.exited(instance->context, &instance->base, &gone->exit);
        return;
    case SHIM_GONE:
        instance->told = true;
        gone->reason = reason_of(instance, (enum shim_reason)event->number);
        gone->grade = RUNTIME_GRADE_EXIT;
        gone->at_wall_us = event->at_wall_us;
        return;
    }
}

// The shim has closed its socket, which it does only by ending: waiting takes no longer than that.
static int reap_shim(struct process_instance *instance)
{
    int status = 0;
    while (instance->shim > 0 && waitpid(instance->shim, &status, 0) < 0 && errno == EINTR) {
    }
    instance->shim = 0;
    return status;
}

static void on_shim_ended(struct process_instance *instance)
{
    close_control(instance);
    int status = reap_shim(instance);
    loop_timer_disarm(instance->timer);
    if (instance->told) {
        process_instance_set_ended(instance);
        return;
    }
    if (!instance->started && !instance->failed && WIFEXITED(status)) {
        instance->failed = true;
        err_set(&instance->gone.start_error, ERR_INTERNAL, "curfew-shim ended with status %d", WEXITSTATUS(status));
    }
    process_sweep_begin(instance, 0);
}

static void on_control(void *context, int fd, uint32_t events)
{
    UNUSED(events);
    struct process_instance *instance = context;
    process_instance_hold(instance);
    while (!instance->released) {
        struct shim_event event;
        ssize_t length = recv(fd, &event, sizeof(event), MSG_DONTWAIT);
        // ECONNRESET says only that the shim has not read all of ours; what it said before its end comes after that.
        if (length < 0 && (errno == EINTR || errno == ECONNRESET))
            continue;
        if (length < 0 && errno == EAGAIN)
            break;
        if (length != (ssize_t)sizeof(event)) {
            on_shim_ended(instance);
            break;
        }
        on_event(instance, &event);
    }
    process_instance_drop(instance);
}

// Overdue: the shim did not do what it was asked to, so it is stopped or stuck. Its end is seen at the control socket,
// and what it leaves is swept.
static void on_timer(void *context)
{
    struct process_instance *instance = context;
    process_instance_hold(instance);
    if (instance->shim > 0) {
        process_signal_add(instance->gone.signals, &instance->gone.signal_count, SIGKILL, clock_wall_us());
        kill(instance->shim, SIGKILL); // our own child, not waited for: no stranger has its pid
        process_cgroup_kill(instance->cgroup);
    } else if (!instance->ended) {
        process_sweep_on_timer(instance);
    }
    process_instance_drop(instance);
}

int process_instance_watch(struct process_instance *instance, struct err *err)
{
    struct process_runtime *runtime = process_owner(instance);
    return loop_watch_add(runtime->loop, instance->control_fd, EPOLLIN, on_control, instance, &instance->control_watch,
                          err);
}

void process_instance_set_ended(struct process_instance *instance)
{
    instance->ended = true;
    loop_timer_disarm(instance->timer);
    process_runtime_close_stdin(&instance->base);
    for (int i = 0; i < RUNTIME_STREAM_COUNT && !instance->released; i++)
        process_stream_drain(&instance->streams[i]);
    if (instance->released)
        return;
    process_probes_kill(instance);
    process_instance_settle(instance);
}

void process_instance_settle(struct process_instance *instance)
{
    if (!instance->ended || instance->over || instance->released || instance->probe_list)
        return;
    instance->over = true;
    if (!instance->started && !instance->failed && instance->gone.start_error.text[0] == '\0')
        err_set(&instance->gone.start_error, ERR_CONFLICT, "ended before it was started");
    if (instance->events.gone)
        instance->events.gone(instance->context, &instance->base, &instance->gone);
}
