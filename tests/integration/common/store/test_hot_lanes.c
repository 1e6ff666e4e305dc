// Two lanes at once on one database, and a database that goes away: what was committed stays, nothing is recorded
// twice, nobody waits for ever.
#include "services/common/base/clock.h"
#include "services/common/db/db.h"
#include "services/common/model/states.h"
#include "services/common/store/control.h"
#include "tests/support/hot_lane.h"
#include "tests/support/pg.h"
#include "tests/support/store_db.h"
#include "tests/support/test.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define LANES 3
#define WORKERS 8
#define GRANTS_MAX 64
#define ROUNDS_MAX 4000

// ---- lanes side by side: threads do not assert, they note what went wrong

struct side {
    struct hot_lane lane;
    struct hot_worker workers[WORKERS];
    struct work_operation works[WORKERS];
    struct slice_result results[WORKERS][GRANTS_MAX];
    int64_t succeeded; // tasks that this side has reported
    int failures, stales;
    char problem[300];
};

static int64_t count_tasks(const struct work_operation *work)
{
    int64_t tasks = 0;
    for (size_t i = 0; i < work->grant_count; i++)
        tasks += work->grants[i].count;
    return tasks;
}

static void prepare(struct side *side, int i, const struct queue_want *want, int64_t tasks[WORKERS])
{
    struct work_operation *work = &side->works[i];
    size_t count = work->grant_count < GRANTS_MAX ? work->grant_count : GRANTS_MAX;
    tasks[i] = count_tasks(work);
    for (size_t n = 0; n < count; n++)
        side->results[i][n] = hot_success(&work->grants[n]);
    work_operation_release(work);
    *work = hot_poll(side->workers[i], want);
    work->results = side->results[i];
    work->result_count = count;
}

// Returns whether anything was done.
static bool run_round(struct side *side)
{
    static const struct queue_want want = {"default", 7};
    struct work_operation *works[WORKERS];
    int64_t tasks[WORKERS];
    struct err err = {0};
    bool busy = false;
    for (int i = 0; i < WORKERS; i++) {
        works[i] = &side->works[i];
        prepare(side, i, &want, tasks);
    }
    wakes_clear(&side->lane.wakes);
    if (hot_run(side->lane.hot, NULL, 0, works, WORKERS, &side->lane.wakes, &err) < 0) {
        side->failures++;
        snprintf(side->problem, sizeof side->problem, "%s", err.text);
        return false;
    }
    for (int i = 0; i < WORKERS; i++) {
        const struct work_operation *work = works[i];
        side->failures += work->failed;
        if (work->failed)
            snprintf(side->problem, sizeof side->problem, "%s", work->err.text);
        for (size_t n = 0; n < work->result_count; n++)
            side->stales += work->results[n].stale;
        side->succeeded += work->failed ? 0 : tasks[i];
        busy |= work->grant_count > 0 || work->again || tasks[i] > 0;
    }
    return busy;
}

static void *run_side(void *context)
{
    struct side *side = context;
    int idle = 0;
    for (int round = 0; round < ROUNDS_MAX && idle < 3 && side->failures == 0; round++)
        idle = run_round(side) ? 0 : idle + 1;
    return NULL;
}

static void lanes_side_by_side_record_each_task_once(void **state)
{
    UNUSED(state);
    static struct side sides[LANES];
    pthread_t threads[LANES];
    int64_t succeeded = 0;
    memset(sides, 0, sizeof sides);
    const char *conninfo = pg_database_new(hot_pg);
    for (int i = 0; i < LANES; i++) {
        sides[i].lane = hot_lane_open(conninfo);
        for (int n = 0; n < WORKERS; n++) {
            char name[32];
            snprintf(name, sizeof name, "side%d-%d", i, n);
            sides[i].workers[n] = hot_worker_new(sides[i].lane.db, name);
        }
    }
    for (int i = 0; i < 30; i++)
        hot_lane_submit(&sides[i % LANES].lane,
                        "{'name': 'a', 'stages': [{'name': 'one', 'command': ['x'], 'tasks': {'count': 500}}, {'name': "
                        "'two', 'command': ['x'], 'after': ['one'], 'tasks': {'count': 50}, 'max_parallel': 5}]}");
    for (int i = 0; i < LANES; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_side, &sides[i]), 0);
    for (int i = 0; i < LANES; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < LANES; i++) {
        if (sides[i].failures)
            fail_msg("lane %d: %s", i, sides[i].problem);
        assert_int_equal(sides[i].stales, 0);
    }
    for (int left = 1; left > 0;) // whatever became ready after the last lane had stopped looking
        left = run_round(&sides[0]);
    for (int i = 0; i < LANES; i++)
        succeeded += sides[i].succeeded;
    hot_check(&sides[0].lane);
    assert_int_equal(
        store_sql(sides[0].lane.db, "SELECT count(*) FROM job WHERE outcome = 0 AND closed_at IS NOT NULL"), 30);
    assert_int_equal(succeeded, 30 * 550);
    for (int i = 0; i < LANES; i++) {
        for (int n = 0; n < WORKERS; n++)
            work_operation_release(&sides[i].works[n]);
        hot_lane_close(&sides[i].lane);
    }
}

// ---- a database that goes away

static void nothing_is_known_while_the_database_is_away(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct hot_worker worker = hot_worker_new(lane.db, "w");
    hot_lane_submit(&lane, "{'name': 'a', 'command': ['x'], 'tasks': {'count': 10}}");
    struct queue_want want = {"default", 5};
    struct work_operation poll = hot_poll(worker, &want), *works[] = {&poll};
    hot_lane_work(&lane, &poll);
    assert_int_equal(poll.grant_count, 1);
    struct slice_result result = hot_success(&poll.grants[0]);
    pg_kill(hot_pg);
    struct work_operation report = {
        .worker = worker.id, .incarnation = worker.incarnation, .results = &result, .result_count = 1};
    works[0] = &report;
    assert_int_equal(hot_run(lane.hot, NULL, 0, works, 1, &lane.wakes, &err), -1);
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    pg_restart(hot_pg);
    int64_t deadline_ms = clock_boot_ms() + 60000;
    while (hot_run(lane.hot, NULL, 0, works, 1, &lane.wakes, &err) < 0) {
        assert_int_equal(err.code, ERR_UNAVAILABLE);
        assert_true(clock_boot_ms() < deadline_ms);
    }
    assert_false(report.failed || result.stale);
    assert_int_equal(store_sql(lane.db, "SELECT succeeded FROM stage"), 5);
    work_operation_release(&report);
    work_operation_release(&poll);
}

static int64_t claim_token(struct hot_worker worker)
{
    struct err err = {0};
    struct queue_want want = {"default", 1};
    struct work_operation poll = hot_poll(worker, &want), *works[] = {&poll};
    int64_t deadline_ms = clock_boot_ms() + 60000;
    while (hot_run(lane.hot, NULL, 0, works, 1, &lane.wakes, &err) < 0)
        assert_true(clock_boot_ms() < deadline_ms);
    assert_int_equal(poll.grant_count, 1);
    int64_t token = poll.grants[0].token;
    work_operation_release(&poll);
    return token;
}

// A server that has taken over without the last commits would give the rest of the lane's tokens to another lane, and
// tokens that were given before once more.
static void no_token_comes_twice_from_another_server(void **state)
{
    UNUSED(state);
    struct hot_worker worker = hot_worker_new(lane.db, "w");
    hot_lane_submit(&lane, "{'name': 'a', 'command': ['x'], 'tasks': {'count': 10}}");
    int64_t first = claim_token(worker);
    assert_int_equal(claim_token(worker), first + 1);
    store_sql(lane.db, "SELECT setval('lease_token', 1, false)");
    for (int64_t began_us = clock_wall_us(); clock_wall_us() < began_us + 20000;) // no server takes over within that
        store_sql(lane.db, "SELECT 1");
    store_sql(lane.db,
              "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND "
              "datname = current_database()");
    int64_t second = claim_token(worker);
    assert_true(second > first + 1);
    assert_int_equal(claim_token(worker), second + 1);
}

// A connection that is cut while the lane sleeps is replaced, and what it had prepared is prepared again.
static void a_cut_connection_is_replaced(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct hot_worker worker = hot_worker_new(lane.db, "w");
    struct work_operation poll = hot_poll(worker, NULL), *works[] = {&poll};
    hot_lane_work(&lane, &poll);
    store_sql(lane.db,
              "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND "
              "datname = current_database()");
    int64_t deadline_ms = clock_boot_ms() + 60000;
    while (hot_run(lane.hot, NULL, 0, works, 1, &lane.wakes, &err) < 0)
        assert_true(clock_boot_ms() < deadline_ms);
    assert_false(poll.failed);
    work_operation_release(&poll);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lanes_side_by_side_record_each_task_once),
        hot_test(a_cut_connection_is_replaced),
        hot_test(no_token_comes_twice_from_another_server),
        hot_test(nothing_is_known_while_the_database_is_away),
    };
    return cmocka_run_group_tests(tests, hot_group_setup, hot_group_teardown);
}
