// The states of jobs, slices, instances and workers: the only place that knows their numbers, names and transitions.
//
// The numbers are what the database stores. Documentation and diagrams are printed from these tables, and a test holds
// them against what SQL refers to. Pure; no I/O.
#pragma once

#include <stdbool.h>
#include <stdio.h>

enum outcome { OUTCOME_SUCCEEDED, OUTCOME_FAILED, OUTCOME_STOPPED, OUTCOME_TIMED_OUT };
#define OUTCOME_NONE (-1) // not yet
#define OUTCOME_COUNT 4

enum cleanup { CLEANUP_NONE, CLEANUP_PENDING, CLEANUP_CLEAN, CLEANUP_STUCK, CLEANUP_KEPT };
#define CLEANUP_COUNT 5

enum job_phase { PHASE_WAITING, PHASE_RELEASED }; // for its services to be ready; its tasks may be claimed

// What users see; derived, never stored.
enum job_state {
    JOB_QUEUED,
    JOB_STARTING,
    JOB_RUNNING,
    JOB_PAUSED,
    JOB_SUCCEEDED,
    JOB_FAILED,
    JOB_STOPPED,
    JOB_TIMED_OUT
};
#define JOB_STATE_COUNT 8

enum slice_state {
    SLICE_HELD,
    SLICE_READY,
    SLICE_LEASED,
    SLICE_DELAYED,
    SLICE_SUCCEEDED,
    SLICE_FAILED,
    SLICE_CANCELLED
};
#define SLICE_STATE_COUNT 7

enum instance_state {
    INSTANCE_PENDING,  // wanted, no worker yet
    INSTANCE_PLACING,  // given to a worker, not yet heard of
    INSTANCE_STARTING, // its worker has started it
    INSTANCE_READY,
    INSTANCE_UNHEALTHY,    // was ready, its check fails
    INSTANCE_STOPPING,     // its worker is asked to stop it
    INSTANCE_KILLING,      // the grace is over
    INSTANCE_STOPPED,      // gone after a stop was asked for
    INSTANCE_FAILED,       // gone without being asked, or never ready
    INSTANCE_STUCK,        // would not die: its worker is quarantined
    INSTANCE_LOST,         // its worker is lost and has to fence itself
    INSTANCE_VERIFIED,     // gone, seen by a second look: the end
    INSTANCE_PRESUMED_GONE // its host is unreachable, its self-fence time is over: the end, unless the host comes back
};
#define INSTANCE_STATE_COUNT 13

enum worker_state { WORKER_READY, WORKER_SUSPECT, WORKER_DRAINING, WORKER_QUARANTINED, WORKER_LOST, WORKER_GONE };
#define WORKER_STATE_COUNT 6

enum grade { GRADE_EXIT, GRADE_ABSENT, GRADE_VERIFIED, GRADE_PRESUMED };
#define GRADE_COUNT 4

enum service_failure { SERVICE_FAIL_JOB, SERVICE_RESTART, SERVICE_IGNORE };

// Names as in the API: "timed_out". A number out of range is a defect: "?".
const char *outcome_name(int outcome); // OUTCOME_NONE: NULL
const char *cleanup_name(int cleanup);
const char *job_state_name(int state);
const char *slice_state_name(int state);
const char *instance_state_name(int state);
const char *worker_state_name(int state);
const char *grade_name(int grade);

// The number of a name, or -1.
int outcome_from_name(const char *name);
int job_state_from_name(const char *name);
int slice_state_from_name(const char *name);
int instance_state_from_name(const char *name);

// True when the machine has an edge from -> to. Staying is no edge.
bool slice_may(int from, int to);
bool instance_may(int from, int to);
bool worker_may(int from, int to);
bool job_state_may(int from, int to);

bool instance_is_over(int state); // verified or presumed gone: nothing more is expected
bool instance_is_live(int state); // something of it may exist: placing to lost
bool instance_is_up(int state);   // starting, ready or unhealthy: it may be stopped with grace

// What users see of a job. `started`: its started_at is set; `anything_placed`: an instance was given to a worker.
int job_state_of(int outcome, bool paused, bool started, bool anything_placed, bool anything_leased_or_done);

// Mermaid state diagrams and tables of all machines, for docs/reference/states.md.
void states_print_markdown(FILE *out);
