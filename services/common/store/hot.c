// The order of a batch, its reruns, and its division when one operation spoils it.
#include "services/common/store/hot.h"

#include "services/common/base/id.h"
#include "services/common/base/macros.h"
#include "services/common/db/db.h"
#include "services/common/store/hot_foreseen.h"
#include "services/common/store/hot_runs.h"
#include "services/common/store/hot_submit.h"
#include "services/common/store/hot_trace.h"

#include <string.h>

#define ARENA_FIRST_BYTES 65536
#define WORKERS_BYTES_MAX ((size_t)4 << 20)
#define BEATS_BYTES_MAX ((size_t)1 << 20)
#define ITEMS_BYTES_MAX ((size_t)8 << 20)
#define LEASES_BYTES_MAX ((size_t)2 << 20)
#define PROGRESS_BYTES_MAX ((size_t)512 << 10)
#define DEMANDS_BYTES_MAX ((size_t)1 << 20)
#define BUNDLES_BYTES_MAX ((size_t)64 << 10)
#define QUOTA_LOGS_BYTES_MAX ((size_t)256 << 10)
#define IDS_TRIED_MAX 4

// All that the lane remembers.
static void forget(struct hot *hot)
{
    hot->tokens_left = 0;
    hot->demand_last = 0;
    memset(hot->heads, 0, sizeof hot->heads);
    hot_cache_release(&hot->workers);
    hot_cache_release(&hot->beats);
    hot_cache_release(&hot->items);
    hot_cache_release(&hot->leases);
    hot_cache_release(&hot->progress);
    hot_cache_release(&hot->demands);
    hot_cache_release(&hot->bundles);
    hot_cache_release(&hot->quota_logs);
}

void hot_free(struct hot *hot)
{
    if (!hot)
        return;
    params_release(&hot->params);
    forget(hot);
    hot_runs_free(hot->own_runs);
    free(hot);
}

int hot_new(struct db *db, const struct hot_settings *settings, struct hot **out, struct err *err)
{
    if (db_set_plans_by_index(db, err) < 0)
        return -1;
    struct hot *hot = calloc(1, sizeof *hot);
    if (!hot)
        return batch_no_memory(err);
    if (!settings->runs && hot_runs_new(&hot->own_runs, err) < 0) {
        free(hot);
        return -1;
    }
    hot->db = db;
    hot->settings = *settings;
    hot->runs = settings->runs ? settings->runs : hot->own_runs;
    hot->workers.bytes_max = WORKERS_BYTES_MAX;
    hot->beats.bytes_max = BEATS_BYTES_MAX;
    hot->items.bytes_max = ITEMS_BYTES_MAX;
    hot->leases.bytes_max = LEASES_BYTES_MAX;
    hot->progress.bytes_max = PROGRESS_BYTES_MAX;
    hot->demands.bytes_max = DEMANDS_BYTES_MAX;
    hot->bundles.bytes_max = BUNDLES_BYTES_MAX;
    hot->quota_logs.bytes_max = QUOTA_LOGS_BYTES_MAX;
    hot->tasks_per_slice = 1;
    *out = hot;
    return 0;
}

void work_operation_release(struct work_operation *operation)
{
    if (!operation)
        return;
    arena_free(operation->arena);
    operation->arena = NULL;
    operation->grants = NULL;
    operation->starts = operation->stops = operation->verifies = NULL;
    operation->cancels = NULL;
    operation->demands = NULL;
    operation->grant_count = operation->start_count = operation->stop_count = operation->verify_count = 0;
    operation->cancel_count = operation->demand_count = 0;
}

static void forget_outcome(struct work_operation *operation)
{
    work_operation_release(operation);
    operation->failed = operation->drain = operation->drill = operation->again = false;
    operation->err = (struct err){0};
    operation->lease_ms = 0;
}

// ---- one batch

static void hand_over_wakes(const struct wakes *from, struct wakes *to)
{
    for (size_t i = 0; i < from->count; i++)
        wakes_add(to, from->items[i].kind, from->items[i].id, from->items[i].tasks);
}

// The operations of a batch; its state is made afresh for each attempt.
struct attempt {
    struct hot *hot;
    const struct operations *of;
    bool step_by_step;          // not all of it at once
    const struct wakes *before; // of what is committed already and may be given out here; NULL: none
    struct wakes wakes;         // of this attempt; handed on after the commit
    struct batch batch;
};

static int begin_works(struct batch *batch, const struct attempt *attempt, struct err *err)
{
    batch->work_count = attempt->of->work_count;
    batch->works = arena_alloc_zero(batch->arena, batch->work_count + 1, sizeof *batch->works);
    if (!batch->works)
        return batch_no_memory(err);
    for (size_t i = 0; i < attempt->of->work_count; i++) {
        struct work_operation *operation = attempt->of->works[i];
        forget_outcome(operation);
        if (operation->recorded && operation->recorded != attempt->hot->generation) // without a flush
            return err_set(err, ERR_UNAVAILABLE, "the outcome of a commit is unknown");
        for (size_t n = 0; n < operation->result_count; n++)
            operation->results[n].stale = false;
        operation->arena = arena_new(0);
        if (!operation->arena)
            return batch_no_memory(err);
        batch->works[i].operation = operation;
    }
    return 0;
}

static int begin(struct attempt *attempt, struct pipeline *pipeline, struct err *err)
{
    struct batch *batch = &attempt->batch;
    struct arena *arena = batch->arena;
    // The server of another connection may have been restored, or have taken over without the last commits: what this
    // lane was told of demands and tokens need not be so there.
    if (attempt->hot->generation != db_generation(attempt->hot->db))
        forget(attempt->hot);
    attempt->hot->generation = db_generation(attempt->hot->db);
    if (attempt->hot->raised != attempt->hot->generation)
        return err_set(err, ERR_UNAVAILABLE, "the connection to the database was lost");
    if (batch->interned) // the rolled back attempt's demands exist nowhere
        hot_cache_release(&attempt->hot->demands);
    arena_free(arena);
    wakes_clear(&attempt->wakes);
    if (attempt->before)
        hand_over_wakes(attempt->before, &attempt->wakes);
    *batch = (struct batch){.hot = attempt->hot, .pipeline = pipeline, .wakes = &attempt->wakes};
    memset(&batch->at, -1, sizeof batch->at);
    batch->routine = !attempt->step_by_step;
    batch->arena = arena_new(ARENA_FIRST_BYTES);
    if (!batch->arena)
        return batch_no_memory(err);
    if (begin_works(batch, attempt, err) < 0)
        return -1;
    if (hot_submit_begin(batch, attempt->of->submits, attempt->of->submit_count, err) < 0)
        return -1;
    return hot_workers_collect(batch, err);
}

// The locks of the jobs, and everything that is decided with.
static int ask_facts(struct batch *batch, struct err *err)
{
    if (hot_jobs_ask(batch, err) < 0 || hot_report_ask(batch, err) < 0 || hot_neighbours_foresee(batch, err) < 0 ||
        hot_instances_ask(batch, err) < 0 || hot_log_ask(batch, err) < 0 || hot_place_ask_still(batch, err) < 0 ||
        hot_submit_insert(batch, err) < 0)
        return -1;
    return hot_ranks_ask(batch, err);
}

// Nothing but reports and polls of workers of which nothing is asked but whether they are what they were.
static bool is_routine(const struct batch *batch)
{
    for (size_t i = 0; i < batch->work_count; i++)
        if (batch->works[i].operation->observation_count > 0 || batch->works[i].operation->log_count > 0)
            return false;
    return batch->submit_count == 0 && batch->at.held < 0 && batch->at.pending < 0 && hot_workers_rest(batch);
}

// What can be asked before any job is locked; of a routine all that is decided with.
static int ask_around(struct batch *batch, struct err *err)
{
    if (hot_workers_ask(batch, err) < 0 || hot_submit_ask(batch, err) < 0 || hot_audit_ask(batch, err) < 0 ||
        hot_place_ask(batch, err) < 0)
        return -1;
    batch->routine = batch->routine && is_routine(batch);
    if (!batch->routine)
        return 0;
    if (hot_report_collect(batch, err) < 0 || ask_facts(batch, err) < 0)
        return -1;
    return hot_claim_foresee(batch, err);
}

static int look_around(struct batch *batch, struct err *err)
{
    bool matched = false;
    if (ask_around(batch, err) < 0 || batch_collect(batch, err) < 0)
        return -1;
    if (hot_workers_read(batch, err) < 0 || hot_submit_read(batch, err) < 0 || hot_submit_intern(batch, err) < 0 ||
        hot_demands_match(batch, &matched, err) < 0)
        return -1;
    if (matched && (hot_place_ask(batch, err) < 0 || batch_collect(batch, err) < 0))
        return -1;
    if (batch->routine)
        return 0;
    if (hot_audit_read(batch, err) < 0 || hot_place_read(batch, err) < 0 || hot_report_collect(batch, err) < 0)
        return -1;
    return ask_facts(batch, err) < 0 ? -1 : batch_collect(batch, err);
}

static int read_facts(struct batch *batch, struct err *err)
{
    if (hot_ranks_read(batch, err) < 0 || hot_jobs_read(batch, err) < 0 || hot_report_read(batch, err) < 0 ||
        hot_submit_inserted(batch, err) < 0)
        return -1;
    if (hot_neighbours_ask(batch, err) < 0 || hot_ranks_ask(batch, err) < 0 || hot_submit_ask_known(batch, err) < 0)
        return -1;
    if (batch_collect(batch, err) < 0)
        return -1;
    if (hot_ranks_read(batch, err) < 0 || hot_neighbours_read(batch, err) < 0)
        return -1;
    return hot_submit_read_known(batch, err);
}

static int write_facts(struct batch *batch, struct err *err)
{
    if (hot_report_apply(batch, err) < 0 || hot_log_read(batch, err) < 0 || hot_instances_read(batch, err) < 0 ||
        hot_place_read_still(batch, err) < 0 || hot_submit_write(batch, err) < 0)
        return -1;
    if (hot_slices_write(batch, err) < 0 || hot_output_write(batch, err) < 0 || hot_trace_write(batch, err) < 0 ||
        hot_log_write(batch, err) < 0 || hot_instances_write(batch, err) < 0 || hot_place_write(batch, err) < 0 ||
        hot_jobs_write(batch, err) < 0)
        return -1;
    return hot_jobs_settle(batch, err);
}

static int step_by_step(struct batch *batch, struct err *err)
{
    if (look_around(batch, err) < 0 || read_facts(batch, err) < 0 || write_facts(batch, err) < 0)
        return -1;
    return 0;
}

static int give_out(struct batch *batch, struct err *err)
{
    if (hot_orders_ask(batch, err) < 0 || hot_claim(batch, err) < 0)
        return -1;
    if (hot_claim_write(batch, err) < 0 || hot_grant_ask(batch, err) < 0 || hot_orders_ask_details(batch, err) < 0)
        return -1;
    return hot_slices_verify(batch, err) < 0 ? -1 : hot_foreseen_flush(batch, err);
}

static int run_attempt(struct pipeline *pipeline, void *context, struct err *err)
{
    struct attempt *attempt = context;
    struct batch *batch = &attempt->batch;
    if (begin(attempt, pipeline, err) < 0)
        return -1;
    if (!attempt->step_by_step && hot_direct_may(batch))
        return hot_direct_ask(batch, err);
    int foreseen = attempt->step_by_step ? 0 : hot_foreseen_may(batch, err);
    if (foreseen < 0 || (foreseen ? hot_foreseen(batch, err) : step_by_step(batch, err)) < 0)
        return -1;
    return give_out(batch, err);
}

// The work is recorded, the answers are not there: as if the replies had been lost.
static void lose_answers(struct batch *batch, const struct err *err)
{
    for (size_t i = 0; i < batch->work_count; i++) {
        struct work_operation *operation = batch->works[i].operation;
        if (operation->failed || !operation->polls)
            continue;
        operation->failed = true;
        operation->err = *err;
    }
}

// What is known only once the leases are committed.
static void finish(struct batch *batch)
{
    struct err err = {0};
    const struct hot_settings *settings = &batch->hot->settings;
    if (batch->at.direct >= 0 && hot_direct_read(batch, &err) < 0) {
        lose_answers(batch, &err);
        return;
    }
    hot_submit_remember(batch);
    for (size_t i = 0; settings->stopped && i < batch->stops_ms.count; i++)
        settings->stopped(settings->stopped_context, batch->stops_ms.items[i]);
    hot_leases_finish(batch);
    hot_progress_finish(batch);
    hot_claim_finish(batch);
    if (hot_grant_finish(batch, &err) < 0 || hot_orders_finish(batch, &err) < 0)
        lose_answers(batch, &err);
}

static int run_attempts(struct attempt *attempt, struct err *err)
{
    if (hot_tokens_raise(attempt->hot, err) < 0) {
        err->code = ERR_UNAVAILABLE; // whatever it is: no other way to run the batch does without
        return -1;
    }
    int outcome = db_pipeline(attempt->hot->db, run_attempt, attempt, err);
    if (outcome >= 0) {
        finish(&attempt->batch);
    } else if (attempt->batch.interned) {
        hot_cache_release(&attempt->hot->demands); // it may remember ids that were rolled back
    }
    return outcome;
}

static void run_left(const struct attempt *attempt, struct wakes *wakes);

const struct hot_falls *hot_falls(const struct hot *hot)
{
    return &hot->falls;
}

// Whatever failed, it may come from a lease that others have ended, or from what was taken for granted.
static bool may_go_otherwise(struct attempt *attempt, const struct err *why)
{
    const struct batch *batch = &attempt->batch;
    bool direct = batch->at.direct >= 0;
    if (direct)
        attempt->hot->falls = (struct hot_falls){attempt->hot->falls.count + 1, *why};
    attempt->step_by_step = true;
    if (batch->unforeseen)
        return true;
    return hot_leases_forget(&attempt->batch) || direct || batch->foreseen || batch->routine;
}

// `before` is NULL, or there is nothing to be done at once any more: see struct attempt.
static int run_once(struct hot *hot, const struct operations *of, const struct wakes *before, struct wakes *wakes,
                    struct err *err)
{
    struct attempt attempt = {.hot = hot, .of = of, .before = before, .step_by_step = before};
    memset(&attempt.batch.at, -1, sizeof attempt.batch.at); // until there is a batch
    int outcome = run_attempts(&attempt, err);
    while (outcome < 0 && err->code != ERR_UNAVAILABLE && may_go_otherwise(&attempt, err))
        outcome = run_attempts(&attempt, err);
    if (outcome >= 0 && attempt.batch.at.direct >= 0)
        run_left(&attempt, wakes);
    else if (outcome >= 0)
        hand_over_wakes(&attempt.wakes, wakes);
    arena_free(attempt.batch.arena);
    wakes_release(&attempt.wakes);
    return outcome;
}

// ---- one by one

static bool id_was_taken(struct hot *hot)
{
    const struct db_error *error = db_last_error(hot->db);
    return sqlstate_is_unique_violation(error->sqlstate) && strcmp(error->constraint, "job_pkey") == 0;
}

static const struct wakes none;

static int run_submit(struct hot *hot, struct submit_operation *submit, struct wakes *wakes, struct err *err)
{
    for (int i = 0; i < IDS_TRIED_MAX; i++) {
        if (run_once(hot, &(struct operations){.submits = &submit, .submit_count = 1}, &none, wakes, err) >= 0)
            return 0;
        if (err->code == ERR_UNAVAILABLE)
            return -1;
        if (!id_was_taken(hot))
            break;
        submit->job = id_new();
    }
    submit->failed = true;
    submit->err = *err;
    return 0;
}

static int run_work(struct hot *hot, struct work_operation *work, struct wakes *wakes, struct err *err)
{
    if (run_once(hot, &(struct operations){.works = &work, .work_count = 1}, &none, wakes, err) >= 0)
        return 0;
    if (err->code == ERR_UNAVAILABLE)
        return -1;
    forget_outcome(work);
    work->failed = true;
    work->err = *err;
    return 0;
}

// When the database goes away on the way, what comes after is not tried any more: those operations fail one by one,
// because the others are committed.
static void fail_rest(const struct operations *of, size_t submit, size_t work, const struct err *err)
{
    for (; submit < of->submit_count; submit++) {
        of->submits[submit]->failed = true;
        of->submits[submit]->err = *err;
    }
    for (; work < of->work_count; work++) {
        forget_outcome(of->works[work]);
        of->works[work]->failed = true;
        of->works[work]->err = *err;
    }
}

static void run_one_by_one(struct hot *hot, const struct operations *of, struct wakes *wakes, struct err *err)
{
    for (size_t i = 0; i < of->submit_count; i++)
        if (run_submit(hot, of->submits[i], wakes, err) < 0) {
            fail_rest(of, i, 0, err);
            return;
        }
    for (size_t i = 0; i < of->work_count; i++)
        if (run_work(hot, of->works[i], wakes, err) < 0) {
            fail_rest(of, of->submit_count, i, err);
            return;
        }
}

// ---- what was not so when all of it was done at once

static struct operations collect_left(const struct batch *batch)
{
    struct operations left = {.submits = batch->left.submits, .works = batch->left.works};
    for (size_t i = 0; i < batch->submit_count; i++)
        if (!batch->submits[i].inserted && !batch->submits[i].operation->failed)
            left.submits[left.submit_count++] = batch->submits[i].operation;
    for (size_t i = 0; i < batch->work_count; i++)
        if (batch->works[i].operation->grant_count == 0 && !batch->works[i].operation->failed)
            left.works[left.work_count++] = batch->works[i].operation;
    return left;
}

static void run_left(const struct attempt *attempt, struct wakes *wakes)
{
    struct err err = {0};
    struct operations left = collect_left(&attempt->batch);
    bool any = left.submit_count + left.work_count > 0;
    if (any && run_once(attempt->hot, &left, &attempt->wakes, wakes, &err) >= 0)
        return;
    hand_over_wakes(&attempt->wakes, wakes);
    if (any && err.code == ERR_UNAVAILABLE)
        fail_rest(&left, 0, 0, &err);
    else if (any)
        run_one_by_one(attempt->hot, &left, wakes, &err);
}

int hot_run(struct hot *hot, struct submit_operation **submits, size_t submit_count, struct work_operation **works,
            size_t work_count, struct wakes *wakes, struct err *err)
{
    const struct operations all = {submits, submit_count, works, work_count};
    for (size_t i = 0; i < work_count; i++)
        works[i]->recorded = 0;
    if (submit_count + work_count == 0)
        return 0;
    if (run_once(hot, &all, NULL, wakes, err) >= 0)
        return 0;
    if (err->code == ERR_UNAVAILABLE)
        return -1;
    run_one_by_one(hot, &all, wakes, err);
    return 0;
}
