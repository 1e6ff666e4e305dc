// Reports: what they record, once, and what they leave to others.
#include "services/common/db/db.h"
#include "services/common/model/states.h"
#include "services/common/store/control.h"
#include "tests/support/hot_lane.h"
#include "tests/support/store_db.h"
#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

static struct hot_worker worker;
static struct work_operation poll;

static int setup(void **state)
{
    hot_test_setup(state);
    worker = hot_worker_new(lane.db, "w");
    poll = (struct work_operation){0};
    return 0;
}

static int teardown(void **state)
{
    work_operation_release(&poll);
    return hot_test_teardown(state);
}

// Leases `tasks` tasks of the queue; the first slice of them.
static const struct grant *claim(int64_t tasks)
{
    static struct queue_want want;
    want = (struct queue_want){"default", tasks};
    work_operation_release(&poll);
    poll = hot_poll(worker, &want);
    hot_lane_work(&lane, &poll);
    assert_true(poll.grant_count > 0);
    return poll.grants;
}

static struct work_operation report_of(struct slice_result *result)
{
    return (struct work_operation){
        .worker = worker.id, .incarnation = worker.incarnation, .results = result, .result_count = 1};
}

static void report(struct slice_result *result)
{
    struct work_operation work = report_of(result);
    hot_lane_work(&lane, &work);
    work_operation_release(&work);
    hot_check(&lane);
}

static void assert_slices(int64_t job, int stage, const char *expected)
{
    AUTO_FREE char *slices = store_sql_text(
        lane.db,
        "SELECT string_agg(format('%%s:%%s+%%s', state, first, count), ' ' ORDER BY first) FROM slice WHERE "
        "job = %lld AND stage = %d",
        (long long)job, stage);
    assert_string_equal(slices, expected);
}

static int64_t of_stage(int64_t job, int stage, const char *what)
{
    return store_sql(lane.db, "SELECT %s FROM stage WHERE job = %lld AND stage = %d", what, (long long)job, stage);
}

static void succeeded_neighbours_become_one(void **state)
{
    UNUSED(state);
    int64_t job = hot_lane_submit(&lane, "{'name': 'a', 'command': ['x'], 'tasks': {'count': 50}}");
    struct slice_result results[5];
    for (int i = 0; i < 5; i++)
        results[i] = hot_success(claim(10));
    report(&results[1]);
    report(&results[3]);
    assert_slices(job, 0, "2:0+10 4:10+10 2:20+10 4:30+10 2:40+10");
    report(&results[2]); // both neighbours
    assert_slices(job, 0, "2:0+10 4:10+30 2:40+10");
    report(&results[0]);
    assert_slices(job, 0, "4:0+40 2:40+10");
    report(&results[4]);
    assert_slices(job, 0, "4:0+50");
}

// No row is written again and again: of those before it a range takes in what is not wider. In the end one is left.
static void wide_neighbours_are_left_until_the_end(void **state)
{
    UNUSED(state);
    int64_t job = hot_lane_submit(&lane, "{'name': 'a', 'command': ['x'], 'tasks': {'count': 80}}");
    struct slice_result results[8];
    for (int i = 0; i < 8; i++)
        results[i] = hot_success(claim(10));
    for (int i = 0; i < 3; i++)
        report(&results[i]);
    assert_slices(job, 0, "4:0+20 4:20+10 2:30+10 2:40+10 2:50+10 2:60+10 2:70+10");
    report(&results[3]); // takes in two, one after the other
    for (int i = 4; i < 6; i++)
        report(&results[i]);
    assert_slices(job, 0, "4:0+40 4:40+20 2:60+10 2:70+10");
    report(&results[7]);
    report(&results[6]); // with what is behind it as wide as the next before it, and the last
    assert_slices(job, 0, "4:0+80");
}

static void the_last_report_leaves_one_row(void **state)
{
    UNUSED(state);
    int64_t job = hot_lane_submit(&lane, "{'name': 'a', 'command': ['x'], 'tasks': {'count': 70}}");
    struct slice_result results[7];
    for (int i = 0; i < 7; i++)
        results[i] = hot_success(claim(10));
    for (int i = 0; i < 6; i++)
        report(&results[i]);
    assert_slices(job, 0, "4:0+40 4:40+20 2:60+10");
    report(&results[6]);
    assert_slices(job, 0, "4:0+70");
}

// The slice between two reports of one batch is the neighbour of both.
static void one_neighbour_may_be_between_two_reports(void **state)
{
    UNUSED(state);
    int64_t job = hot_lane_submit(&lane, "{'name': 'a', 'command': ['x'], 'tasks': {'count': 50}}");
    struct slice_result results[5];
    for (int i = 0; i < 5; i++)
        results[i] = hot_success(claim(10));
    report(&results[2]);
    struct slice_result around[] = {results[3], results[1]};
    struct work_operation work = report_of(around);
    work.result_count = 2;
    hot_lane_work(&lane, &work);
    work_operation_release(&work);
    assert_slices(job, 0, "2:0+10 4:10+30 2:40+10");
}

static void a_report_takes_a_slice_apart(void **state)
{
    UNUSED(state);
    int64_t job = hot_lane_submit(
        &lane, "{'name': 'a', 'command': ['x'], 'tasks': {'count': 10}, 'retries': {'max': 1, 'backoff': '1h', "
               "'backoff_max': '1h'}}");
    struct slice_range succeeded[] = {{0, 2}, {5, 6}};
    struct task_failure failed[] = {{3, "it broke", 3, SLICE_RETRY_COUNTED}, {7, "busy", 75, SLICE_RETRY_UNCOUNTED}};
    struct slice_result result = hot_success(claim(10));
    result.all_succeeded = false;
    result.succeeded = succeeded;
    result.succeeded_count = 2;
    result.failed = failed;
    result.failed_count = 2;
    report(&result);
    assert_false(result.stale);
    assert_slices(job, 0, "4:0+2 1:2+1 3:3+1 1:4+1 4:5+1 1:6+1 3:7+1 1:8+2");
    assert_int_equal(store_sql(lane.db, "SELECT failures FROM slice WHERE first = 3"), 1);
    assert_int_equal(store_sql(lane.db, "SELECT failures FROM slice WHERE first = 7"), 0);
    assert_int_equal(store_sql(lane.db, "SELECT attempt FROM slice WHERE first = 7"), 1);
    assert_int_equal(store_sql(lane.db, "SELECT attempt FROM slice WHERE first = 8"), 0);
    assert_int_equal(store_sql(lane.db, "SELECT exit FROM task_error WHERE task = 3 AND error = 'it broke'"), 3);
    assert_int_equal(of_stage(job, 0, "succeeded"), 3);
    assert_true(hot_woken(&lane, WAKE_DEMAND, store_sql(lane.db, "SELECT id FROM demand")));

    store_sql(lane.db, "UPDATE slice SET state = CASE first WHEN 3 THEN 1 ELSE state END, "
                       "rank = CASE first WHEN 3 THEN 0 ELSE rank + 1 END");
    result = hot_success(claim(1));
    assert_int_equal(poll.grants[0].attempt, 2);
    result.all_succeeded = false;
    result.failed = failed;
    result.failed_count = 1;
    report(&result);
    assert_int_equal(store_sql(lane.db, "SELECT outcome FROM job"), OUTCOME_FAILED);
    assert_int_equal(of_stage(job, 0, "failed"), 1);
    assert_int_equal(store_sql(lane.db, "SELECT attempt FROM task_error WHERE task = 3"), 2);
    assert_int_equal(store_sql(lane.db,
                               "SELECT count(*) FROM event WHERE kind = 'task.failed' AND data::jsonb = "
                               "'{\"stage\": \"main\", \"task\": 3, \"attempt\": 2, \"error\": \"it broke\"}'"),
                     1);
}

static void what_comes_after_the_end_still_counts(void **state)
{
    UNUSED(state);
    struct err err = {0};
    int64_t job =
        hot_lane_submit(&lane, "{'name': 'a', 'stages': [{'name': 'one', 'command': ['x'], 'tasks': {'count': "
                               "10}}, {'name': 'two', 'command': ['x'], 'from': 'one'}]}");
    struct slice_range succeeded[] = {{0, 1}};
    struct task_failure failed[] = {{1, "e", 1, SLICE_RETRY_COUNTED}, {2, "e", 1, SLICE_RETRY_NEVER}};
    struct task_output output = {0, "{}", 2};
    struct slice_result result = hot_success(claim(5));
    assert_ok(control_stop(lane.db, job, NULL, &lane.wakes, &err), err);
    assert_slices(job, 0, "2:0+5 6:5+5");
    struct work_operation look = hot_poll(worker, NULL);
    hot_lane_work(&lane, &look);
    assert_int_equal(look.cancel_count, 1);
    assert_true(look.cancels[0].token == result.token && look.cancels[0].first == 0 && look.cancels[0].job == job);
    work_operation_release(&look);
    result.all_succeeded = false;
    result.succeeded = succeeded;
    result.succeeded_count = 1;
    result.failed = failed;
    result.failed_count = 2;
    result.outputs = &output;
    result.output_count = 1;
    report(&result);
    assert_slices(job, 0, "4:0+1 6:1+1 5:2+1 6:3+2 6:5+5");
    assert_slices(job, 1, "6:0+1");
    assert_int_equal(store_sql(lane.db, "SELECT (closed_at IS NOT NULL)::int FROM job"), 1);
}

// Nothing was asked of the worker before; what the report itself ends is told in its reply.
static void the_poll_of_a_report_tells_what_the_report_ends(void **state)
{
    UNUSED(state);
    struct task_failure failed = {0, "e", 1, SLICE_RETRY_NEVER};
    int64_t job = hot_lane_submit(&lane, "{'name': 'a', 'command': ['x'], 'tasks': {'count': 10}}");
    struct slice_result result = hot_success(claim(1));
    int64_t other = claim(5)->token;
    result.all_succeeded = false;
    result.failed = &failed;
    result.failed_count = 1;
    struct work_operation work = report_of(&result);
    work.polls = true;
    hot_lane_work(&lane, &work);
    assert_slices(job, 0, "5:0+1 2:1+5 6:6+4");
    assert_int_equal(work.cancel_count, 1);
    assert_true(work.cancels[0].token == other && work.cancels[0].first == 1 && work.cancels[0].job == job);
    work_operation_release(&work);
    hot_check(&lane);
}

static void a_lease_ends_once(void **state)
{
    UNUSED(state);
    int64_t job = hot_lane_submit(&lane, "{'name': 'a', 'command': ['x'], 'tasks': {'count': 10}}");
    struct slice_result result = hot_success(claim(10)), foreign = result, misnamed = result;
    struct slice_result twice[] = {result, result};
    foreign.token++;
    misnamed.job++;
    report(&foreign);
    assert_true(foreign.stale);
    report(&misnamed);
    assert_true(misnamed.stale);
    assert_slices(job, 0, "2:0+10");
    struct work_operation work = report_of(twice);
    work.result_count = 2;
    hot_lane_work(&lane, &work);
    work_operation_release(&work);
    assert_true(!twice[0].stale && twice[1].stale);
    report(&result);
    assert_true(result.stale);
}

static void nonsense_fails_alone(void **state)
{
    UNUSED(state);
    int64_t job = hot_lane_submit(&lane, "{'name': 'a', 'command': ['x'], 'tasks': {'count': 20}}");
    struct slice_result good = hot_success(claim(10)), bad = hot_success(claim(10));
    struct slice_range outside[] = {{0, 100}};
    bad.all_succeeded = false;
    bad.succeeded = outside;
    bad.succeeded_count = 1;
    struct work_operation first = report_of(&bad), second = report_of(&good), *works[] = {&first, &second};
    hot_lane_run(&lane, works, 2);
    assert_true(first.failed && first.err.code == ERR_INVALID);
    assert_false(second.failed || good.stale);
    assert_slices(job, 0, "4:0+10 2:10+10");
    work_operation_release(&first);
    work_operation_release(&second);
}

// Text that the database refuses fails the operation that has it, not the batch.
static void what_the_database_refuses_fails_alone(void **state)
{
    UNUSED(state);
    int64_t job = hot_lane_submit(&lane, "{'name': 'a', 'command': ['x'], 'tasks': {'count': 20}}");
    struct slice_result good = hot_success(claim(10)), bad = hot_success(claim(10));
    struct task_output output = {10, "\"\xff\"", 3};
    bad.outputs = &output;
    bad.output_count = 1;
    struct work_operation first = report_of(&bad), second = report_of(&good), *works[] = {&first, &second};
    hot_lane_run(&lane, works, 2);
    assert_true(first.failed);
    assert_false(second.failed || good.stale);
    assert_slices(job, 0, "4:0+10 2:10+10");
    work_operation_release(&first);
    work_operation_release(&second);
}

static void outputs_become_results_or_tasks(void **state)
{
    UNUSED(state);
    int64_t job = hot_lane_submit(
        &lane,
        "{'name': 'a', 'stages': [{'name': 'one', 'command': ['x'], 'tasks': {'count': 4}}, {'name': 'two', "
        "'command': ['x'], 'from': 'one'}, {'name': 'three', 'command': ['x'], 'from': 'one', 'max_parallel': 1}]}");
    struct slice_range succeeded[] = {{0, 1}, {2, 3}};
    struct task_output outputs[] = {{0, "1", 1}, {0, "\"b\"", 3}, {1, "3", 1}, {2, "[4]", 3}};
    struct slice_result result = hot_success(claim(4));
    result.all_succeeded = false;
    result.succeeded = succeeded;
    result.succeeded_count = 2;
    result.outputs = outputs;
    result.output_count = 4;
    report(&result); // the output of task 1, which did not succeed, is ignored
    assert_slices(job, 1, "1:0+3");
    assert_slices(job, 2, "1:0+1 0:1+2");
    AUTO_FREE char *lines = store_sql_text(lane.db, "SELECT lines FROM item WHERE stage = 1");
    assert_string_equal(lines, "1\n\"b\"\n[4]\n");
    const struct grant *grant = claim(100);
    for (size_t i = 0; i < poll.grant_count && grant->stage != 1; i++)
        grant++;
    assert_int_equal(grant->stage, 1);
    assert_string_equal(grant->items, "[1,\"b\",[4]]");
    struct task_output more[] = {{0, "{\"r\":1}", 7}, {0, "2", 1}};
    result = hot_success(grant);
    result.outputs = more;
    result.output_count = 2;
    report(&result);
    AUTO_FREE char *results = store_sql_text(
        lane.db, "SELECT string_agg(format('%%s/%%s/%%s %%s', stage, task, ordinal, output), ' ' ORDER BY "
                 "task, ordinal) FROM result");
    assert_string_equal(results, "1/0/0 {\"r\":1} 1/0/1 2");
    assert_int_equal(of_stage(job, 1, "total"), 3);
}

static void logs_are_kept_once_and_capped(void **state)
{
    UNUSED(state);
    int64_t job = hot_lane_submit(&lane, "{'name': 'a', 'command': ['x']}");
    struct log_chunk chunks[] = {{job, "task/main/0/1", 0, "hello\n", 6},
                                 {job, "task/main/0/1", 6, "\0\xff\n", 3},
                                 {job, "task/main/0/1", 0, "hello\n", 6},
                                 {job + 1, "of nobody", 0, "x", 1}};
    struct work_operation work = {
        .worker = worker.id, .incarnation = worker.incarnation, .logs = chunks, .log_count = 4};
    hot_lane_work(&lane, &work);
    hot_lane_work(&lane, &work);
    work_operation_release(&work);
    assert_int_equal(store_sql(lane.db, "SELECT count(*) FROM log"), 2);
    assert_int_equal(store_sql(lane.db, "SELECT log_bytes FROM job"), 9);
    assert_int_equal(store_sql(lane.db, "SELECT seq FROM log WHERE position = 6"), 6);
    assert_true(hot_woken(&lane, WAKE_JOB, job));
    char big[600] = "";
    for (int i = 0; i < 5; i++) {
        struct log_chunk next = {job, "service/cache/1", i * 600, big, sizeof big};
        work = (struct work_operation){
            .worker = worker.id, .incarnation = worker.incarnation, .logs = &next, .log_count = 1};
        hot_lane_work(&lane, &work);
        work_operation_release(&work);
    }
    assert_int_equal(store_sql(lane.db, "SELECT count(*) FROM log"), 4);
    assert_int_equal(store_sql(lane.db,
                               "SELECT count(*) FROM log WHERE position = 600 AND convert_from(content, 'UTF8') "
                               "LIKE '%%limit is reached%%'"),
                     1);
    assert_int_equal(store_sql(lane.db, "SELECT log_bytes FROM job"), 1000);
}

static void ship(int64_t job, const char *source, int64_t position, const char *text)
{
    struct log_chunk chunk = {job, source, position, text, strlen(text)};
    struct work_operation work = {
        .worker = worker.id, .incarnation = worker.incarnation, .logs = &chunk, .log_count = 1};
    hot_lane_work(&lane, &work);
    work_operation_release(&work);
}

// What comes again, in other pieces, neither doubles nor hides anything.
static void logs_that_come_again_go_on_behind_what_has_come(void **state)
{
    UNUSED(state);
    int64_t job = hot_lane_submit(&lane, "{'name': 'a', 'command': ['x']}");
    ship(job, "task/main/0/1", 0, "begun\nended\n");
    ship(job, "task/main/0/1", 0, "begun\n");
    ship(job, "task/main/0/1", 6, "ended\n");
    ship(job, "task/main/1/1", 0, "begun\n");
    ship(job, "task/main/1/1", 0, "begun\nended\n");
    AUTO_FREE char *log = store_sql_text(
        lane.db, "SELECT string_agg(convert_from(content, 'UTF8'), '' ORDER BY seq) FROM log WHERE job = %lld",
        (long long)job);
    assert_string_equal(log, "begun\nended\nbegun\nended\n");
    assert_int_equal(store_sql(lane.db, "SELECT log_bytes FROM job WHERE id = %lld", (long long)job), 24);
}

static void events_of_failures_are_capped(void **state)
{
    UNUSED(state);
    int64_t job = hot_lane_submit(
        &lane, "{'name': 'a', 'stages': [{'name': 'one', 'command': ['x'], 'tasks': {'count': 200}, 'on_failure': "
               "'continue'}]}");
    struct task_failure failed[200];
    for (int i = 0; i < 200; i++)
        failed[i] = (struct task_failure){i, "no", -1, SLICE_RETRY_NEVER};
    struct slice_result result = hot_success(claim(200));
    result.all_succeeded = false;
    result.failed = failed;
    result.failed_count = 200;
    report(&result);
    assert_int_equal(of_stage(job, 0, "failed"), 200);
    assert_int_equal(store_sql(lane.db, "SELECT count(*) FROM task_error WHERE exit IS NULL"), 200);
    assert_true(store_sql(lane.db, "SELECT count(*) FROM event WHERE kind = 'task.failed'") < 50);
    assert_int_equal(store_sql(lane.db, "SELECT count(*) FROM event WHERE kind = 'job.closed'"), 1);
}

static void a_paused_job_gets_its_tasks_back_held(void **state)
{
    UNUSED(state);
    struct err err = {0};
    int64_t job = hot_lane_submit(&lane, "{'name': 'a', 'command': ['x'], 'tasks': {'count': 10}}");
    struct slice_range succeeded[] = {{0, 1}};
    struct slice_result result = hot_success(claim(5));
    assert_ok(control_pause(lane.db, job, NULL, &lane.wakes, &err), err);
    result.all_succeeded = false;
    result.succeeded = succeeded;
    result.succeeded_count = 1;
    report(&result);
    assert_slices(job, 0, "4:0+1 0:1+4 0:5+5");
    assert_ok(control_resume(lane.db, job, NULL, &lane.wakes, &err), err);
    assert_int_equal(claim(100)->count, 4);
}

#define test(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(succeeded_neighbours_become_one),
        test(wide_neighbours_are_left_until_the_end),
        test(the_last_report_leaves_one_row),
        test(one_neighbour_may_be_between_two_reports),
        test(a_report_takes_a_slice_apart),
        test(what_comes_after_the_end_still_counts),
        test(the_poll_of_a_report_tells_what_the_report_ends),
        test(a_lease_ends_once),
        test(nonsense_fails_alone),
        test(what_the_database_refuses_fails_alone),
        test(outputs_become_results_or_tasks),
        test(logs_are_kept_once_and_capped),
        test(logs_that_come_again_go_on_behind_what_has_come),
        test(events_of_failures_are_capped),
        test(a_paused_job_gets_its_tasks_back_held),
    };
    return cmocka_run_group_tests(tests, hot_group_setup, hot_group_teardown);
}
