// What becomes of the work of a worker that is not coming back as it was. The worker is locked.
#include "services/common/base/cleanup.h"
#include "services/common/db/db.h"
#include "services/common/model/states.h"
#include "services/common/store/change.h"
#include "services/common/store/embedded.h"
#include "services/common/store/event_list.h"
#include "services/common/store/settle.h"
#include "services/common/store/workers.h"

struct take_back {
    struct db *db;
    int64_t worker;
    int before;
    enum worker_absence absence;
    const char *why;
    struct wakes *wakes;
};

static int process_state(enum worker_absence absence)
{
    switch (absence) {
    case ABSENCE_PRESUMED:
        return INSTANCE_PRESUMED_GONE;
    case ABSENCE_VERIFIED:
        return INSTANCE_VERIFIED;
    case ABSENCE_UNKNOWN:
        return INSTANCE_LOST;
    }
    return INSTANCE_LOST;
}

// Locks the jobs that it has something of. Returns how many; *jobs is the caller's to free.
static int lock_jobs(const struct take_back *take, int64_t **jobs, struct err *err)
{
    AUTO_PARAMS struct params params = PARAMS_INIT;
    AUTO_RESULT struct result rows = RESULT_INIT;
    params_i64(&params, take->worker);
    params_i32(&params, take->before);
    params_bool(&params, take->absence == ABSENCE_VERIFIED);
    if (db_query(take->db, STATEMENT_WORKER_JOBS, &params, RESULT_BINARY, &rows, err) < 0)
        return -1;
    int count = result_rows(&rows);
    AUTO_FREE int64_t *ids = malloc(((size_t)count + 1) * sizeof *ids);
    if (!ids)
        return err_set(err, ERR_NO_MEMORY, "taking back the work of worker %lld", (long long)take->worker);
    for (int row = 0; row < count; row++)
        ids[row] = result_i64(&rows, row, 0);
    if (result_ok(&rows, err) < 0)
        return -1;
    count = job_lock_all(take->db, ids, (size_t)count, err);
    *jobs = TAKE_PTR(ids);
    return count;
}

static int take_slices(const struct take_back *take, struct err *err)
{
    AUTO_PARAMS struct params params = PARAMS_INIT;
    AUTO_RESULT struct result rows = RESULT_INIT;
    params_i64(&params, take->worker);
    params_i32(&params, take->before);
    params_text(&params, take->why);
    if (db_query(take->db, STATEMENT_WORKER_TAKE_SLICES, &params, RESULT_BINARY, &rows, err) < 0)
        return -1;
    for (int row = 0; row < result_rows(&rows); row++) {
        wakes_add(take->wakes, WAKE_JOB, result_i64(&rows, row, 0), 0);
        if (result_i32(&rows, row, 3) == SLICE_READY)
            wakes_add(take->wakes, WAKE_DEMAND, result_i32(&rows, row, 1), result_i64(&rows, row, 2));
    }
    return result_ok(&rows, err) < 0 ? -1 : result_rows(&rows);
}

static int take_instances(const struct take_back *take, struct err *err)
{
    AUTO_PARAMS struct params params = PARAMS_INIT;
    AUTO_RESULT struct result rows = RESULT_INIT;
    params_i64(&params, take->worker);
    params_i32(&params, take->before);
    params_i16(&params, (int16_t)process_state(take->absence));
    params_bool(&params, take->absence == ABSENCE_VERIFIED);
    params_text(&params, take->why);
    if (db_query(take->db, STATEMENT_WORKER_TAKE_INSTANCES, &params, RESULT_BINARY, &rows, err) < 0)
        return -1;
    for (int row = 0; row < result_rows(&rows); row++)
        wakes_add(take->wakes, WAKE_JOB, result_i64(&rows, row, 0), 0);
    return result_ok(&rows, err) < 0 ? -1 : result_rows(&rows);
}

int workers_take_back(struct db *db, int64_t worker, int before, enum worker_absence absence, const char *why,
                      struct wakes *wakes, struct err *err)
{
    const struct take_back take = {
        .db = db, .worker = worker, .before = before, .absence = absence, .why = why, .wakes = wakes};
    AUTO_FREE int64_t *jobs = NULL;
    int count = lock_jobs(&take, &jobs, err);
    if (count <= 0)
        return count;
    int slices = take_slices(&take, err);
    int instances = slices < 0 ? -1 : take_instances(&take, err);
    if (instances < 0 || settle_jobs(db, jobs, (size_t)count, wakes, err) < 0)
        return -1;
    return slices + instances;
}
