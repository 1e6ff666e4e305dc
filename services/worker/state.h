// What a worker knows of its former life: files in its state directory, which one living worker has for itself.
#pragma once

#include "services/common/base/err.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#define STATE_OWNER_SIZE 17

struct state {
    char *directory;
    char *deployment;      // NULL until it is known: from here, or from the first registration
    int64_t former_worker; // 0: there was none here
    int former_incarnation;
    int64_t registrations;        // how often one was asked for from here
    bool had_engine;              // it was registered with a container engine
    char owner[STATE_OWNER_SIZE]; // of containers and registrations: a random name, as old as the directory
};

// Makes the directory where it is not there, and reads what is in it. Release it on failure too.
int state_open(const char *directory, struct state *out, struct err *err) WARN_UNUSED;
void state_release(struct state *state);
// The path of a file in it.
int state_path(const struct state *state, const char *name, char out[static PATH_MAX], struct err *err);

// On disk when they return.
int state_keep_deployment(struct state *state, const char *deployment, struct err *err) WARN_UNUSED;
// One more registration is asked for: how many that makes.
int state_count_registration(struct state *state, int64_t *out, struct err *err) WARN_UNUSED;
// What the next life has to prove that it has looked for; before anything is run under it.
// `engine` is the id of its container engine; NULL: none.
int state_keep_registration(struct state *state, int64_t worker, int incarnation, const char *engine,
                            struct err *err) WARN_UNUSED;
