// A batch of hot calls on its way through its transaction. Private to store/hot*.c.
//
// The steps come in the order of the locks: workers, jobs by id, slices. "ask" queues statements in the pipeline,
// "read" looks at their results after the round trip, "write" queues changes. Everything that a batch allocates lives
// in its arena, what operations are given in theirs.
#pragma once

#include "services/common/base/arena.h"
#include "services/common/db/pipeline.h"
#include "services/common/store/embedded.h"
#include "services/common/store/hot.h"
#include "services/common/store/hot_cache.h"
#include "services/common/store/hot_list.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct batch_submit; // hot_submit.h
struct demand_need;
struct direct_slice; // hot_direct.c
struct hot_run;      // hot_runs.h

// What a lane remembers of a worker's incarnation: the demands that it can serve. None of it changes.
struct worker_demand {
    int id;
    char queue[64]; // "" is for services
};
struct worker_memory {
    int seen; // the last demand that it was compared with
    size_t count;
    struct worker_demand demands[];
};

struct batch_worker {
    int64_t id;
    int32_t incarnation;
    bool draining, stuck;
    bool current;      // it exists, this is its incarnation, and it is neither lost nor gone
    bool known;        // it exists
    bool takes_work;   // it may be given something new
    bool suspect;      // somebody has found its lease over
    bool drain, drill; // it was asked to drain; it is ordered to kill itself
    int64_t lease_ms;
    bool wants_services;
    const struct worker_memory *memory; // NULL unless somebody polls for it
};

struct batch_work {
    struct work_operation *operation;
    struct batch_worker *worker;
    bool dead;          // failed: nothing of it is recorded
    bool short_of_work; // it wanted tasks and was given none
    int placed;         // instances
};

struct output_line {
    const char *json;
    size_t length;
};

struct batch_stage {
    int64_t job;
    int16_t stage;
    const char *name;
    int32_t demand;
    int16_t priority;
    int from_stage; // -1: none
    bool fail_job, released;
    struct slice_policy policy;
    int max_parallel;
    int64_t total, open, rank; // as stored
    // changes
    bool changed;
    int64_t added, succeeded, failed, cancelled, rank_after;
    LIST(struct output_line) appended;
};

struct batch_job {
    int64_t id;
    bool found;
    int outcome; // OUTCOME_NONE while the work goes on
    bool runs;   // released and not paused: tasks of released stages may be claimed
    bool closed, has_services, started;
    int64_t log_bytes;
    int32_t event_count;
    struct batch_stage *stages; // by position
    size_t stage_count;
    // changes
    bool changed; // of the row itself
    bool settles;
    int64_t started_us;
};

// A lease as it is, and as the lane that has granted it remembers it.
struct hot_lease {
    int64_t job, first, count, leased_us;
    int32_t attempt, failures, incarnation;
    int16_t stage;
    bool cut; // remembered only: it was a part of a ready slice
};

// A leased slice that an operation reports, or (result NULL) that its worker does not hold.
struct batch_lease {
    struct batch_work *work;
    struct slice_result *result;
    int64_t token;
    bool remembered;        // `known` comes from the lane's memory: the lease may have been taken back
    struct hot_lease known; // zeroed: there is none
    bool found;
    struct batch_job *job;
    struct batch_stage *stage;
    struct slice_part *parts;
    size_t part_count;
};

// One that is not remembered.
struct asked_lease {
    int64_t worker, token;
    size_t index; // in leases
};

// An old row that is a lease has its token and incarnation, or is not that row any more.
struct slice_row {
    int64_t job;
    int16_t stage;
    int64_t first, count;
    int16_t state;
    int32_t attempt, failures;
    int64_t rank, delay_ms;
    int32_t demand;
    int16_t priority;
    int64_t token; // of an old row; 0: it is not leased
    int32_t incarnation;
};

// A run of succeeded tasks; with what it absorbs.
struct succeeded_range {
    struct batch_stage *stage;
    int64_t from, to;
    int32_t attempt;
};

// One whose neighbours were asked for.
struct asked_range {
    int64_t job;
    int16_t stage;
    int64_t from, to, tasks; // tasks: that the batch ends of the stage: nothing else is left when no more are open
    int32_t attempt;
    size_t index; // in ranges
};

struct item_row {
    int64_t job;
    int16_t stage;
    int64_t first;
    int32_t count;
    const char *lines;
    size_t length;
};

struct event_row {
    int64_t job;
    int32_t seq;
    const char *kind, *data;
};

struct rank_row {
    int32_t demand;
    int16_t priority;
    int64_t rank;
};

// A token that has quotas, and what its holder has.
struct quota_row {
    int64_t token, first; // the first one of its holder: rows that have the same are counted together
    struct quota used;
    bool asks_logs; // how much log there is is not remembered
};

struct task_error_row {
    int64_t job;
    int16_t stage;
    int64_t task;
    int32_t attempt;
    const char *error;
    int32_t exit;
};

struct result_row {
    int64_t job;
    int16_t stage;
    int64_t task;
    int32_t ordinal;
    const char *json;
    size_t length;
};

struct asked_chunk {
    const struct batch_work *work;
    const struct log_chunk *chunk;
    int64_t reach; // of what the database has of its source: where that ends
};

struct log_row {
    int64_t job;
    const char *source;
    int64_t position, seq;
    const void *bytes;
    size_t length;
};

// What a worker says of an instance, and which one that is.
struct asked_instance {
    const struct batch_work *work;
    const struct instance_observation *observation;
};

// An instance as it is and as it becomes.
struct instance_row {
    const char *name;
    int64_t job;
    int16_t service;
    int32_t epoch;
    int16_t state;
    bool stop_requested, failed, changed;
    bool adopt;          // its worker has not said yet that it has taken it over
    int64_t stop_age_ms; // since when it is asked to stop; -1: it is not
    bool unbounded;      // its worker has not said yet in what it runs
    int64_t worker;
    int incarnation;
    const char *object, *host, *ports, *boundary, *error, *signals;
    int32_t exit_code, exit_signal;
    int16_t grade;
};

// An instance that may be placed, or is.
struct pending_row {
    int64_t job;
    int16_t service;
    int32_t epoch, demand;
    const char *name, *object;
    int64_t worker; // 0: none was found
    int32_t incarnation;
};

// A demand that somebody in the batch wants tasks of, and the heads of its queue: a heap of candidates, the one whose
// turn it is on top.
struct demand_queue {
    int64_t wanted;
    int32_t demand, limit; // limit: so many slices were asked for
    int16_t priority;      // of where the look begins; HOT_PRIORITY_ALL: at the beginning
    int64_t rank, job;
    bool seen_all; // the look has found all that nobody else has locked
    size_t *heap;  // indexes of candidates
    size_t count;
};

// A ready slice that the batch has locked.
struct candidate {
    int64_t job;
    int16_t stage;
    int64_t first, count; // as found
    int32_t attempt, failures, demand;
    int16_t priority;
    int64_t rank;
    int64_t head;  // the rank of the head of its queue
    int64_t taken; // tasks that were cut off its beginning
};

// A slice on its way to a worker.
struct batch_grant {
    const struct batch_work *work;
    size_t candidate;
    int64_t job;
    int16_t stage;
    int64_t first, count, end;
    int32_t attempt, failures, demand; // attempt: of this lease
    int16_t priority;
    int64_t rank;
    bool in_place; // its row is the one that was ready
    int64_t token;
    const struct hot_run *run; // NULL: asked for
    size_t run_at;             // which one that was asked for
    size_t items_at;           // the same for items, plus 1; 0: not asked for
};

struct service_of_job {
    int64_t job;
    int16_t service;
};

// Where the head of a demand's queue was. Before it are entries of what was taken, while a snapshot may see them.
struct queue_head {
    int32_t demand; // 0: none is remembered here
    int16_t priority;
    int64_t rank, job;
    int64_t until_ms; // CLOCK_BOOTTIME
};
#define HOT_HEADS 64 // by demand modulo this
#define HOT_PRIORITY_ALL INT16_MIN

struct hot {
    struct db *db;
    struct hot_settings settings;
    struct params params; // of the statement that is being added
    struct hot_falls falls;
    struct hot_runs *runs, *own_runs; // those of the settings, or its own
    struct hot_cache workers, beats, items, leases, progress, demands, bundles, quota_logs;
    int64_t token_next, tokens_left; // of leases
    int demand_last;                 // the youngest demand that was seen
    double tasks_per_slice;          // that claims have met lately
    int steps_left;                  // batches that nothing is foreseen of
    struct queue_head heads[HOT_HEADS];
    unsigned rotation, generation,
        raised;          // whose turn it is of equals; connection of all this; the one that has raised
    char deployment[64]; // "" until it was read
};

struct operations {
    struct submit_operation **submits;
    size_t submit_count;
    struct work_operation **works;
    size_t work_count;
};

struct batch {
    struct hot *hot;
    struct pipeline *pipeline;
    struct arena *arena;
    struct wakes *wakes;
    bool asked;                // something, since the last round trip
    bool foreseen, unforeseen; // hot_foreseen.h
    struct batch_submit *submits;
    struct batch_work *works;
    size_t submit_count, work_count;
    LIST(struct demand_need) needs;
    LIST(struct quota_row) quotas;
    bool routine, interned; // it is asked for at once (hot.c); demands of this transaction are in the lane's memory

    struct batch_worker *workers;
    size_t worker_count;
    bool may_have_orders;  // some of the workers, before this transaction
    LIST(int64_t) job_ids; // to be locked
    struct batch_job *jobs;
    size_t job_count;
    LIST(struct batch_lease) leases;
    LIST(struct asked_lease) leases_asked;
    LIST(struct rank_row) ranks;
    LIST(struct pending_row) pending;
    LIST(struct asked_instance) observations;
    LIST(struct instance_row) instances;
    LIST(struct succeeded_range) ranges;
    LIST(struct asked_range) ranges_asked;
    LIST(struct asked_chunk) chunks;

    // what is written
    LIST(struct slice_row) old_slices; // rows that go, unless one of new_slices has their place
    LIST(struct slice_row) new_slices;
    int64_t gone_expected, changed_expected; // rows
    LIST(struct item_row) items;
    LIST(struct event_row) events;
    LIST(struct task_error_row) errors;
    LIST(struct result_row) results;
    LIST(struct log_row) logs;
    LIST(int64_t) settles;  // jobs
    LIST(int64_t) stops_ms; // of instances that have stopped when asked: how long it took

    // what is given out
    int64_t now_us; // the database's clock when the candidates were found: leases begin then
    LIST(struct demand_queue) queues;
    LIST(struct candidate) candidates;
    LIST(struct batch_grant) grants;
    LIST(struct direct_slice) direct;
    struct batch_submit **by_job;                     // sorted
    struct operations left;                           // room for what is left to do step by step
    LIST(struct batch_grant) runs_asked, items_asked; // copies
    LIST(struct service_of_job) service_runs_asked;
    LIST(int64_t) addresses_asked; // jobs

    struct {
        int renew, workers, held, pending, bundles; // indexes of results; -1: not asked
        int jobs, stages, leased, instances, logs_known, pending_still, deployment;
        int neighbours, ranks, gone, changed, succeeded, passed;
        int orders, cancels, candidates;
        int runs, items, addresses, service_runs, ready_left;
        int demand_find, jobs_insert, jobs_by_key;
        int quota_use, quota_logs, quota_keys;
        int direct;
    } at;
};

int batch_no_memory(struct err *err);  // -1
int batch_no_routine(struct err *err); // -1: the batch goes step by step, in another attempt
// Queues a statement with hot->params and clears them. Returns its index.
int batch_ask(struct batch *batch, enum statement statement, struct err *err) WARN_UNUSED;
// The round trip for what was asked, if anything was.
int batch_collect(struct batch *batch, struct err *err) WARN_UNUSED;
struct params *batch_params(struct batch *batch);                   // empty
struct batch_job *batch_job(const struct batch *batch, int64_t id); // among the locked ones; NULL
struct batch_stage *batch_stage(const struct batch_job *job, int stage);
int batch_lock_job(struct batch *batch, int64_t id, struct err *err) WARN_UNUSED; // adds it to job_ids
int batch_want_rank(struct batch *batch, int32_t demand, int16_t priority, struct err *err) WARN_UNUSED;
int64_t batch_rank(const struct batch *batch, int32_t demand, int16_t priority); // the head of the queue
void batch_settle(struct batch_job *job);
int batch_old_slice(struct batch *batch, const struct slice_row *old, struct err *err) WARN_UNUSED; // a copy
// An event of a locked job. `data`: a JSON object that lives as long as the batch. Above the limit capped ones are left
// out.
int batch_event(struct batch *batch, struct batch_job *job, const char *kind, const char *data, bool capped,
                struct err *err) WARN_UNUSED;
// A copy of the text in the batch's arena; NULL for NULL.
int batch_copy(struct batch *batch, const struct strbuf *text, const char **out, struct err *err) WARN_UNUSED;

// ---- the steps

// hot_workers.c
int hot_workers_collect(struct batch *batch, struct err *err) WARN_UNUSED; // works -> workers
// True when they are known, as far as this lane remembers, and none has to be renewed yet.
bool hot_workers_rest(const struct batch *batch);
int hot_workers_ask(struct batch *batch, struct err *err) WARN_UNUSED;
int hot_workers_read(struct batch *batch, struct err *err) WARN_UNUSED;
int hot_demands_match(struct batch *batch, bool *asked, struct err *err) WARN_UNUSED; // a round trip when it is needed

// hot_audit.c
int hot_audit_ask(struct batch *batch, struct err *err) WARN_UNUSED;
int hot_audit_read(struct batch *batch, struct err *err) WARN_UNUSED;

// hot_jobs.c
int hot_jobs_ask(struct batch *batch, struct err *err) WARN_UNUSED;
int hot_jobs_read(struct batch *batch, struct err *err) WARN_UNUSED;
int hot_jobs_write(struct batch *batch, struct err *err) WARN_UNUSED;
int hot_jobs_settle(struct batch *batch, struct err *err) WARN_UNUSED;
void hot_events_params(const struct batch *batch, struct params *params); // adds those of event_insert

// hot_report.c, hot_report_apply.c
int hot_report_collect(struct batch *batch, struct err *err) WARN_UNUSED;
int hot_report_ask(struct batch *batch, struct err *err) WARN_UNUSED;
int hot_report_read(struct batch *batch, struct err *err) WARN_UNUSED;
int hot_report_apply(struct batch *batch, struct err *err) WARN_UNUSED;
// hot_neighbours.c
int hot_neighbours_foresee(struct batch *batch, struct err *err) WARN_UNUSED; // with the locks, or later:
int hot_neighbours_ask(struct batch *batch, struct err *err) WARN_UNUSED;
int hot_neighbours_read(struct batch *batch, struct err *err) WARN_UNUSED;

// hot_leases.c
int hot_tokens_raise(struct hot *hot, struct err *err) WARN_UNUSED; // before a batch; see migrations/0014
int hot_token_take(struct batch *batch, int64_t *token, struct err *err) WARN_UNUSED; // rarely a round trip
// NULL: it is not remembered. Valid until the next batch is finished.
const struct hot_lease *hot_lease_find(struct hot *hot, int64_t worker, int64_t token);
bool hot_leases_forget(struct batch *batch); // all that it took from this memory; false: that was nothing
void hot_leases_finish(struct batch *batch); // after the commit

// hot_slices.c: what became of slices and items, as rows
int hot_ranks_ask(struct batch *batch, struct err *err) WARN_UNUSED;
int hot_ranks_read(struct batch *batch, struct err *err) WARN_UNUSED;
int hot_slices_write(struct batch *batch, struct err *err) WARN_UNUSED;
// Fails when an old row was not what it was taken for. A round trip unless there was one since the rows were written.
int hot_slices_verify(struct batch *batch, struct err *err) WARN_UNUSED;

// hot_output.c
int hot_output_collect(struct batch *batch, const struct batch_lease *lease, struct err *err) WARN_UNUSED;
int hot_output_append(struct batch *batch, struct err *err) WARN_UNUSED;
int hot_output_write(struct batch *batch, struct err *err) WARN_UNUSED;

// hot_log.c
int hot_log_ask(struct batch *batch, struct err *err) WARN_UNUSED;
int hot_log_read(struct batch *batch, struct err *err) WARN_UNUSED;
int hot_log_write(struct batch *batch, struct err *err) WARN_UNUSED;

// hot_instances.c, hot_place.c
int hot_instances_ask(struct batch *batch, struct err *err) WARN_UNUSED;
int hot_instances_read(struct batch *batch, struct err *err) WARN_UNUSED;
int hot_instances_write(struct batch *batch, struct err *err) WARN_UNUSED;
int hot_place_ask(struct batch *batch, struct err *err) WARN_UNUSED;  // which may be placed
int hot_place_read(struct batch *batch, struct err *err) WARN_UNUSED; // locks their jobs
int hot_place_ask_still(struct batch *batch, struct err *err) WARN_UNUSED;
int hot_place_read_still(struct batch *batch, struct err *err) WARN_UNUSED;
int hot_place_write(struct batch *batch, struct err *err) WARN_UNUSED;

// hot_claim.c
int hot_claim_foresee(struct batch *batch, struct err *err) WARN_UNUSED; // in a routine: looks with the locks
int hot_claim(struct batch *batch, struct err *err) WARN_UNUSED;         // finds and cuts; round trips
int hot_claim_write(struct batch *batch, struct err *err) WARN_UNUSED;   // queues the leases
void hot_claim_finish(struct batch *batch);                              // after the commit: who has to ask again

// hot_cut.c
bool hot_can_serve(const struct worker_memory *memory, const char *queue, int32_t demand);
// True when the poll may be given tasks at all.
bool hot_may_claim(const struct batch_work *work);
// Distributes the candidates among the polls, into grants.
int hot_cut(struct batch *batch, struct err *err) WARN_UNUSED;

// hot_grant.c, hot_orders.c: what operations are told
int hot_grant_ask(struct batch *batch, struct err *err) WARN_UNUSED;
int hot_grant_finish(struct batch *batch, struct err *err) WARN_UNUSED;
int hot_orders_ask(struct batch *batch, struct err *err) WARN_UNUSED;
int hot_orders_ask_details(struct batch *batch, struct err *err) WARN_UNUSED;
int hot_orders_finish(struct batch *batch, struct err *err) WARN_UNUSED;
