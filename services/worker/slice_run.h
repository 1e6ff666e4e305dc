// A slice that is being run: which of its tasks have been started, and how those that have ended went. Pure
// book-keeping: it starts nothing.
#pragma once

#include "services/common/base/err.h"
#include "services/worker/environment.h"
#include "services/worker/orders.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SLICE_OUTPUT_BYTES_MAX ((int64_t)4 << 20) // of outputs in a report, before the slice takes no more tasks
#define SLICE_REPORT_BYTES_MAX ((int64_t)5 << 20) // what would be beyond it goes back: the manager takes 8 MiB at most

struct slice_run {
    struct slice_order *order;
    struct environment *environment; // what its tasks have in common; NULL when it could not be made
    char *stream_key;                // processes of this key can take its tasks; NULL for exec
    int64_t active;                  // started, not yet ended
    int64_t started_ms;              // its first task, clock_boot_ms(); 0: none yet
    bool closed;                     // no more task of it is started
    struct slice_run *previous, *next;

    // private
    unsigned char *states; // of each task
    int64_t taken;         // tasks before this one (from the slice's first) have been started
    struct arena *arena;   // texts of what follows
    struct slice_failed_task *failed;
    size_t failed_count, failed_capacity;
    struct slice_output *outputs;
    size_t output_count, output_capacity;
    int64_t output_bytes;
    struct slice_range *succeeded; // filled in by slice_run_outcome()
};

// Takes the order over, on failure too.
int slice_run_new(struct slice_order *order, struct slice_run **out, struct err *err) WARN_UNUSED;
void slice_run_free(struct slice_run *run); // takes NULL

bool slice_run_has_more(const struct slice_run *run); // a task that can be started
int64_t slice_run_take(struct slice_run *run);        // the next task (its number in the stage), started now
int64_t slice_run_waiting(const struct slice_run *run);
const char *slice_run_item(const struct slice_run *run, int64_t task);

// How a started task ended; once for each. Texts are copied; what no memory, or no room in a report, is left for is
// dropped. There is room for the first one in any case.
void slice_run_succeed(struct slice_run *run, int64_t task, const char *const *outputs, size_t count);
void slice_run_fail(struct slice_run *run, int64_t task, int exit, enum slice_retry retry, const char *error);
void slice_run_drop(struct slice_run *run, int64_t task); // the report will not name it: it goes back

bool slice_run_is_done(const struct slice_run *run); // nothing is active and no more task will be started
// Valid until the run is freed. Once, when it is done.
int slice_run_outcome(struct slice_run *run, struct slice_outcome *out, struct err *err) WARN_UNUSED;
