#include "tests/support/test.h"

#include "services/cli/patience.h"

static struct err away(void)
{
    struct err err;
    err_set(&err, ERR_UNAVAILABLE, "nobody answers");
    return err;
}

static void test_a_stranger_is_not_waited_for(void **state)
{
    UNUSED(state);
    struct patience patience = patience_new(false);
    struct err err = away();
    assert_false(patience_wait(&patience, &err));
    patience_answered(&patience);
    assert_true(patience_wait(&patience, &err));
}

static void test_what_would_fail_again_is_not_tried_again(void **state)
{
    UNUSED(state);
    struct patience patience = patience_new(true);
    struct err err;
    err_set(&err, ERR_NOT_FOUND, "no such job");
    assert_false(patience_wait(&patience, &err));
}

// Counted from the first failure in a row, however long the manager had been silent before.
static void test_it_ends(void **state)
{
    UNUSED(state);
    struct patience patience = patience_new(true);
    struct err err = away();
    assert_true(patience_wait(&patience, &err));
    patience.away_since_ms -= 119000;
    assert_true(patience_wait(&patience, &err));
    patience.away_since_ms -= 2000;
    assert_false(patience_wait(&patience, &err));
    patience_answered(&patience); // if only that its database is away
    assert_true(patience_wait(&patience, &err));
}

static void test_pauses_grow_until_it_works(void **state)
{
    UNUSED(state);
    struct patience patience = patience_new(true);
    struct err err = away();
    assert_true(patience_wait(&patience, &err));
    assert_true(patience_wait(&patience, &err));
    assert_int_equal(patience.backoff.failures, 2);
    patience_restored(&patience);
    assert_int_equal(patience.backoff.failures, 0);
    assert_false(patience.said_away);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_stranger_is_not_waited_for),
        cmocka_unit_test(test_what_would_fail_again_is_not_tried_again),
        cmocka_unit_test(test_it_ends),
        cmocka_unit_test(test_pauses_grow_until_it_works),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
