// Every way a job can end, at the level of the store, with a pretended worker.
#include "services/common/store/settle.h"

#include "services/common/db/db.h"
#include "services/common/model/states.h"
#include "services/common/store/control.h"
#include "tests/support/store_fixture.h"
#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

static int64_t instance_state(int64_t job, const char *service)
{
    return store_sql(db, "SELECT state FROM instance WHERE job = %lld AND name = '%s' ORDER BY epoch DESC LIMIT 1",
                     (long long)job, service);
}

static bool woken(const struct wakes *wakes, enum wake_kind kind, int64_t id)
{
    for (size_t i = 0; i < wakes->count; i++)
        if (wakes->items[i].kind == kind && wakes->items[i].id == id)
            return true;
    return false;
}

// A job with services "a" and "b" (b needs a); both are ready.
static int64_t with_services(const struct store_job *base)
{
    struct store_job job = *base;
    job.service_count = 2;
    job.services[0].name = "a";
    job.services[1].name = "b";
    job.services[1].depends = 1;
    int64_t id = store_submit(db, &job);
    store_place(db, id, worker);
    store_observe(db, id, "a", INSTANCE_READY, NULL);
    store_place(db, id, worker);
    store_observe(db, id, "b", INSTANCE_READY, NULL);
    store_check(db, id);
    return id;
}

// The services stop in reverse order of their dependencies, each with a certificate.
static void clean_up(int64_t job)
{
    assert_int_equal(instance_state(job, "b"), INSTANCE_STOPPING);
    assert_int_equal(instance_state(job, "a"), INSTANCE_READY);
    store_observe(db, job, "b", INSTANCE_STOPPED, NULL);
    store_observe(db, job, "b", INSTANCE_VERIFIED, NULL);
    assert_int_equal(instance_state(job, "a"), INSTANCE_STOPPING);
    assert_int_equal(store_job_number(db, job, "(closed_at IS NULL)::int"), 1);
    store_observe(db, job, "a", INSTANCE_STOPPED, NULL);
    store_observe(db, job, "a", INSTANCE_VERIFIED, NULL);
    store_expect_event(db, job, "job.closed", 1);
    store_expect_event(db, job, "service.stopping", 2);
}

static void run_all_tasks(int64_t job)
{
    while (store_claim(db, job, 0, 100, worker) > 0)
        ;
    store_report(db, job, 0, SLICE_SUCCEEDED, NULL);
}

static void test_succeeds_without_services(void **state)
{
    UNUSED(state);
    int64_t job = store_submit(db, &(struct store_job){0});
    store_check(db, job);
    assert_int_equal(store_job_number(db, job, "phase"), PHASE_RELEASED);
    run_all_tasks(job);
    store_expect_ended(db, job, OUTCOME_SUCCEEDED, "", CLEANUP_NONE);
    store_expect_event(db, job, "job.outcome", 1);
    store_expect_event(db, job, "job.closed", 1);
}

static void test_waits_for_services_in_order(void **state)
{
    UNUSED(state);
    struct store_job base = {.service_count = 2, .services = {{.name = "a"}, {.name = "b", .depends = 1}}};
    int64_t job = store_submit(db, &base);
    assert_int_equal(store_sql(db, "SELECT count(*) FROM instance WHERE job = %lld", (long long)job), 1);
    assert_int_equal(store_claim(db, job, 0, 10, worker), 0);
    store_place(db, job, worker);
    store_observe(db, job, "a", INSTANCE_READY, NULL);
    assert_int_equal(instance_state(job, "b"), INSTANCE_PENDING);
    assert_int_equal(store_claim(db, job, 0, 10, worker), 0);
    store_place(db, job, worker);
    AUTO_WAKES struct wakes wakes = WAKES_INIT;
    store_observe(db, job, "b", INSTANCE_READY, &wakes);
    store_check(db, job);
    assert_true(woken(&wakes, WAKE_DEMAND, store_sql(db, "SELECT demand FROM stage WHERE job = %lld", (long long)job)));
    assert_int_equal(store_claim(db, job, 0, 10, worker), 10);
    store_expect_event(db, job, "job.running", 1);
}

static void test_succeeds_with_services(void **state)
{
    UNUSED(state);
    int64_t job = with_services(&(struct store_job){0});
    run_all_tasks(job);
    store_expect_ended(db, job, OUTCOME_SUCCEEDED, "", CLEANUP_PENDING);
    clean_up(job);
    store_expect_ended(db, job, OUTCOME_SUCCEEDED, "", CLEANUP_CLEAN);
}

static void test_fails_by_a_task(void **state)
{
    UNUSED(state);
    int64_t job = with_services(&(struct store_job){0});
    store_claim(db, job, 0, 1, worker);
    store_report(db, job, 0, SLICE_FAILED, NULL);
    store_expect_ended(db, job, OUTCOME_FAILED, "task_failed", CLEANUP_PENDING);
    assert_int_equal(store_sql(db, "SELECT cancelled FROM stage WHERE job = %lld", (long long)job), 9);
    clean_up(job);
    store_expect_ended(db, job, OUTCOME_FAILED, "task_failed", CLEANUP_CLEAN);
}

static void test_goes_on_after_a_failed_task(void **state)
{
    UNUSED(state);
    int64_t job = store_submit(
        db, &(struct store_job){.stage_count = 1, .stages = {{.name = "x", .tasks = 2, .from = -1, .goes_on = true}}});
    store_claim(db, job, 0, 1, worker);
    store_report(db, job, 0, SLICE_FAILED, NULL);
    store_check(db, job);
    assert_int_equal(store_job_number(db, job, "outcome"), OUTCOME_NONE);
    run_all_tasks(job);
    store_expect_ended(db, job, OUTCOME_SUCCEEDED, "", CLEANUP_NONE);
}

static void test_fails_by_a_service_that_never_gets_ready(void **state)
{
    UNUSED(state);
    struct store_job base = {.service_count = 1, .services = {{.name = "a"}}};
    int64_t job = store_submit(db, &base);
    store_place(db, job, worker);
    store_settle(db, job, NULL,
                 "UPDATE instance SET state = 2, ready_by = clock_timestamp() - interval '1 s' WHERE job = %lld",
                 (long long)job);
    store_expect_ended(db, job, OUTCOME_FAILED, "service_never_ready", CLEANUP_PENDING);
    assert_int_equal(instance_state(job, "a"), INSTANCE_STOPPING);
    store_observe(db, job, "a", INSTANCE_VERIFIED, NULL);
    store_expect_ended(db, job, OUTCOME_FAILED, "service_never_ready", CLEANUP_CLEAN);
}

static void test_fails_by_a_service_that_dies(void **state)
{
    UNUSED(state);
    int64_t job = with_services(&(struct store_job){0});
    store_claim(db, job, 0, 3, worker);
    AUTO_WAKES struct wakes wakes = WAKES_INIT;
    store_observe(db, job, "b", INSTANCE_FAILED, &wakes);
    store_expect_ended(db, job, OUTCOME_FAILED, "service_failed", CLEANUP_PENDING);
    assert_true(woken(&wakes, WAKE_WORKER, worker));
    assert_int_equal(
        store_sql(db, "SELECT count(*) FROM slice WHERE job = %lld AND state = 2 AND cancel", (long long)job), 1);
    assert_int_equal(instance_state(job, "a"), INSTANCE_READY); // tasks first
    store_report(db, job, 0, SLICE_CANCELLED, NULL);
    assert_int_equal(instance_state(job, "a"), INSTANCE_READY); // then b, which is not seen to be gone yet
    store_observe(db, job, "b", INSTANCE_VERIFIED, NULL);
    assert_int_equal(instance_state(job, "a"), INSTANCE_STOPPING);
    store_observe(db, job, "a", INSTANCE_VERIFIED, NULL);
    store_expect_ended(db, job, OUTCOME_FAILED, "service_failed", CLEANUP_CLEAN);
}

static void test_restarts_a_service(void **state)
{
    UNUSED(state);
    struct store_job base = {.service_count = 1,
                             .services = {{.name = "a", .on_failure = SERVICE_RESTART, .restarts = 1}}};
    int64_t job = store_submit(db, &base);
    store_place(db, job, worker);
    store_observe(db, job, "a", INSTANCE_READY, NULL);
    assert_int_equal(store_job_number(db, job, "phase"), PHASE_RELEASED);
    store_observe(db, job, "a", INSTANCE_FAILED, NULL);
    store_check(db, job);
    assert_int_equal(store_job_number(db, job, "phase"), PHASE_WAITING);
    assert_int_equal(store_claim(db, job, 0, 1, worker), 0);
    store_observe(db, job, "a", INSTANCE_VERIFIED, NULL);
    store_check(db, job);
    assert_int_equal(store_sql(db, "SELECT max(epoch) FROM instance WHERE job = %lld", (long long)job), 2);
    assert_int_equal(store_sql(db, "SELECT count(*) FROM job WHERE attention_at > clock_timestamp()"), 1);
    store_expect_event(db, job, "service.restarting", 1);
    store_place(db, job, worker);
    store_observe(db, job, "a", INSTANCE_READY, NULL);
    assert_int_equal(store_claim(db, job, 0, 1, worker), 1);
    store_report(db, job, 0, SLICE_SUCCEEDED, NULL);
    store_observe(db, job, "a", INSTANCE_FAILED, NULL);
    store_observe(db, job, "a", INSTANCE_VERIFIED, NULL);
    store_expect_ended(db, job, OUTCOME_FAILED, "service_restarts_exhausted", CLEANUP_CLEAN);
}

static void stop_job(int64_t job, int expected)
{
    struct err err = {0};
    AUTO_WAKES struct wakes wakes = WAKES_INIT;
    assert_int_equal(control_stop(db, job, NULL, &wakes, &err), expected);
    store_check(db, job);
}

static void test_stopped_while_queued(void **state)
{
    UNUSED(state);
    struct store_job base = {.service_count = 1, .services = {{.name = "a"}}};
    int64_t job = store_submit(db, &base);
    stop_job(job, CONTROL_DONE);
    store_expect_ended(db, job, OUTCOME_STOPPED, "stop_requested", CLEANUP_CLEAN);
    assert_int_equal(store_sql(db, "SELECT grade FROM instance WHERE job = %lld", (long long)job), GRADE_ABSENT);
    stop_job(job, CONTROL_UNCHANGED);
}

static void test_stopped_while_starting(void **state)
{
    UNUSED(state);
    struct store_job base = {.service_count = 2, .services = {{.name = "a"}, {.name = "b", .depends = 1}}};
    int64_t job = store_submit(db, &base);
    store_place(db, job, worker);
    stop_job(job, CONTROL_DONE);
    assert_int_equal(instance_state(job, "a"), INSTANCE_STOPPING);
    store_observe(db, job, "a", INSTANCE_VERIFIED, NULL);
    store_expect_ended(db, job, OUTCOME_STOPPED, "stop_requested", CLEANUP_CLEAN);
}

static void test_stopped_while_running_and_stopping(void **state)
{
    UNUSED(state);
    int64_t job = with_services(&(struct store_job){0});
    store_claim(db, job, 0, 4, worker);
    stop_job(job, CONTROL_DONE);
    stop_job(job, CONTROL_UNCHANGED);
    store_expect_ended(db, job, OUTCOME_STOPPED, "stop_requested", CLEANUP_PENDING);
    store_report(db, job, 0, SLICE_SUCCEEDED, NULL);
    stop_job(job, CONTROL_UNCHANGED);
    clean_up(job);
    store_expect_ended(db, job, OUTCOME_STOPPED, "stop_requested", CLEANUP_CLEAN);
    assert_int_equal(store_sql(db, "SELECT succeeded FROM stage WHERE job = %lld", (long long)job), 4);
}

static void test_timeout(void **state)
{
    UNUSED(state);
    int64_t job = with_services(&(struct store_job){.timeout_ms = 3600000});
    assert_int_equal(store_job_number(db, job, "(attention_at IS NOT NULL)::int"), 1);
    store_settle(db, job, NULL, "UPDATE job SET created_at = created_at - interval '1 hour' WHERE id = %lld",
                 (long long)job);
    store_expect_ended(db, job, OUTCOME_TIMED_OUT, "timeout", CLEANUP_PENDING);
    clean_up(job);
    store_expect_ended(db, job, OUTCOME_TIMED_OUT, "timeout", CLEANUP_CLEAN);
}

static void test_max_lifetime(void **state)
{
    UNUSED(state);
    int64_t job = with_services(&(struct store_job){.max_lifetime_ms = 3600000, .keeps = true});
    run_all_tasks(job);
    store_expect_ended(db, job, OUTCOME_SUCCEEDED, "", CLEANUP_KEPT);
    store_settle(db, job, NULL, "UPDATE instance SET placed_at = placed_at - interval '1 hour' WHERE job = %lld",
                 (long long)job);
    store_expect_ended(db, job, OUTCOME_SUCCEEDED, "", CLEANUP_PENDING);
    clean_up(job);
    store_expect_ended(db, job, OUTCOME_SUCCEEDED, "", CLEANUP_CLEAN);
}

static void test_kept_until_stopped(void **state)
{
    UNUSED(state);
    int64_t job = with_services(&(struct store_job){.keeps = true});
    run_all_tasks(job);
    store_expect_ended(db, job, OUTCOME_SUCCEEDED, "", CLEANUP_KEPT);
    assert_int_equal(instance_state(job, "a"), INSTANCE_READY);
    stop_job(job, CONTROL_DONE);
    clean_up(job);
    store_expect_ended(db, job, OUTCOME_SUCCEEDED, "", CLEANUP_CLEAN);
}

static void test_linger_and_extend(void **state)
{
    UNUSED(state);
    struct err err = {0};
    AUTO_WAKES struct wakes wakes = WAKES_INIT;
    int64_t job = with_services(&(struct store_job){.linger_ms = 60000});
    run_all_tasks(job);
    store_expect_ended(db, job, OUTCOME_SUCCEEDED, "", CLEANUP_KEPT);
    assert_int_equal(control_extend(db, job, 7200000, NULL, &wakes, &err), CONTROL_DONE);
    store_check(db, job);
    assert_int_equal(store_sql(db,
                               "SELECT count(*) FROM job WHERE keep_until > clock_timestamp() + interval '1 hour' AND "
                               "attention_at = keep_until"),
                     1);
    store_settle(db, job, NULL, "UPDATE job SET keep_until = clock_timestamp() WHERE id = %lld", (long long)job);
    clean_up(job);
    store_expect_ended(db, job, OUTCOME_SUCCEEDED, "", CLEANUP_CLEAN);
    assert_error(control_extend(db, job, 1000, NULL, &wakes, &err), err, ERR_CONFLICT, "keeps no services");
}

static void test_many_jobs_in_one_call(void **state)
{
    UNUSED(state);
    enum { JOBS = 40 };
    struct err err = {0};
    AUTO_WAKES struct wakes wakes = WAKES_INIT;
    int64_t jobs[JOBS];
    struct store_job plain = {0}, served = {.service_count = 1, .services = {{.name = "a"}}};
    for (int i = 0; i < JOBS; i++)
        jobs[i] = store_submit(db, i % 2 ? &plain : &served);
    store_sql(db, "BEGIN; SELECT id FROM job ORDER BY id FOR NO KEY UPDATE; UPDATE job SET stop_requested_at = "
                  "clock_timestamp()");
    assert_ok(settle_jobs(db, jobs, JOBS, &wakes, &err), err);
    store_sql(db, "COMMIT");
    for (int i = 0; i < JOBS; i++)
        store_expect_ended(db, jobs[i], OUTCOME_STOPPED, "stop_requested", i % 2 ? CLEANUP_NONE : CLEANUP_CLEAN);
}

static void test_aborted_transaction_changes_nothing(void **state)
{
    UNUSED(state);
    struct err err = {0};
    AUTO_WAKES struct wakes wakes = WAKES_INIT;
    int64_t job = with_services(&(struct store_job){0});
    store_claim(db, job, 0, 4, worker);
    static const char *digest = "SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM ("
                                "SELECT j::text AS t FROM job j UNION ALL SELECT s::text FROM slice s UNION ALL "
                                "SELECT g::text FROM stage g UNION ALL SELECT i::text FROM instance i UNION ALL "
                                "SELECT e::text FROM event e) t";
    AUTO_FREE char *before = store_sql_text(db, "%s", digest);
    store_sql(db, "BEGIN; UPDATE job SET stop_requested_at = clock_timestamp() WHERE id = %lld", (long long)job);
    assert_ok(settle_jobs(db, &job, 1, &wakes, &err), err);
    db_disconnect(db); // as a crash of the program does
    assert_error(db_sql(db, "SELECT 1", NULL, RESULT_TEXT, NULL, &err), err, ERR_UNAVAILABLE, "lost in a transaction");
    AUTO_FREE char *after = store_sql_text(db, "%s", digest);
    assert_string_equal(before, after);
    stop_job(job, CONTROL_DONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_succeeds_without_services),
        TEST(test_waits_for_services_in_order),
        TEST(test_succeeds_with_services),
        TEST(test_fails_by_a_task),
        TEST(test_goes_on_after_a_failed_task),
        TEST(test_fails_by_a_service_that_never_gets_ready),
        TEST(test_fails_by_a_service_that_dies),
        TEST(test_restarts_a_service),
        TEST(test_stopped_while_queued),
        TEST(test_stopped_while_starting),
        TEST(test_stopped_while_running_and_stopping),
        TEST(test_timeout),
        TEST(test_max_lifetime),
        TEST(test_kept_until_stopped),
        TEST(test_linger_and_extend),
        TEST(test_many_jobs_in_one_call),
        TEST(test_aborted_transaction_changes_nothing),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
