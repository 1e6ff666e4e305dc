#include "services/common/store/job_delete.h"

#include "services/common/db/db.h"
#include "services/common/model/states.h"
#include "services/common/store/control.h"
#include "services/common/store/reaper.h"
#include "tests/support/store_fixture.h"
#include "tests/support/test.h"

#include <string.h>

static int64_t rows_of(int64_t job)
{
    return store_sql(
        db,
        "SELECT (SELECT count(*) FROM job WHERE id = %lld) + sum(n) FROM (SELECT count(*) AS n FROM slice WHERE job "
        "= %lld UNION ALL SELECT count(*) FROM stage WHERE job = %lld UNION ALL SELECT count(*) FROM event WHERE "
        "job = %lld UNION ALL SELECT count(*) FROM item WHERE job = %lld UNION ALL SELECT count(*) FROM service "
        "WHERE job = %lld UNION ALL SELECT count(*) FROM instance WHERE job = %lld) t",
        (long long)job, (long long)job, (long long)job, (long long)job, (long long)job, (long long)job, (long long)job);
}

static void test_delete(void **state)
{
    UNUSED(state);
    struct err err = {0};
    AUTO_WAKES struct wakes wakes = WAKES_INIT;
    struct store_job served = {.service_count = 1, .services = {{.name = "cache"}}};
    int64_t plain = store_submit(db, &(struct store_job){0}), job = store_submit(db, &served);
    int64_t other = store_submit(db, &(struct store_job){0}), rows = rows_of(other);
    assert_error(control_delete(db, plain, false, NULL, &wakes, &err), err, ERR_CONFLICT, "not closed");
    assert_int_equal(control_delete(db, plain, true, NULL, &wakes, &err), CONTROL_DONE);
    assert_int_equal(rows_of(plain), 0);
    assert_error(control_delete(db, plain, true, NULL, &wakes, &err), err, ERR_NOT_FOUND, "does not exist");
    store_place(db, job, worker);
    assert_int_equal(control_delete(db, job, true, NULL, &wakes, &err), CONTROL_ACCEPTED);
    assert_int_equal(control_delete(db, job, true, NULL, &wakes, &err), CONTROL_ACCEPTED);
    store_check(db, job);
    assert_int_equal(store_sql(db, "SELECT count(*) FROM job WHERE delete_requested"), 1);
    store_observe(db, job, "cache", INSTANCE_VERIFIED, NULL);
    assert_int_equal(control_delete(db, job, false, NULL, &wakes, &err), CONTROL_DONE);
    assert_int_equal(rows_of(job), 0);
    assert_int_equal(rows_of(other), rows);
}

static void test_in_portions(void **state)
{
    UNUSED(state);
    struct err err = {0};
    AUTO_WAKES struct wakes wakes = WAKES_INIT;
    int64_t job = store_submit(db, &(struct store_job){0});
    assert_int_equal(control_stop(db, job, NULL, &wakes, &err), CONTROL_DONE);
    store_sql(db, "INSERT INTO result SELECT %lld, 0, t, 0, '1' FROM generate_series(1, 250) t", (long long)job);
    int calls = 1;
    store_sql(db, "BEGIN");
    while (job_delete_all(db, &job, 1, 100, &err) == JOB_DELETE_MORE)
        calls++;
    store_sql(db, "COMMIT");
    assert_int_equal(calls, 3);
    assert_int_equal(rows_of(job), 0);
    assert_int_equal(store_sql(db, "SELECT count(*) FROM result"), 0);
}

static void test_very_many_rows_are_left_to_the_sweep(void **state)
{
    UNUSED(state);
    struct err err = {0};
    AUTO_WAKES struct wakes wakes = WAKES_INIT;
    struct sweep sweep = {.db = db, .leader = "reaper", .limit = 10, .wakes = &wakes};
    int64_t job = store_submit(db, &(struct store_job){0});
    assert_int_equal(leader_acquire(db, "reaper", "me", 60000, &sweep.epoch, &err), LEADER_ACQUIRED);
    assert_int_equal(control_stop(db, job, NULL, &wakes, &err), CONTROL_DONE);
    store_sql(db, "INSERT INTO result SELECT %lld, 0, t, 0, '1' FROM generate_series(1, %d) t", (long long)job,
              2 * JOB_DELETE_ROWS + 1);
    assert_int_equal(control_delete(db, job, false, NULL, &wakes, &err), CONTROL_ACCEPTED);
    assert_int_equal(sweep_retention(&sweep, 3600000, &err), sweep.limit);
    assert_int_equal(sweep_retention(&sweep, 3600000, &err), 1);
    assert_int_equal(rows_of(job), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_delete),
        TEST(test_in_portions),
        TEST(test_very_many_rows_are_left_to_the_sweep),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
