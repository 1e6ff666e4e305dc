// Batches of statements in few round trips: libpq's pipeline mode, for lanes.
//
//     pipeline_begin(db, &pipeline, err)           BEGIN will go with the first statement
//     pipeline_add(pipeline, SELECT..., ...) -> 0  queued, partly sent
//     pipeline_collect(pipeline, err)              one round trip: all results are here
//     pipeline_result(pipeline, 0)                 compute with it, add more, collect again, ...
//     pipeline_commit(pipeline, err)               COMMIT and one round trip; results stay readable
//
// Any failure rolls everything back, names the first statement that failed and leaves the connection usable: a pipeline
// is over after its first negative return. Reads while it writes, so batches of any size cannot block both sides.
// Between two collects the server may end the transaction of a client that sleeps (idle_in_transaction timeout).
// One at a time per connection. db_query() and db_execute() on that connection meanwhile are part of the pipeline: they
// collect what was added before them, so that code for ordinary transactions works in here, too.
#pragma once

#include "services/common/db/db.h"

struct pipeline;

// Starts a transaction. The pipeline belongs to the connection; its results live until the next pipeline_begin or
// db_close.
int pipeline_begin(struct db *db, struct pipeline **out, struct err *err) WARN_UNUSED;
// Queues a statement of the connection's table and returns its index, from 0. Copies params. The first use of a
// statement on a connection costs a round trip.
int pipeline_add(struct pipeline *pipeline, unsigned statement, const struct params *params, enum result_format format,
                 struct err *err) WARN_UNUSED;
// Queues the end of the transaction and the beginning of another one in its place: what was added before is committed
// whatever becomes of the rest, unless a statement of it fails, which fails all. Returns the index of the commit.
int pipeline_pass(struct pipeline *pipeline, struct err *err) WARN_UNUSED;
// True when the statement's answer has come and is no failure, even of a pipeline that is over.
bool pipeline_has(const struct pipeline *pipeline, int index);
// Before the first statement: it will be the only one, and goes without BEGIN and COMMIT. Its result is there after
// pipeline_commit(). Does nothing when there was one already.
void pipeline_alone(struct pipeline *pipeline);
// Sends what is queued and waits until every result is here.
int pipeline_collect(struct pipeline *pipeline, struct err *err) WARN_UNUSED;
// The result of an added statement that has been collected. Owned by the pipeline.
struct result *pipeline_result(struct pipeline *pipeline, int index);
// Ends the transaction, after collecting what is outstanding. A connection lost here: ERR_UNAVAILABLE and
// db_last_error(db)->outcome_unknown.
int pipeline_commit(struct pipeline *pipeline, struct err *err) WARN_UNUSED;
// Rolls back unless it is over already. Takes NULL.
void pipeline_abort(struct pipeline *pipeline);
DEFINE_CLEANUP(struct pipeline *, pipeline_abort);
#define AUTO_PIPELINE CLEANUP(cleanup_pipeline_abort)

// The body of a transaction in pipeline mode; runs again under the same rules as transaction_fn.
typedef int (*pipeline_fn)(struct pipeline *pipeline, void *context, struct err *err);
// pipeline_begin, function, pipeline_commit, again on serialization failures and deadlocks: see db_transaction().
// The results of the last run stay readable through the pipeline that function saw.
int db_pipeline(struct db *db, pipeline_fn function, void *context, struct err *err) WARN_UNUSED;
