// Runs the tasks of leased slices: `exec` (a process per task) and `stream` (a process per slot, NDJSON), through a
// runtime.
//
// Owns the worker's slots. Reports each slice exactly once through on_done, when all of its tasks have ended or it was
// cancelled and everything of it is seen to be gone (runtime's `gone`, not just an exit). Never blocks. A task's
// timeout, its output file, its working directory (workspace.h) and its log (logs.h) are handled here.
#pragma once

#include "services/worker/orders.h"

struct tasks;
struct loop;
struct runtime;
struct workspaces;
struct logs;

struct tasks_settings {
    int slots;
    const char *secrets_directory; // NULL: none
    const char *deployment;        // for CURFEW_ variables and identities
};

struct tasks_events {
    // A slice has ended; `outcome` is valid during the call. Unnamed tasks were not started or were cancelled.
    void (*on_done)(void *context, const struct slice_outcome *outcome);
    // Slots became free: want may be higher than before.
    void (*on_capacity)(void *context);
};

int tasks_new(struct loop *loop, struct runtime *runtime, struct workspaces *workspaces, struct logs *logs,
              const struct tasks_settings *settings, const struct tasks_events *events, void *context,
              struct tasks **out, struct err *err) WARN_UNUSED;
void tasks_free(struct tasks *tasks); // cuts whatever still runs; takes NULL

// Takes over the order, even when it cannot run (then every task fails with the reason).
void tasks_accept(struct tasks *tasks, struct slice_order *order);
// A task that lives on from a former life of this worker.
struct task_survivor {
    int64_t task;
    const char *identity;
    int64_t begun_boot_ms;
    bool taken; // out: it is here now, and what becomes of it is part of the slice's outcome
};
// Takes over the order of a slice that is leased to this worker since a former life: what lives on of order->adopted
// goes on, all other survivors are ended, and nothing is started. Negative: nothing is held, nothing was taken.
int tasks_adopt(struct tasks *tasks, struct slice_order *order, struct task_survivor *survivors, size_t count,
                struct err *err) WARN_UNUSED;
// Ends the slice's tasks (stop signal, grace, kill); on_done follows. Unknown: nothing happens.
void tasks_cancel(struct tasks *tasks, const char *slice, int64_t token);
// How many more tasks to ask for: enough to keep the slots busy for about a fifth of a second by what tasks took
// lately (1 per free slot at first, at most 1,000), 0 when there is enough in hand.
int64_t tasks_want(const struct tasks *tasks);
// The same for every slice.
void tasks_cancel_all(struct tasks *tasks);
// Tokens of all slices that were accepted and for which on_done was not called yet. Returns how many were written.
size_t tasks_held(const struct tasks *tasks, int64_t *tokens, size_t capacity);
// Not started tasks are given back (on_done names only what has ended); what runs may end. For a drain.
void tasks_hand_back(struct tasks *tasks);
// Kills everything at once (self-fence, stale incarnation): no on_done is called for slices of before.
void tasks_abandon(struct tasks *tasks);
size_t tasks_running(const struct tasks *tasks); // processes that are not seen to be gone
