// Why a job, a task, a service or a worker is not further: the one dominant reason, from facts that somebody has
// gathered. Pure.
//
// Reasons are a table: their names, whom they are about, what they mean and what to do. The reference is printed from
// it. The order of enum why_code is the order of dominance among several services of one job: the first is the answer.
#pragma once

#include "services/common/base/strbuf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum why_code {
    // an ended job and its services
    WHY_CLOSED,
    WHY_STOPPING_TASKS,
    WHY_SERVICE_STUCK,
    WHY_WORKER_UNREACHABLE,
    WHY_STOPPING_SERVICE,
    WHY_VERIFYING,
    WHY_KEPT_BY_POLICY,
    WHY_KEPT_FOR_A_WHILE,
    WHY_PAUSED,
    // services on their way
    WHY_SERVICE_WAITS_DEPENDENCY,
    WHY_SERVICE_NO_WORKER,
    WHY_SERVICE_NO_ROOM,
    WHY_SERVICE_BACKOFF,
    WHY_SERVICE_STARTING,
    WHY_SERVICE_UNHEALTHY,
    // tasks
    WHY_WORKER_SUSPECT,
    WHY_RUNNING,
    WHY_NO_WORKER_FOR_QUEUE,
    WHY_NO_WORKER_WITH_RUNTIME,
    WHY_NO_WORKER_WITH_LABELS,
    WHY_WORKERS_DRAINING,
    WHY_SLOTS_BUSY,
    WHY_RETRY_DELAYED,
    WHY_WAITING_FOR_STAGE,
    // one task
    WHY_MAX_PARALLEL,
    WHY_TASK_SUCCEEDED,
    WHY_TASK_FAILED,
    WHY_TASK_CANCELLED,
    // one service
    WHY_SERVICE_READY,
    WHY_SERVICE_WAITS_TASKS,
    WHY_SERVICE_WAITS_DEPENDENT,
    WHY_SERVICE_NEVER_STARTED,
    WHY_SERVICE_FAILED,
    WHY_SERVICE_GONE,
    WHY_SERVICE_PRESUMED_GONE,
    // a worker
    WHY_WORKER_LOST,
    WHY_WORKER_GONE,
    WHY_WORKER_SILENT,
    WHY_WORKER_QUARANTINED,
    WHY_WORKER_DRAINING,
    WHY_WORKER_DRAINED,
    WHY_WORKER_BUSY,
    WHY_WORKER_TROUBLE,
    WHY_WORKER_WORKING,
    WHY_WORKER_NO_MATCH,
    WHY_WORKER_IDLE,

    WHY_SETTLING, // none of the above: about to change by itself
    WHY_COUNT,
};

// Whom a reason is about, as bits.
enum why_subject { WHY_OF_JOB = 1, WHY_OF_TASK = 2, WHY_OF_SERVICE = 4, WHY_OF_WORKER = 8 };

// ---- facts

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
    const char *dependent;              // one that depends on it and may exist; NULL: none
    const char *worker;                 // name; NULL: none
    bool worker_lost;                   // suspect or lost
    bool ignored;                       // on_failure: ignore
    bool failed;                        // never became ready, or ended without being asked
    const char *error, *stop_reason;    // NULL: none
    int exit_code, exit_signal, grade;  // -1: none
    int64_t since_us;                   // of its state
    int64_t not_before_us, ready_by_us; // 0: none
    struct why_fleet fleet;             // with INSTANCE_PENDING
};

// A job; what is asked about one of its tasks or services is answered with the whole job in view.
struct why_view {
    int64_t now_us;
    int outcome, cleanup;
    bool closed, paused;
    const char *reason; // of its outcome; NULL: none
    unsigned autostop_on;
    int64_t keep_until_us;
    const struct why_service *services; // latest epochs, and ended ones that are not over
    size_t service_count;
    int64_t ready, leased, delayed, held;     // tasks
    const char *suspect_worker;               // name of one that has tasks of this job and does not answer; NULL: none
    int64_t due_us;                           // of the earliest delayed task; 0: none
    const char *waiting_stage, *waited_stage; // an unreleased stage and one that it waits for; NULL: none
    struct why_fleet fleet;                   // of the ready tasks' demand with the most tasks; of the task asked about
};

struct why_task {
    const char *stage;
    int64_t index;
    int state; // enum slice_state
    int attempt, failures, retries_max;
    int64_t max_parallel;     // 0: no limit
    const char *worker;       // name; NULL: none
    bool worker_lost;         // suspect or lost
    bool cancel;              // its worker is asked to end it
    const char *waited_stage; // that has to be closed before; NULL: none
    int64_t leased_us, due_us;
    const char *error; // of its last failure; NULL: none
    int exit;          // -1: none
};

struct why_worker {
    const char *name;
    int state; // enum worker_state
    bool drain;
    const char *note, *trouble; // NULL: none
    int64_t now_us, lease_until_us;
    int64_t slots, running, services;
    bool something_for_it;       // ready tasks or services that it could take
    const char *other_demand;    // JSON of one that waits and that it cannot take; NULL: none
    const char *other_demand_is; // what it lacks for that: "queue", "runtime" or "labels"
};

// ---- answers

// `evidence` is a JSON object, `advice` what to do ("" when nothing).
struct why {
    enum why_code code;
    char message[256];
    const char *advice; // of the table
    struct strbuf evidence;
};
#define WHY_INIT {0}
#define AUTO_WHY CLEANUP(why_release)

void why_release(struct why *why);
// Memory that runs out shows in why->evidence.
void why_decide_job(const struct why_view *view, struct why *why);
void why_decide_task(const struct why_view *view, const struct why_task *task, struct why *why);
void why_decide_service(const struct why_view *view, const struct why_service *service, struct why *why);
void why_decide_worker(const struct why_worker *worker, struct why *why);

const char *why_code_name(enum why_code code); // "no_worker_for_queue"
void why_print_markdown(FILE *out);            // docs/reference/why.md
