// The end of an instance whose shim is not ours to command: it was killed, or it belongs to an earlier life of this
// worker.
//
// A shim of an earlier life has seen the end of file and is ending its tree: it gets time to do so, because it alone
// can say how. Then, and at once when there is none, the worker kills what it finds by cgroup and by marker, looks
// again, and calls it gone when two kinds of look show nothing.
#include "services/worker/runtime_process_internal.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/clock.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CLEAN_LOOKS 2 // one alone may miss who is just being forked
#define SWEEP_FIRST_MS 5
#define SWEEP_MOST_MS 500
#define PATIENCE_MARGIN_MS 2000

static bool is_former_shim(const struct process_instance *instance)
{
    struct process_stat stat;
    return instance->former_shim > 0 && process_stat_read(instance->former_shim, &stat) == 0 && stat.state != 'Z' &&
           stat.start_time == instance->former_shim_start;
}

static void kill_former_shim(const struct process_instance *instance)
{
    AUTO_CLOSE int held = process_open(instance->former_shim);
    if (held >= 0 && is_former_shim(instance))
        process_send(held, SIGKILL);
}

static void again(struct process_instance *instance)
{
    loop_timer_arm(instance->timer, clock_boot_ms() + instance->sweep_delay_ms);
    instance->sweep_delay_ms = MIN(instance->sweep_delay_ms * 2, (int64_t)SWEEP_MOST_MS);
}

// What is left of the instance, after a SIGKILL to all of it. -1 when one cannot tell.
static int64_t kill_and_count(struct process_instance *instance)
{
    char marker[RUNTIME_IDENTITY_SIZE + 160];
    if (process_marker(process_owner(instance), instance->identity, marker, NULL) < 0)
        return -1;
    process_cgroup_kill(instance->cgroup);
    int64_t by_marker = process_scan_kill(marker, NULL);
    int64_t by_cgroup = process_cgroup_count(instance->cgroup);
    return by_marker < 0 ? -1 : MAX(by_marker, by_cgroup);
}

// The evidence of a shim that ended on its own after its worker.
static void take_record(struct process_instance *instance)
{
    struct process_record record;
    if (process_record_read(instance->record, &record, NULL) < 0)
        return;
    struct runtime_gone *gone = &instance->gone;
    instance->started = record.started;
    gone->exit = record.exit;
    gone->signal_count = record.signal_count;
    memcpy(gone->signals, record.signals, sizeof(gone->signals));
    if (record.ended) {
        gone->reason = record.reason == SHIM_ENDED_ITSELF ? RUNTIME_EXITED
                       : record.reason == SHIM_ASKED      ? RUNTIME_STOPPED
                                                          : RUNTIME_FENCED;
        gone->at_wall_us = record.ended_wall_us;
    }
}

static void finish(struct process_instance *instance)
{
    struct runtime_gone *gone = &instance->gone;
    gone->reason = instance->failed ? RUNTIME_NOT_STARTED : instance->asked ? RUNTIME_STOPPED : RUNTIME_LOST;
    gone->grade = RUNTIME_GRADE_ABSENT;
    gone->at_wall_us = clock_wall_us();
    if (instance->former)
        take_record(instance);
    process_cgroup_remove(instance->cgroup);
    process_instance_set_ended(instance);
}

void process_sweep_on_timer(struct process_instance *instance)
{
    if (is_former_shim(instance)) {
        if (clock_boot_ms() >= instance->patience_boot_ms)
            kill_former_shim(instance);
        again(instance);
        return;
    }
    instance->clean_looks = kill_and_count(instance) == 0 ? instance->clean_looks + 1 : 0;
    if (instance->clean_looks >= CLEAN_LOOKS)
        finish(instance);
    else
        again(instance);
}

void process_sweep_begin(struct process_instance *instance, int64_t patience_ms)
{
    instance->sweep_delay_ms = SWEEP_FIRST_MS;
    instance->patience_boot_ms = clock_boot_ms() + patience_ms;
    loop_timer_arm(instance->timer, clock_boot_ms());
}

// Fills the handle from the record. What is from before a reboot has no processes, whatever numbers it names.
static int recall(struct process_instance *instance, struct err *err)
{
    struct process_runtime *runtime = process_owner(instance);
    struct process_record record;
    instance->former = true;
    instance->record = process_record_path(runtime, instance->identity);
    if (!instance->record)
        return err_set(err, ERR_NO_MEMORY, "no memory for instance '%s'", instance->identity);
    if (process_record_read(instance->record, &record, err) < 0)
        return -1;
    instance->directory = strdup(record.directory);
    instance->cgroup = strdup(record.cgroup);
    if (!instance->directory || !instance->cgroup)
        return err_set(err, ERR_NO_MEMORY, "no memory for instance '%s'", instance->identity);
    if (strcmp(record.boot_id, runtime->boot_id) == 0) {
        instance->former_shim = record.shim;
        instance->former_shim_start = record.shim_start;
    }
    return 0;
}

int process_runtime_adopt(struct runtime *base, const char *identity, const struct runtime_events *events,
                          void *context, struct runtime_instance **out, struct err *err)
{
    struct process_runtime *runtime = process_runtime_of(base);
    if (!process_identity_valid(identity))
        return err_set(err, ERR_INVALID, "'%s' is no identity of an instance", identity);
    if (process_instance_find(runtime, identity))
        return err_set(err, ERR_CONFLICT, "instance '%s' is live", identity);
    struct process_instance *instance = process_instance_new(runtime, identity, events, context, err);
    if (!instance)
        return -1;
    if (recall(instance, err) < 0) {
        process_instance_detach(instance);
        process_instance_drop(instance);
        return -1;
    }
    process_sweep_begin(instance, runtime->fence_grace_ms + PATIENCE_MARGIN_MS);
    *out = &instance->base;
    return 0;
}
