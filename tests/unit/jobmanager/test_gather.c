#include "services/jobmanager/gather.h"

#include "services/common/base/macros.h"
#include "tests/support/test.h"

#define BEGAN 1000000

static void waits_for_those_it_has_answered(void **state)
{
    UNUSED(state);
    struct gather gather = gather_after(BEGAN, BEGAN + 1200, 8, 3);
    assert_int_equal(gather_left_us(&gather, 3, BEGAN + 1200), 1200);
    assert_int_equal(gather_left_us(&gather, 10, BEGAN + 1500), 900);
    assert_int_equal(gather_left_us(&gather, 11, BEGAN + 1500), 0); // all are there
    assert_int_equal(gather_left_us(&gather, 3, BEGAN + 2400), 0);  // too late
    assert_int_equal(gather_left_us(&gather, 3, BEGAN + 5000), 0);
}

static void waits_two_milliseconds_at_most(void **state)
{
    UNUSED(state);
    struct gather gather = gather_after(BEGAN, BEGAN + 800000, 8, 0);
    assert_int_equal(gather_left_us(&gather, 0, BEGAN + 800000), 2000);
}

static void does_not_wait_when_little_goes_on(void **state)
{
    UNUSED(state);
    struct gather gather = gather_after(BEGAN, BEGAN + 1200, 3, 0), fresh = {0};
    assert_int_equal(gather_left_us(&gather, 0, BEGAN + 1200), 0);
    assert_int_equal(gather_left_us(&fresh, 0, BEGAN), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits_for_those_it_has_answered),
        cmocka_unit_test(waits_two_milliseconds_at_most),
        cmocka_unit_test(does_not_wait_when_little_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
