#include "services/common/base/clock.h"
#include "services/jobmanager/watches.h"
#include "tests/support/process.h"
#include "tests/support/test.h"

#include <stdatomic.h>

#define FAR_MS 60000

struct test_watch {
    struct watch watch;
    _Atomic int fired;
};

static void fire(struct watch *watch)
{
    CONTAINER_OF(watch, struct test_watch, watch)->fired++;
}

static int setup(void **state)
{
    struct watches *watches;
    struct err err;
    assert_ok(watches_new(&watches, &err), err);
    *state = watches;
    return 0;
}

static int teardown(void **state)
{
    watches_free(*state);
    return 0;
}

static void add(struct watches *watches, struct test_watch *test, int64_t job)
{
    struct err err;
    *test = (struct test_watch){.watch.fire = fire};
    assert_ok(watches_add(watches, &test->watch, job, &err), err);
}

static enum rest_outcome rest(struct watches *watches, struct test_watch *test)
{
    return watches_rest(watches, &test->watch, clock_boot_ms() + FAR_MS);
}

static void those_of_the_job_are_fired(void **state)
{
    struct watches *watches = *state;
    struct test_watch tests[3];
    add(watches, &tests[0], 7);
    add(watches, &tests[1], 8);
    add(watches, &tests[2], 7);
    for (int i = 0; i < 3; i++)
        assert_int_equal(rest(watches, &tests[i]), REST_RESTS);
    watches_wake(watches, 7);
    assert_int_equal(tests[0].fired, 1);
    assert_int_equal(tests[1].fired, 0);
    assert_int_equal(tests[2].fired, 1);
    watches_wake_all(watches);
    assert_int_equal(tests[0].fired, 1); // it runs
    assert_int_equal(tests[1].fired, 1);
    for (int i = 0; i < 3; i++)
        watches_remove(watches, &tests[i].watch);
    assert_int_equal(watches_count(watches), 0);
}

static void a_wake_while_it_runs_is_kept(void **state)
{
    struct watches *watches = *state;
    struct test_watch test;
    add(watches, &test, 7);
    watches_wake(watches, 7);
    watches_wake(watches, 7);
    assert_int_equal(rest(watches, &test), REST_AGAIN);
    assert_int_equal(rest(watches, &test), REST_RESTS);
    watches_poke(watches, &test.watch);
    assert_int_equal(test.fired, 1);
    watches_poke(watches, &test.watch);
    assert_int_equal(test.fired, 1);
    assert_int_equal(rest(watches, &test), REST_AGAIN);
    watches_remove(watches, &test.watch);
}

static bool has_fired(void *context)
{
    return ((struct test_watch *)context)->fired > 0;
}

static void it_looks_now_and_then_anyway(void **state)
{
    struct watches *watches = *state;
    struct test_watch test;
    add(watches, &test, 7);
    assert_int_equal(watches_rest(watches, &test.watch, clock_boot_ms() + 20), REST_RESTS);
    assert_true(wait_until(has_fired, &test, 60000));
    watches_remove(watches, &test.watch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(those_of_the_job_are_fired),
        cmocka_unit_test(a_wake_while_it_runs_is_kept),
        cmocka_unit_test(it_looks_now_and_then_anyway),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
