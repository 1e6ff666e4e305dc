// Batches of which everything is asked at once, because nothing is expected to be otherwise than the lane remembers;
// and what comes of it when it is.
#include "services/common/db/db.h"
#include "services/common/store/control.h"
#include "tests/support/hot_lane.h"
#include "tests/support/store_db.h"
#include "tests/support/test.h"

static const struct queue_want ten = {"default", 10};
static struct hot_worker worker;
static struct slice_result held; // its lease; the token is 0 when it has none

// Reports what it has been given and asks for more. Returns the round trips that it took.
static int64_t turn(struct work_operation *work)
{
    *work = hot_poll(worker, &ten);
    work->results = &held;
    work->result_count = held.token != 0;
    int64_t before = db_round_trips(lane.own);
    hot_lane_work(&lane, work);
    return db_round_trips(lane.own) - before;
}

// The same; what it was given is reported by the next one.
static int64_t take(int64_t job)
{
    struct work_operation work;
    int64_t round_trips = turn(&work);
    assert_int_equal(work.grant_count, 1);
    assert_int_equal(work.grants[0].job, job);
    held = hot_success(&work.grants[0]);
    work_operation_release(&work);
    return round_trips;
}

static int setup(void **state)
{
    int outcome = hot_test_setup(state);
    worker = hot_worker_new(lane.db, "w");
    held = (struct slice_result){0};
    return outcome;
}
#define routine_test(function) cmocka_unit_test_setup_teardown(function, setup, hot_test_teardown)

// The reports with the look for tasks; the claims with the commit. Three when more than counters follows from the
// reports.
static void takes_two_round_trips(void **state)
{
    UNUSED(state);
    int64_t job = hot_lane_submit(&lane, "{'name': 'a', 'command': ['x'], 'tasks': {'count': 1000}}");
    int64_t least = 100;
    for (int i = 0; i < 10; i++) {
        int64_t taken = take(job);
        least = taken < least ? taken : least;
    }
    assert_int_equal(least, 2);
}

static void what_has_a_higher_priority_goes_first(void **state)
{
    UNUSED(state);
    int64_t first = hot_lane_submit(&lane, "{'name': 'a', 'command': ['x'], 'tasks': {'count': 1000}}");
    take(first);
    take(first);
    int64_t urgent = hot_lane_submit(&lane, "{'name': 'b', 'priority': 5, 'command': ['x'], 'tasks': {'count': 10}}");
    take(urgent);
    take(first);
}

// The tasks are over when they are looked for; the report that comes with the look makes others ready.
static void what_a_report_makes_ready_is_found(void **state)
{
    UNUSED(state);
    int64_t job =
        hot_lane_submit(&lane, "{'name': 'a', 'stages': [{'name': 'b', 'command': ['x'], 'tasks': {'count': 30}}, "
                               "{'name': 'c', 'command': ['y'], 'tasks': {'count': 10}, 'after': ['b']}]}");
    for (int i = 0; i < 4; i++)
        take(job);
    assert_int_equal(store_sql(lane.db, "SELECT stage FROM slice WHERE state = 2"), 1);
}

// Its commit takes back what was claimed together with the report.
static void what_others_have_taken_back_is_stale(void **state)
{
    UNUSED(state);
    int64_t job = hot_lane_submit(&lane, "{'name': 'a', 'command': ['x'], 'tasks': {'count': 1000}}");
    take(job);
    take(job);
    store_sql(lane.db, "UPDATE slice SET state = 1, worker = NULL, incarnation = NULL, token = NULL, leased_at = NULL "
                       "WHERE state = 2");
    struct work_operation work;
    turn(&work);
    assert_true(held.stale);
    assert_int_equal(work.grant_count, 1);
    work_operation_release(&work);
    assert_int_equal(store_sql(lane.db, "SELECT sum(count)::bigint FROM slice WHERE state = 4"), 10);
}

// Its timeout is noticed by the report that settles it, after the look for tasks: these are cancelled, and nobody's.
static void what_a_report_ends_is_given_to_nobody(void **state)
{
    UNUSED(state);
    struct work_operation work;
    int64_t job = hot_lane_submit(
        &lane, "{'name': 'a', 'timeout': '1h', 'command': ['x'], 'max_parallel': 100, 'tasks': {'count': 1000}}");
    take(job);
    take(job);
    store_sql(lane.db, "UPDATE job SET created_at = created_at - interval '2 hours'");
    turn(&work);
    assert_false(held.stale);
    assert_int_equal(work.grant_count, 0);
    work_operation_release(&work);
    assert_int_equal(store_sql(lane.db, "SELECT count(*) FROM slice WHERE state = 2"), 0);
    assert_int_equal(store_sql(lane.db, "SELECT succeeded + cancelled FROM stage"), 1000);
}

// A worker that may have nothing more is found out after the look for its tasks.
static void who_is_drained_meanwhile_gets_nothing(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct work_operation work;
    int64_t job = hot_lane_submit(&lane, "{'name': 'a', 'command': ['x'], 'tasks': {'count': 1000}}");
    take(job);
    take(job);
    assert_ok(control_drain(lane.db, worker.id, true, &lane.wakes, &err), err);
    turn(&work);
    assert_true(work.drain);
    assert_false(held.stale);
    assert_false(work.again);
    assert_int_equal(work.grant_count, 0);
    work_operation_release(&work);
}

// What nobody had asked for yet comes with the poll that meets it.
static void a_new_demand_is_met(void **state)
{
    UNUSED(state);
    int64_t first = hot_lane_submit(&lane, "{'name': 'a', 'command': ['x'], 'tasks': {'count': 1000}}");
    take(first);
    take(first);
    int64_t urgent = hot_lane_submit(
        &lane, "{'name': 'b', 'priority': 5, 'runtime': 'process', 'command': ['x'], 'tasks': {'count': 10}}");
    take(urgent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        routine_test(takes_two_round_trips),
        routine_test(what_has_a_higher_priority_goes_first),
        routine_test(what_a_report_makes_ready_is_found),
        routine_test(what_others_have_taken_back_is_stale),
        routine_test(what_a_report_ends_is_given_to_nobody),
        routine_test(who_is_drained_meanwhile_gets_nothing),
        routine_test(a_new_demand_is_met),
    };
    return cmocka_run_group_tests(tests, hot_group_setup, hot_group_teardown);
}
