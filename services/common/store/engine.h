// What a reaper that reaches a container engine has to know, and to write down, of what it sees there.
//
// It holds the engine's row of `leader`, "engine/ID" (reaper.h), which it renews only when it has reached the engine;
// each transaction here checks that row's epoch. As long as it is held, what lost workers have at the engine is left to
// its holder: their slices stay leased and their instances lost, until it has ended the containers and says so.
#pragma once

#include "services/common/store/reaper.h"

#include <stdbool.h>
#include <stddef.h>

// What is to become of a container that carries our deployment's label.
enum engine_verdict {
    ENGINE_LEAVE,  // its worker's
    ENGINE_FINISH, // of a lost worker or of a former life: it is stopped, and that is recorded
    ENGINE_ORPHAN, // no row wants it
};

#define ENGINE_TOKEN_STREAM (-1)

// One listed container: a service's instance (`token` 0) or a task.
struct engine_seen {
    int64_t job;
    const char *service;
    int epoch;
    int64_t token;               // ENGINE_TOKEN_STREAM: it serves many slices
    const char *holder;          // the name of the worker that made it; "" when it is not said
    enum engine_verdict verdict; // out
    int64_t worker;              // out, whose it is; 0: nobody's
};

// Judges what was listed at this engine.
int engine_judge(struct db *db, const char *engine, struct engine_seen *seen, size_t count,
                 struct err *err) WARN_UNUSED;

// How a container ended that the reaper has stopped.
struct engine_end {
    int64_t job;
    const char *service;
    int epoch;
    int exit_code;       // -1: not known
    const char *signals; // JSON as in a certificate; NULL: none
    const char *error;   // NULL: none
};
// Records that it has ended and was removed: `stopped`, with grade exit; a later listing without it makes it verified
// (engine_gone). 0 when the row has moved on. `sweep` is under the engine's leadership.
int engine_ended(const struct sweep *sweep, const struct engine_end *end, struct err *err) WARN_UNUSED;

// Something of such a container is there that its engine has forgotten, and that nobody here may end: `text` says what,
// and what to do. The instance is `stuck` until engine_ended(). 0 when that is known, or the row has moved on. `sweep`
// is under the engine's leadership.
int engine_remains(const struct sweep *sweep, const struct engine_seen *seen, const char *text,
                   struct err *err) WARN_UNUSED;

// Workers that are lost, or have something of a former life, at this engine: *workers is the caller's to free. Returns
// how many.
int engine_debtors(const struct sweep *sweep, const char *engine, int64_t **workers, struct err *err) WARN_UNUSED;
// A listing shows nothing any more of what such a worker had at this engine: its instances there are verified to be
// gone, its slices are taken back. Returns how many it took.
int engine_gone(const struct sweep *sweep, const char *engine, int64_t worker, struct err *err) WARN_UNUSED;

// What a look has seen.
struct engine_sight {
    const char *engine;
    int containers, orphans;
    int networks_kept; // of jobs that are over: the engine refuses to remove them and lists nothing in them
    bool refused;      // too many orphans to believe it
};
// For metrics and the doctor.
int engine_note(const struct sweep *sweep, const struct engine_sight *sight, struct err *err) WARN_UNUSED;

// Whether the job is open, so that its network may be in use. Sets `open` for each.
int engine_jobs_open(struct db *db, const int64_t *jobs, bool *open, size_t count, struct err *err) WARN_UNUSED;
