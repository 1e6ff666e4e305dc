// When tasks ran: what reports leave of the leases that they end, and what becomes of it in the trace of the job.
#include "services/common/store/hot_trace.h"

#include "services/common/db/db.h"
#include "services/common/store/job_delete.h"
#include "services/common/store/traces.h"
#include "tests/support/hot_lane.h"
#include "tests/support/manager.h"
#include "tests/support/store_db.h"
#include "tests/support/test.h"

#include <string.h>

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define WATCHED 4

static struct hot_worker worker;

static int setup(void **state)
{
    struct err err = {0};
    const struct hot_settings settings = {
        .worker_lease_ms = 30000, .log_limit_bytes = 1000, .event_limit = 50, .trace_tasks = WATCHED};
    hot_test_setup(state);
    hot_free(lane.hot);
    assert_ok(hot_new(lane.own, &settings, &lane.hot, &err), err);
    worker = hot_worker_new(lane.db, "w1");
    return 0;
}

// Claims `count` tasks and reports them: succeeded, but the first with this error unless it is NULL.
static void turn(int64_t count, const char *error, enum slice_retry retry)
{
    struct queue_want want = {"default", count};
    struct work_operation poll = hot_poll(worker, &want);
    hot_lane_work(&lane, &poll);
    assert_int_equal(poll.grant_count, 1);
    const struct grant *grant = &poll.grants[0];
    struct slice_result result = hot_success(grant);
    struct slice_range behind = {grant->first + 1, grant->first + grant->count};
    struct task_failure failure = {.task = grant->first, .error = error, .exit = 3, .retry = retry};
    if (error) {
        result.all_succeeded = false;
        result.succeeded = &behind;
        result.succeeded_count = grant->count > 1;
        result.failed = &failure;
        result.failed_count = 1;
    }
    struct work_operation report = {
        .worker = worker.id, .incarnation = worker.incarnation, .results = &result, .result_count = 1};
    hot_lane_work(&lane, &report);
    assert_false(result.stale);
    work_operation_release(&report);
    work_operation_release(&poll);
}

static const char *runs(void)
{
    static char text[500];
    AUTO_FREE char *found = store_sql_text(
        lane.db, "SELECT coalesce(string_agg(format('%%s+%%s/%%s:%%s,%%s', first, count, attempt, succeeded, "
                 "failed), ' ' ORDER BY token), '') FROM task_run");
    snprintf(text, sizeof text, "%s", found);
    return text;
}

static void each_run_of_a_small_stage(void **state)
{
    UNUSED(state);
    hot_lane_submit(&lane, "{'name': 'a', 'command': ['x'], 'tasks': {'count': 4}, 'retries': {'max': 1, "
                           "'backoff': '0s'}, 'on_failure': 'continue'}");
    turn(1, NULL, SLICE_RETRY_COUNTED);
    turn(2, "it broke", SLICE_RETRY_COUNTED);
    assert_string_equal(runs(), "0+1/1:1,0 1+2/1:1,1");
    assert_int_equal(store_sql(lane.db, "SELECT count(*) FROM task_run WHERE ended_at >= leased_at AND worker = %lld",
                               (long long)worker.id),
                     2);
}

// Of a large one a part, from all of it.
static void some_runs_of_a_large_stage(void **state)
{
    UNUSED(state);
    hot_lane_submit(&lane, "{'name': 'a', 'command': ['x'], 'tasks': {'count': 40}}");
    for (int i = 0; i < 20; i++)
        turn(2, NULL, SLICE_RETRY_COUNTED);
    assert_string_equal(runs(), "0+2/1:2,0 10+2/1:2,0 20+2/1:2,0 30+2/1:2,0");
    hot_lane_submit(&lane, "{'name': 'b', 'command': ['x'], 'tasks': {'count': 41}}");
    turn(41, NULL, SLICE_RETRY_COUNTED);
    assert_int_equal(store_sql(lane.db, "SELECT count(*) FROM task_run"), 5);
}

static void nothing_unless_it_is_wanted(void **state)
{
    UNUSED(state);
    struct err err = {0};
    hot_free(lane.hot);
    assert_ok(hot_new(lane.own, &(struct hot_settings){.worker_lease_ms = 30000, .event_limit = 50}, &lane.hot, &err),
              err);
    hot_lane_submit(&lane, "{'name': 'a', 'command': ['x']}");
    turn(1, NULL, SLICE_RETRY_COUNTED);
    assert_string_equal(runs(), "");
}

// ---- in the trace

static struct json_object *span_of(struct json_object *spans, const char *name)
{
    for (size_t i = 0; i < json_object_array_length(spans); i++)
        if (strcmp(json_text_at(json_object_array_get_idx(spans, i), "/name"), name) == 0)
            return json_object_array_get_idx(spans, i);
    return NULL;
}

static void a_span_for_each_that_was_kept(void **state)
{
    UNUSED(state);
    struct err err = {0};
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    int64_t job = hot_lane_submit(
        &lane, "{'name': 'a', 'stages': [{'name': 'one', 'command': ['x'], 'tasks': {'count': 12}}, {'name': 'two', "
               "'command': ['x'], 'tasks': {'count': 1}, 'after': 'one', 'on_failure': 'continue'}]}");
    for (int i = 0; i < 6; i++)
        turn(2, NULL, SLICE_RETRY_COUNTED);
    turn(1, "it broke", SLICE_RETRY_NEVER);
    assert_ok(traces_start(lane.db, &err), err);
    assert_ok(traces_read(lane.db, job, &text, &err), err);
    AUTO_JSON_OBJECT struct json_object *all = json_tokener_parse(strbuf_text(&text));
    struct json_object *spans = json_at(all, "/resourceSpans/0/scopeSpans/0/spans");
    struct json_object *stage = span_of(spans, "one"), *run = span_of(spans, "one/6-7"),
                       *last = span_of(spans, "two/0");
    assert_true(stage && run && last);
    assert_null(span_of(spans, "one/4-5")); // every third task is watched
    assert_string_equal(json_text_at(run, "/parentSpanId"), json_text_at(stage, "/spanId"));
    assert_int_equal(json_number_at(run, "/status/code"), 1);
    assert_true(atoll(json_text_at(run, "/endTimeUnixNano")) >= atoll(json_text_at(run, "/startTimeUnixNano")));
    assert_true(atoll(json_text_at(run, "/endTimeUnixNano")) <= atoll(json_text_at(stage, "/endTimeUnixNano")));
    assert_non_null(strstr(text.data, "{\"key\":\"curfew.tasks_left_out\",\"value\":{\"intValue\":\"4\"}}"));
    assert_non_null(strstr(text.data, "{\"key\":\"curfew.tasks_left_out\",\"value\":{\"intValue\":\"0\"}}"));
    assert_string_equal(json_text_at(last, "/status/message"), "it broke");
}

static void they_go_with_their_job(void **state)
{
    UNUSED(state);
    struct err err = {0};
    int64_t job = hot_lane_submit(&lane, "{'name': 'a', 'command': ['x']}");
    turn(1, NULL, SLICE_RETRY_COUNTED);
    assert_string_equal(runs(), "0+1/1:1,0");
    assert_int_equal(job_delete_all(lane.db, &job, 1, 100, &err), JOB_DELETE_DONE);
    assert_string_equal(runs(), "");
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, hot_test_teardown)
    const struct CMUnitTest tests[] = {
        TEST(each_run_of_a_small_stage),     TEST(some_runs_of_a_large_stage), TEST(nothing_unless_it_is_wanted),
        TEST(a_span_for_each_that_was_kept), TEST(they_go_with_their_job),
    };
    return cmocka_run_group_tests(tests, hot_group_setup, hot_group_teardown);
}
