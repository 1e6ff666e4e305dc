// The hot calls as a whole: one job's way through them, what a bad operation does to its neighbours, a database that
// goes away.
#include "services/common/store/hot.h"

#include "services/common/base/id.h"
#include "services/common/db/db.h"
#include "services/common/model/states.h"
#include "tests/support/hot_lane.h"
#include "tests/support/pg.h"
#include "tests/support/store_db.h"
#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

static const struct queue_want ten = {"default", 10};

static int64_t of_job(int64_t job, const char *what)
{
    return store_sql(lane.db, "SELECT (%s)::bigint FROM job WHERE id = %lld", what, (long long)job);
}

static void a_job_goes_from_submission_to_its_end(void **state)
{
    UNUSED(state);
    struct hot_worker worker = hot_worker_new(lane.db, "w");
    int64_t job = hot_lane_submit(&lane, "{'name': 'a', 'command': ['true'], 'tasks': [{'a': 1}, 2, 'x']}");
    assert_true(hot_woken(&lane, WAKE_DEMAND, HOT_DEMAND_NEW));
    hot_check(&lane);

    struct work_operation poll = hot_poll(worker, &ten);
    hot_lane_work(&lane, &poll);
    hot_check(&lane);
    assert_true(poll.lease_ms > 20000 && poll.lease_ms <= 30000);
    assert_int_equal(poll.grant_count, 1);
    const struct grant *grant = &poll.grants[0];
    assert_true(grant->job == job && grant->first == 0 && grant->count == 3 && grant->attempt == 1);
    assert_string_equal(grant->stage_name, "main");
    assert_string_equal(grant->items, "[{\"a\":1},2,\"x\"]");
    assert_string_equal(grant->services, "[]");
    assert_null(grant->bundle);
    assert_non_null(strstr(grant->run, "\"true\""));

    struct slice_result result = hot_success(grant);
    struct work_operation report = {
        .worker = worker.id, .incarnation = worker.incarnation, .results = &result, .result_count = 1};
    hot_lane_work(&lane, &report);
    assert_false(result.stale);
    assert_int_equal(of_job(job, "outcome"), OUTCOME_SUCCEEDED);
    assert_int_equal(of_job(job, "(closed_at IS NOT NULL)::int"), 1);
    assert_int_equal(of_job(job, "(started_at IS NOT NULL AND started_at <= finished_at)::int"), 1);
    assert_true(hot_woken(&lane, WAKE_JOB, job));
    AUTO_FREE char *events = store_sql_text(
        lane.db, "SELECT string_agg(kind, ' ' ORDER BY seq) FROM event WHERE job = %lld", (long long)job);
    assert_string_equal(events, "job.submitted stage.released stage.closed job.outcome job.closed");

    hot_lane_work(&lane, &report); // the reply was lost
    assert_true(result.stale);
    work_operation_release(&report);
    work_operation_release(&poll);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        hot_test(a_job_goes_from_submission_to_its_end),
    };
    return cmocka_run_group_tests(tests, hot_group_setup, hot_group_teardown);
}
