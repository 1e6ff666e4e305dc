// Reports of which nothing follows but counters are committed before the polls that come with them: once, on the disk
// before anybody is answered, and not at all when they are not what they seemed to be.
#include "services/common/store/control.h"
#include "tests/support/hot_lane.h"
#include "tests/support/store_db.h"
#include "tests/support/test.h"

#include <dlfcn.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>

#define WORKERS 4

static const struct queue_want want = {"default", 10};

struct crew {
    struct hot_worker workers[WORKERS];
    struct work_operation works[WORKERS];
    struct slice_result results[WORKERS];
};

// Reports what each was given, and polls.
static void prepare_turn(struct crew *crew, const struct queue_want *wants, struct work_operation **batch)
{
    for (int i = 0; i < WORKERS; i++) {
        struct work_operation *work = batch[i] = &crew->works[i];
        size_t count = work->grant_count;
        assert_true(count <= 1);
        if (count == 1)
            crew->results[i] = hot_success(&work->grants[0]);
        work_operation_release(work);
        *work = hot_poll(crew->workers[i], wants);
        work->results = &crew->results[i];
        work->result_count = count;
    }
}

// Returns how many transactions have written something.
static int64_t turn(struct crew *crew, const struct queue_want *wants)
{
    struct work_operation *batch[WORKERS];
    prepare_turn(crew, wants, batch);
    static const char next[] = "SELECT txid_snapshot_xmax(txid_current_snapshot())";
    int64_t before = store_sql(lane.db, next);
    hot_lane_run(&lane, batch, WORKERS);
    return store_sql(lane.db, next) - before;
}

// At work on a job of which more is open than a turn ends.
static struct crew crew_at_work(int tasks, const char *more)
{
    struct crew crew = {0};
    for (int i = 0; i < WORKERS; i++) {
        char name[16];
        snprintf(name, sizeof name, "w%d", i);
        crew.workers[i] = hot_worker_new(lane.db, name);
    }
    hot_lane_submit(&lane, "{'name': 'a', 'command': ['x'], 'tasks': {'count': %d}%s}", tasks, more);
    for (int i = 0; i < 3; i++)
        turn(&crew, &want);
    return crew;
}

static void crew_end(struct crew *crew)
{
    for (int i = 0; i < WORKERS; i++)
        work_operation_release(&crew->works[i]);
    hot_check(&lane);
}

static int64_t succeeded(void)
{
    return store_sql(lane.db, "SELECT sum(succeeded)::bigint FROM stage");
}

static void reports_are_committed_before_claims(void **state)
{
    (void)state;
    struct crew crew = crew_at_work(1000, "");
    assert_int_equal(turn(&crew, &want), 2);
    assert_int_equal(succeeded(), 3 * WORKERS * 10);
    for (int i = 0; i < WORKERS; i++) {
        assert_false(crew.results[i].stale);
        assert_int_equal(crew.works[i].grant_count, 1);
    }
    crew_end(&crew);
}

// The server writes by itself 200 ms later, and may write something of its own at any time.
static void answers_come_after_the_flush(void **state)
{
    (void)state;
    struct crew crew = crew_at_work(5000, "");
    int flushed = 0;
    for (int i = 0; i < 20; i++) {
        assert_int_equal(turn(&crew, i % 2 ? &want : NULL), i % 2 ? 1 : 2); // reports alone, or claims
        flushed += (int)store_sql(lane.db, "SELECT (pg_current_wal_flush_lsn() >= pg_current_wal_insert_lsn())::int");
    }
    assert_true(flushed > 10);
    assert_int_equal(store_sql(lane.own, "SELECT (current_setting('synchronous_commit') = 'on')::int"), 1);
    crew_end(&crew);
}

// Until the last task every report is recorded once, and the last ones end the job.
static void the_end_of_a_job_is_settled(void **state)
{
    (void)state;
    struct crew crew = crew_at_work(1000, "");
    for (int i = 0; i < 40; i++) {
        turn(&crew, &want);
        for (int n = 0; n < WORKERS; n++)
            assert_false(crew.results[n].stale);
    }
    assert_int_equal(succeeded(), 1000);
    assert_int_equal(store_sql(lane.db, "SELECT count(*) FROM job WHERE closed_at IS NOT NULL"), 1);
    crew_end(&crew);
}

// Somebody else has taken one back and leased it again.
static void a_lease_that_is_gone_fails_no_other(void **state)
{
    (void)state;
    struct crew crew = crew_at_work(1000, "");
    store_sql(lane.db, "UPDATE slice SET token = nextval('lease_token') WHERE worker = %lld AND state = 2",
              (long long)crew.workers[1].id);
    turn(&crew, &want);
    for (int i = 0; i < WORKERS; i++)
        assert_int_equal(crew.results[i].stale, i == 1);
    assert_int_equal(succeeded(), 2 * WORKERS * 10 + (WORKERS - 1) * 10);
    crew_end(&crew);
}

// A worker is asked to drain: its report counts, once, and it is given nothing.
static void what_comes_up_afterwards_undoes_no_report(void **state)
{
    (void)state;
    struct crew crew = crew_at_work(1000, "");
    store_sql(lane.db, "UPDATE worker SET drain = true WHERE id = %lld", (long long)crew.workers[2].id);
    turn(&crew, &want);
    assert_int_equal(succeeded(), 3 * WORKERS * 10);
    for (int i = 0; i < WORKERS; i++) {
        assert_false(crew.works[i].failed);
        assert_false(crew.results[i].stale);
        assert_int_equal(crew.works[i].drain, i == 2);
        assert_int_equal(crew.works[i].grant_count, i != 2);
    }
    turn(&crew, &want);
    assert_int_equal(succeeded(), 3 * WORKERS * 10 + (WORKERS - 1) * 10);
    crew_end(&crew);
}

static bool loses_connection; // with the next pipeline that ends

// In place of libpq's.
int PQexitPipelineMode(PGconn *connection)
{
    int (*real)(PGconn *) = (int (*)(PGconn *))dlsym(RTLD_NEXT, "PQexitPipelineMode");
    bool fails = loses_connection;
    loses_connection = false;
    return fails ? 0 : real(connection);
}

static bool refuses_prepare; // the next one

int PQsendPrepare(PGconn *connection, const char *name, const char *sql, int count, const Oid *types)
{
    int (*real)(PGconn *, const char *, const char *, int, const Oid *) =
        (int (*)(PGconn *, const char *, const char *, int, const Oid *))dlsym(RTLD_NEXT, "PQsendPrepare");
    bool fails = refuses_prepare;
    refuses_prepare = false;
    return fails ? 0 : real(connection, name, sql, count, types);
}

// A statement is used for the first time behind the reports' commit, and cannot be prepared.
static void what_fails_before_its_round_trip_undoes_no_report(void **state)
{
    (void)state;
    struct work_operation *batch[WORKERS];
    struct crew crew = crew_at_work(1000, "");
    hot_lane_submit(&lane, "{'name': 's', 'command': ['x'], 'tasks': {'count': 1}, 'services': [{'name': 'c', "
                           "'command': ['y']}]}"); // so that there is a demand for services
    turn(&crew, &want);                            // which the workers are compared with
    for (int i = 0; i < 8; i++)
        turn(&crew, &want); // step by step
    int64_t before = succeeded();
    prepare_turn(&crew, &want, batch);
    batch[0]->want_services = 1;
    refuses_prepare = true;
    hot_lane_run(&lane, batch, WORKERS);
    assert_false(refuses_prepare);
    assert_int_equal(succeeded(), before + WORKERS * 10);
    for (int i = 0; i < WORKERS; i++)
        assert_false(crew.results[i].stale);
    crew_end(&crew);
}

// The reports are committed but not flushed when the polls turn out to be otherwise and the connection goes: the server
// of the next one may not have them.
static void what_another_server_may_lack_is_not_answered(void **state)
{
    (void)state;
    struct err err = {0};
    struct work_operation *batch[WORKERS];
    struct crew crew = crew_at_work(1000, "");
    store_sql(lane.db, "UPDATE worker SET drain = true WHERE id = %lld", (long long)crew.workers[2].id);
    prepare_turn(&crew, &want, batch);
    loses_connection = true;
    assert_int_equal(hot_run(lane.hot, NULL, 0, batch, WORKERS, &lane.wakes, &err), -1);
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    assert_int_equal(succeeded(), 3 * WORKERS * 10);
    hot_lane_run(&lane, batch, WORKERS);
    for (int i = 0; i < WORKERS; i++)
        assert_true(crew.results[i].stale); // this one has
    crew_end(&crew);
}

static void a_job_that_is_stopped_is_settled(void **state)
{
    (void)state;
    struct crew crew = crew_at_work(1000, "");
    struct err err = {0};
    int64_t job = store_sql(lane.db, "SELECT id FROM job");
    assert_ok(control_stop(lane.db, job, NULL, &lane.wakes, &err), err);
    turn(&crew, &want);
    assert_int_equal(store_sql(lane.db, "SELECT count(*) FROM job WHERE closed_at IS NOT NULL"), 1);
    crew_end(&crew);
}

static void a_stage_with_few_at_a_time_goes_on(void **state)
{
    (void)state;
    struct crew crew = crew_at_work(200, ", 'max_parallel': 40");
    for (int i = 0; i < 10; i++)
        turn(&crew, &want);
    assert_int_equal(succeeded(), 200);
    crew_end(&crew);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        hot_test(reports_are_committed_before_claims),
        hot_test(answers_come_after_the_flush),
        hot_test(the_end_of_a_job_is_settled),
        hot_test(a_lease_that_is_gone_fails_no_other),
        hot_test(what_comes_up_afterwards_undoes_no_report),
        hot_test(what_fails_before_its_round_trip_undoes_no_report),
        hot_test(what_another_server_may_lack_is_not_answered),
        hot_test(a_job_that_is_stopped_is_settled),
        hot_test(a_stage_with_few_at_a_time_goes_on),
    };
    return cmocka_run_group_tests(tests, hot_group_setup, hot_group_teardown);
}
