// Workers come and go: registration, and what happens to the work of one that is lost or came back.
//
// The rules are PROTOCOL's: a name belongs to one incarnation at a time; the work of a former incarnation is given back
// before the new one gets any. Locks: the worker, then its jobs by id.
#pragma once

#include "services/common/base/err.h"
#include "services/common/store/wakes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct db;

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
};

#define DEPLOYMENT_SIZE 64
struct worker_registered {
    int64_t worker;
    int incarnation;
    int64_t retry_ms; // REGISTER_NAME_TAKEN: when the former one's lease is over
    char deployment[DEPLOYMENT_SIZE];
};

enum register_outcome { REGISTER_DONE, REGISTER_NAME_TAKEN };

// Returns an enum register_outcome. The lease of `lease_ms` begins now.
int workers_register(struct db *db, const struct worker_registration *registration, int64_t lease_ms,
                     struct worker_registered *out, struct wakes *wakes, struct err *err) WARN_UNUSED;

// For transactions that hold the lock of a worker which is not coming back as it was.

// Who says that the worker's process instances are gone.
enum worker_absence {
    ABSENCE_PRESUMED, // nobody: its lease and the allowance for skew are over, so that it has fenced itself
    ABSENCE_VERIFIED, // its host: the machine was booted again, or the worker has looked
    ABSENCE_UNKNOWN,  // nobody yet: they become lost
};

// Takes back what the worker's incarnations before `before` have: leased slices become ready again (a counted failure,
// the attempt is kept), or failed when they are out of retries, or cancelled when their job has ended; instances become
// lost, and those of the process runtime gone as `absence` says. Settles the jobs. `why` is what the tasks' errors say.
// Returns how many slices and instances it took.
int workers_take_back(struct db *db, int64_t worker, int before, enum worker_absence absence, const char *why,
                      struct wakes *wakes, struct err *err) WARN_UNUSED;
