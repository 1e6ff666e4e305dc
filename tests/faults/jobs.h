// The mixed load: jobs with services, with stages that feed each other, with a process for many tasks, with tasks that
// fail at first. Each is meant to succeed whatever dies meanwhile, with every result exactly once.
#pragma once

#include "tests/faults/kinds.h"
#include "tests/support/system_calls.h"

struct engine;

#define JOBS_OPEN 5 // at a time

struct jobs {
    struct system *system;
    struct engine *engine; // where they are containers; NULL: processes
    const struct job_kinds *kinds;
    struct open_job {
        char id[SYSTEM_ID_SIZE];
        int kind; // -1: none
        int64_t results;
    } open[JOBS_OPEN];
    char (*closed_ids)[SYSTEM_ID_SIZE];
    unsigned submitted, closed;
    int violations;
};

void jobs_init(struct jobs *jobs, struct system *system, struct engine *engine /* may be NULL */);
// Submits until JOBS_OPEN are open.
void jobs_fill(struct jobs *jobs);
// Looks at the open ones; what is closed is checked and forgotten. Never waits.
void jobs_look(struct jobs *jobs);
// Waits until all are closed, and checks them. Those that do not close in time are violations.
void jobs_finish(struct jobs *jobs, int64_t timeout_ms);
// When all workers are there again: what was presumed to be gone while one was away is verified by now, and every
// certificate of every job is whole.
void jobs_check_certificates(struct jobs *jobs, int64_t timeout_ms);
