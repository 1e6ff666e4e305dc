// One reaper leads at a time, and a leader that is cut off stops trusting itself before another one takes over.
#include "tests/support/test.h"

#include "services/common/base/clock.h"
#include "services/common/base/macros.h"
#include "services/common/db/db.h"
#include "services/reaper/leadership.h"
#include "tests/support/pg.h"
#include "tests/support/process.h"
#include "tests/support/store_db.h"

#include <string.h>

#define TERM_MS 1000        // of who hangs, or is to renew
#define LONG_TERM_MS 600000 // does not end in a test, however slow the machine

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

static int renew(struct leadership *leadership, struct db *db)
{
    struct err err = {0};
    int change = leadership_renew(leadership, db, &err);
    assert_ok(change, err);
    return change;
}

static void init(struct leadership *leadership, int64_t term_ms)
{
    struct err err;
    assert_ok(leadership_init(leadership, "reaper", term_ms, &err), err);
}

static void the_first_leads_and_goes_on(void **state)
{
    AUTO_DB struct db *db = store_db_new(*state);
    struct leadership first, second;
    init(&first, LONG_TERM_MS);
    init(&second, LONG_TERM_MS);
    assert_string_not_equal(first.holder, second.holder);
    assert_int_equal(renew(&first, db), LEADERSHIP_GAINED);
    assert_true(leadership_holds(&first));
    assert_int_equal(renew(&second, db), LEADERSHIP_SAME);
    assert_false(leadership_holds(&second));
    assert_int_equal(renew(&first, db), LEADERSHIP_SAME);
}

static void a_planned_end_hands_over_at_once(void **state)
{
    AUTO_DB struct db *db = store_db_new(*state);
    struct leadership first, second;
    init(&first, LONG_TERM_MS);
    init(&second, LONG_TERM_MS);
    renew(&first, db);
    int64_t epoch = first.epoch;
    leadership_give_up(&first, db);
    assert_false(leadership_holds(&first));
    assert_int_equal(renew(&second, db), LEADERSHIP_GAINED);
    assert_true(second.epoch > epoch);
}

struct takeover {
    struct leadership *old, *young;
    struct db *db;
    bool both;
};

static bool young_leads(void *context)
{
    struct takeover *takeover = context;
    renew(takeover->young, takeover->db);
    takeover->both |= leadership_holds(takeover->young) && leadership_holds(takeover->old);
    return leadership_holds(takeover->young);
}

static void a_leader_that_hangs_is_followed_and_never_trusts_itself_beside_another(void **state)
{
    AUTO_DB struct db *db = store_db_new(*state);
    struct leadership first, second;
    init(&first, TERM_MS);
    init(&second, LONG_TERM_MS);
    renew(&first, db);
    struct takeover takeover = {&first, &second, db, false};
    assert_true(wait_until(young_leads, &takeover, 60000));
    assert_false(takeover.both);
    assert_int_equal(renew(&first, db), LEADERSHIP_SAME); // it had lost its trust already
    assert_false(leadership_holds(&first));
}

static bool a_third_has_passed(void *context)
{
    const int64_t *renewed_ms = context;
    return clock_boot_ms() >= *renewed_ms + TERM_MS / 3 + 1;
}

static void long_work_keeps_it(void **state)
{
    AUTO_DB struct db *db = store_db_new(*state);
    struct leadership first;
    struct err err = {0};
    init(&first, TERM_MS);
    assert_ok(leadership_keep(&first, db, &err), err);
    assert_false(leadership_holds(&first)); // it does not take one
    do {                                    // until the machine was fast enough to tell
        renew(&first, db);
        int64_t trusted_until_ms = first.trusted_until_ms, renewed_ms = clock_boot_ms();
        assert_ok(leadership_keep(&first, db, &err), err);
        bool is_early = clock_boot_ms() < renewed_ms + TERM_MS / 4;
        assert_true(first.trusted_until_ms == trusted_until_ms || !is_early);
        assert_true(wait_until(a_third_has_passed, &renewed_ms, 60000));
        assert_ok(leadership_keep(&first, db, &err), err);
        if (first.trusted_until_ms > trusted_until_ms)
            return;
    } while (!leadership_holds(&first));
    fail_msg("it was not renewed");
}

static void a_database_that_is_away_ends_the_trust_in_time(void **state)
{
    AUTO_DB struct db *db = store_db_new(*state);
    struct leadership first;
    struct err err;
    init(&first, TERM_MS);
    renew(&first, db);
    db_disconnect(db);
    pg_kill(*state);
    assert_int_equal(leadership_renew(&first, db, &err), -1);
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    assert_true(first.trusted_until_ms <= clock_boot_ms() + TERM_MS);
    pg_restart(*state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_leads_and_goes_on),
        cmocka_unit_test(a_planned_end_hands_over_at_once),
        cmocka_unit_test(a_leader_that_hangs_is_followed_and_never_trusts_itself_beside_another),
        cmocka_unit_test(long_work_keeps_it),
        cmocka_unit_test(a_database_that_is_away_ends_the_trust_in_time),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
