// Heartbeats: leases, incarnations, and who can be given what.
#include "services/common/db/db.h"
#include "services/common/model/states.h"
#include "services/common/store/control.h"
#include "services/common/store/workers.h"
#include "tests/support/hot_lane.h"
#include "tests/support/pg.h"
#include "tests/support/store_db.h"
#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

static const struct queue_want ten = {"default", 10};

static enum err_code fails_with(struct work_operation work)
{
    struct work_operation *works[] = {&work};
    hot_lane_run(&lane, works, 1);
    assert_true(work.failed);
    work_operation_release(&work);
    return work.err.code;
}

static int64_t of_worker(struct hot_worker worker, const char *what)
{
    return store_sql(lane.db, "SELECT (%s)::bigint FROM worker WHERE id = %lld", what, (long long)worker.id);
}

static void who_is_not_current_is_told(void **state)
{
    UNUSED(state);
    struct hot_worker worker = hot_worker_new(lane.db, "w"), former = worker, unknown = worker;
    former.incarnation--;
    unknown.id += 1000;
    assert_int_equal(fails_with(hot_poll(former, &ten)), ERR_STALE);
    assert_int_equal(fails_with(hot_poll(unknown, &ten)), ERR_NOT_FOUND);
    struct work_operation good = hot_poll(worker, &ten), bad = hot_poll(former, &ten), *works[] = {&good, &bad};
    hot_lane_run(&lane, works, 2);
    assert_false(good.failed);
    assert_true(bad.failed);
    work_operation_release(&good);
    work_operation_release(&bad);
    store_sql(lane.db, "UPDATE worker SET state = %d", WORKER_LOST);
    assert_int_equal(fails_with(hot_poll(worker, &ten)), ERR_STALE);
    store_sql(lane.db, "UPDATE worker SET state = %d", WORKER_GONE);
    assert_int_equal(fails_with(hot_poll(worker, &ten)), ERR_STALE);
}

static bool is_told_to_die(struct hot_worker worker)
{
    struct work_operation poll = hot_poll(worker, NULL);
    hot_lane_work(&lane, &poll);
    bool told = poll.drill;
    assert_int_equal(poll.drill, poll.drain); // it is given nothing more either
    work_operation_release(&poll);
    return told;
}

// A drill kills the present life of a worker that has the canary and, unless it is forced, nothing else.
static void a_drill_is_for_one_life(void **state)
{
    UNUSED(state);
    struct err err = {0};
    AUTO_WAKES struct wakes wakes = WAKES_INIT;
    struct hot_worker worker = hot_worker_new(lane.db, "w");
    int64_t canary = hot_lane_submit(&lane, "{'name': 'canary', 'command': ['x']}");
    assert_error(control_drill(lane.db, worker.id, canary, false, &wakes, &err), err, ERR_CONFLICT, "has nothing of");
    assert_error(control_drill(lane.db, worker.id + 1, canary, true, &wakes, &err), err, ERR_NOT_FOUND, "not exist");
    struct work_operation poll = hot_poll(worker, &ten);
    hot_lane_work(&lane, &poll);
    work_operation_release(&poll);
    int64_t other = hot_lane_submit(&lane, "{'name': 'other', 'command': ['x']}");
    poll = hot_poll(worker, &ten);
    hot_lane_work(&lane, &poll);
    work_operation_release(&poll);
    assert_error(control_drill(lane.db, worker.id, canary, false, &wakes, &err), err, ERR_CONFLICT,
                 "has 1 tasks and services of other jobs");
    assert_error(control_drill(lane.db, worker.id, other + 1, true, &wakes, &err), err, ERR_CONFLICT, "has nothing of");
    assert_false(is_told_to_die(worker));
    assert_ok(control_drill(lane.db, worker.id, canary, true, &wakes, &err), err);
    assert_int_equal(wakes.count, 1);
    assert_true(is_told_to_die(worker));
    assert_true(is_told_to_die(worker)); // the first reply may have been lost
    store_sql(lane.db, "UPDATE worker SET incarnation = incarnation + 1, drain = false WHERE id = %lld",
              (long long)worker.id);
    worker.incarnation++;
    assert_false(is_told_to_die(worker));
    store_sql(lane.db, "UPDATE worker SET state = %d", WORKER_SUSPECT);
    assert_error(control_drill(lane.db, worker.id, canary, true, &wakes, &err), err, ERR_CONFLICT, "is suspect");
}

// What a worker that is not current says about its tasks, instances and logs is not recorded.
static void who_is_not_current_records_nothing(void **state)
{
    UNUSED(state);
    struct hot_worker worker = hot_worker_new(lane.db, "w");
    int64_t job = hot_lane_submit(&lane, "{'name': 'a', 'command': ['x']}");
    struct work_operation poll = hot_poll(worker, &ten);
    hot_lane_work(&lane, &poll);
    struct slice_result result = hot_success(&poll.grants[0]);
    struct log_chunk log = {job, "s", 0, "x", 1};
    struct work_operation report = {.worker = worker.id,
                                    .incarnation = worker.incarnation + 1,
                                    .results = &result,
                                    .result_count = 1,
                                    .logs = &log,
                                    .log_count = 1};
    assert_int_equal(fails_with(report), ERR_STALE);
    assert_int_equal(store_sql(lane.db, "SELECT count(*) FROM log"), 0);
    assert_int_equal(store_sql(lane.db, "SELECT state FROM slice"), SLICE_LEASED);
    work_operation_release(&poll);
}

static void leases_are_renewed_when_a_sixth_has_passed(void **state)
{
    UNUSED(state);
    hot_lane_close(&lane);
    lane = hot_lane_open_patient(pg_database_new(hot_pg)); // of an hour
    struct hot_worker worker = hot_worker_new(lane.db, "w");
    struct work_operation poll = hot_poll(worker, NULL);
    store_sql(lane.db, "UPDATE worker SET lease_until = clock_timestamp() + interval '52 minutes'");
    int64_t version = of_worker(worker, "xmin::text");
    hot_lane_work(&lane, &poll);
    assert_in_range(poll.lease_ms, 50 * 60000, 52 * 60000);
    assert_int_equal(of_worker(worker, "xmin::text"), version); // nothing was written
    store_sql(lane.db, "UPDATE worker SET lease_until = clock_timestamp() + interval '49 minutes'");
    hot_lane_work(&lane, &poll);
    assert_in_range(poll.lease_ms, 55 * 60000, 60 * 60000);
    store_sql(lane.db, "UPDATE worker SET lease_until = clock_timestamp() - interval '1 s', state = %d",
              WORKER_SUSPECT); // nobody has taken anything from it
    hot_lane_work(&lane, &poll);
    assert_int_equal(of_worker(worker, "state"), WORKER_READY);
    work_operation_release(&poll);
}

static void who_drains_gets_nothing(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct hot_worker worker = hot_worker_new(lane.db, "w"), other = hot_worker_new(lane.db, "v");
    hot_lane_submit(&lane, "{'name': 'a', 'command': ['x'], 'tasks': {'count': 100}}");
    struct work_operation poll = hot_poll(worker, &ten);
    poll.draining = true;
    hot_lane_work(&lane, &poll);
    assert_int_equal(poll.grant_count, 0);
    assert_int_equal(of_worker(worker, "state"), WORKER_DRAINING);
    assert_false(poll.drain);
    work_operation_release(&poll);

    assert_ok(control_drain(lane.db, other.id, true, &lane.wakes, &err), err);
    poll = hot_poll(other, &ten);
    hot_lane_work(&lane, &poll);
    assert_int_equal(poll.grant_count, 0);
    assert_true(poll.drain);
    work_operation_release(&poll);
}

static struct hot_worker special_worker(const char *name, const char *runtime, const char *labels)
{
    struct err err = {0};
    const char *runtimes[] = {runtime}, *queues[] = {"default"};
    struct worker_registered registered;
    struct worker_registration registration = {.name = name,
                                               .host = "h",
                                               .boot = "b",
                                               .runtimes = runtimes,
                                               .runtime_count = 1,
                                               .queues = queues,
                                               .queue_count = 1,
                                               .labels = labels,
                                               .slots = 1};
    assert_int_equal(workers_register(lane.db, &registration, 30000, &registered, &lane.wakes, &err), REGISTER_DONE);
    return (struct hot_worker){registered.worker, registered.incarnation};
}

static size_t grants_of(struct hot_worker worker)
{
    struct work_operation poll = hot_poll(worker, &ten);
    hot_lane_work(&lane, &poll);
    size_t count = poll.grant_count;
    work_operation_release(&poll);
    return count;
}

static void a_demand_fits_or_does_not(void **state)
{
    UNUSED(state);
    struct hot_worker plain = special_worker("plain", "process", "{}"),
                      gpu = special_worker("gpu", "docker", "{\"gpu\": \"yes\", \"zone\": \"a\"}"),
                      outside = special_worker("outside", "pull", "{}");
    assert_int_equal(grants_of(plain), 0); // compared with nothing so far
    hot_lane_submit(&lane, "{'name': 'a', 'command': ['x'], 'where': {'gpu': 'yes'}}");
    assert_int_equal(grants_of(plain), 0);
    assert_int_equal(grants_of(outside), 0);
    assert_int_equal(grants_of(gpu), 1);
    hot_lane_submit(&lane, "{'name': 'a', 'command': ['x'], 'runtime': 'process'}");
    assert_int_equal(grants_of(gpu), 0);
    assert_int_equal(grants_of(plain), 1);
    hot_lane_submit(&lane, "{'name': 'a', 'mode': 'pull', 'tasks': {'count': 1}}");
    assert_int_equal(grants_of(gpu), 0);
    assert_int_equal(grants_of(plain), 0);
    assert_int_equal(grants_of(outside), 1);
    hot_lane_submit(&lane, "{'name': 'a', 'command': ['x'], 'queue': 'other'}");
    assert_int_equal(grants_of(plain), 0);
    hot_lane_submit(&lane, "{'name': 'a', 'command': ['x']}");
    assert_int_equal(grants_of(outside), 0);
    assert_int_equal(grants_of(gpu), 1);
}

// A poll waits for everything that it could be given, and for demands that nobody has seen yet.
static void polls_are_told_what_to_wait_for(void **state)
{
    UNUSED(state);
    struct hot_worker worker = hot_worker_new(lane.db, "w");
    hot_lane_submit(&lane, "{'name': 'a', 'command': ['x'], 'services': [{'name': 's', 'command': ['y']}]}");
    hot_lane_submit(&lane, "{'name': 'a', 'command': ['x'], 'queue': 'other'}");
    int64_t task = store_sql(lane.db, "SELECT id FROM demand WHERE queue = 'default'");
    int64_t service = store_sql(lane.db, "SELECT id FROM demand WHERE queue = ''");
    struct work_operation poll = hot_poll(worker, &ten);
    hot_lane_work(&lane, &poll);
    assert_int_equal(poll.demand_count, 2);
    assert_int_equal(poll.demands[0], HOT_DEMAND_NEW);
    assert_int_equal(poll.demands[1], task);
    work_operation_release(&poll);
    poll = hot_poll(worker, NULL);
    poll.want_services = 1;
    hot_lane_work(&lane, &poll);
    assert_int_equal(poll.demand_count, 2);
    assert_int_equal(poll.demands[1], service);
    work_operation_release(&poll);
}

static void what_is_not_held_goes_back(void **state)
{
    UNUSED(state);
    struct hot_worker worker = hot_worker_new(lane.db, "w");
    hot_lane_submit(&lane, "{'name': 'a', 'command': ['x'], 'tasks': {'count': 30}}");
    struct work_operation kept = hot_poll(worker, &ten), lost = hot_poll(worker, &ten),
                          reported = hot_poll(worker, &ten);
    hot_lane_work(&lane, &kept);
    hot_lane_work(&lane, &lost);
    hot_lane_work(&lane, &reported);
    struct slice_result result = hot_success(&reported.grants[0]);
    struct work_operation look = hot_poll(worker, NULL);
    look.says_held = true;
    look.held = &kept.grants[0].token;
    look.held_count = 1;
    look.results = &result;
    look.result_count = 1;
    hot_lane_work(&lane, &look);
    assert_false(result.stale);
    AUTO_FREE char *slices = store_sql_text(
        lane.db, "SELECT string_agg(format('%%s:%%s:%%s', state, first, attempt), ' ' ORDER BY first) FROM slice");
    assert_string_equal(slices, "2:0:1 1:10:0 4:20:1");
    assert_int_equal(store_sql(lane.db, "SELECT failures FROM slice WHERE first = 10"), 0);
    work_operation_release(&look);
    look = hot_poll(worker, NULL);
    look.says_held = true; // nothing at all
    hot_lane_work(&lane, &look);
    assert_int_equal(store_sql(lane.db, "SELECT count(*) FROM slice WHERE state = 2"), 0);
    work_operation_release(&look);
    work_operation_release(&kept);
    work_operation_release(&lost);
    work_operation_release(&reported);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        hot_test(who_is_not_current_is_told),
        hot_test(a_drill_is_for_one_life),
        hot_test(who_is_not_current_records_nothing),
        hot_test(leases_are_renewed_when_a_sixth_has_passed),
        hot_test(who_drains_gets_nothing),
        hot_test(a_demand_fits_or_does_not),
        hot_test(polls_are_told_what_to_wait_for),
        hot_test(what_is_not_held_goes_back),
    };
    return cmocka_run_group_tests(tests, hot_group_setup, hot_group_teardown);
}
