#include "services/jobmanager/rates.h"

#include "tests/support/test.h"

#define START_US INT64_C(1000000000)

static struct rates *rates_of(int64_t per_second)
{
    struct rates *rates = NULL;
    struct err err = {0};
    assert_ok(rates_new(per_second, &rates, &err), err);
    return rates;
}

// How many of `tries` a token gets within `span_us`, evenly spread.
static int64_t granted(struct rates *rates, int64_t token, int64_t from_us, int64_t span_us, int64_t tries)
{
    int64_t count = 0;
    for (int64_t i = 0; i < tries; i++)
        count += rates_take(rates, token, from_us + span_us * i / tries) == 0;
    return count;
}

static void zero_is_no_limit(void **state)
{
    UNUSED(state);
    struct rates *rates = rates_of(0);
    assert_int_equal(granted(rates, 1, START_US, 1000, 100000), 100000);
    rates_free(rates);
}

static void a_second_at_once_and_then_the_rate(void **state)
{
    UNUSED(state);
    struct rates *rates = rates_of(10);
    assert_int_equal(granted(rates, 1, START_US, 1, 1000), 10);
    assert_in_range(granted(rates, 1, START_US + 1, 10000000, 100000), 99, 100);
    // A quiet time is good for one second, not for more.
    assert_int_equal(granted(rates, 1, START_US + 100000000, 1, 1000), 10);
    rates_free(rates);
}

static void the_wait_is_what_it_says(void **state)
{
    UNUSED(state);
    struct rates *rates = rates_of(1);
    assert_int_equal(rates_take(rates, 7, START_US), 0);
    int64_t wait_us = rates_take(rates, 7, START_US + 400000);
    assert_int_equal(wait_us, 600000);
    assert_int_equal(rates_take(rates, 7, START_US + 400000 + wait_us - 1), 1);
    assert_int_equal(rates_take(rates, 7, START_US + 400000 + wait_us), 0);
    rates_free(rates);
}

static void tokens_do_not_share(void **state)
{
    UNUSED(state);
    struct rates *rates = rates_of(2);
    for (int64_t token = 1; token <= 1000; token++)
        assert_int_equal(granted(rates, token, START_US, 1, 5), 2);
    // Those of a second ago are forgotten: their places are for others.
    for (int64_t token = 100001; token <= 101000; token++)
        assert_int_equal(granted(rates, token, START_US + 2000000, 1, 5), 2);
    rates_free(rates);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zero_is_no_limit),
        cmocka_unit_test(a_second_at_once_and_then_the_rate),
        cmocka_unit_test(the_wait_is_what_it_says),
        cmocka_unit_test(tokens_do_not_share),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
