// Probes: commands that run beside an instance, each under a shim of its own.
#include "services/worker/runtime_process_internal.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/clock.h"

#include <stdio.h>
#include <stdlib.h>

struct process_probe {
    struct process_instance *parent;
    struct process_probe *next;
    struct runtime_instance *instance;
    struct loop_timer *timer;
    bool timed_out;
    runtime_exec_fn function; // NULL once it was called or must not be
    void *context;
};

static void probe_unlink(struct process_probe *probe)
{
    struct process_probe **link = &probe->parent->probe_list;
    while (*link != probe)
        link = &(*link)->next;
    *link = probe->next;
}

// A command that is not there, or may not be run, is the probe's own fault; what this machine has run out of is not.
static void answer(struct process_probe *probe, const struct runtime_exit *result, const struct runtime_gone *gone)
{
    runtime_exec_fn function = TAKE_PTR(probe->function);
    bool unmade = gone->reason == RUNTIME_NOT_STARTED && gone->start_error.code != ERR_NOT_FOUND &&
                  gone->start_error.code != ERR_FORBIDDEN;
    if (function)
        function(probe->context, result, unmade ? &gone->start_error : NULL);
}

static void on_gone(void *context, struct runtime_instance *instance, const struct runtime_gone *gone)
{
    struct process_probe *probe = context;
    struct process_instance *parent = probe->parent;
    struct runtime_exit result = gone->exit;
    if (probe->timed_out || gone->reason != RUNTIME_EXITED)
        result.known = false;
    if (parent) {
        process_instance_hold(parent);
        probe_unlink(probe);
    }
    loop_timer_remove(probe->timer);
    answer(probe, &result, gone);
    runtime_release(instance);
    free(probe);
    if (parent) {
        process_instance_settle(parent);
        process_instance_drop(parent);
    }
}

static void on_timeout(void *context)
{
    struct process_probe *probe = context;
    probe->timed_out = true;
    runtime_kill(probe->instance, NULL);
}

static const struct runtime_events PROBE_EVENTS = {.gone = on_gone};

static int start_probe(struct process_probe *probe, const char *const *argv, struct err *err)
{
    struct process_instance *parent = probe->parent;
    struct process_runtime *runtime = process_owner(parent);
    char identity[RUNTIME_IDENTITY_SIZE];
    int length =
        snprintf(identity, sizeof(identity), "%s/probe-%llu", parent->identity, (unsigned long long)++runtime->probes);
    if (length < 0 || (size_t)length >= sizeof(identity))
        return err_set(err, ERR_INVALID, "the identity '%s' is too long for a probe", parent->identity);
    struct runtime_spec spec = {
        .identity = identity, .argv = argv, .env = (const char *const *)parent->env, .directory = parent->directory};
    if (process_runtime_start(&runtime->base, &spec, &PROBE_EVENTS, probe, &probe->instance, err) < 0)
        return -1;
    process_instance_of(probe->instance)->as_probe = probe;
    for (int i = 0; i < RUNTIME_STREAM_COUNT; i++)
        process_instance_of(probe->instance)->streams[i].mode = RUNTIME_DISCARD;
    return 0;
}

int process_runtime_exec(struct runtime_instance *base, const char *const *argv, int64_t timeout_ms,
                         runtime_exec_fn function, void *context, struct err *err)
{
    struct process_instance *parent = process_instance_of(base);
    if (!parent->env || parent->ended)
        return err_set(err, ERR_CONFLICT, "instance '%s' does not run", parent->identity);
    AUTO_FREE struct process_probe *probe = calloc(1, sizeof(*probe));
    if (!probe)
        return err_set(err, ERR_NO_MEMORY, "no memory for a probe");
    *probe = (struct process_probe){.parent = parent, .function = function, .context = context};
    if (loop_timer_add(process_owner(parent)->loop, on_timeout, probe, &probe->timer, err) < 0)
        return -1;
    if (start_probe(probe, argv, err) < 0) {
        loop_timer_remove(probe->timer);
        return -1;
    }
    loop_timer_arm(probe->timer, clock_boot_ms() + timeout_ms);
    probe->next = parent->probe_list;
    parent->probe_list = TAKE_PTR(probe);
    return 0;
}

void process_probe_abandon(struct process_probe *probe)
{
    if (probe->parent)
        probe_unlink(probe);
    loop_timer_remove(probe->timer);
    free(probe);
}

void process_probes_kill(struct process_instance *instance)
{
    for (struct process_probe *probe = instance->probe_list; probe; probe = probe->next)
        runtime_kill(probe->instance, NULL);
}

void process_probes_forget(struct process_instance *instance)
{
    while (instance->probe_list) {
        struct process_probe *probe = instance->probe_list;
        instance->probe_list = probe->next;
        probe->parent = NULL;
        probe->function = NULL;
        runtime_kill(probe->instance, NULL);
    }
}
