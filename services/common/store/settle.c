#include "services/common/store/settle.h"

#include "services/common/store/settle_batch.h"

// A job whose waiting tasks were cancelled or whose unplaced instances ended has a new view that nobody would look at
// otherwise: it is settled again at once. Each round cancels or ends something, so that there are few.
#define ROUNDS_MAX 4

static bool needs_another_round(const struct settle_plan *plan)
{
    for (size_t i = 0; i < plan->stop_count; i++)
        if (plan->stops[i].never_placed)
            return true;
    return plan->cancel_tasks;
}

// Entries come by job as `jobs` do; one that does not exist has none.
static void note_started(struct settle_batch *batch, const int64_t *jobs, const int64_t *started_us, size_t count)
{
    size_t at = 0;
    for (size_t i = 0; i < batch->count; i++) {
        struct settle_entry *entry = &batch->entries[i];
        while (at < count && jobs[at] < entry->job)
            at++;
        if (at < count && jobs[at] == entry->job && entry->view.started_at_us == 0)
            entry->view.started_at_us = entry->started_us = started_us[at];
    }
}

// Settles once; fills `again` (room for `count`) with the jobs that need another round and returns how many.
static int settle_round(struct settle_batch *batch, const int64_t *jobs, const int64_t *started_us, size_t count,
                        int64_t *again, struct err *err)
{
    if (settle_batch_load(batch, jobs, count, err) < 0)
        return -1;
    if (started_us)
        note_started(batch, jobs, started_us, count);
    for (size_t i = 0; i < batch->count; i++)
        settle_decide(&batch->entries[i].view, &batch->entries[i].plan);
    if (settle_batch_apply(batch, err) < 0)
        return -1;
    int left = 0;
    for (size_t i = 0; i < batch->count; i++)
        if (needs_another_round(&batch->entries[i].plan))
            again[left++] = batch->entries[i].job;
    return left;
}

int settle_jobs_started(struct db *db, const int64_t *jobs, const int64_t *started_us, size_t count,
                        struct wakes *wakes, struct err *err)
{
    if (count == 0)
        return 0;
    AUTO_FREE int64_t *left = malloc(count * sizeof *left);
    if (!left)
        return err_set(err, ERR_NO_MEMORY, "settling %zu jobs", count);
    bool withdrawn = false;
    for (int round = 0; count > 0 && round < ROUNDS_MAX; round++) {
        AUTO_SETTLE_BATCH struct settle_batch batch = {.db = db, .wakes = wakes};
        int again = settle_round(&batch, jobs, started_us, count, left, err);
        if (again < 0)
            return -1;
        withdrawn |= batch.withdraws;
        jobs = left;
        started_us = NULL;
        count = (size_t)again;
    }
    return withdrawn;
}

int settle_jobs(struct db *db, const int64_t *jobs, size_t count, struct wakes *wakes, struct err *err)
{
    return settle_jobs_started(db, jobs, NULL, count, wakes, err) < 0 ? -1 : 0;
}
