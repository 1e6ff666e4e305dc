// Runs the service instances of this worker through a runtime: start, readiness and health (tcp, http, exec, log), stop
// with grace, the second look that verifies. Reports what it sees through on_observation, whenever it changes.
//
// Restarts are the manager's decision (a new epoch); here an instance lives once. Remembers ended and refused epochs,
// so that an order that is repeated, or arrives after its stop, starts nothing. An instance that does not go after a
// kill, or of which the runtime may not end something, is `stuck`.
#pragma once

#include "services/worker/orders.h"

struct services;
struct loop;
struct runtime;
struct workspaces;
struct logs;
struct http_async;

struct services_settings {
    const char *advertise;         // the address that others reach
    const char *secrets_directory; // NULL: none
    const char *deployment;
    int64_t stuck_after_ms; // after a kill
    int most;               // instances at once
};

struct services_events {
    // `observation` is valid during the call.
    void (*on_observation)(void *context, const struct observation *observation);
    // services_abandon() has let go of a container that lives on. May be NULL.
    void (*on_left)(void *context, const char *identity);
};

int services_new(struct loop *loop, struct runtime *runtime, struct workspaces *workspaces, struct logs *logs,
                 struct http_async *http, const struct services_settings *settings,
                 const struct services_events *events, void *context, struct services **out,
                 struct err *err) WARN_UNUSED;
void services_free(struct services *services); // takes NULL

// Takes over the order: starts the instance, or takes over one that lives on from a former life of this worker
// (adopts). A known (job, service, epoch) is ignored; one that was stopped before is reported again.
void services_start(struct services *services, struct service_order *order);
// Stops with the spec's grace. Asked twice is once. Unknown here: it makes sure that nothing of that identity exists,
// reports stopped and verified with grade absent, and never starts it afterwards.
void services_stop(struct services *services, const char *job, const char *service, int epoch);
// Looks again at an ended instance and reports what it sees.
void services_verify(struct services *services, const char *job, const char *service, int epoch);
// Calls on_observation for every instance that is not yet over: after a new registration or a lost reply.
void services_report_all(struct services *services);
bool services_know(const struct services *services, const char *job, const char *service, int epoch);
int services_room(const struct services *services); // how many more it takes
size_t services_running(const struct services *services);
void services_stop_all(struct services *services); // for the worker's own end: in reverse order of starting
// The lease is over: kills everything at once, but for containers, which may outlive it. Observations still come.
void services_fence(struct services *services);
// The incarnation is over: the same, and what lives on is told (on_left) and forgotten. The next incarnation is asked
// for it.
void services_abandon(struct services *services);
