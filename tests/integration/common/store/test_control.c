// Retry, and stops that race with claims. What stop, pause and extend do to a job is in test_settle*.c, delete
// in test_job_delete.c.
#include "services/common/store/control.h"

#include "services/common/base/id.h"
#include "services/common/db/db.h"
#include "services/common/model/states.h"
#include "tests/support/store_fixture.h"
#include "tests/support/test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int retry(int64_t job, int64_t *retried, struct err *err)
{
    AUTO_WAKES struct wakes wakes = WAKES_INIT;
    return control_retry(db, job, id_new(), &(struct quota_holder){0}, retried, &wakes, err);
}

static void test_nobody_there(void **state)
{
    UNUSED(state);
    struct err err = {0};
    AUTO_WAKES struct wakes wakes = WAKES_INIT;
    int64_t retried;
    assert_error(control_stop(db, 5, NULL, &wakes, &err), err, ERR_NOT_FOUND, "does not exist");
    assert_error(control_pause(db, 5, NULL, &wakes, &err), err, ERR_NOT_FOUND, "does not exist");
    assert_error(control_extend(db, 5, 1, NULL, &wakes, &err), err, ERR_NOT_FOUND, "does not exist");
    assert_error(control_delete(db, 5, true, NULL, &wakes, &err), err, ERR_NOT_FOUND, "does not exist");
    assert_error(retry(5, &retried, &err), err, ERR_NOT_FOUND, "does not exist");
}

static void test_retry_in_place(void **state)
{
    UNUSED(state);
    struct err err = {0};
    int64_t retried;
    struct store_job base = {.stage_count = 3,
                             .stages = {{.name = "one", .tasks = 4, .from = -1, .goes_on = true},
                                        {.name = "two", .tasks = 0, .from = 0},
                                        {.name = "three", .tasks = 3, .from = -1}}};
    int64_t job = store_submit(db, &base);
    assert_error(retry(job, &retried, &err), err, ERR_CONFLICT, "no failed");
    store_claim(db, job, 0, 2, worker);
    store_report(db, job, 0, SLICE_FAILED, NULL);
    store_claim(db, job, 0, 2, worker);
    store_report(db, job, 0, SLICE_SUCCEEDED, NULL);
    assert_int_equal(store_sql(db, "SELECT count(*) FROM stage WHERE closed"), 2);
    assert_int_equal(retry(job, &retried, &err), CONTROL_DONE);
    assert_int_equal(retried, job);
    store_check(db, job);
    assert_int_equal(store_sql(db, "SELECT count(*) FROM stage WHERE closed"), 0);
    assert_int_equal(store_claim(db, job, 0, 10, worker), 2);
    store_report(db, job, 0, SLICE_SUCCEEDED, NULL);
    store_check(db, job);
    assert_int_equal(store_sql(db, "SELECT succeeded FROM stage WHERE stage = 0"), 4);
    assert_int_equal(store_sql(db, "SELECT count(*) FROM stage WHERE closed"), 2);
}

static void test_retry_within_max_parallel(void **state)
{
    UNUSED(state);
    struct err err = {0};
    int64_t retried;
    struct store_job base = {.stage_count = 1,
                             .stages = {{.name = "x", .tasks = 6, .from = -1, .goes_on = true, .max_parallel = 2}}};
    int64_t job = store_submit(db, &base);
    store_claim(db, job, 0, 2, worker);
    store_report(db, job, 0, SLICE_FAILED, NULL);
    store_check(db, job);
    assert_int_equal(retry(job, &retried, &err), CONTROL_DONE);
    store_check(db, job);
    assert_int_equal(store_sql(db, "SELECT sum(count) FROM slice WHERE state = 1"), 2);
}

static void test_retry_of_an_ended_job(void **state)
{
    UNUSED(state);
    struct err err = {0};
    AUTO_WAKES struct wakes wakes = WAKES_INIT;
    int64_t first, second, third;
    struct store_job base = {
        .stage_count = 2,
        .stages = {{.name = "one", .tasks = 12, .from = -1}, {.name = "two", .tasks = 3, .from = -1, .after = 1}},
        .service_count = 1,
        .services = {{.name = "cache"}}};
    int64_t job = store_submit(db, &base);
    store_place(db, job, worker);
    store_observe(db, job, "cache", INSTANCE_READY, NULL);
    store_claim(db, job, 0, 3, worker);
    store_report(db, job, 0, SLICE_SUCCEEDED, NULL);
    store_claim(db, job, 0, 2, worker); // tasks 3 and 4
    store_report(db, job, 0, SLICE_FAILED, NULL);
    store_sql(db, "UPDATE job SET traceparent = '00-' || repeat('ab', 16) || '-' || repeat('cd', 8) || '-01'");
    assert_int_equal(retry(job, &first, &err), CONTROL_CREATED);
    assert_int_equal(retry(job, &second, &err), CONTROL_UNCHANGED);
    assert_int_equal(first, second);
    assert_int_equal(
        store_sql(db,
                  "SELECT count(*) FROM job WHERE id = %lld AND traceparent = '00-' || repeat('ab', 16) || "
                  "'-' || lpad(to_hex(%lld), 16, '0') || '-01'",
                  (long long)first, (long long)job),
        1);
    store_check(db, first);
    assert_int_equal(store_sql(db, "SELECT total FROM stage WHERE job = %lld AND stage = 0", (long long)first), 9);
    assert_int_equal(store_sql(db, "SELECT total FROM stage WHERE job = %lld AND stage = 1", (long long)first), 3);
    // the items moved with their tasks
    AUTO_FREE char *items = store_sql_text(
        db, "SELECT string_agg(lines, '' ORDER BY first) FROM item WHERE job = %lld AND stage = 0", (long long)first);
    assert_string_equal(items, "3\n4\n5\n6\n7\n8\n9\n10\n11\n");
    AUTO_FREE char *event = store_sql_text(db, "SELECT data FROM event WHERE job = %lld AND seq = 1", (long long)first);
    assert_non_null(strstr(event, "retry_of"));
    // it runs as any other, and may be retried in turn
    store_place(db, first, worker);
    store_observe(db, first, "cache", INSTANCE_READY, NULL);
    assert_int_equal(store_claim(db, first, 0, 100, worker), 9);
    assert_ok(control_stop(db, first, NULL, &wakes, &err), err);
    assert_error(retry(first, &third, &err), err, ERR_CONFLICT, "9 tasks of the job are still being ended");
    store_report(db, first, 0, SLICE_CANCELLED, NULL);
    assert_int_equal(retry(first, &third, &err), CONTROL_CREATED);
    assert_int_equal(store_sql(db, "SELECT sum(total) FROM stage WHERE job = %lld", (long long)third), 12);
    store_check(db, third);
}

static void test_retry_of_a_job_that_succeeded(void **state)
{
    UNUSED(state);
    struct err err = {0};
    int64_t retried, job = store_submit(db, &(struct store_job){0});
    store_claim(db, job, 0, 10, worker);
    store_report(db, job, 0, SLICE_SUCCEEDED, NULL);
    assert_error(retry(job, &retried, &err), err, ERR_CONFLICT, "no failed or cancelled");
}

// ---- claims that race with a stop

struct race {
    atomic_bool over;
    int64_t job;
    _Atomic int64_t claimed;
};

// Cuts ready slices as a poll does: without a lock of the job.
static void *claim_all_the_time(void *context)
{
    struct race *race = context;
    struct db *own = store_db_again(conninfo);
    while (!atomic_load(&race->over)) {
        char text[1200];
        struct err err = {0};
        AUTO_RESULT struct result rows = RESULT_INIT;
        snprintf(text, sizeof text,
                 "WITH head AS (SELECT * FROM slice WHERE job = %lld AND state = 1 ORDER BY first LIMIT 1 FOR UPDATE "
                 "SKIP LOCKED), "
                 "shrunk AS (UPDATE slice s SET first = s.first + 1, count = s.count - 1 FROM head h WHERE s.job = "
                 "h.job AND "
                 "s.stage = h.stage AND s.first = h.first AND h.count > 1 RETURNING s.first - 1 AS first), "
                 "cut AS (INSERT INTO slice (job, stage, first, count, state, attempt, demand, priority, worker, "
                 "incarnation, token, "
                 "leased_at) SELECT h.job, h.stage, h.first, 1, 2, 1, h.demand, h.priority, %lld, 1, "
                 "nextval('lease_token'), "
                 "clock_timestamp() FROM head h, shrunk RETURNING 1) SELECT count(*) FROM cut",
                 (long long)race->job, (long long)worker);
        if (db_sql(own, text, NULL, RESULT_BINARY, &rows, &err) >= 0)
            race->claimed += result_i64(&rows, 0, 0);
    }
    db_close(own);
    return NULL;
}

static void test_stop_while_tasks_are_claimed(void **state)
{
    UNUSED(state);
    for (int round = 0; round < 10; round++) {
        struct err err = {0};
        AUTO_WAKES struct wakes wakes = WAKES_INIT;
        struct store_job base = {.stage_count = 1, .stages = {{.name = "x", .tasks = 20000, .from = -1}}};
        struct race race = {.job = store_submit(db, &base)};
        pthread_t threads[2];
        for (int i = 0; i < 2; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, claim_all_the_time, &race), 0);
        while (store_sql(db, "SELECT count(*) FROM slice WHERE job = %lld AND state = 2", (long long)race.job) < 20)
            ;
        assert_ok(control_stop(db, race.job, NULL, &wakes, &err), err);
        atomic_store(&race.over, true);
        for (int i = 0; i < 2; i++)
            pthread_join(threads[i], NULL);
        store_check(db, race.job);
        assert_int_equal(
            store_sql(
                db,
                "SELECT count(*) FROM slice WHERE job = %lld AND (state IN (0, 1, 3) OR (state = 2 AND NOT cancel))",
                (long long)race.job),
            0);
        store_report(db, race.job, 0, SLICE_CANCELLED, NULL);
        assert_int_equal(store_sql(db, "SELECT closed_at IS NOT NULL FROM job WHERE id = %lld", (long long)race.job),
                         1);
    }
}

static void assert_history(int64_t job, const char *expected)
{
    AUTO_FREE char *history =
        store_sql_text(db,
                       "SELECT string_agg(kind || ' ' || data, '; ' ORDER BY seq) FROM event "
                       "WHERE job = %lld AND kind IN ('job.paused', 'job.stop_requested', 'job.extended', "
                       "'job.retried') OR job = %lld AND seq = 1 AND data <> '{}'",
                       (long long)job, (long long)job);
    assert_string_equal(history, expected);
}

static void test_the_history_says_who_asked(void **state)
{
    UNUSED(state);
    struct err err = {0};
    AUTO_WAKES struct wakes wakes = WAKES_INIT;
    int64_t retried;
    struct store_job base = {.stage_count = 1, .stages = {{.name = "x", .tasks = 2, .from = -1, .goes_on = true}}};
    int64_t job = store_submit(db, &base);
    store_claim(db, job, 0, 1, worker);
    store_report(db, job, 0, SLICE_FAILED, NULL);
    assert_int_equal(control_retry(db, job, id_new(), &(struct quota_holder){.name = "ci"}, &retried, &wakes, &err),
                     CONTROL_DONE);
    assert_int_equal(control_pause(db, job, "ci", &wakes, &err), CONTROL_DONE);
    assert_int_equal(control_stop(db, job, "ops", &wakes, &err), CONTROL_DONE);
    assert_int_equal(control_stop(db, job, "late", &wakes, &err), CONTROL_UNCHANGED);
    assert_history(job, "job.retried {\"tasks\":1,\"by\":\"ci\"}; job.paused {\"by\":\"ci\"}; "
                        "job.stop_requested {\"by\":\"ops\"}");
    store_sql(db, "UPDATE job SET namespace = 'red' WHERE id = %lld", (long long)job);
    assert_int_equal(control_retry(db, job, id_new(), &(struct quota_holder){.name = "ci"}, &retried, &wakes, &err),
                     CONTROL_CREATED);
    assert_int_equal(store_sql(db, "SELECT count(*) FROM job WHERE namespace = 'red'"), 2);
    AUTO_FREE char *first =
        store_sql_text(db, "SELECT data FROM event WHERE job = %lld AND seq = 1", (long long)retried);
    assert_non_null(strstr(first, "{\"retry_of\":\"j"));
    assert_non_null(strstr(first, "\",\"by\":\"ci\"}"));
    struct store_job served = {.service_count = 1, .services = {{.name = "cache"}}};
    int64_t forced = store_submit(db, &served);
    store_place(db, forced, worker);
    assert_int_equal(control_delete(db, forced, true, NULL, &wakes, &err), CONTROL_ACCEPTED);
    assert_int_equal(control_delete(db, forced, true, "late", &wakes, &err), CONTROL_ACCEPTED);
    assert_history(forced, "job.stop_requested {}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_nobody_there),
        TEST(test_retry_in_place),
        TEST(test_retry_within_max_parallel),
        TEST(test_retry_of_an_ended_job),
        TEST(test_retry_of_a_job_that_succeeded),
        TEST(test_the_history_says_who_asked),
        TEST(test_stop_while_tasks_are_claimed),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
