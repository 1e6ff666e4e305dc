// Submissions of which nothing has to be asked first, in one statement, and the polls that are given their tasks in it:
// the same rows and the same answers as step by step, whatever is not as it was taken for granted.
#include "services/common/base/id.h"
#include "services/common/base/macros.h"
#include "services/common/db/db.h"
#include "services/common/model/states.h"
#include "services/common/store/hot.h"
#include "tests/support/hot_lane.h"
#include "tests/support/pg.h"
#include "tests/support/store_db.h"
#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

static const char *database;
static struct hot_worker worker;

// The lane knows the demand and what the worker can serve, and the queue is empty.
static int setup(void **state)
{
    static struct queue_want want = {"default", 10};
    UNUSED(state);
    database = pg_database_new(hot_pg);
    lane = hot_lane_open_patient(database);
    worker = hot_worker_new(lane.db, "w");
    hot_lane_submit(&lane, "{'name': 'first', 'command': ['x']}");
    struct work_operation poll = hot_poll(worker, &want);
    hot_lane_work(&lane, &poll);
    assert_int_equal(poll.grant_count, 1);
    struct slice_result result = hot_success(&poll.grants[0]);
    work_operation_release(&poll);
    poll = hot_poll(worker, &want);
    poll.results = &result;
    poll.result_count = 1;
    hot_lane_work(&lane, &poll);
    work_operation_release(&poll);
    wakes_clear(&lane.wakes);
    return 0;
}

// A submission and a poll for so many tasks, in one batch.
struct pair {
    struct job_spec spec;
    struct queue_want want;
    struct submit_operation submit;
    struct work_operation poll;
};

static void pair_init(struct pair *pair, const char *json, const char *key, int64_t tasks)
{
    struct err err = {0};
    AUTO_FAULTS struct faults faults = FAULTS_INIT;
    AUTO_FREE char *text = strdup(json);
    for (char *c = text; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    *pair = (struct pair){.want = {"default", tasks}};
    assert_ok(job_spec_parse(text, strlen(text), &pair->spec, &faults, &err), err);
    pair->submit =
        (struct submit_operation){.spec = &pair->spec, .idempotency_key = key, .fingerprint = "f", .job = id_new()};
    pair->poll = hot_poll(worker, &pair->want);
}

static void pair_run(struct pair *pair)
{
    struct err err = {0};
    struct submit_operation *submit = &pair->submit;
    struct work_operation *poll = &pair->poll;
    assert_ok(hot_run(lane.hot, &submit, 1, &poll, 1, &lane.wakes, &err), err);
    hot_check(&lane);
}

static void pair_release(struct pair *pair)
{
    work_operation_release(&pair->poll);
    job_spec_release(&pair->spec);
}

static bool was_written_at_once(int64_t job)
{
    return store_sql(
               lane.db,
               "SELECT bool_and(s.xmin = j.xmin AND s.cmin = j.cmin)::int FROM job j JOIN slice s ON s.job = j.id "
               "WHERE j.id = %lld",
               (long long)job) == 1;
}

static int64_t tasks(int64_t job, int state)
{
    return store_sql(lane.db, "SELECT coalesce(sum(count), 0)::bigint FROM slice WHERE job = %lld AND state = %d",
                     (long long)job, state);
}

static int64_t demand(void)
{
    return store_sql(lane.db, "SELECT max(demand) FROM stage");
}

// Everything in the rows of a job but its id and the times.
static char *rows_of(int64_t job)
{
    return store_sql_text(lane.db,
                          "SELECT string_agg(row::text, E'\\n' ORDER BY row::text) FROM ("
                          "SELECT to_jsonb(j) - '{id,created_at,attention_at}'::text[] || jsonb_build_object('after', "
                          "extract(epoch FROM attention_at - created_at)) FROM job j WHERE id = %lld UNION ALL "
                          "SELECT to_jsonb(g) - 'job' FROM stage g WHERE job = %lld UNION ALL "
                          "SELECT to_jsonb(s) - 'job' FROM slice s WHERE job = %lld UNION ALL "
                          "SELECT to_jsonb(i) - 'job' FROM item i WHERE job = %lld UNION ALL "
                          "SELECT to_jsonb(e) - '{job,at}'::text[] FROM event e WHERE job = %lld) r (row)",
                          (long long)job, (long long)job, (long long)job, (long long)job, (long long)job);
}

static void rows_are_the_same_as_step_by_step(void **state)
{
    UNUSED(state);
    static const char *const specs[] = {
        "{'name': 'a', 'command': ['x'], 'labels': {'b': 'c'}, 'timeout': '90s'}",
        "{'name': 'a', 'command': ['x'], 'tasks': [1, {'two': 2}, 'three']}",
        "{'name': 'a', 'command': ['x'], 'tasks': {'count': 5000}, 'priority': 3}",
        "{'name': 'a', 'stages': [{'name': 'b', 'command': ['x'], 'tasks': [1, 2]}, {'name': 'c', 'command': ['y'], "
        "'from': "
        "'b'}, {'name': 'd', 'command': ['z'], 'after': ['b'], 'tasks': {'count': 3}}]}",
    };
    // The head of the queue is somewhere.
    hot_lane_submit(&lane, "{'name': 'before', 'command': ['x'], 'tasks': {'count': 100}}");
    static struct queue_want want = {"default", 40};
    struct work_operation poll = hot_poll(worker, &want);
    hot_lane_work(&lane, &poll);
    work_operation_release(&poll);
    for (size_t i = 0; i < ARRAY_LEN(specs); i++) {
        struct hot_lane fresh = hot_lane_open_patient(database); // it does not know any demand
        int64_t stepwise = hot_lane_submit(&fresh, "%s", specs[i]);
        int64_t at_once = hot_lane_submit(&lane, "%s", specs[i]);
        assert_false(was_written_at_once(stepwise));
        assert_true(was_written_at_once(at_once));
        AUTO_FREE char *expected = rows_of(stepwise);
        AUTO_FREE char *rows = rows_of(at_once);
        assert_string_equal(rows, expected);
        assert_true(hot_woken(&lane, WAKE_DEMAND, demand()));
        hot_lane_close(&fresh);
    }
}

static void a_poll_is_given_the_tasks(void **state)
{
    UNUSED(state);
    struct pair pair;
    pair_init(&pair, "{'name': 'a', 'command': ['x'], 'tasks': [1, {'b': 2}, 'c']}", NULL, 5);
    pair_run(&pair);
    assert_true(pair.submit.created && !pair.submit.failed && !pair.poll.failed);
    assert_int_equal(pair.poll.grant_count, 1);
    const struct grant *grant = &pair.poll.grants[0];
    assert_true(grant->job == pair.submit.job);
    assert_int_equal(grant->first, 0);
    assert_int_equal(grant->count, 3);
    assert_int_equal(grant->attempt, 1);
    assert_string_equal(grant->stage_name, "main");
    assert_string_equal(grant->items, "[1,{\"b\":2},\"c\"]");
    assert_non_null(strstr(grant->run, "\"x\""));
    assert_in_range(pair.poll.lease_ms, 1800 * 1000, 3600 * 1000);
    assert_true(was_written_at_once(pair.submit.job));
    assert_int_equal(lane.wakes.count, 0);
    struct slice_result result = hot_success(grant);
    struct work_operation report = hot_poll(worker, NULL);
    report.results = &result;
    report.result_count = 1;
    hot_lane_work(&lane, &report); // from what it remembers
    assert_false(result.stale);
    work_operation_release(&report);
    assert_int_equal(tasks(pair.submit.job, SLICE_SUCCEEDED), 3);
    assert_int_equal(store_sql(lane.db, "SELECT count(*) FROM job WHERE closed_at IS NULL"), 0);
    pair_release(&pair);
}

static void what_nobody_wants_is_ready(void **state)
{
    UNUSED(state);
    struct pair pair;
    pair_init(&pair, "{'name': 'a', 'command': ['x'], 'tasks': [1, 2, 3, 4, 5]}", NULL, 2);
    pair_run(&pair);
    assert_int_equal(pair.poll.grant_count, 1);
    assert_string_equal(pair.poll.grants[0].items, "[1,2]");
    assert_int_equal(tasks(pair.submit.job, SLICE_LEASED), 2);
    assert_int_equal(tasks(pair.submit.job, SLICE_READY), 3);
    assert_true(was_written_at_once(pair.submit.job));
    assert_int_equal(lane.wakes.count, 1);
    assert_true(hot_woken(&lane, WAKE_DEMAND, demand()));
    assert_int_equal(lane.wakes.items[0].tasks, 3);
    pair_release(&pair);
}

static void who_may_not_have_tasks_gets_none(void **state)
{
    UNUSED(state);
    static const struct {
        const char *change;
        enum err_code code;
    } cases[] = {
        {"drain = true", 0},
        {"state = 3, note = 'x'", 0},
        {"lease_until = clock_timestamp() - interval '1 ms', state = 4", ERR_STALE},
        {"incarnation = incarnation + 1", ERR_STALE},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct pair pair;
        store_sql(lane.db, "UPDATE worker SET %s", cases[i].change);
        pair_init(&pair, "{'name': 'a', 'command': ['x']}", NULL, 1);
        pair_run(&pair);
        assert_true(pair.submit.created);
        assert_int_equal(pair.poll.grant_count, 0);
        assert_int_equal(pair.poll.failed ? pair.poll.err.code : 0, cases[i].code);
        assert_int_equal(tasks(pair.submit.job, SLICE_READY), 1);
        assert_true(hot_woken(&lane, WAKE_DEMAND, demand()));
        wakes_clear(&lane.wakes);
        store_sql(lane.db,
                  "UPDATE slice SET state = 0 WHERE state = 1; UPDATE stage SET released = false WHERE open > 0; "
                  "UPDATE worker SET drain = false, state = 0, incarnation = 1, "
                  "lease_until = clock_timestamp() + interval '1 hour'");
        pair_release(&pair);
    }
}

static void others_that_wait_go_first(void **state)
{
    UNUSED(state);
    struct hot_lane other = hot_lane_open_patient(database);
    int64_t before = hot_lane_submit(&other, "{'name': 'a', 'command': ['x'], 'tasks': {'count': 3}}");
    hot_lane_close(&other);
    struct pair pair;
    pair_init(&pair, "{'name': 'b', 'command': ['x']}", NULL, 2);
    pair_run(&pair);
    assert_true(pair.submit.created);
    assert_int_equal(pair.poll.grant_count, 1 + (pair.poll.grants[0].count == 1));
    assert_int_equal(tasks(before, SLICE_LEASED) + tasks(pair.submit.job, SLICE_LEASED), 2);
    assert_true(tasks(before, SLICE_LEASED) > 0);
    assert_true(hot_woken(&lane, WAKE_DEMAND, demand()));
    pair_release(&pair);
}

static void a_key_that_is_known_makes_nothing(void **state)
{
    UNUSED(state);
    struct pair first, again, other;
    pair_init(&first, "{'name': 'a', 'command': ['x']}", "k", 1);
    pair_run(&first);
    assert_true(first.submit.created && first.poll.grant_count == 1);
    assert_true(was_written_at_once(first.submit.job));
    pair_init(&again, "{'name': 'a', 'command': ['x']}", "k", 1);
    pair_run(&again);
    assert_true(!again.submit.created && !again.submit.failed && again.submit.job == first.submit.job);
    assert_true(!again.poll.failed && again.poll.grant_count == 0 && again.poll.demand_count > 0);
    pair_init(&other, "{'name': 'b', 'command': ['x']}", "k", 1);
    other.submit.fingerprint = "g";
    pair_run(&other);
    assert_true(other.submit.failed && other.submit.err.code == ERR_CONFLICT);
    assert_int_equal(store_sql(lane.db, "SELECT count(*) FROM job"), 2);
    pair_release(&first);
    pair_release(&again);
    pair_release(&other);
}

// Of one key in a batch the first counts; the tasks of the others are nobody's.
static void a_batch_does_what_is_new_at_once(void **state)
{
    UNUSED(state);
    static const char *const keys[] = {"k", "k", NULL, "l"};
    struct pair pairs[ARRAY_LEN(keys)];
    struct submit_operation *submits[ARRAY_LEN(keys)];
    struct work_operation *polls[ARRAY_LEN(keys)];
    struct err err = {0};
    size_t granted = 0;
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        pair_init(&pairs[i], "{'name': 'a', 'command': ['x'], 'tasks': ['i']}", keys[i], 1);
        submits[i] = &pairs[i].submit;
        polls[i] = &pairs[i].poll;
    }
    assert_ok(hot_run(lane.hot, submits, ARRAY_LEN(keys), polls, ARRAY_LEN(keys), &lane.wakes, &err), err);
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        assert_int_equal(pairs[i].submit.created, i != 1);
        assert_false(pairs[i].submit.failed || pairs[i].poll.failed);
        granted += pairs[i].poll.grant_count;
        if (pairs[i].poll.grant_count)
            assert_string_equal(pairs[i].poll.grants[0].items, "[\"i\"]");
        if (i != 1)
            assert_true(was_written_at_once(pairs[i].submit.job));
    }
    assert_true(pairs[1].submit.job == pairs[0].submit.job);
    assert_int_equal(granted, 3);
    assert_int_equal(store_sql(lane.db, "SELECT count(*) FROM slice WHERE state = 2"), 3);
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        pair_release(&pairs[i]);
}

static void an_id_that_is_taken_is_replaced(void **state)
{
    UNUSED(state);
    struct pair pair;
    pair_init(&pair, "{'name': 'a', 'command': ['x']}", NULL, 1);
    int64_t taken = pair.submit.job = store_sql(lane.db, "SELECT id FROM job");
    pair_run(&pair);
    assert_true(pair.submit.created && pair.submit.job != taken);
    assert_int_equal(store_sql(lane.db, "SELECT count(*) FROM job"), 2);
    pair_release(&pair);
}

// All that it costs is time, but somebody should know.
static void a_statement_that_fails_is_counted(void **state)
{
    UNUSED(state);
    store_sql(lane.db, "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                       "IF current_query() LIKE '%%new_stage AS (%%' THEN RAISE 'not like that'; END IF; "
                       "RETURN NEW; END $$; "
                       "CREATE TRIGGER refuse BEFORE INSERT ON job FOR EACH ROW EXECUTE FUNCTION refuse()");
    assert_int_equal(hot_falls(lane.hot)->count, 0);
    for (int i = 1; i <= 2; i++) {
        int64_t job = hot_lane_submit(&lane, "{'name': 'a', 'command': ['x']}");
        assert_int_equal(tasks(job, SLICE_READY), 1);
        assert_int_equal(hot_falls(lane.hot)->count, i);
        assert_non_null(strstr(hot_falls(lane.hot)->last.text, "not like that"));
    }
    store_sql(lane.db, "DROP TRIGGER refuse ON job");
    hot_lane_submit(&lane, "{'name': 'a', 'command': ['x']}");
    assert_int_equal(hot_falls(lane.hot)->count, 2);
}

int main(void)
{
#define test(function) cmocka_unit_test_setup_teardown(function, setup, hot_test_teardown)
    const struct CMUnitTest tests[] = {
        test(rows_are_the_same_as_step_by_step), test(a_poll_is_given_the_tasks),
        test(what_nobody_wants_is_ready),        test(who_may_not_have_tasks_gets_none),
        test(others_that_wait_go_first),         test(a_key_that_is_known_makes_nothing),
        test(a_batch_does_what_is_new_at_once),  test(an_id_that_is_taken_is_replaced),
        test(a_statement_that_fails_is_counted),
    };
    return cmocka_run_group_tests(tests, hot_group_setup, hot_group_teardown);
}
