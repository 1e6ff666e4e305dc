#include "services/jobmanager/lanes.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/clock.h"
#include "services/common/base/log.h"
#include "services/common/base/macros.h"
#include "services/common/db/db.h"
#include "services/common/store/embedded.h"
#include "services/common/store/hot_runs.h"
#include "services/jobmanager/lane_queue.h"

#include <pthread.h>
#include <string.h>

// Short, so that workers hear of a database that hangs well before they have to fence themselves.
#define STATEMENT_TIMEOUT_MS 8000
#define NETWORK_TIMEOUT_MS 3000
#define FALL_SAID_MS 60000

struct lane {
    struct lanes *lanes;
    struct lane_queue *queue;
    pthread_t thread;
    struct db *db;
    struct hot *hot;
    struct lane_entry **batch; // taken from the queue
    struct submit_operation **submits;
    struct work_operation **works;
    size_t batch_count, submit_count, work_count;
    size_t taken;  // from the queue; guests come from elsewhere
    bool was_down; // so that the log says it once
    int64_t falls; // that are in the stats
    int64_t fall_said_ms;
};

struct lanes {
    struct lanes_settings settings; // what the lanes share is in it
    struct lane_queue submits, works;
    pthread_mutex_t mutex; // guards the stats
    struct lanes_stats stats;
    struct lane *lanes; // the first for submissions, the others for the calls of workers
    int started;
};

int lanes_add(struct lanes *lanes, struct lane_entry *entry, struct err *err)
{
    if (lane_queue_add(entry->submit ? &lanes->submits : &lanes->works, entry))
        return 0;
    pthread_mutex_lock(&lanes->mutex);
    lanes->stats.refused++;
    pthread_mutex_unlock(&lanes->mutex);
    return err_set(err, ERR_UNAVAILABLE, "too many requests are waiting for the database");
}

// ---- running a batch

// Ends an entry that is not run: nobody waits for it, or it has waited too long. True when it was ended.
static bool entry_drop(const struct lane *lane, struct lane_entry *entry)
{
    if (entry->wanted && !entry->wanted(entry)) {
        entry->done(entry, 1, NULL);
        return true;
    }
    if (clock_boot_ms() - entry->queued_ms <= lane->lanes->settings.wait_max_ms)
        return false;
    struct err err;
    err_set(&err, ERR_UNAVAILABLE, "waited too long for the database");
    entry->done(entry, -1, &err);
    return true;
}

// Sorts the batch into operations.
static void batch_sort(struct lane *lane, uint64_t mark)
{
    size_t kept = 0;
    lane->submit_count = lane->work_count = 0;
    for (size_t i = 0; i < lane->batch_count; i++) {
        struct lane_entry *entry = lane->batch[i];
        if (entry_drop(lane, entry))
            continue;
        entry->mark = mark;
        if (entry->submit)
            lane->submits[lane->submit_count++] = entry->submit;
        else
            lane->works[lane->work_count++] = entry->work;
        lane->batch[kept++] = entry;
    }
    lane->batch_count = kept;
}

// All that is lost by it is time; it should not happen, so it is said, once a minute at most.
static void falls_note(struct lane *lane)
{
    const struct hot_falls *falls = hot_falls(lane->hot);
    int64_t more = falls->count - lane->falls, now_ms = clock_boot_ms();
    if (more == 0)
        return;
    lane->falls = falls->count;
    pthread_mutex_lock(&lane->lanes->mutex);
    lane->lanes->stats.falls += more;
    pthread_mutex_unlock(&lane->lanes->mutex);
    if (lane->fall_said_ms != 0 && now_ms - lane->fall_said_ms < FALL_SAID_MS)
        return;
    lane->fall_said_ms = now_ms;
    log_event(LOG_WARN, "submissions go step by step: their one statement failed", "error", falls->last.text, "times",
              LOG_NUMBER(falls->count), NULL);
}

static void outcome_note(struct lane *lane, int64_t began_us, int outcome, const struct err *err)
{
    struct lanes *lanes = lane->lanes;
    lane_queue_answered(lane->queue, began_us, lane->taken, lanes->settings.batch_max);
    pthread_mutex_lock(&lanes->mutex);
    lanes->stats.transactions++;
    lanes->stats.operations += (int64_t)lane->batch_count;
    lanes->stats.failures += outcome < 0;
    pthread_mutex_unlock(&lanes->mutex);
    if (outcome < 0 && !(lane->was_down && err->code == ERR_UNAVAILABLE))
        log_event(LOG_ERROR, "a lane's transaction failed", "error", err->text, "requests",
                  LOG_NUMBER(lane->batch_count), NULL);
    else if (outcome >= 0 && lane->was_down)
        log_event(LOG_INFO, "the database is back", NULL);
    lane->was_down = outcome < 0 && err->code == ERR_UNAVAILABLE;
}

// Whoever waits for the tasks of a submission is served by the same transaction, not by one after it.
static void batch_invite(struct lane *lane)
{
    const struct lanes_settings *settings = &lane->lanes->settings;
    AUTO_WAKES struct wakes wakes = WAKES_INIT;
    for (size_t i = 0; settings->invite && i < lane->batch_count; i++)
        if (lane->batch[i]->submit)
            hot_foresee(lane->hot, lane->batch[i]->submit, &wakes);
    if (wakes.count == 0)
        return;
    struct lane_entry **guests = lane->batch + lane->batch_count;
    size_t count = settings->invite(settings->context, &wakes, guests, settings->batch_max - lane->batch_count);
    for (size_t i = 0; i < count; i++)
        guests[i]->queued_ms = clock_boot_ms();
    lane->batch_count += count;
}

// The guests, who come last in the batch, are who is waited for.
static void batch_answer(struct lane *lane, int outcome, const struct err *err)
{
    for (size_t n = 0; n < lane->batch_count; n++) {
        struct lane_entry *entry = lane->batch[(lane->submit_count + n) % lane->batch_count];
        entry->done(entry, outcome, err);
    }
}

static void batch_run(struct lane *lane)
{
    struct lanes *lanes = lane->lanes;
    AUTO_WAKES struct wakes wakes = WAKES_INIT;
    struct err err = {0};
    lane->batch_count = lane->taken;
    batch_invite(lane);
    batch_sort(lane, lanes->settings.mark(lanes->settings.context));
    if (!lane->batch_count)
        return;
    int64_t began_us = clock_boot_us();
    int outcome = hot_run(lane->hot, lane->submits, lane->submit_count, lane->works, lane->work_count, &wakes, &err);
    outcome_note(lane, began_us, outcome, &err);
    falls_note(lane);
    batch_answer(lane, outcome < 0 ? -1 : 0, &err);
    if (outcome >= 0)
        lanes->settings.deliver(lanes->settings.context, &wakes);
}

static void *lane_main(void *context)
{
    struct lane *lane = context;
    while ((lane->taken = lane_queue_take(lane->queue, lane->batch, lane->lanes->settings.batch_max)) > 0)
        batch_run(lane);
    return NULL;
}

// ---- start and stop

static void lane_release(struct lane *lane)
{
    hot_free(lane->hot);
    db_close(lane->db);
    free(lane->batch);
    free(lane->submits);
    free(lane->works);
}

static int lane_init(struct lane *lane, struct lanes *lanes, struct err *err)
{
    const struct lanes_settings *settings = &lanes->settings;
    struct db_options options = {.application_name = "curfew-jobmanager lane",
                                 .statements = store_statements,
                                 .statement_count = STATEMENT_COUNT,
                                 .network_timeout_ms = NETWORK_TIMEOUT_MS,
                                 .statement_timeout_ms = STATEMENT_TIMEOUT_MS};
    lane->lanes = lanes;
    lane->queue = lane == lanes->lanes ? &lanes->submits : &lanes->works;
    lane->batch = calloc(settings->batch_max, sizeof(struct lane_entry *));
    lane->submits = calloc(settings->batch_max, sizeof(struct submit_operation *));
    lane->works = calloc(settings->batch_max, sizeof(struct work_operation *));
    if (!lane->batch || !lane->submits || !lane->works)
        return err_set(err, ERR_NO_MEMORY, "no memory for a lane");
    if (db_open(settings->database_url, &options, &lane->db, err) < 0)
        return -1;
    return hot_new(lane->db, &settings->hot, &lane->hot, err);
}

static int lane_start(struct lane *lane, struct lanes *lanes, struct err *err)
{
    int failed = -1;
    if (lane_init(lane, lanes, err) == 0) {
        failed = pthread_create(&lane->thread, NULL, lane_main, lane);
        if (failed)
            err_errno(err, ERR_UNAVAILABLE, failed, "cannot start a lane");
    }
    if (failed)
        lane_release(lane);
    return failed ? -1 : 0;
}

int lanes_start(const struct lanes_settings *settings, struct lanes **out, struct err *err)
{
    struct lanes *lanes = calloc(1, sizeof(*lanes));
    if (!lanes)
        return err_set(err, ERR_NO_MEMORY, "no memory for lanes");
    lanes->settings = *settings;
    if (hot_runs_new(&lanes->settings.hot.runs, err) < 0) {
        free(lanes);
        return -1;
    }
    pthread_mutex_init(&lanes->mutex, NULL);
    lane_queue_init(&lanes->submits, settings->queue_max, 0);
    lane_queue_init(&lanes->works, settings->queue_max, settings->patience_ms);
    int count = 1 + settings->count;
    lanes->lanes = calloc((size_t)count, sizeof(*lanes->lanes));
    if (!lanes->lanes) {
        lanes_stop(lanes);
        return err_set(err, ERR_NO_MEMORY, "no memory for lanes");
    }
    for (int i = 0; i < count; i++) {
        if (lane_start(&lanes->lanes[i], lanes, err) < 0) {
            lanes_stop(lanes);
            return -1;
        }
        lanes->started++;
    }
    *out = lanes;
    return 0;
}

void lanes_stop(struct lanes *lanes)
{
    if (!lanes)
        return;
    lane_queue_stop(&lanes->submits);
    lane_queue_stop(&lanes->works);
    for (int i = 0; i < lanes->started; i++) {
        pthread_join(lanes->lanes[i].thread, NULL);
        lane_release(&lanes->lanes[i]);
    }
    free(lanes->lanes);
    hot_runs_free(lanes->settings.hot.runs);
    lane_queue_release(&lanes->submits);
    lane_queue_release(&lanes->works);
    pthread_mutex_destroy(&lanes->mutex);
    free(lanes);
}

void lanes_stats(struct lanes *lanes, struct lanes_stats *out)
{
    pthread_mutex_lock(&lanes->mutex);
    *out = lanes->stats;
    pthread_mutex_unlock(&lanes->mutex);
    out->queued = (int64_t)(lane_queue_count(&lanes->submits) + lane_queue_count(&lanes->works));
}
