// A pretended worker that speaks the protocol with a real manager and does what it is told at once: tasks succeed,
// services become ready and stop. For tests of the manager; one thread per worker.
#pragma once

#include "services/common/base/macros.h"
#include "tests/support/manager.h"

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

struct fake_worker {
    struct http_client *client;
    int64_t id;
    int incarnation;
    char poll_path[64], report_path[64];
    bool holds_tasks;             // keeps what it is given instead of reporting it
    bool holds_nothing;           // says so with each poll: what it lost with a reply or a report goes back
    bool holds_services;          // does not say that services are ready
    bool is_pull;                 // an outside worker
    int64_t tasks, starts, stops; // done so far
};

// Registers under `name`, for queue "default". With id and incarnation set it says that it was these before.
void fake_worker_init(struct fake_worker *worker, const struct manager *manager, const char *name);
void fake_worker_release(struct fake_worker *worker);
// One poll: the status and the reply (json_object_put). `want` tasks of queue "default".
int fake_worker_poll(struct fake_worker *worker, int wait_ms, int64_t want, struct json_object **reply);
// Does what a poll's reply says and reports it.
void fake_worker_obey(struct fake_worker *worker, struct json_object *reply);
// Polls and obeys once.
void fake_worker_step(struct fake_worker *worker, int wait_ms, int64_t want);
// Steps until the job has this cleanup (or state), for at most timeout_ms.
bool fake_worker_until(struct fake_worker *worker, struct manager *manager, const char *job, const char *state,
                       const char *cleanup, int64_t timeout_ms);
int fake_worker_report(struct fake_worker *worker, const char *members, struct json_object **reply);
