// Leadership, and each sweep: what it repairs, and that it finds nothing when there is nothing.
#include "services/common/store/reaper.h"

#include "services/common/db/db.h"
#include "services/common/model/states.h"
#include "services/common/store/control.h"
#include "tests/support/store_fixture.h"
#include "tests/support/test.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct wakes wakes;
static struct sweep sweep;

static int fresh_leader(void **state)
{
    struct err err = {0};
    fresh(state);
    sweep = (struct sweep){.db = db, .leader = "reaper", .limit = 10, .wakes = &wakes};
    assert_int_equal(leader_acquire(db, "reaper", "me", 60000, &sweep.epoch, &err), LEADER_ACQUIRED);
    return 0;
}

static int leader_done(void **state)
{
    wakes_release(&wakes);
    return done(state);
}

static bool woken(enum wake_kind kind, int64_t id)
{
    for (size_t i = 0; i < wakes.count; i++)
        if (wakes.items[i].kind == kind && wakes.items[i].id == id)
            return true;
    return false;
}

static void test_leadership(void **state)
{
    UNUSED(state);
    struct err err = {0};
    int64_t other = 0, mine = sweep.epoch;
    assert_int_equal(leader_acquire(db, "reaper", "other", 60000, &other, &err), LEADER_OTHER);
    assert_int_equal(leader_acquire(db, "reaper", "me", 60000, &mine, &err), LEADER_RENEWED);
    assert_int_equal(mine, sweep.epoch);
    // one that was started again under the same name is another one
    int64_t again = 0;
    assert_int_equal(leader_acquire(db, "reaper", "me", 60000, &again, &err), LEADER_OTHER);
    store_sql(db, "UPDATE leader SET expires_at = clock_timestamp()");
    assert_int_equal(leader_acquire(db, "reaper", "other", 60000, &other, &err), LEADER_ACQUIRED);
    assert_true(other > mine);
    assert_int_equal(leader_acquire(db, "reaper", "me", 60000, &mine, &err), LEADER_OTHER);
    assert_ok(leader_release(db, "reaper", mine, &err), err); // not ours any more: harmless
    assert_int_equal(leader_acquire(db, "reaper", "me", 60000, &mine, &err), LEADER_OTHER);
    assert_ok(leader_release(db, "reaper", other, &err), err);
    assert_int_equal(leader_acquire(db, "reaper", "me", 60000, &mine, &err), LEADER_ACQUIRED);
}

static void test_deposed_reaper_changes_nothing(void **state)
{
    UNUSED(state);
    struct err err = {0};
    int64_t job = store_submit(db, &(struct store_job){.timeout_ms = 1000});
    store_sql(db, "UPDATE job SET created_at = created_at - interval '1 h', attention_at = clock_timestamp()");
    store_sql(db, "UPDATE leader SET epoch = epoch + 1");
    assert_error(sweep_deadlines(&sweep, &err), err, ERR_STALE, "another reaper leads");
    assert_error(sweep_retries(&sweep, &err), err, ERR_STALE, "another");
    assert_error(sweep_workers(&sweep, 5000, &err), err, ERR_STALE, "another");
    assert_error(sweep_leases(&sweep, 5000, &err), err, ERR_STALE, "another");
    assert_error(sweep_services(&sweep, &err), err, ERR_STALE, "another");
    assert_error(sweep_retention(&sweep, 0, &err), err, ERR_STALE, "another");
    assert_error(sweep_bundles(&sweep, 0, &err), err, ERR_STALE, "another");
    assert_int_equal(store_sql(db, "SELECT outcome IS NULL FROM job WHERE id = %lld", (long long)job), 1);
    store_sql(db, "UPDATE leader SET epoch = epoch - 1, expires_at = clock_timestamp()");
    assert_error(sweep_deadlines(&sweep, &err), err, ERR_STALE, "another");
}

static void test_nothing_to_do(void **state)
{
    UNUSED(state);
    struct err err = {0};
    store_submit(db, &(struct store_job){.timeout_ms = 3600000});
    assert_int_equal(sweep_deadlines(&sweep, &err), 0);
    assert_int_equal(sweep_retries(&sweep, &err), 0);
    assert_int_equal(sweep_workers(&sweep, 5000, &err), 0);
    assert_int_equal(sweep_leases(&sweep, 5000, &err), 0);
    assert_int_equal(sweep_services(&sweep, &err), 0);
    assert_int_equal(sweep_verify(&sweep, 0, &err), 0);
    assert_int_equal(sweep_retention(&sweep, 3600000, &err), 0);
    assert_int_equal(sweep_bundles(&sweep, 3600000, &err), 0);
    assert_int_equal(wakes.count, 0);
}

static void test_due_retries(void **state)
{
    UNUSED(state);
    struct err err = {0};
    int64_t job = store_submit(db, &(struct store_job){0}), paused = store_submit(db, &(struct store_job){0});
    assert_int_equal(control_pause(db, paused, NULL, &wakes, &err), CONTROL_DONE);
    wakes_clear(&wakes);
    store_sql(db, "UPDATE slice SET state = 3, due_at = clock_timestamp() + interval '1 h' WHERE job = %lld",
              (long long)job);
    assert_int_equal(sweep_retries(&sweep, &err), 0);
    store_sql(db, "UPDATE slice SET state = 3, due_at = clock_timestamp()");
    assert_int_equal(sweep_retries(&sweep, &err), 2);
    assert_true(woken(WAKE_DEMAND, store_sql(db, "SELECT demand FROM stage LIMIT 1")));
    store_check(db, job);
    store_check(db, paused);
    assert_int_equal(store_sql(db, "SELECT state FROM slice WHERE job = %lld", (long long)job), SLICE_READY);
    assert_int_equal(store_sql(db, "SELECT state FROM slice WHERE job = %lld", (long long)paused), SLICE_HELD);
}

static void test_retries_in_portions(void **state)
{
    UNUSED(state);
    struct err err = {0};
    int64_t job =
        store_submit(db, &(struct store_job){.stage_count = 1, .stages = {{.name = "x", .tasks = 250000, .from = -1}}});
    store_sql(db, "UPDATE slice SET state = 3, due_at = clock_timestamp()");
    assert_int_equal(sweep_retries(&sweep, &err), 10);
    assert_int_equal(sweep_retries(&sweep, &err), 10);
    assert_int_equal(sweep_retries(&sweep, &err), 5);
    assert_int_equal(sweep_retries(&sweep, &err), 0);
    store_check(db, job);
}

static void test_waiting_instances_are_announced(void **state)
{
    UNUSED(state);
    struct err err = {0};
    store_submit(db, &(struct store_job){.service_count = 1, .services = {{.name = "cache"}}});
    assert_int_equal(sweep_retries(&sweep, &err), 0);
    assert_true(woken(WAKE_DEMAND, store_sql(db, "SELECT demand FROM instance")));
}

// A job with a ready service and four leased tasks on the worker.
static int64_t busy(void)
{
    struct store_job base = {.stage_count = 1,
                             .stages = {{.name = "x", .tasks = 10, .from = -1, .retries = 1}},
                             .service_count = 1,
                             .services = {{.name = "cache", .on_failure = SERVICE_RESTART, .restarts = 3}}};
    int64_t job = store_submit(db, &base);
    store_place(db, job, worker);
    store_observe(db, job, "cache", INSTANCE_READY, NULL);
    store_claim(db, job, 0, 4, worker);
    return job;
}

static void test_silent_worker_becomes_suspect_then_lost(void **state)
{
    UNUSED(state);
    struct err err = {0};
    int64_t job = busy();
    store_sql(db, "UPDATE worker SET lease_until = clock_timestamp() - interval '1 s'");
    assert_int_equal(sweep_workers(&sweep, 60000, &err), 1);
    assert_int_equal(store_sql(db, "SELECT state FROM worker"), WORKER_SUSPECT);
    assert_int_equal(store_sql(db, "SELECT count(*) FROM slice WHERE state = 2"), 1);
    store_sql(db, "UPDATE worker SET lease_until = clock_timestamp() - interval '61 s'");
    assert_int_equal(sweep_workers(&sweep, 60000, &err), 1);
    assert_int_equal(store_sql(db, "SELECT state FROM worker"), WORKER_LOST);
    assert_int_equal(store_sql(db, "SELECT count(*) FROM slice WHERE state = 2"), 0);
    assert_int_equal(store_sql(db, "SELECT count(*) FROM slice WHERE state = 0 AND failures = 1 AND attempt = 1"), 1);
    assert_int_equal(store_sql(db, "SELECT grade FROM instance WHERE epoch = 1"), GRADE_PRESUMED);
    assert_int_equal(store_sql(db, "SELECT state FROM instance WHERE epoch = 2"), INSTANCE_PENDING);
    store_check(db, job);
    assert_int_equal(sweep_workers(&sweep, 5000, &err), 0);
}

static void test_quarantined_worker_is_lost_too(void **state)
{
    UNUSED(state);
    struct err err = {0};
    store_sql(db, "UPDATE worker SET state = 3, lease_until = clock_timestamp() - interval '6 s'");
    assert_int_equal(sweep_workers(&sweep, 5000, &err), 1);
    assert_int_equal(store_sql(db, "SELECT state FROM worker"), WORKER_LOST);
}

static void test_leftovers_of_former_incarnations(void **state)
{
    UNUSED(state);
    struct err err = {0};
    int64_t job = busy();
    store_sql(db, "UPDATE worker SET incarnation = 2"); // as if registering had forgotten them
    assert_int_equal(sweep_leases(&sweep, 3600000, &err), 1);
    assert_int_equal(store_sql(db, "SELECT count(*) FROM slice WHERE state = 2"), 0);
    assert_int_equal(store_sql(db, "SELECT state FROM instance WHERE epoch = 1"), INSTANCE_LOST);
    assert_int_equal(sweep_leases(&sweep, 3600000, &err), 0);
    assert_int_equal(sweep_leases(&sweep, 0, &err), 1); // its lease was over before the next one came
    assert_int_equal(store_sql(db, "SELECT state FROM instance WHERE epoch = 1"), INSTANCE_PRESUMED_GONE);
    store_check(db, job);
    assert_int_equal(sweep_leases(&sweep, 0, &err), 0);
}

static void *replace_worker(void *own)
{
    store_worker(own, "w1");
    return NULL;
}

// A report that was under way when its worker was registered anew has claimed something of another job as well, which
// nobody has locked: what changes there would be settled by nobody.
static void test_a_claim_beside_a_new_life(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct db *lane = store_db_again(conninfo), *own = store_db_again(conninfo);
    int64_t reported = store_submit(db, &(struct store_job){0}), claimed = store_submit(db, &(struct store_job){0});
    pthread_t thread;
    store_claim(db, reported, 0, 4, worker);
    store_sql(db, "UPDATE worker SET lease_until = clock_timestamp()");
    store_sql(lane,
              "BEGIN; SELECT id FROM job WHERE id = %lld FOR NO KEY UPDATE; UPDATE slice SET state = 2, attempt = 1, "
              "worker = %lld, incarnation = 1, token = nextval('lease_token'), leased_at = clock_timestamp() "
              "WHERE job = %lld",
              (long long)reported, (long long)worker, (long long)claimed);
    assert_int_equal(pthread_create(&thread, NULL, replace_worker, own), 0);
    while (store_sql(db, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'") == 0)
        ;
    store_sql(lane, "COMMIT");
    pthread_join(thread, NULL);
    store_check(db, reported);
    store_check(db, claimed);
    assert_int_equal(sweep_leases(&sweep, 0, &err), 1);
    assert_int_equal(store_sql(db, "SELECT outcome FROM job WHERE id = %lld", (long long)claimed), OUTCOME_FAILED);
    store_check(db, claimed);
    db_close(lane);
    db_close(own);
}

static void test_leases_of_ended_jobs_get_their_flag(void **state)
{
    UNUSED(state);
    struct err err = {0};
    int64_t job = store_submit(db, &(struct store_job){0});
    store_claim(db, job, 0, 4, worker);
    assert_int_equal(control_stop(db, job, NULL, &wakes, &err), CONTROL_DONE);
    store_sql(db, "UPDATE slice SET cancel = false");
    wakes_clear(&wakes);
    assert_int_equal(sweep_leases(&sweep, 5000, &err), 1);
    assert_true(woken(WAKE_WORKER, worker));
    assert_int_equal(store_sql(db, "SELECT count(*) FROM slice WHERE cancel"), 1);
    assert_int_equal(sweep_leases(&sweep, 5000, &err), 0);
}

static void test_deadlines(void **state)
{
    UNUSED(state);
    struct err err = {0};
    int64_t jobs[12];
    for (int i = 0; i < 12; i++)
        jobs[i] = store_submit(db, &(struct store_job){.timeout_ms = 3600000});
    store_sql(db,
              "UPDATE job SET created_at = created_at - interval '1 h', attention_at = attention_at - interval '1 h'");
    assert_int_equal(sweep_deadlines(&sweep, &err), 10);
    assert_int_equal(sweep_deadlines(&sweep, &err), 2);
    assert_int_equal(sweep_deadlines(&sweep, &err), 0);
    for (int i = 0; i < 12; i++) {
        store_check(db, jobs[i]);
        assert_true(woken(WAKE_JOB, jobs[i]));
    }
    assert_int_equal(store_sql(db, "SELECT count(*) FROM job WHERE outcome = 3 AND closed_at IS NOT NULL"), 12);
}

// What no job can be: settling it fails.
static void break_job(int64_t job)
{
    store_sql(db,
              "INSERT INTO stage SELECT %lld, n, 'x' || n, demand, priority, run, from_stage, after_mask, fail_job, "
              "retries_max, backoff_ms, backoff_max_ms, max_parallel, 0, 0, 0, 0, 0, true, true, 0 "
              "FROM stage, generate_series(1, 70) n WHERE job = %lld",
              (long long)job, (long long)job);
}

static void test_one_job_does_not_hold_up_the_others(void **state)
{
    UNUSED(state);
    struct err err = {0};
    int64_t jobs[4];
    char number[32];
    for (int i = 0; i < 4; i++)
        jobs[i] = store_submit(db, &(struct store_job){.timeout_ms = 3600000});
    break_job(jobs[1]);
    store_sql(db,
              "UPDATE job SET created_at = created_at - interval '1 h', attention_at = attention_at - interval '1 h'");
    snprintf(number, sizeof number, "job %lld: ", (long long)jobs[1]);
    assert_error(sweep_deadlines(&sweep, &err), err, ERR_INTERNAL, number);
    assert_int_equal(store_sql(db, "SELECT count(*) FROM job WHERE outcome = 3 AND closed_at IS NOT NULL"), 3);
    assert_true(woken(WAKE_JOB, jobs[3]));
    assert_error(sweep_deadlines(&sweep, &err), err, ERR_INTERNAL, "more stages");
}

static void test_one_worker_does_not_hold_up_the_others(void **state)
{
    UNUSED(state);
    struct err err = {0};
    int64_t broken = store_submit(db, &(struct store_job){0});
    store_claim(db, broken, 0, 4, worker);
    break_job(broken);
    int64_t other = store_worker(db, "w2"), job = store_submit(db, &(struct store_job){0});
    store_claim(db, job, 0, 4, other);
    store_sql(db, "UPDATE worker SET lease_until = clock_timestamp() - interval '6 s'");
    assert_error(sweep_workers(&sweep, 5000, &err), err, ERR_INTERNAL, "worker ");
    assert_int_equal(store_sql(db, "SELECT state FROM worker WHERE name = 'w2'"), WORKER_LOST);
    assert_int_equal(store_sql(db, "SELECT count(*) FROM slice WHERE state = 2 AND job = %lld", (long long)job), 0);
    store_check(db, job);
}

static void test_second_look_at_ended_jobs(void **state)
{
    UNUSED(state);
    struct err err = {0};
    int64_t job = store_submit(db, &(struct store_job){.service_count = 1, .services = {{.name = "cache"}}});
    store_place(db, job, worker);
    assert_int_equal(control_stop(db, job, NULL, &wakes, &err), CONTROL_DONE);
    // a certificate that nobody settled
    store_sql(
        db,
        "UPDATE instance SET state = 11, grade = 2, stopped_at = clock_timestamp(), verified_at = clock_timestamp()");
    assert_int_equal(sweep_services(&sweep, &err), 0);
    assert_int_equal(store_sql(db, "SELECT closed_at IS NOT NULL FROM job"), 1);
    assert_true(woken(WAKE_JOB, job));
    store_check(db, job);
}

static void test_silent_about_a_stop(void **state)
{
    UNUSED(state);
    struct err err = {0};
    int64_t job = busy();
    store_report(db, job, 0, SLICE_SUCCEEDED, NULL);
    assert_int_equal(control_stop(db, job, NULL, &wakes, &err), CONTROL_DONE);
    wakes_clear(&wakes);
    assert_int_equal(sweep_verify(&sweep, 3600000, &err), 0);
    assert_int_equal(sweep_verify(&sweep, 0, &err), 1);
    assert_true(woken(WAKE_WORKER, worker));
    wakes_clear(&wakes);
    store_observe(db, job, "cache", INSTANCE_STOPPED, NULL);
    assert_int_equal(sweep_verify(&sweep, 0, &err), 1);
    store_observe(db, job, "cache", INSTANCE_VERIFIED, NULL);
    assert_int_equal(sweep_verify(&sweep, 0, &err), 0);
}

static void test_retention(void **state)
{
    UNUSED(state);
    struct err err = {0};
    int64_t old = store_submit(db, &(struct store_job){0}), young = store_submit(db, &(struct store_job){0});
    int64_t unwanted = store_submit(db, &(struct store_job){.service_count = 1, .services = {{.name = "cache"}}});
    int64_t open = store_submit(db, &(struct store_job){0});
    store_place(db, unwanted, worker);
    assert_int_equal(control_stop(db, old, NULL, &wakes, &err), CONTROL_DONE);
    assert_int_equal(control_stop(db, young, NULL, &wakes, &err), CONTROL_DONE);
    assert_int_equal(control_delete(db, unwanted, true, NULL, &wakes, &err), CONTROL_ACCEPTED);
    store_sql(db, "UPDATE job SET closed_at = closed_at - interval '2 h' WHERE id = %lld", (long long)old);
    store_sql(db, "UPDATE job SET created_at = created_at - interval '2 h' WHERE id = %lld", (long long)open);
    assert_int_equal(sweep_retention(&sweep, 3600000, &err), 1);
    assert_int_equal(store_sql(db, "SELECT count(*) FROM job"), 3);
    assert_int_equal(store_sql(db, "SELECT count(*) FROM slice WHERE job = %lld", (long long)old), 0);
    store_observe(db, unwanted, "cache", INSTANCE_VERIFIED, NULL);
    assert_int_equal(sweep_retention(&sweep, 3600000, &err), 1);
    assert_int_equal(store_sql(db, "SELECT count(*) FROM job"), 2);
    store_sql(db, "UPDATE worker SET state = 4, lease_until = clock_timestamp() - interval '2 h'");
    assert_int_equal(sweep_retention(&sweep, 3600000, &err), 1);
    assert_int_equal(store_sql(db, "SELECT count(*) FROM worker"), 0);
    assert_int_equal(sweep_retention(&sweep, 3600000, &err), 0);
}

int main(void)
{
#define LEADER_TEST(function) cmocka_unit_test_setup_teardown(function, fresh_leader, leader_done)
    const struct CMUnitTest tests[] = {
        LEADER_TEST(test_leadership),
        LEADER_TEST(test_deposed_reaper_changes_nothing),
        LEADER_TEST(test_nothing_to_do),
        LEADER_TEST(test_due_retries),
        LEADER_TEST(test_retries_in_portions),
        LEADER_TEST(test_waiting_instances_are_announced),
        LEADER_TEST(test_silent_worker_becomes_suspect_then_lost),
        LEADER_TEST(test_quarantined_worker_is_lost_too),
        LEADER_TEST(test_leftovers_of_former_incarnations),
        LEADER_TEST(test_a_claim_beside_a_new_life),
        LEADER_TEST(test_leases_of_ended_jobs_get_their_flag),
        LEADER_TEST(test_deadlines),
        LEADER_TEST(test_one_job_does_not_hold_up_the_others),
        LEADER_TEST(test_one_worker_does_not_hold_up_the_others),
        LEADER_TEST(test_second_look_at_ended_jobs),
        LEADER_TEST(test_silent_about_a_stop),
        LEADER_TEST(test_retention),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
