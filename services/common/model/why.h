// Why a job is not further: the one dominant reason, from facts that somebody has gathered. Pure.
//
// The order of enum why_code is the order of dominance: the first that holds is the answer.
#pragma once

#include "services/common/base/strbuf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum why_code {
    WHY_CLOSED,             // nothing is left to wait for
    WHY_STOPPING_TASKS,     // ended; its last tasks are being ended
    WHY_SERVICE_STUCK,      // ended; a service would not die
    WHY_WORKER_UNREACHABLE, // ended; a service's worker does not answer
    WHY_STOPPING_SERVICE,   // ended; a service uses its grace
    WHY_VERIFYING,          // ended; a stopped service's absence is being verified
    WHY_KEPT_BY_POLICY,     // ended; services are kept since autostop is off for this outcome
    WHY_KEPT_FOR_A_WHILE,   // ended; linger or keep_on_failure
    WHY_PAUSED,
    WHY_SERVICE_WAITS_DEPENDENCY, // a service waits for one that it depends on
    WHY_SERVICE_NO_WORKER,        // no worker could ever take the service
    WHY_SERVICE_NO_ROOM,          // those that could are full, suspect or draining
    WHY_SERVICE_BACKOFF,          // a service is to be restarted later
    WHY_SERVICE_STARTING,         // a service is not ready yet
    WHY_SERVICE_UNHEALTHY,        // tasks are held back
    WHY_WORKER_SUSPECT,           // a worker with its tasks does not answer
    WHY_RUNNING,                  // tasks are being run
    WHY_NO_WORKER_FOR_QUEUE,      // nobody serves the queue
    WHY_NO_WORKER_WITH_RUNTIME,   // ... with the runtime
    WHY_NO_WORKER_WITH_LABELS,    // ... with the labels
    WHY_WORKERS_DRAINING,         // all who could are draining, quarantined or suspect
    WHY_SLOTS_BUSY,               // all who could are busy
    WHY_RETRY_DELAYED,            // a failed task waits for its next attempt
    WHY_WAITING_FOR_STAGE,        // nothing is released; a stage waits for another
    WHY_SETTLING,                 // none of the above: about to change by itself
    WHY_COUNT,
};

// A demand that the job waits for, matched against the workers that are not lost or gone.
struct why_fleet {
    const char *queue, *runtime, *labels;          // as the demand says; runtime "": any
    int64_t workers;                               // all
    int64_t with_queue, with_runtime, with_labels; // each among the former
    int64_t accepting;                             // of with_labels: ready, not draining
    const char *trouble; // "worker 'w1': ...": why one of with_queue cannot offer a runtime; NULL: none says so
};

struct why_service {
    const char *name;
    int epoch;
    int state;                          // enum instance_state; -1: no instance yet
    const char *depends_on;             // with state -1: the first dependency that is not ready; NULL: none
    const char *worker;                 // name; NULL: none
    bool worker_lost;                   // suspect or lost
    int64_t since_us;                   // of its state
    int64_t not_before_us, ready_by_us; // 0: none
    struct why_fleet fleet;             // with INSTANCE_PENDING
};

struct why_view {
    int64_t now_us;
    int outcome, cleanup;
    bool closed, paused;
    unsigned autostop_on;
    int64_t keep_until_us;
    const struct why_service *services; // latest epochs, and ended ones that are not over
    size_t service_count;
    int64_t ready, leased, delayed, held;     // tasks
    const char *suspect_worker;               // name of one that has tasks of this job and does not answer; NULL: none
    int64_t due_us;                           // of the earliest delayed task; 0: none
    const char *waiting_stage, *waited_stage; // an unreleased stage and one that it waits for; NULL: none
    struct why_fleet fleet;                   // of the ready tasks' demand with the most tasks
};

// `evidence` is a JSON object, `advice` what to do ("" when nothing).
struct why {
    enum why_code code;
    char message[256];
    char advice[256];
    struct strbuf evidence;
};
#define WHY_INIT {0}
#define AUTO_WHY CLEANUP(why_release)

void why_release(struct why *why);
// Memory that runs out shows in why->evidence.
void why_decide(const struct why_view *view, struct why *why);
const char *why_code_name(enum why_code code); // "no_worker_for_queue"
