// The table of sweeps: each entry runs against a real schema, repairs what its name says, and changes nothing for a
// reaper that was deposed.
#include "tests/support/test.h"

#include "services/common/base/macros.h"
#include "services/common/db/db.h"
#include "services/common/model/states.h"
#include "services/common/store/wakes.h"
#include "services/reaper/leadership.h"
#include "services/reaper/sweeps.h"
#include "tests/support/pg.h"
#include "tests/support/store_db.h"

#include <string.h>

static const struct reaper_settings settings = {
    .term_ms = 5000, .skew_ms = 0, .patience_ms = 1000, .retention_ms = 1, .bundle_retention_ms = 1000, .limit = 100};

static int setup(void **state)
{
    *state = pg_start(0);
    return 0;
}

static int teardown(void **state)
{
    pg_stop(*state);
    return 0;
}

static const struct sweep_entry *entry_named(const char *name)
{
    for (size_t i = 0; i < sweep_table_count; i++)
        if (strcmp(sweep_table[i].name, name) == 0)
            return &sweep_table[i];
    fail_msg("there is no sweep '%s'", name);
    return NULL;
}

static int64_t lead(struct db *db)
{
    struct leadership leadership;
    struct err err = {0};
    assert_ok(leadership_init(&leadership, "reaper", 60000, &err), err);
    assert_ok(leadership_renew(&leadership, db, &err), err);
    return leadership.epoch;
}

static int run(struct db *db, const char *name, int64_t epoch, struct err *err)
{
    AUTO_WAKES struct wakes wakes = WAKES_INIT;
    const struct sweep sweep = {.db = db, .leader = "reaper", .epoch = epoch, .limit = 100, .wakes = &wakes};
    return entry_named(name)->run(&sweep, &settings, err);
}

static void names_are_unique_and_intervals_sane(void **state)
{
    UNUSED(state);
    for (size_t i = 0; i < sweep_table_count; i++) {
        assert_true(sweep_table[i].interval_ms >= 50 && sweep_table[i].interval_ms <= 60000);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(sweep_table[i].name, sweep_table[j].name);
    }
}

static void nothing_to_do_is_nothing_done(void **state)
{
    AUTO_DB struct db *db = store_db_new(*state);
    struct err err = {0};
    int64_t epoch = lead(db);
    for (size_t i = 0; i < sweep_table_count; i++)
        if (run(db, sweep_table[i].name, epoch, &err) != 0)
            fail_msg("%s: %s", sweep_table[i].name, err.text);
}

static void the_table_calls_what_it_says(void **state)
{
    AUTO_DB struct db *db = store_db_new(*state);
    struct err err = {0};
    const struct store_job timed = {.timeout_ms = 600000};
    int64_t epoch = lead(db), job = store_submit(db, &timed), worker = store_worker(db, "w");
    store_sql(
        db,
        "UPDATE job SET attention_at = clock_timestamp(), created_at = created_at - interval '1 hour' WHERE id = %lld",
        (long long)job);
    assert_int_equal(run(db, "deadlines", epoch, &err), 1);
    assert_int_equal(store_sql(db, "SELECT outcome FROM job WHERE id = %lld", (long long)job), OUTCOME_TIMED_OUT);

    store_sql(db, "UPDATE worker SET lease_until = clock_timestamp() - interval '1 minute' WHERE id = %lld",
              (long long)worker);
    while (run(db, "workers", epoch, &err) > 0)
        ;
    assert_int_equal(store_sql(db, "SELECT state FROM worker WHERE id = %lld", (long long)worker), WORKER_LOST);

    store_sql(db, "UPDATE job SET closed_at = closed_at - interval '1 hour' WHERE id = %lld", (long long)job);
    assert_int_equal(run(db, "retention", epoch, &err), 1);
    assert_int_equal(store_sql(db, "SELECT count(*) FROM job"), 0);
}

static void a_deposed_reaper_changes_nothing(void **state)
{
    AUTO_DB struct db *db = store_db_new(*state);
    struct err err = {0};
    const struct store_job timed = {.timeout_ms = 600000};
    int64_t epoch = lead(db), job = store_submit(db, &timed);
    store_sql(
        db,
        "UPDATE job SET attention_at = clock_timestamp(), created_at = created_at - interval '1 hour' WHERE id = %lld",
        (long long)job);
    assert_int_equal(run(db, "deadlines", epoch - 1, &err), -1);
    assert_int_equal(err.code, ERR_STALE);
    assert_int_equal(store_sql(db, "SELECT count(*) FROM job WHERE outcome IS NULL"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_unique_and_intervals_sane),
        cmocka_unit_test(nothing_to_do_is_nothing_done),
        cmocka_unit_test(the_table_calls_what_it_says),
        cmocka_unit_test(a_deposed_reaper_changes_nothing),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
