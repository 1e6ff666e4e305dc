// The worker's side of the protocol with the manager: registration, long-polls, reports, the lease.
//
// One poll with a want at a time, so that after a lost reply the worker knows what it holds and can say so. Measures
// its lease from before each request was sent; when no answer comes in time everything that runs is fenced, here and by
// the shims themselves. When the manager says that its incarnation is over, everything is ended, and a new one begins.
// Single-threaded, on the loop.
#pragma once

#include "services/common/base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct agent;
struct http_async;
struct logs;
struct loop;
struct observation;
struct runtime;
struct services;
struct slice_outcome;
struct tasks;

struct agent_settings {
    const char *name, *host, *boot;
    const char *queues_json, *labels_json;
    const char *const *queues; // the same, for `want`; ends with NULL
    int slots;
    // The registration before, of which nothing is left on this machine any more; 0: none is known.
    int64_t former_worker;
    int former_incarnation;
};

struct agent_events {
    // Registered; the deployment's name is known. Called for each incarnation, before its lease is used; the first time
    // the parts are attached with agent_attach(). Failure ends the agent: on_failed follows.
    int (*on_registered)(void *context, const char *deployment, int64_t worker, int incarnation, struct err *err);
    void (*on_failed)(void *context, const struct err *err); // it cannot go on: a defect of settings or state
};

int agent_new(struct loop *loop, struct http_async *http, const struct agent_settings *settings,
              const struct agent_events *events, void *context, struct agent **out, struct err *err) WARN_UNUSED;
void agent_free(struct agent *agent); // takes NULL; before the parts that it was attached to
// The parts that run things. Before that nothing is polled for.
void agent_attach(struct agent *agent, struct runtime *runtime, struct tasks *tasks, struct services *services,
                  struct logs *logs);
void agent_begin(struct agent *agent); // registers; nothing of an earlier life may be left

// What the parts have to tell. They return at once.
void agent_slice_done(struct agent *agent, const struct slice_outcome *outcome);
void agent_observed(struct agent *agent, const struct observation *observation);
void agent_look(struct agent *agent); // capacity or logs: see whether there is something to send

void agent_drain(struct agent *agent);            // no new work from here on
bool agent_is_drained(const struct agent *agent); // nothing is held, nothing is left to say
