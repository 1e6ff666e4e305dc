// What becomes of the work of a worker that is not coming back as it was. The worker is locked.
#include "services/common/base/cleanup.h"
#include "services/common/db/db.h"
#include "services/common/model/states.h"
#include "services/common/store/change.h"
#include "services/common/store/embedded.h"
#include "services/common/store/event_list.h"
#include "services/common/store/settle.h"
#include "services/common/store/workers.h"

#include <string.h>

struct take_back {
    struct db *db;
    const struct worker_loss *loss;
    struct wakes *wakes;
    int64_t *jobs; // locked
    size_t job_count;
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

static const char *seen_engine(const struct worker_loss *loss)
{
    return loss->engine_was_seen ? loss->engine : NULL;
}

// Locks the jobs that it has something of. Returns how many.
static int lock_jobs(struct take_back *take, struct err *err)
{
    AUTO_PARAMS struct params params = PARAMS_INIT;
    AUTO_RESULT struct result rows = RESULT_INIT;
    params_i64(&params, take->loss->worker);
    params_i32(&params, take->loss->before);
    params_bool(&params, take->loss->absence == ABSENCE_VERIFIED);
    params_text(&params, seen_engine(take->loss));
    if (db_query(take->db, STATEMENT_WORKER_JOBS, &params, RESULT_BINARY, &rows, err) < 0)
        return -1;
    int count = result_rows(&rows);
    take->jobs = malloc(((size_t)count + 1) * sizeof *take->jobs);
    if (!take->jobs)
        return err_set(err, ERR_NO_MEMORY, "taking back the work of worker %lld", (long long)take->loss->worker);
    for (int row = 0; row < count; row++)
        take->jobs[row] = result_i64(&rows, row, 0);
    if (result_ok(&rows, err) < 0)
        return -1;
    count = job_lock_all(take->db, take->jobs, (size_t)count, err);
    take->job_count = count < 0 ? 0 : (size_t)count;
    return count;
}

static int take_slices(const struct take_back *take, struct err *err)
{
    AUTO_PARAMS struct params params = PARAMS_INIT;
    AUTO_RESULT struct result rows = RESULT_INIT;
    params_i64(&params, take->loss->worker);
    params_i32(&params, take->loss->before);
    params_text(&params, take->loss->why);
    params_text(&params, take->loss->engine_was_seen ? NULL : take->loss->engine);
    params_i64_array(&params, take->jobs, take->job_count);
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
    params_i64(&params, take->loss->worker);
    params_i32(&params, take->loss->before);
    params_i16(&params, (int16_t)process_state(take->loss->absence));
    params_bool(&params, take->loss->absence == ABSENCE_VERIFIED);
    params_text(&params, take->loss->why);
    params_text(&params, seen_engine(take->loss));
    params_i64_array(&params, take->jobs, take->job_count);
    if (db_query(take->db, STATEMENT_WORKER_TAKE_INSTANCES, &params, RESULT_BINARY, &rows, err) < 0)
        return -1;
    for (int row = 0; row < result_rows(&rows); row++)
        wakes_add(take->wakes, WAKE_JOB, result_i64(&rows, row, 0), 0);
    return result_ok(&rows, err) < 0 ? -1 : result_rows(&rows);
}

// ---- what lives on

static int rebind_instances(const struct take_back *take, const struct worker_registration *survivors, struct err *err)
{
    AUTO_PARAMS struct params params = PARAMS_INIT;
    AUTO_RESULT struct result rows = RESULT_INIT;
    params_array_begin(&params, PARAM_I64);
    for (size_t i = 0; i < survivors->found_count; i++)
        params_add_i64(&params, survivors->found[i].job);
    params_array_end(&params);
    params_array_begin(&params, PARAM_TEXT);
    for (size_t i = 0; i < survivors->found_count; i++)
        params_add_text(&params, survivors->found[i].service, strlen(survivors->found[i].service));
    params_array_end(&params);
    params_array_begin(&params, PARAM_I32);
    for (size_t i = 0; i < survivors->found_count; i++)
        params_add_i32(&params, survivors->found[i].epoch);
    params_array_end(&params);
    params_i64(&params, take->loss->worker);
    params_text(&params, take->loss->engine);
    params_i32(&params, take->loss->before);
    if (db_query(take->db, STATEMENT_WORKER_REBIND_INSTANCES, &params, RESULT_BINARY, &rows, err) < 0)
        return -1;
    for (int row = 0; row < result_rows(&rows); row++)
        survivors->found[result_i64(&rows, row, 0) - 1].kept = result_bool(&rows, row, 1);
    return result_ok(&rows, err);
}

static int rebind_slices(const struct take_back *take, const struct worker_registration *survivors, struct err *err)
{
    AUTO_PARAMS struct params params = PARAMS_INIT;
    params_i64(&params, take->loss->worker);
    params_i64_array(&params, survivors->held, survivors->held_count);
    params_i32(&params, take->loss->before);
    return db_execute(take->db, STATEMENT_WORKER_REBIND_SLICES, &params, NULL, err);
}

static int rebind(const struct take_back *take, struct err *err)
{
    const struct worker_registration *survivors = take->loss->survivors;
    if (!survivors || !take->loss->engine)
        return 0;
    if (survivors->found_count > 0 && rebind_instances(take, survivors, err) < 0)
        return -1;
    return survivors->held_count > 0 ? rebind_slices(take, survivors, err) : 0;
}

static int take_locked(const struct take_back *take, struct err *err)
{
    if (rebind(take, err) < 0)
        return -1;
    int slices = take_slices(take, err);
    int instances = slices < 0 ? -1 : take_instances(take, err);
    if (instances < 0 || settle_jobs(take->db, take->jobs, take->job_count, take->wakes, err) < 0)
        return -1;
    return slices + instances;
}

int workers_take_back(struct db *db, const struct worker_loss *loss, struct wakes *wakes, struct err *err)
{
    struct take_back take = {.db = db, .loss = loss, .wakes = wakes};
    int count = lock_jobs(&take, err);
    int outcome = count > 0 ? take_locked(&take, err) : count;
    free(take.jobs);
    return outcome;
}
