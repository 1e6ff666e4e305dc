// What users may do to a job: stop, pause, resume, retry, extend, delete; and to a worker: drain, drill.
//
// Each call is one transaction: it locks the job, writes the fact and settles the job. Doing it twice is the same as
// once: after a lost reply the caller simply repeats it. Wakes are added for what was committed; the caller delivers
// them. One thread per connection.
#pragma once

#include "services/common/base/err.h"
#include "services/common/model/quota.h"
#include "services/common/store/wakes.h"

#include <stdbool.h>
#include <stdint.h>

struct db;

enum control_outcome {
    CONTROL_DONE,      // it is recorded, and everything that follows from it at once has happened
    CONTROL_UNCHANGED, // it was so already: nothing was written
    CONTROL_CREATED,   // retry: a new job does the rest
    CONTROL_ACCEPTED,  // delete: the job is being stopped and is deleted once it is closed
};

// `by`: the name of the token that asks, for the job's history; NULL: nobody needed one.
// All return an enum control_outcome. ERR_NOT_FOUND: no such job. ERR_CONFLICT: the job's state speaks against it.

// Ends the job's tasks and services, whatever state it is in; on an ended job it ends the services that are still kept.
int control_stop(struct db *db, int64_t job, const char *by, struct wakes *wakes, struct err *err) WARN_UNUSED;
// No new leases; what runs goes on, services stay. ERR_CONFLICT on an ended job.
int control_pause(struct db *db, int64_t job, const char *by, struct wakes *wakes, struct err *err) WARN_UNUSED;
int control_resume(struct db *db, int64_t job, const char *by, struct wakes *wakes, struct err *err) WARN_UNUSED;
// Failed tasks again. On a job that goes on: in place, CONTROL_DONE and *retried is the job itself. On an ended one,
// whose outcome never changes: a new job of its failed and cancelled tasks, CONTROL_CREATED and *retried is its id,
// which is `fresh` (of id_new()). An ended job has one retry at most, which can be retried in turn: asking again finds
// it, CONTROL_UNCHANGED. A new job is `by`'s. ERR_CONFLICT: nothing to retry, or its tasks are still being ended;
// ERR_LIMIT, ERR_TOO_LARGE: the new job would be above a quota.
int control_retry(struct db *db, int64_t job, int64_t fresh, const struct quota_holder *by, int64_t *retried,
                  struct wakes *wakes, struct err *err) WARN_UNUSED;
// Kept services live for `more_ms` from now, never shorter than before. ERR_CONFLICT when the job keeps none.
int control_extend(struct db *db, int64_t job, int64_t more_ms, const char *by, struct wakes *wakes,
                   struct err *err) WARN_UNUSED;
// Removes a closed job and all that belongs to it. ERR_CONFLICT when it is not closed, unless `force`: then it is
// stopped. One that is not closed at once, or has very many rows, the reaper's retention sweep deletes
// (CONTROL_ACCEPTED).
int control_delete(struct db *db, int64_t job, bool force, const char *by, struct wakes *wakes,
                   struct err *err) WARN_UNUSED;

// The worker gets nothing new and hands back what it has not started; `drain` false takes that back.
int control_drain(struct db *db, int64_t worker, bool drain, struct wakes *wakes, struct err *err) WARN_UNUSED;
// Orders the worker's present life to kill itself, as if by SIGKILL, and gives it nothing more meanwhile: it has to
// have something of `job`, the canary. ERR_CONFLICT: it has not, does not answer, or has something of other jobs as
// well, unless `force`. What it is given in the same instant is treated like everything of a worker that dies.
int control_drill(struct db *db, int64_t worker, int64_t job, bool force, struct wakes *wakes,
                  struct err *err) WARN_UNUSED;
