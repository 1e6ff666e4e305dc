// Submissions: keys, bundles, demands, and the rows that jobs begin with.
#include "services/common/store/hot_submit.h"

#include "services/common/base/clock.h"
#include "services/common/base/id.h"
#include "services/common/db/db.h"
#include "services/common/model/states.h"
#include "tests/support/hot_lane.h"
#include "tests/support/pg.h"
#include "tests/support/store_db.h"
#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

#define SMALL "{'name': 'a', 'command': ['x']}"
#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static int64_t of_job(int64_t job, const char *what)
{
    return store_sql(lane.db, "SELECT (%s)::bigint FROM job WHERE id = %lld", what, (long long)job);
}

static int64_t tasks(int64_t job, int stage, int state)
{
    return store_sql(lane.db,
                     "SELECT coalesce(sum(count), 0)::bigint FROM slice WHERE job = %lld AND stage = %d AND state = %d",
                     (long long)job, stage, state);
}

static void the_same_key_is_the_same_job(void **state)
{
    UNUSED(state);
    struct submit_operation first, again, other;
    assert_false(hot_lane_submit_key(&lane, "key", SMALL, &first));
    assert_false(hot_lane_submit_key(&lane, "key", SMALL, &again));
    assert_true(first.created);
    assert_false(again.created);
    assert_true(first.job == again.job);
    assert_true(hot_lane_submit_key(&lane, "key", "{'name': 'b', 'command': ['x']}", &other));
    assert_int_equal(other.err.code, ERR_CONFLICT);
    assert_false(hot_lane_submit_key(&lane, "another", SMALL, &other));
    assert_true(other.created && other.job != first.job);
    assert_int_equal(store_sql(lane.db, "SELECT count(*) FROM job"), 2);
}

static struct job_spec *small_spec(void)
{
    static struct job_spec spec;
    struct err err = {0};
    AUTO_FAULTS struct faults faults = FAULTS_INIT;
    const char *json = "{\"name\": \"a\", \"command\": [\"x\"]}";
    assert_ok(job_spec_parse(json, strlen(json), &spec, &faults, &err), err);
    return &spec;
}

static void a_key_may_come_twice_in_one_batch(void **state)
{
    UNUSED(state);
    struct err err = {0};
    AUTO_JOB_SPEC struct job_spec spec = *small_spec();
    struct submit_operation operations[4], *pointers[4];
    for (int i = 0; i < 4; i++) {
        operations[i] = (struct submit_operation){
            .spec = &spec, .idempotency_key = i < 3 ? "k" : NULL, .fingerprint = i == 2 ? "g" : "f", .job = id_new()};
        pointers[i] = &operations[i];
    }
    assert_ok(hot_run(lane.hot, pointers, 4, NULL, 0, &lane.wakes, &err), err);
    assert_true(operations[0].created && !operations[0].failed);
    assert_true(!operations[1].created && !operations[1].failed && operations[1].job == operations[0].job);
    assert_true(operations[2].failed && operations[2].err.code == ERR_CONFLICT);
    assert_true(operations[3].created);
}

// One whose id is taken is given another; its neighbours do not notice.
static void an_id_that_is_taken_spoils_nothing(void **state)
{
    UNUSED(state);
    struct err err = {0};
    AUTO_JOB_SPEC struct job_spec spec = *small_spec();
    int64_t taken = hot_lane_submit(&lane, SMALL);
    struct submit_operation operations[3], *pointers[3];
    for (int i = 0; i < 3; i++) {
        operations[i] = (struct submit_operation){.spec = &spec, .fingerprint = "f", .job = i == 1 ? taken : id_new()};
        pointers[i] = &operations[i];
    }
    assert_ok(hot_run(lane.hot, pointers, 3, NULL, 0, &lane.wakes, &err), err);
    for (int i = 0; i < 3; i++)
        assert_true(operations[i].created && !operations[i].failed);
    assert_true(operations[1].job != taken);
    assert_int_equal(store_sql(lane.db, "SELECT count(*) FROM job"), 4);
}

static void a_bundle_has_to_be_there_and_stays(void **state)
{
    UNUSED(state);
    const char *json = "{'name': 'a', 'command': ['x'], 'bundle': 'sha256:" HASH "'}";
    struct submit_operation operation;
    assert_true(hot_lane_submit_key(&lane, NULL, json, &operation));
    assert_int_equal(operation.err.code, ERR_NOT_FOUND);
    store_sql(lane.db, "INSERT INTO bundle VALUES ('" HASH "', 'x', clock_timestamp() - interval '1 day', "
                       "clock_timestamp() - interval '1 day')");
    int64_t job = hot_lane_submit(&lane, "%s", json);
    assert_int_equal(of_job(job, "(bundle = '" HASH "')::int"), 1);
    assert_int_equal(
        store_sql(lane.db, "SELECT (last_used_at > clock_timestamp() - interval '1 minute')::int FROM bundle"), 1);
    hot_lane_submit(&lane, "%s", json); // remembered
}

static void demands_are_interned(void **state)
{
    UNUSED(state);
    hot_lane_submit(&lane, "{'name': 'a', 'command': ['x'], 'where': {'a': '1', 'b': '2'}}");
    assert_true(hot_woken(&lane, WAKE_DEMAND, HOT_DEMAND_NEW));
    wakes_clear(&lane.wakes);
    hot_lane_submit(&lane, "{'name': 'a', 'command': ['x'], 'where': {'b': '2', 'a': '1'}}");
    assert_int_equal(store_sql(lane.db, "SELECT count(*) FROM demand"), 1);
    wakes_clear(&lane.wakes);
    hot_lane_submit(&lane, "{'name': 'a', 'command': ['x'], 'where': {'b': '2', 'a': '1'}}");
    assert_false(hot_woken(&lane, WAKE_DEMAND, HOT_DEMAND_NEW));
    assert_true(hot_woken(&lane, WAKE_DEMAND, store_sql(lane.db, "SELECT id FROM demand")));
    hot_lane_submit(&lane, "{'name': 'a', 'command': ['x'], 'runtime': 'docker', 'image': 'i'}");
    hot_lane_submit(&lane, "{'name': 'a', 'mode': 'pull', 'queue': 'q', 'tasks': {'count': 3}}");
    assert_int_equal(store_sql(lane.db, "SELECT count(*) FROM demand WHERE (queue, runtime) IN (('default', 'docker'), "
                                        "('q', 'pull'))"),
                     2);
    assert_int_equal(store_sql(lane.db, "SELECT count(*) FROM stage WHERE run IS NULL"), 1);
}

static void stages_wait_for_those_before(void **state)
{
    UNUSED(state);
    int64_t job = hot_lane_submit(
        &lane,
        "{'name': 'a', 'timeout': '1h', 'stages': [{'name': 'one', 'command': ['x'], 'tasks': {'count': 25000}}, "
        "{'name': 'two', 'command': ['x'], 'from': 'one'}, {'name': 'three', 'command': ['x'], 'after': ['one', "
        "'two'], 'tasks': [7, 8]}]}");
    assert_int_equal(tasks(job, 0, SLICE_READY), 25000);
    assert_int_equal(store_sql(lane.db, "SELECT count(*) FROM slice WHERE job = %lld AND stage = 0", (long long)job),
                     3);
    assert_int_equal(tasks(job, 2, SLICE_HELD), 2);
    assert_int_equal(store_sql(lane.db, "SELECT after_mask FROM stage WHERE job = %lld AND stage = 2", (long long)job),
                     3);
    assert_int_equal(store_sql(lane.db, "SELECT from_stage FROM stage WHERE job = %lld AND stage = 1", (long long)job),
                     0);
    assert_int_equal(of_job(job, "(attention_at = created_at + interval '1 hour')::int"), 1);
    assert_int_equal(of_job(job, "event_count"), 3);
}

static void empty_stages_close_at_once(void **state)
{
    UNUSED(state);
    int64_t job = hot_lane_submit(
        &lane,
        "{'name': 'a', 'stages': [{'name': 'one', 'command': ['x'], 'tasks': []}, {'name': 'two', "
        "'command': ['x'], 'from': 'one'}, {'name': 'three', 'command': ['x'], 'after': ['two'], 'tasks': [1]}]}");
    assert_int_equal(store_sql(lane.db, "SELECT count(*) FROM stage WHERE job = %lld AND closed", (long long)job), 2);
    assert_int_equal(tasks(job, 2, SLICE_READY), 1);
    job = hot_lane_submit(&lane, "{'name': 'a', 'command': ['x'], 'tasks': {'count': 0}}");
    assert_int_equal(of_job(job, "outcome"), OUTCOME_SUCCEEDED);
    assert_int_equal(of_job(job, "(closed_at IS NOT NULL)::int"), 1);
}

static void a_limit_holds_the_rest(void **state)
{
    UNUSED(state);
    int64_t job = hot_lane_submit(
        &lane,
        "{'name': 'a', 'stages': [{'name': 'one', 'command': ['x'], 'tasks': {'count': 50}, 'max_parallel': 7}]}");
    assert_int_equal(tasks(job, 0, SLICE_READY), 7);
    assert_int_equal(tasks(job, 0, SLICE_HELD), 43);
}

static void services_come_first(void **state)
{
    UNUSED(state);
    int64_t job = hot_lane_submit(
        &lane,
        "{'name': 'a', 'command': ['x'], 'tasks': {'count': 5}, 'services': [{'name': 'cache', 'command': ['c']}, "
        "{'name': 'front', 'command': ['f'], 'depends_on': ['cache'], 'on_failure': {'restart': {'max': 3}}}]}");
    assert_int_equal(tasks(job, 0, SLICE_HELD), 5);
    assert_int_equal(of_job(job, "phase"), PHASE_WAITING);
    assert_int_equal(of_job(job, "services"), 2);
    assert_int_equal(store_sql(lane.db,
                               "SELECT count(*) FROM instance WHERE job = %lld AND name = 'cache' AND state = 0",
                               (long long)job),
                     1);
    assert_int_equal(store_sql(lane.db, "SELECT count(*) FROM instance"), 1);
    assert_int_equal(store_sql(lane.db, "SELECT depends_mask FROM service WHERE name = 'front'"), 1);
    assert_int_equal(store_sql(lane.db, "SELECT restart_max FROM service WHERE name = 'front'"), 3);
    assert_true(hot_woken(&lane, WAKE_DEMAND, store_sql(lane.db, "SELECT id FROM demand WHERE queue = ''")));
}

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"

static void a_trace_goes_on_in_what_it_runs(void **state)
{
    UNUSED(state);
    lane.traceparent = "00-" TRACE "-00f067aa0ba902b7-01";
    int64_t job = hot_lane_submit(
        &lane,
        "{'name': 'a', 'services': [{'name': 'cache', 'command': ['c'], 'env': {'A': 'b'}}], 'stages': [{'name': "
        "'one', 'command': ['x'], 'tasks': {'count': 5}}, {'name': 'two', 'command': ['x'], 'tasks': {'count': "
        "5}, 'env': {'TRACEPARENT': 'its own'}}]}");
    lane.traceparent = NULL;
    assert_int_equal(store_sql(lane.db,
                               "SELECT count(*) FROM job WHERE id = %lld AND traceparent = '00-" TRACE
                               "-00f067aa0ba902b7-01'",
                               (long long)job),
                     1);
    assert_int_equal(store_sql(lane.db,
                               "SELECT count(*) FROM service WHERE job = %lld AND run::jsonb -> 'env' = "
                               "jsonb_build_object('A', 'b', 'TRACEPARENT', '00-" TRACE
                               "-' || lpad(to_hex(job), 16, '0') || '-01')",
                               (long long)job),
                     1);
    AUTO_FREE char *values =
        store_sql_text(lane.db,
                       "SELECT string_agg(run::jsonb #>> '{env,TRACEPARENT}', ' ' ORDER BY stage) = "
                       "'00-" TRACE "-' || lpad(to_hex(%lld), 16, '0') || '-01 its own' FROM stage "
                       "WHERE job = %lld",
                       (long long)job, (long long)job);
    assert_string_equal(values, "t");
    job = hot_lane_submit(&lane, "{'name': 'a', 'command': ['x']}");
    assert_int_equal(of_job(job, "(traceparent IS NULL)::int"), 1);
    assert_int_equal(
        store_sql(lane.db, "SELECT count(*) FROM stage WHERE job = %lld AND run LIKE '%%TRACE%%'", (long long)job), 0);
}

static void items_are_stored_in_chunks(void **state)
{
    UNUSED(state);
    AUTO_STRBUF struct strbuf json = STRBUF_INIT;
    strbuf_add_text(&json, "{'name': 'a', 'command': ['x'], 'tasks': [");
    for (int i = 0; i < 2100; i++)
        strbuf_add_format(&json, "%s%d", i ? "," : "", i);
    strbuf_add_text(&json, "]}");
    int64_t job = hot_lane_submit(&lane, "%s", json.data);
    AUTO_FREE char *chunks = store_sql_text(
        lane.db, "SELECT string_agg(format('%%s+%%s', first, count), ' ' ORDER BY first) FROM item WHERE job = %lld",
        (long long)job);
    assert_string_equal(chunks, "0+1000 1000+1000 2000+100");
    strbuf_clear(&json);
    strbuf_add_text(&json, "{'name': 'a', 'command': ['x'], 'tasks': [");
    for (int i = 0; i < 4; i++)
        strbuf_add_format(&json, "%s'%0*d'", i ? "," : "", i == 1 ? 65530 : 30000, i);
    strbuf_add_text(&json, "]}");
    job = hot_lane_submit(&lane, "%s", json.data);
    AUTO_FREE char *wide = store_sql_text(
        lane.db, "SELECT string_agg(format('%%s+%%s', first, count), ' ' ORDER BY first) FROM item WHERE job = %lld",
        (long long)job);
    assert_string_equal(wide, "0+1 1+1 2+2");
}

static void a_million_tasks_are_accepted_quickly(void **state)
{
    UNUSED(state);
    int64_t begin_ms = clock_boot_ms();
    int64_t job = hot_lane_submit(&lane, "{'name': 'a', 'command': ['x'], 'tasks': {'count': 1000000}}");
    int64_t took_ms = clock_boot_ms() - begin_ms;
    assert_in_range(took_ms, 0, 20000); // a row per task takes minutes
    assert_int_equal(store_sql(lane.db, "SELECT count(*) FROM slice"), 100);
    assert_int_equal(tasks(job, 0, SLICE_READY), 1000000);
    job = hot_lane_submit(&lane, "{'name': 'a', 'command': ['x'], 'tasks': {'count': 1000000000}}");
    assert_int_equal(store_sql(lane.db, "SELECT count(*) FROM slice WHERE job = %lld", (long long)job), 1024);
}

// New tasks join their queue at its head, wherever that is by now.
static void new_jobs_queue_up_at_the_head(void **state)
{
    UNUSED(state);
    int64_t big = hot_lane_submit(&lane, "{'name': 'a', 'command': ['x'], 'tasks': {'count': 30000}}");
    store_sql(lane.db, "UPDATE slice SET rank = rank + 500 WHERE job = %lld", (long long)big);
    int64_t small = hot_lane_submit(&lane, "{'name': 'a', 'command': ['x'], 'tasks': {'count': 15000}}");
    AUTO_FREE char *ranks = store_sql_text(
        lane.db, "SELECT string_agg(rank::text, ' ' ORDER BY first) FROM slice WHERE job = %lld", (long long)small);
    assert_string_equal(ranks, "500 10500");
    assert_int_equal(store_sql(lane.db, "SELECT rank FROM stage WHERE job = %lld", (long long)small), 15500);
}

// As many stages as a spec may have: masks are full, the last bit too.
static void all_stages_are_closed(void **state)
{
    UNUSED(state);
    AUTO_STRBUF struct strbuf spec = STRBUF_INIT;
    for (int i = 0; i < SPEC_STAGES_MAX; i++)
        strbuf_add_format(&spec, "%s{'name': 's%d', 'mode': 'pull', 'tasks': {'count': 0}}", i ? "," : "", i);
    int64_t job = hot_lane_submit(&lane, "{'name': 'wide', 'stages': [%s]}", strbuf_text(&spec));
    assert_int_equal(of_job(job, "outcome"), OUTCOME_SUCCEEDED);
    assert_int_equal(store_sql(lane.db, "SELECT count(*) FROM stage WHERE closed"), SPEC_STAGES_MAX);
}

// A transaction that was rolled back has interned nothing, and is not remembered.
static void a_rerun_interns_its_demands_again(void **state)
{
    UNUSED(state);
    store_sql(lane.db, "CREATE TABLE fails_once (done boolean); INSERT INTO fails_once VALUES (false);"
                       "CREATE SEQUENCE tries;"
                       "CREATE FUNCTION fail_once() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                       "  IF nextval('tries') = 1 THEN RAISE EXCEPTION 'once' USING ERRCODE = '40001'; END IF;"
                       "  RETURN NULL; END $$;"
                       "CREATE CONSTRAINT TRIGGER fail_once AFTER INSERT ON job DEFERRABLE INITIALLY DEFERRED"
                       "  FOR EACH ROW EXECUTE FUNCTION fail_once()");
    hot_lane_submit(&lane, "{'name': 'a', 'queue': 'new', 'command': ['x']}");
    assert_int_equal(store_sql(lane.db, "SELECT last_value FROM tries"), 2);
    assert_int_equal(store_sql(lane.db, "SELECT count(*) FROM slice s JOIN demand d ON d.id = s.demand"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        hot_test(the_same_key_is_the_same_job),
        hot_test(all_stages_are_closed),
        hot_test(a_rerun_interns_its_demands_again),
        hot_test(a_key_may_come_twice_in_one_batch),
        hot_test(an_id_that_is_taken_spoils_nothing),
        hot_test(a_bundle_has_to_be_there_and_stays),
        hot_test(demands_are_interned),
        hot_test(stages_wait_for_those_before),
        hot_test(empty_stages_close_at_once),
        hot_test(a_limit_holds_the_rest),
        hot_test(services_come_first),
        hot_test(a_trace_goes_on_in_what_it_runs),
        hot_test(items_are_stored_in_chunks),
        hot_test(a_million_tasks_are_accepted_quickly),
        hot_test(new_jobs_queue_up_at_the_head),
    };
    return cmocka_run_group_tests(tests, hot_group_setup, hot_group_teardown);
}
