// What the files of tasks.h share: tasks.c (slices, slots, what to ask for), task_exec.c (a process per task),
// task_stream.c and task_stream_lines.c (processes that take many tasks).
#pragma once

#include "services/common/base/loop.h"
#include "services/common/base/strbuf.h"
#include "services/worker/last_line.h"
#include "services/worker/logs.h"
#include "services/worker/runtime.h"
#include "services/worker/slice_run.h"
#include "services/worker/task_verdict.h"
#include "services/worker/tasks.h"
#include "services/worker/workspace.h"

#include <stdbool.h>
#include <stdint.h>

#define TASK_GRACE_MS 5000 // between TERM and KILL of a task that is cancelled

struct tasks {
    struct loop *loop;
    struct runtime *runtime;
    struct workspaces *workspaces;
    struct logs *logs;
    struct tasks_settings settings;
    char *secrets_directory;
    struct tasks_events events;
    void *context;
    struct loop_timer *timer; // the next look at everything
    struct slice_run *first, *last;
    struct task_exec *execs;
    struct stream_process *streams;
    unsigned stream_count; // so far, for their names
    int slots_used;
    int64_t average_us;      // what a task took lately; 0: not known
    int64_t slice_budget_ms; // after so long a slice starts no more tasks: the others may run elsewhere
    int64_t weight;          // slots that a task of the latest slice takes
    bool is_streaming;       // the latest slice was of mode `stream`
    int64_t told_want;
    bool draining;
};

// Slots that a task, or a process of the stage, takes.
int tasks_slots_of(const struct slice_run *slice);
int tasks_slots_free(const struct tasks *tasks);
void tasks_look_soon(struct tasks *tasks); // something has changed
void tasks_took(struct tasks *tasks, int64_t microseconds);
void tasks_apply(struct slice_run *slice, int64_t task, const struct task_verdict *verdict); // SUCCEEDED: no outputs

// ---- a process per task

// Starts the slice's next task; there are slots for it. It may have failed when this returns.
void task_exec_start(struct tasks *tasks, struct slice_run *slice);
// The same for a task that lives on. `adoption` NULL: it is ended, and nothing is said of it. False: it is not taken.
bool task_exec_adopt(struct tasks *tasks, struct slice_run *slice, const struct task_survivor *survivor,
                     const struct slice_adoption *adoption);
// Ends the tasks of a slice; `slice` loses its active tasks as they go.
void task_exec_cancel(struct tasks *tasks, const struct slice_run *slice);
void task_exec_abandon(struct tasks *tasks); // kills all; they know no slice any more
void task_exec_free_all(struct tasks *tasks);
size_t task_exec_running(const struct tasks *tasks);
int task_exec_orphan_slots(const struct tasks *tasks); // held by those that know no slice any more

// ---- a process for many tasks

// What a process has to have been started with, so that the slice's tasks can go there. NULL: no memory.
char *task_stream_key(const struct slice_run *slice, const char *const *environment);
// Gives the slice's next task to a process, a new one if there are slots. False: there is no place now.
bool task_stream_place(struct tasks *tasks, struct slice_run *slice);
// Asks processes without work to end, other than those of `key` (may be NULL): their slots are needed.
void task_stream_reclaim(struct tasks *tasks, const char *key);
// Asks the stage's processes that have no task to end. True when there are none (left) at all.
bool task_stream_finish(struct tasks *tasks, const char *job, const char *stage);
void task_stream_cancel(struct tasks *tasks, const struct slice_run *slice);
void task_stream_abandon(struct tasks *tasks);
void task_stream_free_all(struct tasks *tasks);
size_t task_stream_running(const struct tasks *tasks);
int task_stream_orphan_slots(const struct tasks *tasks);
