#include "services/common/store/bundles.h"

#include "services/common/db/db.h"
#include "services/common/store/reaper.h"
#include "tests/support/pg.h"
#include "tests/support/store_db.h"
#include "tests/support/test.h"

#include <string.h>

#define HASH(digit) digit digit digit digit
#define HASH_16(digit) HASH(digit) HASH(digit) HASH(digit) HASH(digit)
#define HASH_64(digit) HASH_16(digit) HASH_16(digit) HASH_16(digit) HASH_16(digit)

static void test_kept_as_long_as_used(void **state)
{
    struct err err = {0};
    AUTO_WAKES struct wakes wakes = WAKES_INIT;
    struct db *db = store_db_new(*state);
    struct sweep sweep = {.db = db, .leader = "reaper", .limit = 10, .wakes = &wakes};
    assert_int_equal(leader_acquire(db, "reaper", "me", 60000, &sweep.epoch, &err), LEADER_ACQUIRED);
    struct bundle_piece piece = {.most = 7};
    assert_int_equal(bundles_put(db, HASH_64("a"), "bytes\0more", 10, &err), BUNDLE_CREATED);
    assert_int_equal(bundles_put(db, HASH_64("a"), "bytes\0more", 10, &err), BUNDLE_EXISTS);
    assert_int_equal(bundles_put(db, HASH_64("b"), "", 0, &err), BUNDLE_CREATED);
    assert_ok(bundles_read(db, HASH_64("a"), &piece, &err), err);
    assert_int_equal(piece.total, 10);
    assert_int_equal(piece.length, 7);
    assert_memory_equal(piece.content, "bytes\0m", 7);
    piece.from = 7;
    assert_ok(bundles_read(db, HASH_64("a"), &piece, &err), err);
    assert_int_equal(piece.length, 3);
    assert_memory_equal(piece.content, "ore", 3);
    piece.from = 10;
    assert_ok(bundles_read(db, HASH_64("a"), &piece, &err), err);
    assert_int_equal(piece.length, 0);
    assert_error(bundles_touch(db, HASH_64("c"), &err), err, ERR_NOT_FOUND, "is not here");
    int64_t job = store_submit(db, &(struct store_job){0});
    store_sql(db, "UPDATE job SET bundle = '%s'; UPDATE bundle SET last_used_at = last_used_at - interval '2 h'",
              HASH_64("a"));
    assert_int_equal(sweep_bundles(&sweep, 3600000, &err), 1);
    assert_int_equal(store_sql(db, "SELECT count(*) FROM bundle WHERE hash = '%s'", HASH_64("a")), 1);
    store_sql(db, "DELETE FROM job WHERE id = %lld", (long long)job);
    assert_ok(bundles_touch(db, HASH_64("a"), &err), err);
    assert_int_equal(sweep_bundles(&sweep, 3600000, &err), 0);
    store_sql(db, "UPDATE bundle SET last_used_at = last_used_at - interval '2 h'");
    assert_int_equal(sweep_bundles(&sweep, 3600000, &err), 1);
    assert_error(bundles_read(db, HASH_64("a"), &piece, &err), err, ERR_NOT_FOUND, "is not here");
    result_release(&piece.owner);
    db_close(db);
}

static int start(void **state)
{
    *state = pg_start(0);
    return 0;
}

static int stop(void **state)
{
    pg_stop(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kept_as_long_as_used)};
    return cmocka_run_group_tests(tests, start, stop);
}
