#include "services/common/store/change.h"

#include "services/common/db/db.h"
#include "services/common/model/states.h"
#include "tests/support/store_fixture.h"
#include "tests/support/test.h"

#include <string.h>

// Wakes job 7 each time it is run; asks to be run again so often, then ends with `outcome`.
struct script {
    int conflicts, runs, outcome;
};

static int follow(struct db *connection, void *context, struct wakes *wakes, struct err *err)
{
    struct script *script = context;
    script->runs++;
    wakes_add(wakes, WAKE_JOB, 7, 0);
    wakes_add(wakes, WAKE_DEMAND, 1, 5);
    if (script->runs <= script->conflicts)
        return db_sql(connection, "DO $$ BEGIN RAISE EXCEPTION SQLSTATE '40001'; END $$", NULL, RESULT_TEXT, NULL, err);
    return script->outcome < 0 ? err_set(err, ERR_CONFLICT, "no") : script->outcome;
}

static void test_wakes_of_the_run_that_commits(void **state)
{
    UNUSED(state);
    struct err err = {0};
    AUTO_WAKES struct wakes wakes = WAKES_INIT;
    struct script script = {.conflicts = 2, .outcome = 3};
    wakes_add(&wakes, WAKE_WORKER, 1, 0); // the caller's own
    assert_int_equal(change_run(db, follow, &script, &wakes, &err), 3);
    assert_int_equal(script.runs, 3);
    assert_int_equal(wakes.count, 3);
    for (size_t i = 0; i < wakes.count; i++)
        assert_int_equal(wakes.items[i].tasks, wakes.items[i].kind == WAKE_DEMAND ? 5 : 0);
}

static void test_no_wakes_without_commit(void **state)
{
    UNUSED(state);
    struct err err = {0};
    AUTO_WAKES struct wakes wakes = WAKES_INIT;
    struct script script = {.outcome = -1};
    assert_error(change_run(db, follow, &script, &wakes, &err), err, ERR_CONFLICT, "no");
    assert_int_equal(wakes.count, 0);
}

static void test_locks_by_rising_id(void **state)
{
    UNUSED(state);
    struct err err = {0};
    int64_t a = store_submit(db, &(struct store_job){0}), b = store_submit(db, &(struct store_job){0});
    int64_t jobs[] = {b, 5, a, b};
    store_sql(db, "BEGIN");
    assert_int_equal(job_lock_all(db, jobs, 4, &err), 2);
    assert_true(jobs[0] == a && jobs[1] == b);
    assert_int_equal(job_lock_all(db, jobs, 0, &err), 0);
    store_sql(db, "COMMIT");
}

static void test_a_locked_job_and_its_events(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct locked_job job;
    int64_t id = store_submit(db, &(struct store_job){0});
    int64_t events = store_sql(db, "SELECT event_count FROM job");
    store_sql(db, "BEGIN");
    assert_ok(job_lock(db, id, &job, &err), err);
    assert_int_equal(job.outcome, OUTCOME_NONE);
    assert_int_equal(job.phase, PHASE_RELEASED);
    assert_false(job.closed || job.paused || job.stop_requested || job.delete_requested || job.kept_until);
    assert_int_equal(job.event_count, events);
    assert_ok(job_add_event(db, &job, "job.paused", "{}", &err), err);
    assert_ok(job_add_event(db, &job, "job.resumed", "{}", &err), err);
    store_sql(db, "COMMIT");
    store_check(db, id);
    assert_int_equal(store_sql(db, "SELECT event_count FROM job"), events + 2);
    assert_error(job_lock(db, 5, &job, &err), err, ERR_NOT_FOUND, "does not exist");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_wakes_of_the_run_that_commits),
        TEST(test_no_wakes_without_commit),
        TEST(test_locks_by_rising_id),
        TEST(test_a_locked_job_and_its_events),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
