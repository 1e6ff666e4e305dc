// Systems whose jobs run as containers: a private engine (engine.h), a whole Curfew at it (system.h), and what is left
// of a job at the engine, by Debian's client and not by Curfew's word.
//
// What goes wrong in a helper itself ends the test program with a message.
#pragma once

#include "tests/support/engine.h"
#include "tests/support/system_calls.h"

#define CONTAINERS_SWEEP_MS 10000 // networks go when whoever made them looks again
#define CONTAINER_ID_SIZE 72

// An engine whose containers outlive a dockerd that is killed. Call it before anything else is started.
struct engine *containers_engine_start(void);
// The same with its data on disk, where the test can change it: below "data" beside the socket.
struct engine *containers_engine_start_on_disk(void);
// Ends both. Returns how many violations of the system there were, for a group's teardown.
int containers_end(struct system *system, struct engine *engine);

// The ids of what runs now for this service ("" or NULL: for tasks) of the job, "\n" behind each, in a fixed order.
// Free with free().
char *containers_running(struct engine *engine, const char *job, const char *service);
// Waits until exactly one of them runs, and copies its id.
void containers_wait_one(struct engine *engine, const char *job, const char *service, char id[CONTAINER_ID_SIZE]);
// How many containers, networks and volumes of a closed job there are; prints them. Containers have to be gone now,
// networks and volumes within CONTAINERS_SWEEP_MS.
int containers_left(struct engine *engine, const char *job);
