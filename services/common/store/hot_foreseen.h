// Batches of which everything is foreseen: hot_foreseen.c, and what it takes of other steps. Private to store/hot*.c.
#pragma once

#include "services/common/store/hot_batch.h"

#include <stdbool.h>

// True when all that the batch reports can be written at once. It is collected then.
int hot_foreseen_may(struct batch *batch, struct err *err) WARN_UNUSED;
// Instead of the steps before something is given out: reports are committed afterwards, and the transaction is another
// one. Failure with `unforeseen`: the batch has to be run step by step.
int hot_foreseen(struct batch *batch, struct err *err) WARN_UNUSED;
// Before the commit: what was committed without a flush is flushed by it.
int hot_foreseen_flush(struct batch *batch, struct err *err) WARN_UNUSED;
void hot_progress_finish(struct batch *batch); // after the commit: remembers how much of stages is open

int hot_claim_ask(struct batch *batch, struct err *err) WARN_UNUSED; // hot_claim.c: looks at all that is wanted
// hot_workers.c: 1 when all of them may be given tasks and none has to be renewed or compared with demands.
int hot_workers_read_resting(struct batch *batch, struct err *err) WARN_UNUSED;
// hot_report.c: what the lane remembers of the leases; false when that is not all.
bool hot_report_recall(struct batch *batch);
struct slice_row
hot_lease_slice(const struct batch_lease *lease);        // hot_report_apply.c: the leased slice, as it is known
int64_t hot_stage_open(const struct batch_stage *stage); // hot_report_apply.c: tasks, with what the batch changes
// hot_neighbours.c: ranges_asked of what is reported; none when that is more than successes.
int hot_ranges_foresee(struct batch *batch, struct err *err) WARN_UNUSED;
// hot_slices.c: adds the old slices, which are leases, for hot_succeed.
int hot_slices_leased(struct batch *batch, struct params *params, struct err *err) WARN_UNUSED;
int hot_jobs_lock(struct batch *batch, struct err *err) WARN_UNUSED; // hot_jobs.c: without their stages
