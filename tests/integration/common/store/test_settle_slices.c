// Stages and their slices: what is held, released, in which order.
#include "services/common/store/settle.h"

#include "services/common/db/db.h"
#include "services/common/model/states.h"
#include "services/common/store/control.h"
#include "tests/support/store_fixture.h"
#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

static void run_all_tasks(int64_t job)
{
    while (store_claim(db, job, 0, 100, worker) > 0)
        ;
    store_report(db, job, 0, SLICE_SUCCEEDED, NULL);
}

static void test_stages_follow_each_other(void **state)
{
    UNUSED(state);
    struct store_job base = {.stage_count = 3,
                             .stages = {{.name = "one", .tasks = 2, .from = -1},
                                        {.name = "two", .tasks = 1, .from = -1, .after = 1},
                                        {.name = "three", .tasks = 0, .from = 1}}};
    int64_t job = store_submit(db, &base);
    store_check(db, job);
    assert_int_equal(store_claim(db, job, 1, 1, worker), 0);
    run_all_tasks(job);
    store_check(db, job);
    assert_int_equal(store_claim(db, job, 1, 1, worker), 1);
    store_report(db, job, 1, SLICE_SUCCEEDED, NULL);
    store_expect_ended(db, job, OUTCOME_SUCCEEDED, "", CLEANUP_NONE);
    store_expect_event(db, job, "stage.closed", 3);
}

static void test_max_parallel(void **state)
{
    UNUSED(state);
    struct store_job base = {.stage_count = 1, .stages = {{.name = "x", .tasks = 2500, .from = -1, .max_parallel = 7}}};
    int64_t job = store_submit(db, &base);
    store_check(db, job);
    int64_t rounds = 0;
    for (int64_t left = 2500; left > 0; rounds++) {
        int64_t claimed = 0, more;
        while ((more = store_claim(db, job, 0, 5, worker)) > 0)
            claimed += more;
        assert_int_equal(claimed, MIN(left, 7));
        left -= claimed;
        store_report(db, job, 0, SLICE_SUCCEEDED, NULL);
        store_check(db, job);
        // as the hot calls do: succeeded neighbours are one slice
        if (rounds % 50 == 0)
            store_sql(
                db,
                "BEGIN; DELETE FROM slice WHERE job = %lld AND state = 4; INSERT INTO slice (job, stage, first, count, "
                "state, demand, priority) SELECT job, stage, 0, succeeded, 4, demand, priority FROM stage WHERE job = "
                "%lld; COMMIT",
                (long long)job, (long long)job);
    }
    store_expect_ended(db, job, OUTCOME_SUCCEEDED, "", CLEANUP_NONE);
}

static void test_pause_holds_and_resume_releases(void **state)
{
    UNUSED(state);
    struct err err = {0};
    AUTO_WAKES struct wakes wakes = WAKES_INIT;
    int64_t job = store_submit(db, &(struct store_job){0});
    store_claim(db, job, 0, 2, worker);
    assert_int_equal(control_pause(db, job, NULL, &wakes, &err), CONTROL_DONE);
    assert_int_equal(control_pause(db, job, NULL, &wakes, &err), CONTROL_UNCHANGED);
    store_check(db, job);
    assert_int_equal(store_claim(db, job, 0, 2, worker), 0);
    store_report(db, job, 0, SLICE_SUCCEEDED, NULL);
    store_check(db, job);
    assert_int_equal(control_resume(db, job, NULL, &wakes, &err), CONTROL_DONE);
    store_check(db, job);
    run_all_tasks(job);
    store_expect_ended(db, job, OUTCOME_SUCCEEDED, "", CLEANUP_NONE);
    assert_error(control_pause(db, job, NULL, &wakes, &err), err, ERR_CONFLICT, "has ended (succeeded)");
    store_expect_event(db, job, "job.paused", 1);
    store_expect_event(db, job, "job.resumed", 1);
}

static void test_fair_ranks(void **state)
{
    UNUSED(state);
    struct store_job big = {.stage_count = 1, .stages = {{.name = "x", .tasks = 100000, .from = -1}}};
    int64_t first = store_submit(db, &big);
    while (store_claim(db, first, 0, 1000, worker) > 0 &&
           store_sql(db, "SELECT count(*) FROM slice WHERE state = 2") < 10)
        ;
    int64_t head = store_sql(db, "SELECT min(rank) FROM slice WHERE state = 1");
    assert_int_equal(head, 10000);
    int64_t small = store_submit(db, &(struct store_job){0});
    assert_int_equal(store_sql(db, "SELECT rank FROM slice WHERE job = %lld", (long long)small), head);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_max_parallel),
        TEST(test_pause_holds_and_resume_releases),
        TEST(test_fair_ranks),
        TEST(test_stages_follow_each_other),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
