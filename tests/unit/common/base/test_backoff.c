// Backoff: growth, ceiling, jitter.
#include "tests/support/test.h"

#include "services/common/base/backoff.h"

#include <limits.h>

static void doubles_up_to_the_maximum(void **state)
{
    UNUSED(state);
    assert_int_equal(backoff_delay_ms(1000, 60000, 1), 1000);
    assert_int_equal(backoff_delay_ms(1000, 60000, 2), 2000);
    assert_int_equal(backoff_delay_ms(1000, 60000, 6), 32000);
    assert_int_equal(backoff_delay_ms(1000, 60000, 7), 60000);
    assert_int_equal(backoff_delay_ms(1000, 60000, UINT_MAX), 60000);
    assert_int_equal(backoff_delay_ms(5000, 1000, 1), 1000);
}

static void extremes_do_not_overflow(void **state)
{
    UNUSED(state);
    assert_true(backoff_delay_ms(1, INT64_MAX, UINT_MAX) == INT64_MAX);
    assert_int_equal(backoff_delay_ms(0, 1000, UINT_MAX), 0);
    assert_int_equal(backoff_delay_ms(0, 0, 5), 0);
}

static void next_stays_in_the_upper_half_and_varies(void **state)
{
    UNUSED(state);
    int64_t least = INT64_MAX, most = 0;
    for (int i = 0; i < 500; i++) {
        struct backoff backoff = {.base_ms = 1000, .max_ms = 60000, .failures = 2};
        int64_t delay = backoff_next_ms(&backoff);
        assert_int_equal(backoff.failures, 3);
        assert_true(delay > 2000);
        assert_true(delay <= 4000);
        least = MIN(least, delay);
        most = MAX(most, delay);
    }
    assert_true(most - least > 1000);
}

static void reset_starts_over(void **state)
{
    UNUSED(state);
    struct backoff backoff = {.base_ms = 100, .max_ms = 10000};
    for (int i = 0; i < 20; i++)
        assert_true(backoff_next_ms(&backoff) <= 10000);
    backoff_reset(&backoff);
    assert_true(backoff_next_ms(&backoff) <= 100);
}

static void small_ceilings_are_never_zero(void **state)
{
    UNUSED(state);
    for (int i = 0; i < 50; i++) {
        struct backoff backoff = {.base_ms = 1, .max_ms = 1};
        assert_int_equal(backoff_next_ms(&backoff), 1);
    }
    struct backoff none = {.base_ms = 0, .max_ms = 0, .failures = UINT_MAX};
    assert_int_equal(backoff_next_ms(&none), 0);
    assert_true(none.failures == UINT_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(doubles_up_to_the_maximum),
        cmocka_unit_test(extremes_do_not_overflow),
        cmocka_unit_test(next_stays_in_the_upper_half_and_varies),
        cmocka_unit_test(reset_starts_over),
        cmocka_unit_test(small_ceilings_are_never_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
