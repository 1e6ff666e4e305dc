// The worker's side of the protocol with the manager: registration, long-polls, reports, the lease.
//
// One poll with a want at a time, so that after a lost reply the worker knows what it holds and can say so. Measures
// its lease from before each request was sent; when no answer comes in time everything that runs is fenced, here and by
// the shims themselves. When the manager says that its incarnation is over, everything is ended, and a new one begins.
// Single-threaded, on the loop.
#pragma once

#include "services/common/base/err.h"

#include "services/worker/survivors.h"

#include <stdbool.h>
#include <stddef.h>
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
    const char *runtimes_json;
    const char *engine;  // the container engine's id; NULL: none
    const char *trouble; // which runtime it should have and cannot offer, and why; NULL: none
    // The registration before, of which nothing is left on this machine any more; 0: none is known.
    int64_t former_worker;
    int former_incarnation;
    const char *owner; // of its state directory; NULL: it has none, and a reply that is lost costs a lease
};

struct agent_registered {
    const char *deployment;
    int64_t worker;
    int incarnation;
    struct survivors_answer survivors;
};

struct agent_events {
    // Before each registration, where there is an owner: how often one was asked for, this one included, which is on
    // disk when it returns.
    int (*on_register)(void *context, int64_t *registrations, struct err *err);
    // Registered; the deployment's name is known. Called for each incarnation, before its lease is used; the first time
    // the parts are attached with agent_attach(). `survivors` is what is still wanted of what survived, valid during
    // the call. Failure ends the agent: on_failed follows.
    int (*on_registered)(void *context, const struct agent_registered *registered, struct err *err);
    // An answer of the manager: unless another one comes, everything is fenced then (CLOCK_BOOTTIME). May be NULL.
    void (*on_lease)(void *context, int64_t fence_at_ms);
    void (*on_failed)(void *context, const struct err *err); // it cannot go on: a defect of settings or state
};

int agent_new(struct loop *loop, struct http_async *http, const struct agent_settings *settings,
              const struct agent_events *events, void *context, struct agent **out, struct err *err) WARN_UNUSED;
void agent_free(struct agent *agent); // takes NULL; before the parts that it was attached to
// The parts that run things. Before that nothing is polled for.
void agent_attach(struct agent *agent, struct runtime *runtime, struct tasks *tasks, struct services *services,
                  struct logs *logs);
// Registers. `survivors` is what is left of an earlier life, borrowed; NULL: nothing.
void agent_begin(struct agent *agent, struct survivors *survivors);
// What later registrations tell of, borrowed.
void agent_tell_survivors(struct agent *agent, struct survivors *survivors);
void agent_holds_less(struct agent *agent); // a survivor's token is not held any more: the next poll says so

// What the parts have to tell. They return at once.
void agent_slice_done(struct agent *agent, const struct slice_outcome *outcome);
void agent_observed(struct agent *agent, const struct observation *observation);
void agent_look(struct agent *agent); // capacity or logs: see whether there is something to send

void agent_drain(struct agent *agent); // no new work from here on
// Nothing runs, nothing is held, nothing is left to say; or the manager is away for so long that the lease is over.
bool agent_is_drained(const struct agent *agent);
