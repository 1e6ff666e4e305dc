// The state machine of one instance: what each event does. Knows nothing of descriptors besides where to write events.
#include "services/common/base/clock.h"
#include "services/worker/shim/cgroup.h"
#include "services/worker/shim/descendants.h"
#include "services/worker/shim/namespace.h"
#include "services/worker/shim/record.h"
#include "services/worker/shim/shim.h"

#include <signal.h>
#include <sys/socket.h>

#define KILL_AGAIN_MS 50

static bool namespaced(const struct shim *shim)
{
    return shim->boundary & SHIM_BOUNDARY_PIDNS;
}

// The socket's buffer holds far more than one instance's events, so this neither blocks nor fails while the worker
// lives.
static void tell(const struct shim *shim, struct shim_event event)
{
    if (shim->control_fd < 0)
        return; // there is no worker any more; the record has it
    if (event.at_wall_us == 0)
        event.at_wall_us = clock_wall_us();
    ssize_t ignored = send(shim->control_fd, &event, sizeof(event), MSG_DONTWAIT | MSG_NOSIGNAL);
    UNUSED(ignored);
}

static void note_signal(const struct shim *shim, int number, int64_t at_wall_us)
{
    record_line(shim->record_fd, "signal %d %lld\n", number, (long long)at_wall_us);
    tell(shim, (struct shim_event){.kind = SHIM_SIGNALLED, .number = number, .at_wall_us = at_wall_us});
}

// To the command's process group. Inside a namespace the init passes it on, so no pid of a stranger can be hit;
// without, the command is this process's own child that has not been waited for.
static int send_to_command(const struct shim *shim, int number)
{
    if (shim->exited || shim->child <= 0)
        return -1;
    return namespaced(shim) ? namespace_signal(shim->child, number) : kill(-shim->child, number);
}

// Notes a signal that was sent as of before it was: what it does is not earlier, however late this process goes on.
static int signal_command(const struct shim *shim, int number)
{
    int64_t now = clock_wall_us();
    if (send_to_command(shim, number) < 0)
        return -1;
    note_signal(shim, number, now);
    return 0;
}

static void stop_command(const struct shim *shim)
{
    if (signal_command(shim, shim->spec.header.stop_signal) == 0)
        send_to_command(shim, SIGCONT); // a stopped process does not act on a signal
}

static void kill_everything(struct shim *shim)
{
    if (shim->phase != SHIM_PHASE_KILLING)
        note_signal(shim, SIGKILL, clock_wall_us());
    shim->phase = SHIM_PHASE_KILLING;
    shim->kill_boot_ms = clock_boot_ms() + KILL_AGAIN_MS;
    if (namespaced(shim) && !shim->childless)
        kill(shim->child, SIGKILL);
    cgroup_kill(shim->spec.cgroup);
    if (!namespaced(shim))
        descendants_signal(SIGKILL);
}

// Sets or shortens the time that is left.
static void limit_grace(struct shim *shim, int64_t grace_ms)
{
    int64_t at = clock_boot_ms() + MAX(grace_ms, (int64_t)0);
    if (shim->kill_boot_ms == 0 || at < shim->kill_boot_ms)
        shim->kill_boot_ms = at;
}

static int64_t short_grace(const struct shim *shim)
{
    return MIN(shim->spec.header.stop_grace_ms, shim->spec.header.fence_grace_ms);
}

static void end(struct shim *shim, enum shim_reason reason, int64_t grace_ms)
{
    if (shim->phase >= SHIM_PHASE_KILLING)
        return;
    if (!shim->exited && shim->reason == SHIM_ENDED_ITSELF)
        shim->reason = reason;
    if (shim->phase == SHIM_PHASE_RUNNING && grace_ms > 0) {
        shim->phase = SHIM_PHASE_ENDING;
        stop_command(shim);
    }
    limit_grace(shim, grace_ms); // from when the command knows
    if (shim->kill_boot_ms <= clock_boot_ms())
        kill_everything(shim);
}

void shim_on_command(struct shim *shim, const struct shim_command *command)
{
    switch ((enum shim_command_kind)command->kind) {
    case SHIM_LEASE:
        if (shim->lease_boot_ms > 0)
            shim->lease_boot_ms = command->value;
        return;
    case SHIM_SIGNAL:
        if (shim->phase < SHIM_PHASE_KILLING)
            signal_command(shim, command->number);
        return;
    case SHIM_STOP:
        end(shim, SHIM_ASKED, command->value);
        return;
    case SHIM_KILL:
        end(shim, SHIM_ASKED, 0);
        return;
    }
}

void shim_on_cut(struct shim *shim, enum shim_reason reason)
{
    shim->lease_boot_ms = 0; // what has ended stays ended, whatever comes later
    end(shim, reason, short_grace(shim));
}

void shim_on_started(struct shim *shim, pid_t pid, int64_t start_time)
{
    shim->command = pid;
    record_line(shim->record_fd, "started %d %lld\n", (int)pid, (long long)start_time);
    tell(shim,
         (struct shim_event){
             .kind = SHIM_STARTED, .number = (int32_t)pid, .first = start_time, .second = (int64_t)shim->boundary});
    if (shim->phase != SHIM_PHASE_STARTING)
        return;
    shim->phase = SHIM_PHASE_RUNNING;
    if (shim->kill_boot_ms > 0) { // asked to end meanwhile
        shim->phase = SHIM_PHASE_ENDING;
        stop_command(shim);
    }
}

void shim_on_failed(struct shim *shim, enum shim_step step, int errnum)
{
    shim->failed = true;
    tell(shim, (struct shim_event){.kind = SHIM_FAILED, .number = errnum, .first = (int64_t)step});
    if (shim->phase < SHIM_PHASE_ENDING)
        shim->phase = SHIM_PHASE_ENDING;
    limit_grace(shim, 0);
}

void shim_on_exited(struct shim *shim, int wait_status, bool others_told)
{
    if (shim->failed || shim->exited)
        return;
    int64_t now = clock_wall_us();
    shim->exited = true;
    record_line(shim->record_fd, "exited %d %lld\n", wait_status, (long long)now);
    tell(shim, (struct shim_event){.kind = SHIM_EXITED, .number = wait_status, .at_wall_us = now});
    if (others_told)
        note_signal(shim, SIGTERM, now);
    if (shim->phase >= SHIM_PHASE_KILLING)
        return;
    shim->phase = SHIM_PHASE_ENDING;
    limit_grace(shim, short_grace(shim));
}

static void finish(struct shim *shim)
{
    int64_t now = clock_wall_us();
    cgroup_remove(shim->spec.cgroup, shim->control_fd < 0);
    shim->phase = SHIM_PHASE_OVER;
    record_line(shim->record_fd, "gone %d %lld\n", (int)shim->reason, (long long)now);
    tell(shim, (struct shim_event){.kind = SHIM_GONE, .number = (int32_t)shim->reason, .at_wall_us = now});
}

void shim_on_childless(struct shim *shim)
{
    shim->childless = true;
    // The kernel ends everything in a namespace with SIGKILL when its init goes; then nobody was left to say how.
    if (namespaced(shim) && shim->command > 0)
        shim_on_exited(shim, SIGKILL, false);
    if (cgroup_populated(shim->spec.cgroup))
        kill_everything(shim);
    else
        finish(shim);
}

void shim_on_timer(struct shim *shim)
{
    int64_t now = clock_boot_ms();
    if (shim->lease_boot_ms > 0 && now >= shim->lease_boot_ms)
        shim_on_cut(shim, SHIM_EXPIRED);
    if (shim->phase == SHIM_PHASE_OVER || shim->kill_boot_ms == 0 || now < shim->kill_boot_ms)
        return;
    if (shim->childless && !cgroup_populated(shim->spec.cgroup))
        finish(shim);
    else
        kill_everything(shim);
}

int64_t shim_next_timer(const struct shim *shim)
{
    if (shim->lease_boot_ms == 0 || shim->kill_boot_ms == 0)
        return MAX(shim->lease_boot_ms, shim->kill_boot_ms);
    return MIN(shim->lease_boot_ms, shim->kill_boot_ms);
}
