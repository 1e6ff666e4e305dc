// What a lane remembers of its leases is worth nothing once others have ended them.
#include "services/common/base/macros.h"
#include "tests/support/hot_lane.h"
#include "tests/support/pg.h"
#include "tests/support/store_db.h"
#include "tests/support/test.h"

#include <stdlib.h>

#define SLICES 3

static struct hot_lane other; // on the same database
static struct hot_worker workers[SLICES];
static struct slice_result results[SLICES];
static int64_t job;

static struct slice_result claim_tasks(struct hot_lane *of, struct hot_worker worker, int64_t tasks)
{
    const struct queue_want want = {"default", tasks};
    struct work_operation poll = hot_poll(worker, &want);
    hot_lane_work(of, &poll);
    assert_int_equal(poll.grant_count, 1);
    struct slice_result result = hot_success(&poll.grants[0]);
    work_operation_release(&poll);
    return result;
}

static struct slice_result claim(struct hot_lane *of, struct hot_worker worker)
{
    return claim_tasks(of, worker, 10);
}

// A job whose slices are leased one after the other by this lane, to a worker each.
static int setup(void **state)
{
    UNUSED(state);
    const char *conninfo = pg_database_new(hot_pg);
    lane = hot_lane_open(conninfo);
    other = hot_lane_open(conninfo);
    job = hot_lane_submit(&lane, "{'name': 'a', 'command': ['x'], 'tasks': {'count': 30}}");
    for (int i = 0; i < SLICES; i++) {
        char name[16];
        snprintf(name, sizeof name, "w%d", i);
        workers[i] = hot_worker_new(lane.db, name);
        results[i] = claim(&lane, workers[i]);
    }
    return 0;
}

static int teardown(void **state)
{
    hot_lane_close(&other);
    return hot_test_teardown(state);
}

// All of them report in one transaction.
static void report_all(void)
{
    struct work_operation works[SLICES], *batch[SLICES];
    for (int i = 0; i < SLICES; i++) {
        works[i] = (struct work_operation){
            .worker = workers[i].id, .incarnation = workers[i].incarnation, .results = &results[i], .result_count = 1};
        batch[i] = &works[i];
    }
    hot_lane_run(&lane, batch, SLICES);
    for (int i = 0; i < SLICES; i++) {
        assert_false(works[i].failed);
        work_operation_release(&works[i]);
    }
    hot_check(&lane);
}

static void report_at(struct hot_lane *of, struct hot_worker worker, struct slice_result *result)
{
    struct work_operation work = {
        .worker = worker.id, .incarnation = worker.incarnation, .results = result, .result_count = 1};
    hot_lane_work(of, &work);
    work_operation_release(&work);
    assert_false(result->stale);
}

static void assert_slices(const char *expected)
{
    AUTO_FREE char *slices = store_sql_text(
        lane.db,
        "SELECT string_agg(format('%%s:%%s+%%s', state, first, count), ' ' ORDER BY first) FROM slice WHERE job = %lld",
        (long long)job);
    assert_string_equal(slices, expected);
}

static void they_end_once(void **state)
{
    UNUSED(state);
    report_all();
    assert_slices("4:0+30");
    for (int i = 0; i < SLICES; i++)
        assert_false(results[i].stale);
    report_all();
    assert_slices("4:0+30");
    for (int i = 0; i < SLICES; i++)
        assert_true(results[i].stale);
}

// The reply that granted the one in the middle was lost: another lane has given it to somebody else.
static void one_that_others_have_taken_back_is_stale(void **state)
{
    UNUSED(state);
    struct work_operation audit = {
        .worker = workers[1].id, .incarnation = workers[1].incarnation, .polls = true, .says_held = true};
    hot_lane_work(&other, &audit);
    work_operation_release(&audit);
    assert_slices("2:0+10 1:10+10 2:20+10");
    struct slice_result again = claim(&other, workers[2]);
    for (int i = 0; i < SLICES; i++)
        assert_int_not_equal(again.token, results[i].token);

    report_all();
    assert_false(results[0].stale);
    assert_true(results[1].stale);
    assert_false(results[2].stale);
    assert_slices("4:0+10 2:10+10 4:20+10");
    assert_int_equal(store_sql(lane.db, "SELECT token FROM slice WHERE state = 2"), again.token);
}

// Its worker has heard no reply and has reported it elsewhere, and this lane is told late: by then the row that it has
// become is the neighbour of another one that is reported.
static void one_that_was_reported_elsewhere_is_stale(void **state)
{
    UNUSED(state);
    job = hot_lane_submit(&lane, "{'name': 'b', 'command': ['x'], 'tasks': {'count': 60}}");
    for (int i = 0; i < SLICES; i++)
        results[i] = claim_tasks(&lane, workers[i], i < 2 ? 10 : 20);
    report_at(&other, workers[0], &results[0]);
    report_at(&other, workers[1], &results[1]);
    results[1] = claim(&lane, workers[1]);
    assert_slices("4:0+20 2:20+20 2:40+10 1:50+10");

    report_all();
    assert_true(results[0].stale);
    assert_false(results[1].stale);
    assert_false(results[2].stale);
    assert_slices("4:0+50 1:50+10");
}

static void one_of_another_incarnation_is_stale(void **state)
{
    UNUSED(state);
    store_sql(lane.db, "UPDATE slice SET incarnation = incarnation + 1 WHERE token = %lld",
              (long long)results[0].token);
    report_all();
    assert_slices("2:0+10 4:10+20");
    assert_true(results[0].stale);
}

static void a_deleted_job_has_none(void **state)
{
    UNUSED(state);
    store_sql(lane.db, "DELETE FROM slice; DELETE FROM stage; DELETE FROM event; DELETE FROM job");
    report_all();
    for (int i = 0; i < SLICES; i++)
        assert_true(results[i].stale);
}

#define test(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

// As on a server that was restored from before the migration: the database is of no use to the lane, until it is.
static void without_tokens_nothing_is_tried(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct work_operation poll = hot_poll(workers[0], NULL), *batch = &poll;
    store_sql(lane.db, "ALTER FUNCTION raise_lease_token RENAME TO raise_later");
    assert_int_equal(hot_run(other.hot, NULL, 0, &batch, 1, &other.wakes, &err), -1);
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    store_sql(lane.db, "ALTER FUNCTION raise_later RENAME TO raise_lease_token");
    hot_lane_work(&other, &poll);
    work_operation_release(&poll);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(they_end_once),
        test(one_that_others_have_taken_back_is_stale),
        test(one_that_was_reported_elsewhere_is_stale),
        test(one_of_another_incarnation_is_stale),
        test(a_deleted_job_has_none),
        test(without_tokens_nothing_is_tried),
    };
    return cmocka_run_group_tests(tests, hot_group_setup, hot_group_teardown);
}
