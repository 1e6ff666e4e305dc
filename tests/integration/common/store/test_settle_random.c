// Random jobs, random facts in random order: after each the invariant holds and settling again changes nothing; in the
// end every job closes.
#include "services/common/base/macros.h"
#include "services/common/db/db.h"
#include "services/common/model/states.h"
#include "services/common/store/control.h"
#include "tests/support/pg.h"
#include "tests/support/store_db.h"
#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

#define JOBS 60
#define STEPS 40

static unsigned state_of_chance = 20260101;

static int chance(int below)
{
    state_of_chance = state_of_chance * 1103515245u + 12345u;
    return (int)(state_of_chance >> 16 & 0x7fff) % below;
}

static struct store_job random_job(void)
{
    static const char *const stages[] = {"s0", "s1", "s2", "s3"}, *const services[] = {"a", "b", "c"};
    struct store_job job = {
        .keeps = chance(4) == 0,
        .linger_ms = chance(3) == 0 ? 3600000 : 0,
        .keep_on_failure_ms = chance(3) == 0 ? 3600000 : 0,
        .timeout_ms = chance(2) ? 7200000 : 0,
        .stage_count = 1 + chance(4),
        .service_count = chance(4),
    };
    for (int i = 0; i < job.stage_count; i++)
        job.stages[i] = (struct store_stage){
            .name = stages[i],
            .tasks = chance(12),
            .from = -1,
            .after = i > 0 ? (uint64_t)chance(1 << i) : 0,
            .goes_on = chance(2) == 0,
            .max_parallel = chance(2) ? 1 + chance(4) : 0,
        };
    for (int i = 0; i < job.service_count; i++)
        job.services[i] = (struct store_service){
            .name = services[i],
            .depends = i > 0 ? (uint64_t)chance(1 << i) : 0,
            .on_failure = chance(3),
            .restarts = 2,
        };
    return job;
}

// Moves a random instance of the job along a random edge that its worker may report.
static void random_observation(struct db *db, int64_t job)
{
    static const int reported[] = {INSTANCE_STARTING, INSTANCE_READY,  INSTANCE_UNHEALTHY, INSTANCE_KILLING,
                                   INSTANCE_STOPPED,  INSTANCE_FAILED, INSTANCE_STUCK,     INSTANCE_VERIFIED};
    AUTO_FREE char *name =
        store_sql_text(db,
                       "SELECT name FROM (SELECT DISTINCT ON (service) name, state FROM instance WHERE job = %lld "
                       "ORDER BY service, epoch DESC) i WHERE state BETWEEN 1 AND 10 ORDER BY name OFFSET %d LIMIT 1",
                       (long long)job, chance(3));
    if (!*name)
        return;
    int from =
        (int)store_sql(db, "SELECT state FROM instance WHERE job = %lld AND name = '%s' ORDER BY epoch DESC LIMIT 1",
                       (long long)job, name);
    int to = reported[chance((int)ARRAY_LEN(reported))];
    if (instance_may(from, to))
        store_observe(db, job, name, to, NULL);
}

static void random_control(struct db *db, int64_t job)
{
    struct err err = {0};
    AUTO_WAKES struct wakes wakes = WAKES_INIT;
    int outcome = 0;
    switch (chance(8)) {
    case 0:
        outcome = control_stop(db, job, NULL, &wakes, &err);
        break;
    case 1:
    case 2:
        outcome = control_pause(db, job, NULL, &wakes, &err);
        break;
    case 3:
    case 4:
    case 5:
        outcome = control_resume(db, job, NULL, &wakes, &err);
        break;
    default:
        outcome = control_extend(db, job, 1800000, NULL, &wakes, &err);
        break;
    }
    if (outcome < 0)
        assert_int_equal(err.code, ERR_CONFLICT);
}

// By leaps that leave every moment far ahead or behind: none passes by itself, on however slow a machine.
static void time_passes(struct db *db, int64_t job)
{
    store_settle(
        db, job, NULL,
        "UPDATE job SET created_at = created_at - interval '1 h', keep_until = keep_until - interval '40 min', "
        "attention_at = attention_at - interval '1 h' WHERE id = %lld; "
        "UPDATE instance SET not_before = not_before - interval '1 h', ready_by = ready_by - interval '15 min' "
        "WHERE job = %lld",
        (long long)job, (long long)job);
}

static void random_step(struct db *db, int64_t job, int stages, int64_t worker)
{
    int stage = chance(stages);
    switch (chance(16)) {
    case 0:
    case 1:
        store_place(db, job, worker);
        break;
    case 2:
    case 3:
    case 4:
    case 5:
    case 6:
        random_observation(db, job);
        break;
    case 7:
    case 8:
    case 9:
        store_claim(db, job, stage, 1 + chance(4), worker);
        break;
    case 10:
    case 11:
    case 12:
        store_report(db, job, stage, chance(5) ? SLICE_SUCCEEDED : SLICE_FAILED, NULL);
        break;
    case 13:
    case 14:
        random_control(db, job);
        break;
    default:
        if (chance(3) == 0)
            time_passes(db, job);
        break;
    }
}

// Nobody dawdles any more: tasks end, services stop when they are asked to.
static void finish(struct db *db, int64_t job, int stages, int services)
{
    static const char *const names[] = {"a", "b", "c"};
    struct err err = {0};
    AUTO_WAKES struct wakes wakes = WAKES_INIT;
    assert_ok(control_stop(db, job, NULL, &wakes, &err), err);
    for (int i = 0; i < stages; i++)
        store_report(db, job, i, SLICE_CANCELLED, NULL);
    for (int round = 0; round < services; round++)
        for (int i = 0; i < services; i++)
            if (store_sql(db,
                          "SELECT state BETWEEN 5 AND 10 FROM instance WHERE job = %lld AND name = '%s' "
                          "ORDER BY epoch DESC LIMIT 1",
                          (long long)job, names[i]))
                store_observe(db, job, names[i], INSTANCE_VERIFIED, NULL);
    store_check(db, job);
    AUTO_FREE char *state =
        store_sql_text(db, "SELECT j::text FROM job j WHERE id = %lld AND closed_at IS NULL", (long long)job);
    if (*state)
        fail_msg("not closed: %s", state);
}

static void test_random_facts(void **state)
{
    struct db *db = store_db_new(*state);
    int64_t worker = store_worker(db, "w1");
    for (int i = 0; i < JOBS; i++) {
        struct store_job spec = random_job();
        int64_t job = store_submit(db, &spec);
        store_check(db, job);
        for (int step = 0; step < STEPS; step++) {
            random_step(db, job, spec.stage_count, worker);
            store_check(db, job);
        }
        finish(db, job, spec.stage_count, spec.service_count);
    }
    db_close(db);
}

static int start(void **state)
{
    *state = pg_start(0);
    return 0;
}

static int stop(void **state)
{
    pg_stop(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_facts)};
    return cmocka_run_group_tests(tests, start, stop);
}
