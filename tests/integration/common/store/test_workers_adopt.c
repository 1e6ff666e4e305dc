// Tasks in containers that have outlived their worker: what its next life may go on with.
#include "services/common/base/arena.h"
#include "services/common/model/states.h"
#include "services/common/store/control.h"
#include "services/common/store/workers.h"
#include "tests/support/hot_lane.h"
#include "tests/support/store_db.h"
#include "tests/support/test.h"

#include <string.h>

#define ENGINE "ENGINE:ONE"
#define JOB "{'name': 'a', 'command': ['x'], 'tasks': {'count': 5}, 'retries': {'max': 0}}"

static const struct queue_want three = {"default", 3};

// What a life registers with, and what it is told.
struct life {
    const char *engine;
    struct hot_worker former;
    int64_t token;
    struct worker_registered registered;
    struct arena *arena;
};

static void registers(struct life *life)
{
    static const char *const runtimes[] = {"docker", "process"}, *const queues[] = {"default"};
    const struct worker_adoptable adoptable[] = {{life->token, 0}, {life->token, 2}, {life->token, 3}, {999999, 0}};
    struct err err = {0};
    life->arena = arena_new(0);
    const struct worker_registration registration = {
        .name = "w",
        .host = "h",
        .boot = "b",
        .runtimes = runtimes,
        .runtime_count = 2,
        .queues = queues,
        .queue_count = 1,
        .labels = "{}",
        .slots = 4,
        .former_worker = life->former.id,
        .former_incarnation = life->former.incarnation,
        .engine = life->engine,
        .held = &life->token,
        .held_count = life->token != 0,
        .adoptable = adoptable,
        .adoptable_count = life->token != 0 ? ARRAY_LEN(adoptable) : 0,
        .arena = life->arena,
    };
    int outcome = workers_register(lane.db, &registration, 30000, &life->registered, &lane.wakes, &err);
    assert_ok(outcome, err);
    assert_int_equal(outcome, REGISTER_DONE);
}

// A slice of tasks 0 to 2 is leased to the life.
struct first_life {
    struct hot_worker worker;
    struct work_operation poll;
    const struct grant *grant;
};

static void begin(struct first_life *first)
{
    struct life life = {.engine = ENGINE};
    registers(&life);
    assert_int_equal(life.registered.adopted_count, 0);
    first->worker = (struct hot_worker){life.registered.worker, life.registered.incarnation};
    arena_free(life.arena);
    hot_lane_submit(&lane, JOB);
    first->poll = hot_poll(first->worker, &three);
    hot_lane_work(&lane, &first->poll);
    assert_int_equal(first->poll.grant_count, 1);
    first->grant = &first->poll.grants[0];
    assert_int_equal(first->grant->count, 3);
}

// The next life; returns how many tasks go on.
static size_t come_back(const struct first_life *first, struct life *life, const char *engine)
{
    *life = (struct life){.engine = engine, .former = first->worker, .token = first->grant->token};
    registers(life);
    return life->registered.adopted_count;
}

static void end(struct first_life *first, struct life *life)
{
    arena_free(life->arena);
    work_operation_release(&first->poll);
    hot_check(&lane);
}

static int64_t leased(const struct first_life *first, const char *what)
{
    return store_sql(lane.db, "SELECT coalesce(max(%s), -1) FROM slice WHERE state = 2 AND token = %lld", what,
                     (long long)first->grant->token);
}

static void writes(const struct first_life *first, int64_t position, const char *text)
{
    const struct log_chunk chunk = {first->grant->job, "task/main/2/1", position, text, strlen(text)};
    struct work_operation work = {
        .worker = first->worker.id, .incarnation = first->worker.incarnation, .logs = &chunk, .log_count = 1};
    hot_lane_work(&lane, &work);
    work_operation_release(&work);
}

// Through the lane that granted it, which remembers the lease.
static struct work_operation report(struct hot_worker worker, const struct grant *grant, bool all)
{
    static const struct slice_range second = {2, 3};
    struct slice_result result = hot_success(grant);
    if (!all) {
        result.all_succeeded = false;
        result.succeeded = &second;
        result.succeeded_count = 1;
    }
    struct work_operation work = {
        .worker = worker.id, .incarnation = worker.incarnation, .results = &result, .result_count = 1};
    struct work_operation *works[] = {&work};
    hot_lane_run(&lane, works, 1);
    work.results = NULL;
    work.result_count = result.stale ? 99 : 0;
    return work;
}

static void a_slice_goes_on(void **state)
{
    struct first_life first;
    struct life life;
    UNUSED(state);
    begin(&first);
    writes(&first, 0, "begun\n");
    writes(&first, 6, "more\n");
    for (int incarnation = 2; incarnation <= 3; incarnation++) { // the second time as well
        assert_int_equal(come_back(&first, &life, ENGINE), 2);
        assert_int_equal(life.registered.incarnation, incarnation);
        assert_int_equal(leased(&first, "incarnation"), incarnation);
        const struct worker_adopted *adopted = life.registered.adopted;
        assert_int_equal(adopted[0].task, 0);
        assert_int_equal(adopted[0].logged, 0);
        assert_int_equal(adopted[1].task, 2);
        assert_int_equal(adopted[1].logged, 11);
        assert_int_equal(adopted[1].token, first.grant->token);
        assert_int_equal(adopted[1].job, first.grant->job);
        assert_int_equal(adopted[1].first, 0);
        assert_int_equal(adopted[1].count, 3);
        assert_int_equal(adopted[1].attempt, 1);
        assert_string_equal(adopted[1].stage_name, "main");
        assert_string_equal(adopted[1].run, first.grant->run);
        if (incarnation == 2)
            arena_free(life.arena);
        struct work_operation late = report(first.worker, first.grant, true);
        assert_true(late.failed && late.err.code == ERR_STALE); // of the former life
        work_operation_release(&late);
        first.worker.incarnation = incarnation;
    }
    struct work_operation good = report(first.worker, first.grant, false);
    assert_false(good.failed);
    assert_int_equal(good.result_count, 0);
    work_operation_release(&good);
    // the others run again, in their first attempt
    assert_int_equal(store_sql(lane.db, "SELECT succeeded FROM stage"), 1);
    assert_int_equal(
        store_sql(lane.db, "SELECT sum(count) FROM slice WHERE state = 1 AND attempt = 0 AND failures = 0"), 4);
    end(&first, &life);
}

static void what_is_to_end_does_not(void **state)
{
    struct first_life first;
    struct life life;
    struct err err = {0};
    UNUSED(state);
    begin(&first);
    assert_ok(control_stop(lane.db, first.grant->job, NULL, &lane.wakes, &err), err);
    assert_int_equal(come_back(&first, &life, ENGINE), 0);
    assert_int_equal(leased(&first, "incarnation"), 2); // held until it is gone
    end(&first, &life);
}

static void nobody_takes_what_is_not_his(void **state)
{
    struct first_life first;
    struct life life;
    UNUSED(state);
    begin(&first);
    assert_int_equal(come_back(&first, &life, "ENGINE:TWO"), 0);
    end(&first, &life);
}

// What ended its tasks may have been the reaper, which no exit code says.
static void a_lost_worker_does_not(void **state)
{
    struct first_life first;
    struct life life;
    UNUSED(state);
    begin(&first);
    store_sql(lane.db, "UPDATE worker SET state = %d", WORKER_LOST);
    assert_int_equal(come_back(&first, &life, ENGINE), 0);
    assert_int_equal(leased(&first, "incarnation"), 2);
    end(&first, &life);
}

static void what_was_given_to_another_is_his(void **state)
{
    struct first_life first;
    struct life life;
    UNUSED(state);
    begin(&first);
    struct hot_worker other = hot_worker_new(lane.db, "other");
    store_sql(lane.db,
              "UPDATE slice SET worker = %lld, incarnation = 1, token = nextval('lease_token') WHERE state = 2",
              (long long)other.id);
    assert_int_equal(come_back(&first, &life, ENGINE), 0);
    assert_int_equal(store_sql(lane.db, "SELECT worker FROM slice WHERE state = 2"), other.id);
    end(&first, &life);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        hot_test(a_slice_goes_on),
        hot_test(what_is_to_end_does_not),
        hot_test(nobody_takes_what_is_not_his),
        hot_test(a_lost_worker_does_not),
        hot_test(what_was_given_to_another_is_his),
    };
    return cmocka_run_group_tests(tests, hot_group_setup, hot_group_teardown);
}
