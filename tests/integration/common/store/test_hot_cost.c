// What hot calls cost the database, counted instead of timed: statements and round trips for each transaction of a
// lane, bytes of WAL for each task, without full page images, and pages that are read while somebody holds a snapshot.
// The bounds leave less than a quarter above what was counted; who passes one has made the hot path more expensive, or
// knows why and moves the bound.
#include "services/common/store/hot.h"

#include "services/common/base/id.h"
#include "services/common/base/macros.h"
#include "services/common/db/db.h"
#include "tests/support/hot_lane.h"
#include "tests/support/pg.h"
#include "tests/support/store_db.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

#define WORKERS 16
#define WARM_ROUNDS 5
#define ROUNDS 40
#define HELD_ROUNDS 1000

struct cost {
    double statements;  // for each transaction
    double wal;         // bytes for each task
    double round_trips; // for each transaction
};

struct turns {
    struct hot_worker workers[WORKERS];
    struct work_operation works[WORKERS];
    struct slice_result results[WORKERS];
    struct queue_want want;
};

static int64_t statements(void)
{
    return store_sql(lane.db,
                     "SELECT sum(s.calls)::bigint FROM public.pg_stat_statements s "
                     "WHERE s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) "
                     "AND s.query NOT LIKE '%%pg_stat_statements%%' AND s.query NOT LIKE '%%pg_current_wal%%'");
}

static int64_t wal_bytes(void)
{
    return store_sql(lane.db, "SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint");
}

// Every worker reports what it was given and is given more, in one transaction. Returns how many tasks were reported.
static int64_t turn(struct turns *turns)
{
    struct work_operation *works[WORKERS];
    int64_t tasks = 0;
    for (int i = 0; i < WORKERS; i++) {
        struct work_operation *work = works[i] = &turns->works[i];
        size_t count = work->grant_count;
        assert_true(count <= 1);
        if (count) {
            turns->results[i] = hot_success(&work->grants[0]);
            tasks += work->grants[0].count;
        }
        struct arena *arena = work->arena;
        *work = hot_poll(turns->workers[i], &turns->want);
        work->arena = arena;
        work->results = &turns->results[i];
        work->result_count = count;
    }
    hot_lane_run(&lane, works, WORKERS);
    return tasks;
}

static void begin_turns(struct turns *turns, int64_t width)
{
    *turns = (struct turns){.want = {"default", width}};
    store_sql(lane.db, "CREATE EXTENSION pg_stat_statements SCHEMA public");
    for (int i = 0; i < WORKERS; i++) {
        char name[16];
        snprintf(name, sizeof name, "w%d", i);
        turns->workers[i] = hot_worker_new(lane.db, name);
    }
    hot_lane_submit(&lane, "{'name': 'a', 'command': ['x'], 'tasks': {'count': 2000000}}");
    for (int i = 0; i < WARM_ROUNDS; i++)
        turn(turns);
}

static void end_turns(struct turns *turns)
{
    for (int i = 0; i < WORKERS; i++)
        work_operation_release(&turns->works[i]);
}

static struct cost cost_of(int64_t width)
{
    static struct turns turns;
    begin_turns(&turns, width);
    store_sql(lane.db, "SELECT 1 FROM public.pg_stat_statements_reset()");
    int64_t tasks = 0, wal = wal_bytes(), round_trips = db_round_trips(lane.own);
    for (int i = 0; i < ROUNDS; i++)
        tasks += turn(&turns);
    struct cost cost = {.wal = (double)(wal_bytes() - wal) / (double)tasks,
                        .statements = (double)statements() / ROUNDS,
                        .round_trips = (double)(db_round_trips(lane.own) - round_trips) / ROUNDS};
    assert_int_equal(tasks, ROUNDS * WORKERS * width);
    end_turns(&turns);
    print_message("width %lld: %.2f statements and %.2f round trips a transaction, %.2f bytes of WAL a task\n",
                  (long long)width, cost.statements, cost.round_trips, cost.wal);
    return cost;
}

static void assert_within(double value, double bound, const char *what)
{
    if (value <= 0 || value > bound)
        fail_msg("%s: %.2f, at most %.2f", what, value, bound);
}

static void slices_of_100(void **state)
{
    UNUSED(state);
    struct cost cost = cost_of(100);
    assert_within(cost.statements, 14, "statements of a transaction of 16 calls");
    assert_within(cost.round_trips, 3.5, "round trips of a transaction of 16 calls");
    assert_within(cost.wal, 5.2, "bytes of WAL for a task");
}

static void single_tasks(void **state)
{
    UNUSED(state);
    struct cost cost = cost_of(1);
    assert_within(cost.statements, 14, "statements of a transaction of 16 calls");
    assert_within(cost.round_trips, 3.5, "round trips of a transaction of 16 calls");
    assert_within(cost.wal, 510, "bytes of WAL for a task");
}

// Of the statements that read a stage, while all of its versions have to be kept. About half of it is ending the leases
// and writing what they become, in the same statement.
static void a_held_snapshot(void **state)
{
    UNUSED(state);
    static struct turns turns;
    begin_turns(&turns, 100);
    store_sql(lane.db, "SET idle_in_transaction_session_timeout = 0");
    store_sql(lane.db, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM job");
    for (int i = 0; i < HELD_ROUNDS; i++)
        turn(&turns);
    store_sql(lane.db, "SELECT 1 FROM public.pg_stat_statements_reset()");
    for (int i = 0; i < ROUNDS; i++)
        turn(&turns);
    int64_t pages = store_sql(lane.db, "SELECT sum(shared_blks_hit + shared_blks_read)::bigint "
                                       "FROM public.pg_stat_statements WHERE query ~ '(FROM|JOIN|UPDATE) stage'");
    store_sql(lane.db, "COMMIT");
    end_turns(&turns);
    print_message("a held snapshot: %.1f pages a transaction\n", (double)pages / ROUNDS);
    assert_within((double)pages / ROUNDS, 210, "pages read of stages by a transaction");
}

// A job of one task with the poll that waits for it.
static void a_job_that_comes_alone(void **state)
{
    UNUSED(state);
    struct err err = {0};
    const char *json = "{\"name\": \"a\", \"command\": [\"x\"]}";
    static const struct queue_want want = {"default", 5};
    AUTO_JOB_SPEC struct job_spec spec = JOB_SPEC_INIT;
    AUTO_FAULTS struct faults faults = FAULTS_INIT;
    assert_ok(job_spec_parse(json, strlen(json), &spec, &faults, &err), err);
    store_sql(lane.db, "CREATE EXTENSION pg_stat_statements SCHEMA public");
    struct hot_worker worker = hot_worker_new(lane.db, "w");
    int64_t wal = 0;
    for (int i = -WARM_ROUNDS; i < ROUNDS; i++) {
        struct submit_operation operation = {.spec = &spec, .fingerprint = "f", .job = id_new()}, *submit = &operation;
        struct work_operation poll = hot_poll(worker, &want), *work = &poll;
        if (i == -WARM_ROUNDS) // a worker is compared with a demand when it polls
            hot_lane_work(&lane, &poll);
        if (i == 0) {
            store_sql(lane.db, "SELECT 1 FROM public.pg_stat_statements_reset()");
            wal = wal_bytes();
        }
        work_operation_release(&poll);
        assert_ok(hot_run(lane.hot, &submit, 1, &work, 1, &lane.wakes, &err), err);
        assert_true(i < 0 || poll.grant_count == 1);
        work_operation_release(&poll);
    }
    assert_within((double)statements() / ROUNDS, 1, "statements of a submission with its poll");
    assert_within((double)(wal_bytes() - wal) / ROUNDS, 2000, "bytes of WAL for a job");
    print_message("%.2f statements a job, %.0f bytes of WAL\n", (double)statements() / ROUNDS,
                  (double)(wal_bytes() - wal) / ROUNDS);
}

static int setup(void **state)
{
    UNUSED(state);
    hot_pg = pg_start(PG_STATEMENTS);
    return 0;
}

// Leases that nobody renews: how long the calls take is not counted.
static int setup_lane(void **state)
{
    UNUSED(state);
    lane = hot_lane_open_patient(pg_database_new(hot_pg));
    return 0;
}

// An argument names a test that is left out.
int main(int argc, char **argv)
{
    if (argc > 1)
        cmocka_set_skip_filter(argv[1]);
#define test(function) cmocka_unit_test_setup_teardown(function, setup_lane, hot_test_teardown)
    const struct CMUnitTest tests[] = {test(slices_of_100), test(single_tasks), test(a_held_snapshot),
                                       test(a_job_that_comes_alone)};
    return cmocka_run_group_tests(tests, setup, hot_group_teardown);
}
