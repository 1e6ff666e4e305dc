// Workers come and go: registration, and what happens to the work of one that is lost or came back.
//
// A name belongs to one incarnation at a time; what a former incarnation has is given back before the new one gets
// anything, but for containers that outlived it: what is still wanted of them goes on under the new one. Only the next
// life of the same worker may claim them, which its state directory proves. Locks: the worker, then its jobs by id.
#pragma once

#include "services/common/base/err.h"
#include "services/common/store/wakes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct db;

// An instance that a worker found at its engine when it came back.
struct worker_found {
    int64_t job;
    const char *service;
    int epoch;
    bool kept; // out: it is still wanted and this worker's; an order to take it over follows
};

struct worker_registration {
    const char *name, *host, *boot;
    const char *const *runtimes;
    size_t runtime_count;
    const char *const *queues;
    size_t queue_count;
    const char *labels; // a JSON object of texts
    int slots;
    // The registration before, when the worker has looked: nothing of that is left. 0: it cannot say. Only who was that
    // worker and incarnation can know, so it has to be the one that the name belongs to now.
    int64_t former_worker;
    int former_incarnation;
    // From which state directory it comes, by a name that only that has, and how often a registration was asked for
    // from there, this one included. Whoever has been registered from there before has left nothing either. NULL: not
    // said.
    const char *owner;
    int64_t registrations;
    const char *engine;  // the engine that it reaches, and has looked at; NULL: none
    const char *trouble; // which runtime it cannot offer, and why; NULL: none
    struct worker_found *found;
    size_t found_count;
    const int64_t *held; // tokens of tasks whose containers are still there: leased to it until it no longer says so
    size_t held_count;
    // Of those in `held`: what could go on in the new life.
    const struct worker_adoptable {
        int64_t token, task;
    } *adoptable;
    size_t adoptable_count;
    struct arena *arena; // for `adopted`; NULL when nothing is adoptable
};

// A task that goes on in the new life of its worker, and the slice that it is of.
struct worker_adopted {
    int64_t job, token, first, count;
    int stage, attempt;
    const char *stage_name, *run; // what to run, JSON
    int64_t task;
    int64_t logged; // bytes of its log that have come
};

#define DEPLOYMENT_SIZE 64
#define ENGINE_SIZE 128
#define OWNER_SIZE 128
struct worker_registered {
    int64_t worker;
    int incarnation;
    int64_t retry_ms; // REGISTER_NAME_TAKEN: when the former one's lease is over
    char deployment[DEPLOYMENT_SIZE];
    struct worker_adopted *adopted; // by token and task
    size_t adopted_count;
};

enum register_outcome { REGISTER_DONE, REGISTER_NAME_TAKEN };

// Returns an enum register_outcome. The lease of `lease_ms` begins now. Sets `kept` of what was found: of a worker that
// cannot prove who it was, nothing is. Of one that was lost meanwhile nothing is adopted either: what ended its tasks
// may have been the reaper.
int workers_register(struct db *db, const struct worker_registration *registration, int64_t lease_ms,
                     struct worker_registered *out, struct wakes *wakes, struct err *err) WARN_UNUSED;

// For transactions that hold the lock of a worker which is not coming back as it was.

// Who says that the worker's process instances are gone.
enum worker_absence {
    ABSENCE_PRESUMED, // nobody: its lease and the allowance for skew are over, so that it has fenced itself
    ABSENCE_VERIFIED, // its host: the machine was booted again, or the worker has looked
    ABSENCE_UNKNOWN,  // nobody yet: they become lost
};

struct worker_loss {
    int64_t worker;
    int before; // what its incarnations before this one have
    enum worker_absence absence;
    const char *engine;   // where its containers are; NULL: it had none
    bool engine_was_seen; // somebody has looked there: what is not in `survivors` is gone
    const char *why;      // what the tasks' errors say
    // What goes on under incarnation `before`; NULL: nothing.
    const struct worker_registration *survivors;
};

// Takes back what a worker's former incarnations have: leased slices become ready again (a counted failure, the attempt
// is kept), or failed when they are out of retries, or cancelled when their job has ended; instances become lost, and
// those of the process runtime gone as `absence` says. What has or may have a container at an engine that a reaper
// watches (engine_is_watched() in SQL) waits until that reaper has ended it: slices stay leased, instances are lost.
// Settles the jobs. Returns how many slices and instances it took.
int workers_take_back(struct db *db, const struct worker_loss *loss, struct wakes *wakes, struct err *err) WARN_UNUSED;
