// What a manager tells a worker in the reply to a poll, read into plain structs; and what the worker says back.
//
// Both halves of the worker meet here: the agent (agent.h: registration, polls, reports, the lease) on one side, tasks
// (tasks.h) and services (services.h) on the other.
#pragma once

#include "services/common/base/err.h"
#include "services/common/base/strbuf.h"
#include "services/common/model/job_spec.h"
#include "services/common/model/slice.h"
#include "services/common/model/states.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Where a service of the job is reached.
struct service_address {
    const char *name, *host;
    struct {
        const char *name;
        int number;
    } ports[SPEC_PORTS_MAX];
    size_t port_count;
};

// A leased slice to be run.
struct slice_order {
    const char *slice; // opaque text, echoed in the report
    int64_t token;
    const char *job, *stage;
    int64_t first, count;
    int attempt;
    struct stage_spec run;
    const char **items; // count of them, compact JSON each; NULL: all null
    const struct service_address *services;
    size_t service_count;
    const char *bundle; // "sha256:..." or NULL
    // Tasks that live on from a former life of this worker; of the others nothing is started then.
    const struct slice_adoption {
        int64_t task;
        int64_t logged; // bytes of its log that the manager has
    } *adopted;
    size_t adopted_count;
    struct arena *arena; // owns all of the above; freed by slice_order_free()
};
void slice_order_free(struct slice_order *order); // takes NULL

struct service_order {
    const char *job, *service;
    int epoch;
    const char *object; // deterministic name of the instance
    struct service_spec run;
    const struct service_address *services; // those that it may depend on
    size_t service_count;
    const char *bundle;
    bool adopts; // it lives on from a former life of this worker: nothing is started
    bool ready;  // with adopts: it was ready
    struct arena *arena;
};
void service_order_free(struct service_order *order); // takes NULL

struct instance_name {
    const char *job, *service;
    int epoch;
    const char *reason; // of a stop; NULL otherwise
};

struct slice_name {
    const char *slice;
    int64_t token;
};

struct wire;
struct wire_place;

// The whole reply. Whoever takes an order out of it sets the entry to NULL.
struct poll_reply {
    int64_t lease_ms;
    bool drain;
    bool drill; // kill yourself
    struct slice_order **slices;
    size_t slice_count;
    struct service_order **starts;
    size_t start_count;
    struct instance_name *stops, *verifies;
    size_t stop_count, verify_count;
    struct slice_name *cancels;
    size_t cancel_count;
    const char **stale; // slices of the report that had no lease any more
    size_t stale_count;
    struct arena *arena;
};
// For other answers that name instances: reads one, see wire.h.
void instance_name_read(struct wire *wire, const struct wire_place *place, struct instance_name *out);
struct slice_order *slice_order_read(struct wire *wire, const struct wire_place *place); // the same; NULL: no memory
// Strict; ERR_INVALID says where. A reply that cannot be read is treated like one that was lost.
int poll_reply_read(const char *text, size_t length, struct poll_reply *out, struct err *err) WARN_UNUSED;
void poll_reply_release(struct poll_reply *reply);

// One finished slice, for the report.
struct slice_outcome {
    const char *slice;
    int64_t token;
    const struct slice_range *succeeded; // rising, disjoint
    size_t succeeded_count;
    const struct slice_failed_task {
        int64_t task;
        const char *error; // valid UTF-8
        int exit;          // -1: none
        enum slice_retry retry;
    } *failed;
    size_t failed_count;
    const struct slice_output {
        int64_t task;
        const char *json; // compact, one line
    } *outputs;           // rising by task
    size_t output_count;
};

// What is known of one instance: level, so that the latest says everything.
struct observation {
    const char *job, *service;
    int epoch;
    int state; // enum instance_state: starting ready unhealthy killing stopped failed stuck verified
    const char *object, *host, *boundary, *error; // NULL: not known
    const char *ports;                            // JSON object
    const char *signals;                          // JSON array [{"signal": "SIGTERM", "at": "..."}]
    int exit_code, exit_signal;                   // -1: none
    int grade;                                    // enum grade, -1: none
};
