#include "services/common/model/states.h"

#include "services/common/base/macros.h"

#include <stdint.h>
#include <string.h>

// One machine: its states by number, and for each the states that it may go to.
struct machine {
    const char *name;
    int count;
    const char *const *names;
    const uint32_t *edges; // a bit per target
};

#define TO(state) (1u << (state))

static const char *const outcome_names[OUTCOME_COUNT] = {
    [OUTCOME_SUCCEEDED] = "succeeded",
    [OUTCOME_FAILED] = "failed",
    [OUTCOME_STOPPED] = "stopped",
    [OUTCOME_TIMED_OUT] = "timed_out",
};

static const char *const cleanup_names[CLEANUP_COUNT] = {
    [CLEANUP_NONE] = "none",   [CLEANUP_PENDING] = "pending", [CLEANUP_CLEAN] = "clean",
    [CLEANUP_STUCK] = "stuck", [CLEANUP_KEPT] = "kept",
};

static const char *const grade_names[GRADE_COUNT] = {
    [GRADE_EXIT] = "exit",
    [GRADE_ABSENT] = "absent",
    [GRADE_VERIFIED] = "verified",
    [GRADE_PRESUMED] = "presumed",
};

static const char *const job_state_names[JOB_STATE_COUNT] = {
    [JOB_QUEUED] = "queued",   [JOB_STARTING] = "starting",   [JOB_RUNNING] = "running",
    [JOB_PAUSED] = "paused",   [JOB_SUCCEEDED] = "succeeded", [JOB_FAILED] = "failed",
    [JOB_STOPPED] = "stopped", [JOB_TIMED_OUT] = "timed_out",
};

#define TO_AN_OUTCOME (TO(JOB_SUCCEEDED) | TO(JOB_FAILED) | TO(JOB_STOPPED) | TO(JOB_TIMED_OUT))

static const uint32_t job_state_edges[JOB_STATE_COUNT] = {
    [JOB_QUEUED] = TO(JOB_STARTING) | TO(JOB_RUNNING) | TO(JOB_PAUSED) | TO_AN_OUTCOME,
    [JOB_STARTING] = TO(JOB_RUNNING) | TO(JOB_PAUSED) | TO_AN_OUTCOME,
    [JOB_RUNNING] = TO(JOB_PAUSED) | TO_AN_OUTCOME,
    [JOB_PAUSED] = TO(JOB_QUEUED) | TO(JOB_STARTING) | TO(JOB_RUNNING) | TO_AN_OUTCOME,
};

static const char *const slice_names[SLICE_STATE_COUNT] = {
    [SLICE_HELD] = "held",           [SLICE_READY] = "ready",         [SLICE_LEASED] = "leased",
    [SLICE_DELAYED] = "delayed",     [SLICE_SUCCEEDED] = "succeeded", [SLICE_FAILED] = "failed",
    [SLICE_CANCELLED] = "cancelled",
};

static const uint32_t slice_edges[SLICE_STATE_COUNT] = {
    [SLICE_HELD] = TO(SLICE_READY) | TO(SLICE_CANCELLED),
    [SLICE_READY] = TO(SLICE_HELD) | TO(SLICE_LEASED) | TO(SLICE_CANCELLED),
    [SLICE_LEASED] = TO(SLICE_READY) | TO(SLICE_HELD) | TO(SLICE_DELAYED) | TO(SLICE_SUCCEEDED) | TO(SLICE_FAILED) |
                     TO(SLICE_CANCELLED),
    [SLICE_DELAYED] = TO(SLICE_READY) | TO(SLICE_HELD) | TO(SLICE_CANCELLED),
    [SLICE_FAILED] = TO(SLICE_READY) | TO(SLICE_HELD),
};

static const char *const instance_names[INSTANCE_STATE_COUNT] = {
    [INSTANCE_PENDING] = "pending",
    [INSTANCE_PLACING] = "placing",
    [INSTANCE_STARTING] = "starting",
    [INSTANCE_READY] = "ready",
    [INSTANCE_UNHEALTHY] = "unhealthy",
    [INSTANCE_STOPPING] = "stopping",
    [INSTANCE_KILLING] = "killing",
    [INSTANCE_STOPPED] = "stopped",
    [INSTANCE_FAILED] = "failed",
    [INSTANCE_STUCK] = "stuck",
    [INSTANCE_LOST] = "lost",
    [INSTANCE_VERIFIED] = "verified",
    [INSTANCE_PRESUMED_GONE] = "presumed_gone",
};

// What can come of any instance that may exist: it ends, is stuck, or its worker is lost.
#define TO_AN_END \
    (TO(INSTANCE_STOPPED) | TO(INSTANCE_FAILED) | TO(INSTANCE_STUCK) | TO(INSTANCE_LOST) | TO(INSTANCE_VERIFIED))

static const uint32_t instance_edges[INSTANCE_STATE_COUNT] = {
    [INSTANCE_PENDING] = TO(INSTANCE_PLACING) | TO(INSTANCE_VERIFIED),
    [INSTANCE_PLACING] =
        TO(INSTANCE_PENDING) | TO(INSTANCE_STARTING) | TO(INSTANCE_READY) | TO(INSTANCE_STOPPING) | TO_AN_END,
    [INSTANCE_STARTING] = TO(INSTANCE_READY) | TO(INSTANCE_STOPPING) | TO_AN_END,
    [INSTANCE_READY] = TO(INSTANCE_UNHEALTHY) | TO(INSTANCE_STOPPING) | TO_AN_END,
    [INSTANCE_UNHEALTHY] = TO(INSTANCE_READY) | TO(INSTANCE_STOPPING) | TO_AN_END,
    [INSTANCE_STOPPING] = TO(INSTANCE_KILLING) | TO_AN_END,
    [INSTANCE_KILLING] = TO_AN_END,
    [INSTANCE_STOPPED] = TO(INSTANCE_STUCK) | TO(INSTANCE_LOST) | TO(INSTANCE_VERIFIED),
    [INSTANCE_FAILED] = TO(INSTANCE_STUCK) | TO(INSTANCE_LOST) | TO(INSTANCE_VERIFIED),
    [INSTANCE_STUCK] = TO(INSTANCE_STOPPED) | TO(INSTANCE_LOST) | TO(INSTANCE_VERIFIED),
    [INSTANCE_LOST] = TO(INSTANCE_STOPPED) | TO(INSTANCE_FAILED) | TO(INSTANCE_STUCK) | TO(INSTANCE_VERIFIED) |
                      TO(INSTANCE_PRESUMED_GONE),
    [INSTANCE_PRESUMED_GONE] = TO(INSTANCE_VERIFIED),
};

static const char *const worker_names[WORKER_STATE_COUNT] = {
    [WORKER_READY] = "ready",       [WORKER_SUSPECT] = "suspect",
    [WORKER_DRAINING] = "draining", [WORKER_QUARANTINED] = "quarantined",
    [WORKER_LOST] = "lost",         [WORKER_GONE] = "gone",
};

static const uint32_t worker_edges[WORKER_STATE_COUNT] = {
    [WORKER_READY] =
        TO(WORKER_SUSPECT) | TO(WORKER_DRAINING) | TO(WORKER_QUARANTINED) | TO(WORKER_LOST) | TO(WORKER_GONE),
    [WORKER_SUSPECT] =
        TO(WORKER_READY) | TO(WORKER_DRAINING) | TO(WORKER_QUARANTINED) | TO(WORKER_LOST) | TO(WORKER_GONE),
    [WORKER_DRAINING] =
        TO(WORKER_SUSPECT) | TO(WORKER_READY) | TO(WORKER_QUARANTINED) | TO(WORKER_LOST) | TO(WORKER_GONE),
    [WORKER_QUARANTINED] = TO(WORKER_READY) | TO(WORKER_LOST) | TO(WORKER_GONE),
    [WORKER_LOST] = TO(WORKER_READY),
    [WORKER_GONE] = TO(WORKER_READY),
};

static const struct machine machines[] = {
    {"job", JOB_STATE_COUNT, job_state_names, job_state_edges},
    {"slice", SLICE_STATE_COUNT, slice_names, slice_edges},
    {"instance", INSTANCE_STATE_COUNT, instance_names, instance_edges},
    {"worker", WORKER_STATE_COUNT, worker_names, worker_edges},
};
enum { MACHINE_JOB, MACHINE_SLICE, MACHINE_INSTANCE, MACHINE_WORKER };

static const char *name_of(const char *const *names, int count, int number)
{
    return number >= 0 && number < count ? names[number] : "?";
}

static int number_of(const char *const *names, int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    return -1;
}

static bool may(const struct machine *machine, int from, int to)
{
    return from >= 0 && from < machine->count && to >= 0 && to < machine->count && (machine->edges[from] & TO(to)) != 0;
}

const char *outcome_name(int outcome)
{
    return outcome == OUTCOME_NONE ? NULL : name_of(outcome_names, OUTCOME_COUNT, outcome);
}

const char *cleanup_name(int cleanup)
{
    return name_of(cleanup_names, CLEANUP_COUNT, cleanup);
}

const char *job_state_name(int state)
{
    return name_of(job_state_names, JOB_STATE_COUNT, state);
}

const char *slice_state_name(int state)
{
    return name_of(slice_names, SLICE_STATE_COUNT, state);
}

const char *instance_state_name(int state)
{
    return name_of(instance_names, INSTANCE_STATE_COUNT, state);
}

const char *worker_state_name(int state)
{
    return name_of(worker_names, WORKER_STATE_COUNT, state);
}

const char *grade_name(int grade)
{
    return name_of(grade_names, GRADE_COUNT, grade);
}

int outcome_from_name(const char *name)
{
    return number_of(outcome_names, OUTCOME_COUNT, name);
}

int job_state_from_name(const char *name)
{
    return number_of(job_state_names, JOB_STATE_COUNT, name);
}

int slice_state_from_name(const char *name)
{
    return number_of(slice_names, SLICE_STATE_COUNT, name);
}

int instance_state_from_name(const char *name)
{
    return number_of(instance_names, INSTANCE_STATE_COUNT, name);
}

bool job_state_may(int from, int to)
{
    return may(&machines[MACHINE_JOB], from, to);
}

bool slice_may(int from, int to)
{
    return may(&machines[MACHINE_SLICE], from, to);
}

bool instance_may(int from, int to)
{
    return may(&machines[MACHINE_INSTANCE], from, to);
}

bool worker_may(int from, int to)
{
    return may(&machines[MACHINE_WORKER], from, to);
}

bool instance_is_over(int state)
{
    return state == INSTANCE_VERIFIED || state == INSTANCE_PRESUMED_GONE;
}

bool instance_is_live(int state)
{
    return state != INSTANCE_PENDING && !instance_is_over(state);
}

bool instance_is_up(int state)
{
    return state == INSTANCE_STARTING || state == INSTANCE_READY || state == INSTANCE_UNHEALTHY;
}

int job_state_of(int outcome, bool paused, bool started, bool anything_placed, bool anything_leased_or_done)
{
    if (outcome != OUTCOME_NONE)
        return JOB_SUCCEEDED + outcome;
    if (paused)
        return JOB_PAUSED;
    if (started || anything_leased_or_done)
        return JOB_RUNNING;
    return anything_placed ? JOB_STARTING : JOB_QUEUED;
}

static void print_machine(const struct machine *machine, FILE *out)
{
    fprintf(out, "\n## %s\n\n```mermaid\nstateDiagram-v2\n    [*] --> %s\n", machine->name, machine->names[0]);
    for (int from = 0; from < machine->count; from++) {
        for (int to = 0; to < machine->count; to++)
            if (may(machine, from, to))
                fprintf(out, "    %s --> %s\n", machine->names[from], machine->names[to]);
        if (machine->edges[from] == 0)
            fprintf(out, "    %s --> [*]\n", machine->names[from]);
    }
    fprintf(out, "```\n");
}

void states_print_markdown(FILE *out)
{
    fprintf(out, "# States\n\nPrinted from `services/common/model/states.c`, the only place that knows them.\n");
    for (size_t i = 0; i < ARRAY_LEN(machines); i++)
        print_machine(&machines[i], out);
}
