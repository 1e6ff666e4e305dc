// Registration, and what becomes of the work of workers that do not come back as they were.
#include "services/common/store/workers.h"

#include "services/common/db/db.h"
#include "services/common/model/states.h"
#include "services/common/store/control.h"
#include "tests/support/pg.h"
#include "tests/support/store_db.h"
#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

static struct pg *pg;
static struct db *db;

static int start(void **state)
{
    UNUSED(state);
    pg = pg_start(0);
    return 0;
}

static int stop(void **state)
{
    UNUSED(state);
    pg_stop(pg);
    return 0;
}

static int fresh(void **state)
{
    UNUSED(state);
    db = store_db_new(pg);
    return 0;
}

static int done(void **state)
{
    UNUSED(state);
    db_close(db);
    return 0;
}

struct attempt {
    const char *host, *boot;
    bool recovered; // it knows who it was, and has looked
};

static int register_as(const struct attempt *attempt, struct worker_registered *out)
{
    struct err err = {0};
    AUTO_WAKES struct wakes wakes = WAKES_INIT;
    const char *runtimes[] = {"process", "pull"}, *queues[] = {"default"};
    struct worker_registration registration = {
        .name = "w1",
        .host = attempt->host,
        .boot = attempt->boot,
        .runtimes = runtimes,
        .runtime_count = 2,
        .queues = queues,
        .queue_count = 1,
        .labels = "{\"gpu\":\"yes\"}",
        .slots = 4,
        .former_worker = attempt->recovered ? store_sql(db, "SELECT id FROM worker WHERE name = 'w1'") : 0,
        .former_incarnation =
            attempt->recovered ? (int)store_sql(db, "SELECT incarnation FROM worker WHERE name = 'w1'") : 0,
    };
    int outcome = workers_register(db, &registration, 30000, out, &wakes, &err);
    assert_ok(outcome, err);
    return outcome;
}

// In a transaction of the caller's.
static int take_back(int64_t worker, enum worker_absence absence, const char *engine, const char *why,
                     struct wakes *wakes)
{
    struct err err = {0};
    const struct worker_loss loss = {.worker = worker, .before = 2, .absence = absence, .engine = engine, .why = why};
    int taken = workers_take_back(db, &loss, wakes, &err);
    assert_ok(taken, err);
    return taken;
}

static int64_t instance(const char *column)
{
    return store_sql(db, "SELECT coalesce(%s, -1) FROM instance ORDER BY job, epoch DESC LIMIT 1", column);
}

// A job with a service on the worker and tasks leased by it.
static int64_t busy_worker(int64_t *worker, const struct store_job *base)
{
    struct store_job job = *base;
    *worker = store_worker(db, "w1");
    job.service_count = 1;
    job.services[0].name = "cache";
    int64_t id = store_submit(db, &job);
    store_place(db, id, *worker);
    store_observe(db, id, "cache", INSTANCE_READY, NULL);
    store_claim(db, id, 0, 4, *worker);
    return id;
}

static void test_registers_and_says_who_it_is(void **state)
{
    UNUSED(state);
    struct worker_registered first;
    assert_int_equal(register_as(&(struct attempt){"h", "b", false}, &first), REGISTER_DONE);
    assert_int_equal(first.incarnation, 1);
    AUTO_FREE char *deployment = store_sql_text(db, "SELECT value FROM setting WHERE name = 'deployment'");
    assert_string_equal(first.deployment, deployment);
    assert_int_equal(
        store_sql(db, "SELECT runtimes = '{process,pull}' AND queues = '{default}' AND labels = '{\"gpu\":\"yes\"}' "
                      "AND slots = 4 AND lease_until > clock_timestamp() + interval '25 s' FROM worker"),
        1);
}

static void test_who_may_take_a_name(void **state)
{
    UNUSED(state);
    static const struct {
        const char *what;
        struct attempt attempt;
        const char *before; // what happens to the former one
        int expected;
    } cases[] = {
        {"the same, without a look", {"host", "boot", false}, "", REGISTER_NAME_TAKEN},
        {"the same, recovered", {"host", "boot", true}, "", REGISTER_DONE},
        {"after a reboot", {"host", "boot2", true}, "", REGISTER_DONE},
        {"another machine of that name", {"host", "boot2", false}, "", REGISTER_NAME_TAKEN},
        {"another host", {"host2", "boot", true}, "", REGISTER_NAME_TAKEN},
        {"another host and boot", {"host2", "boot2", true}, "", REGISTER_NAME_TAKEN},
        {"another host, lease over", {"host2", "boot", false}, "lease_until = clock_timestamp()", REGISTER_DONE},
        {"the same, lost", {"host", "boot", false}, "state = 4", REGISTER_DONE},
        {"another host, gone", {"host2", "boot2", false}, "state = 5", REGISTER_DONE},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct worker_registered registered;
        store_sql(db, "DELETE FROM worker");
        store_worker(db, "w1");
        if (*cases[i].before)
            store_sql(db, "UPDATE worker SET %s", cases[i].before);
        if (register_as(&cases[i].attempt, &registered) != cases[i].expected)
            fail_msg("%s", cases[i].what);
        if (cases[i].expected == REGISTER_DONE)
            assert_int_equal(registered.incarnation, 2);
        else
            assert_true(registered.retry_ms > 20000 && registered.retry_ms <= 30000);
        assert_int_equal(store_sql(db, "SELECT incarnation FROM worker"), cases[i].expected == REGISTER_DONE ? 2 : 1);
    }
}

static void test_recovered_worker_gives_back(void **state)
{
    UNUSED(state);
    int64_t worker;
    struct worker_registered registered;
    int64_t job =
        busy_worker(&worker, &(struct store_job){.keep_on_failure_ms = 0,
                                                 .stage_count = 1,
                                                 .stages = {{.name = "x", .tasks = 10, .from = -1, .retries = 1}}});
    assert_int_equal(register_as(&(struct attempt){"host", "boot", true}, &registered), REGISTER_DONE);
    // its service is verified to be gone, which ends the job; its tasks are over
    assert_int_equal(instance("state"), INSTANCE_VERIFIED);
    assert_int_equal(instance("grade"), GRADE_VERIFIED);
    assert_int_equal(instance("failed::int"), 1);
    assert_int_equal(store_sql(db, "SELECT outcome FROM job"), OUTCOME_FAILED);
    assert_int_equal(store_sql(db, "SELECT closed_at IS NOT NULL FROM job"), 1);
    assert_int_equal(store_sql(db, "SELECT count(*) FROM slice WHERE state = 2"), 0);
    store_check(db, job);
}

static void test_slices_of_a_former_incarnation(void **state)
{
    UNUSED(state);
    struct worker_registered registered;
    int64_t worker = store_worker(db, "w1");
    struct store_job base = {.stage_count = 1,
                             .stages = {{.name = "x", .tasks = 10, .from = -1, .retries = 1, .goes_on = true}}};
    int64_t job = store_submit(db, &base);
    store_claim(db, job, 0, 4, worker);
    for (int round = 1; round <= 2; round++) {
        assert_int_equal(register_as(&(struct attempt){"host", "boot", true}, &registered), REGISTER_DONE);
        store_check(db, job);
        if (round == 1) {
            assert_int_equal(
                store_sql(db,
                          "SELECT count(*) FROM slice WHERE state = 1 AND first = 0 AND attempt = 1 AND failures = 1"),
                1);
            assert_int_equal(store_sql(db, "SELECT started_at IS NOT NULL FROM job"), 1);
            store_sql(db, "UPDATE slice SET rank = -1 WHERE first = 0");
            store_claim(db, job, 0, 4, worker);
        }
    }
    assert_int_equal(store_sql(db, "SELECT failed FROM stage"), 4);
    assert_int_equal(
        store_sql(db, "SELECT count(*) FROM task_error WHERE attempt = 2 AND error = 'the worker was restarted'"), 4);
}

static void test_slices_of_a_job_that_has_ended(void **state)
{
    UNUSED(state);
    struct err err = {0};
    AUTO_WAKES struct wakes wakes = WAKES_INIT;
    struct worker_registered registered;
    int64_t worker = store_worker(db, "w1");
    int64_t job = store_submit(db, &(struct store_job){0});
    store_claim(db, job, 0, 4, worker);
    assert_ok(control_stop(db, job, NULL, &wakes, &err), err);
    assert_int_equal(register_as(&(struct attempt){"host", "boot", true}, &registered), REGISTER_DONE);
    store_check(db, job);
    assert_int_equal(store_sql(db, "SELECT cancelled FROM stage"), 10);
    assert_int_equal(store_sql(db, "SELECT closed_at IS NOT NULL FROM job"), 1);
}

static void test_moved_name_leaves_instances_lost(void **state)
{
    UNUSED(state);
    int64_t worker;
    struct worker_registered registered;
    int64_t job = busy_worker(&worker, &(struct store_job){0});
    store_sql(db, "UPDATE worker SET lease_until = clock_timestamp()");
    assert_int_equal(register_as(&(struct attempt){"host2", "boot", true}, &registered), REGISTER_DONE);
    assert_int_equal(instance("state"), INSTANCE_LOST);
    assert_int_equal(store_sql(db, "SELECT outcome FROM job"), OUTCOME_FAILED);
    assert_int_equal(store_sql(db, "SELECT closed_at IS NULL FROM job"), 1);
    store_check(db, job);
}

static void test_presumed_certificates_are_upgraded(void **state)
{
    UNUSED(state);
    AUTO_WAKES struct wakes wakes = WAKES_INIT;
    int64_t worker;
    struct worker_registered registered;
    int64_t job = busy_worker(&worker, &(struct store_job){0});
    store_sql(db, "BEGIN; UPDATE worker SET state = 4");
    assert_int_equal(take_back(worker, ABSENCE_PRESUMED, NULL, "lost", &wakes), 2);
    store_sql(db, "COMMIT");
    assert_int_equal(instance("state"), INSTANCE_PRESUMED_GONE);
    assert_int_equal(instance("grade"), GRADE_PRESUMED);
    assert_int_equal(store_sql(db, "SELECT cleanup FROM job"), CLEANUP_CLEAN);
    store_check(db, job);
    assert_int_equal(register_as(&(struct attempt){"host", "boot", false}, &registered), REGISTER_DONE);
    assert_int_equal(instance("grade"), GRADE_PRESUMED); // it has not looked
    assert_int_equal(register_as(&(struct attempt){"host", "boot", true}, &registered), REGISTER_DONE);
    assert_int_equal(instance("grade"), GRADE_VERIFIED);
    assert_int_equal(instance("state"), INSTANCE_VERIFIED);
    store_check(db, job);
}

static void test_other_runtimes_stay_lost(void **state)
{
    UNUSED(state);
    AUTO_WAKES struct wakes wakes = WAKES_INIT;
    int64_t worker;
    int64_t job = busy_worker(&worker, &(struct store_job){0});
    store_sql(db,
              "UPDATE instance SET runtime = 'docker', engine = 'E'; INSERT INTO leader VALUES ('engine/E', 'me', 1, "
              "clock_timestamp() + interval '1 minute')");
    store_sql(db, "BEGIN");
    assert_int_equal(take_back(worker, ABSENCE_PRESUMED, NULL, "lost", &wakes), 2);
    store_sql(db, "COMMIT");
    assert_int_equal(instance("state"), INSTANCE_LOST);
    store_check(db, job);
}

// ---- containers outlive their worker

#define ENGINE "ENGINE:ONE"

// Its service is a container at the engine, and its tasks may be too.
static int64_t busy_with_containers(int64_t *worker, const struct store_job *base)
{
    int64_t job = busy_worker(worker, base);
    store_sql(db, "UPDATE worker SET engine = '%s'", ENGINE);
    store_sql(db, "UPDATE instance SET runtime = 'docker', engine = '%s'", ENGINE);
    return job;
}

static void watch_engine(void)
{
    store_sql(db,
              "INSERT INTO leader VALUES ('engine/%s', 'me', 1, clock_timestamp() + interval '1 minute') "
              "ON CONFLICT (name) DO NOTHING",
              ENGINE);
}

struct return_home {
    const char *host, *engine;
    bool recovered;
    int64_t held;
    struct worker_found found[2];
    size_t found_count;
};

static void come_back(struct return_home *home, struct worker_registered *out)
{
    struct err err = {0};
    AUTO_WAKES struct wakes wakes = WAKES_INIT;
    const char *runtimes[] = {"docker"}, *queues[] = {"default"};
    struct worker_registration registration = {
        .name = "w1",
        .host = home->host,
        .boot = "boot",
        .runtimes = runtimes,
        .runtime_count = 1,
        .queues = queues,
        .queue_count = 1,
        .labels = "{}",
        .slots = 4,
        .former_worker = home->recovered ? store_sql(db, "SELECT id FROM worker WHERE name = 'w1'") : 0,
        .former_incarnation = home->recovered ? (int)store_sql(db, "SELECT incarnation FROM worker") : 0,
        .engine = home->engine,
        .found = home->found,
        .found_count = home->found_count,
        .held = &home->held,
        .held_count = home->held != 0,
    };
    int outcome = workers_register(db, &registration, 30000, out, &wakes, &err);
    assert_ok(outcome, err);
    assert_int_equal(outcome, REGISTER_DONE);
}

static void test_what_is_wanted_goes_on(void **state)
{
    UNUSED(state);
    int64_t worker;
    struct worker_registered registered;
    int64_t job = busy_with_containers(&worker, &(struct store_job){0});
    struct return_home home = {
        .host = "host",
        .engine = ENGINE,
        .recovered = true,
        .held = store_sql(db, "SELECT token FROM slice WHERE state = 2"),
        .found = {{.job = job, .service = "cache", .epoch = 1}, {.job = job, .service = "cache", .epoch = 2}},
        .found_count = 2,
    };
    for (int life = 2; life <= 3; life++) { // the second time as well
        come_back(&home, &registered);
        assert_int_equal(registered.incarnation, life);
        assert_true(home.found[0].kept);
        assert_false(home.found[1].kept); // nobody knows it
        assert_int_equal(instance("state"), INSTANCE_READY);
        assert_int_equal(instance("incarnation"), life);
        assert_int_equal(instance("adopt::int"), 1);
        assert_int_equal(store_sql(db, "SELECT incarnation FROM slice WHERE state = 2"), life);
        assert_int_equal(store_sql(db, "SELECT outcome IS NULL FROM job"), 1);
        store_check(db, job);
    }
}

static void test_what_is_not_wanted_is_stopped_by_the_new_life(void **state)
{
    UNUSED(state);
    int64_t worker;
    struct err err = {0};
    AUTO_WAKES struct wakes wakes = WAKES_INIT;
    struct worker_registered registered;
    int64_t job = busy_with_containers(&worker, &(struct store_job){0});
    assert_ok(control_stop(db, job, NULL, &wakes, &err), err);
    store_report(db, job, 0, SLICE_CANCELLED, NULL);
    assert_int_equal(instance("state"), INSTANCE_STOPPING);
    struct return_home home = {.host = "host",
                               .engine = ENGINE,
                               .recovered = true,
                               .found = {{.job = job, .service = "cache", .epoch = 1}},
                               .found_count = 1};
    come_back(&home, &registered);
    assert_false(home.found[0].kept);
    assert_int_equal(instance("state"), INSTANCE_STOPPING);
    assert_int_equal(instance("incarnation"), 2);
    assert_int_equal(instance("adopt::int"), 0);
    store_check(db, job);
}

static void test_what_is_gone_from_the_engine_is_verified(void **state)
{
    UNUSED(state);
    int64_t worker;
    struct worker_registered registered;
    int64_t job = busy_with_containers(&worker, &(struct store_job){0});
    come_back(&(struct return_home){.host = "host", .engine = ENGINE, .recovered = true}, &registered);
    assert_int_equal(instance("state"), INSTANCE_VERIFIED);
    assert_int_equal(instance("grade"), GRADE_VERIFIED);
    assert_int_equal(store_sql(db, "SELECT count(*) FROM slice WHERE state = 2"), 0);
    store_check(db, job);
}

// A namesake with another state directory proves nothing, whatever it says that it has found.
static void test_nobody_takes_what_is_not_his(void **state)
{
    UNUSED(state);
    static const struct {
        const char *engine;
        bool recovered;
    } cases[] = {{ENGINE, false}, {"ENGINE:TWO", true}, {NULL, true}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t worker;
        struct worker_registered registered;
        store_sql(db, "DELETE FROM worker; DELETE FROM leader");
        int64_t job = busy_with_containers(&worker, &(struct store_job){0});
        watch_engine();
        store_sql(db, "UPDATE worker SET lease_until = clock_timestamp()");
        struct return_home home = {.host = "host",
                                   .engine = cases[i].engine,
                                   .recovered = cases[i].recovered,
                                   .held = store_sql(db, "SELECT max(token) FROM slice WHERE state = 2"),
                                   .found = {{.job = job, .service = "cache", .epoch = 1}},
                                   .found_count = 1};
        come_back(&home, &registered);
        assert_false(home.found[0].kept);
        assert_int_equal(store_sql(db, "SELECT state FROM instance WHERE job = %lld", (long long)job), INSTANCE_LOST);
        // its tasks may still run there: whoever watches the engine sees to that first
        assert_int_equal(store_sql(db, "SELECT count(*) FROM slice WHERE state = 2 AND incarnation = 1 AND job = %lld",
                                   (long long)job),
                         1);
        store_check(db, job);
    }
}

static void test_lost_containers_are_left_to_who_watches_their_engine(void **state)
{
    UNUSED(state);
    AUTO_WAKES struct wakes wakes = WAKES_INIT;
    for (int watched = 0; watched <= 1; watched++) {
        int64_t worker;
        store_sql(db, "DELETE FROM worker");
        int64_t job = busy_with_containers(&worker, &(struct store_job){0});
        if (watched)
            watch_engine();
        store_sql(db, "BEGIN; UPDATE worker SET state = 4");
        take_back(worker, ABSENCE_PRESUMED, ENGINE, "lost", &wakes);
        store_sql(db, "COMMIT");
        assert_int_equal(store_sql(db, "SELECT state FROM instance WHERE job = %lld", (long long)job),
                         watched ? INSTANCE_LOST : INSTANCE_PRESUMED_GONE);
        assert_int_equal(store_sql(db, "SELECT count(*) FROM slice WHERE state = 2 AND job = %lld", (long long)job),
                         watched);
        store_check(db, job);
    }
}

static void test_what_is_stuck_at_an_engine_is_not_lost(void **state)
{
    UNUSED(state);
    AUTO_WAKES struct wakes wakes = WAKES_INIT;
    int64_t worker;
    busy_with_containers(&worker, &(struct store_job){0});
    watch_engine();
    store_sql(db, "UPDATE instance SET state = 9; BEGIN; UPDATE worker SET state = 4");
    take_back(worker, ABSENCE_PRESUMED, ENGINE, "lost", &wakes);
    assert_int_equal(store_sql(db, "COMMIT; SELECT state FROM instance"), INSTANCE_STUCK);
}

static void test_nothing_to_take_back(void **state)
{
    UNUSED(state);
    AUTO_WAKES struct wakes wakes = WAKES_INIT;
    int64_t worker = store_worker(db, "w1");
    assert_int_equal(take_back(worker, ABSENCE_VERIFIED, NULL, "x", &wakes), 0);
    assert_int_equal(wakes.count, 0);
}

static void test_drain(void **state)
{
    UNUSED(state);
    struct err err = {0};
    AUTO_WAKES struct wakes wakes = WAKES_INIT;
    int64_t worker = store_worker(db, "w1");
    assert_int_equal(control_drain(db, worker, true, &wakes, &err), CONTROL_DONE);
    assert_int_equal(control_drain(db, worker, true, &wakes, &err), CONTROL_UNCHANGED);
    assert_int_equal(store_sql(db, "SELECT state FROM worker WHERE drain"), WORKER_DRAINING);
    assert_int_equal(control_drain(db, worker, false, &wakes, &err), CONTROL_DONE);
    assert_int_equal(store_sql(db, "SELECT state FROM worker WHERE NOT drain"), WORKER_READY);
    assert_error(control_drain(db, 99, true, &wakes, &err), err, ERR_NOT_FOUND, "worker 99");
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, fresh, done)
    const struct CMUnitTest tests[] = {
        TEST(test_registers_and_says_who_it_is),
        TEST(test_who_may_take_a_name),
        TEST(test_recovered_worker_gives_back),
        TEST(test_slices_of_a_former_incarnation),
        TEST(test_slices_of_a_job_that_has_ended),
        TEST(test_moved_name_leaves_instances_lost),
        TEST(test_presumed_certificates_are_upgraded),
        TEST(test_other_runtimes_stay_lost),
        TEST(test_what_is_wanted_goes_on),
        TEST(test_what_is_not_wanted_is_stopped_by_the_new_life),
        TEST(test_what_is_gone_from_the_engine_is_verified),
        TEST(test_nobody_takes_what_is_not_his),
        TEST(test_lost_containers_are_left_to_who_watches_their_engine),
        TEST(test_what_is_stuck_at_an_engine_is_not_lost),
        TEST(test_nothing_to_take_back),
        TEST(test_drain),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
