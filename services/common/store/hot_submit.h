// Submissions in a batch. Private to store/hot*.c.
#pragma once

#include "services/common/store/hot_batch.h"

// What a stage or service asks of workers.
struct demand_need {
    const char *queue, *runtime, *labels, *text; // text: all of them, what the lane remembers it by
    int32_t id;                                  // 0: not known yet
};

struct batch_submit {
    struct submit_operation *operation;
    const char *bundle; // its hash; NULL: none
    size_t *demands;    // indexes of needs: the stages', then the services'
    bool checks_bundle; // whether it is there was asked
    bool dead;          // failed
    bool over;          // its token may have no more; fails unless its key is known
    bool inserted;      // the job is new
    // Nothing has to be decided: no services, no stage that is empty or has a limit. Its rows are written as they stay.
    bool plain;
    // texts
    const char *labels, *spec;
    const char **runs; // of each stage, once its rows are written
    int32_t events;
};

// ---- the steps, in hot_submit.c and hot_submit_rows.c

int hot_submit_begin(struct batch *batch, struct submit_operation **operations, size_t count,
                     struct err *err) WARN_UNUSED;
int hot_submit_ask(struct batch *batch, struct err *err) WARN_UNUSED;
int hot_submit_read(struct batch *batch, struct err *err) WARN_UNUSED;
int hot_submit_intern(struct batch *batch, struct err *err) WARN_UNUSED; // round trips when a demand is new
int hot_submit_insert(struct batch *batch, struct err *err) WARN_UNUSED; // jobs
int hot_submit_inserted(struct batch *batch, struct err *err) WARN_UNUSED;
int hot_submit_ask_known(struct batch *batch, struct err *err) WARN_UNUSED; // who has the keys that were taken
int hot_submit_read_known(struct batch *batch, struct err *err) WARN_UNUSED;
int hot_submit_write(struct batch *batch, struct err *err) WARN_UNUSED; // stages, slices, items, services
void hot_submit_remember(struct batch *batch);                          // after the commit: what the new stages run

// ---- all of it at once, in hot_direct.c

// True when nothing has to be asked before: new jobs that are plain, and polls that wait for their tasks.
bool hot_direct_may(const struct batch *batch);
int hot_direct_ask(struct batch *batch, struct err *err) WARN_UNUSED;
// After the commit: what it has come to. Submissions that were not inserted and polls without grants are left to do.
int hot_direct_read(struct batch *batch, struct err *err) WARN_UNUSED;

// ---- parts

// The demand of stage `index`, or of service `index` minus the number of stages.
int32_t hot_submit_demand(const struct batch *batch, const struct batch_submit *submit, size_t index);
// True when the tasks of this stage of a plain job may be claimed at once.
bool hot_submit_releases(const struct batch_submit *submit, size_t stage);

// Of plain jobs whose demands are known and whose bundles are fresh, and that count against no quota, nothing has to be
// asked before they are written.
bool hot_submit_is_sure(const struct batch *batch);

struct submit_rows {
    LIST(struct job_row) jobs;
    LIST(struct stage_row) stages;
    LIST(struct service_row) services;
};
// Makes the rows of what was inserted; slices, items and events are added to the batch.
int hot_submit_rows(struct batch *batch, struct submit_rows *rows, struct err *err) WARN_UNUSED;
// Adds the parameters of hot_jobs_insert and of hot_stages_insert.
void hot_submit_rows_params(const struct submit_rows *rows, struct params *params);
// What a stage runs, once its rows are made. Its texts are the submission's.
struct hot_run hot_submit_run(const struct batch_submit *submit, size_t index);

// hot_quota.c
int hot_quota_ask(struct batch *batch, struct err *err) WARN_UNUSED; // locks tokens: before any job
int hot_quota_read(struct batch *batch, struct err *err) WARN_UNUSED;

// hot_demands.c
// Remembers that `demand` is needed; *index is its place in needs.
int hot_demand_need(struct batch *batch, const char *queue, const struct run_spec *run, const char *runtime,
                    size_t *index, struct err *err) WARN_UNUSED;
// Its id as far as this lane has met it; 0: not yet.
int32_t hot_demand_recall(struct hot *hot, const char *queue, const struct run_spec *run, const char *runtime);
int hot_demands_ask(struct batch *batch, struct err *err) WARN_UNUSED;
int hot_demands_read(struct batch *batch, struct err *err) WARN_UNUSED;
int hot_demands_intern(struct batch *batch, struct err *err) WARN_UNUSED; // round trips when one is new
// Appends {"name":"value",...}.
void hot_pairs_write(const struct text_pairs *pairs, struct strbuf *out);
