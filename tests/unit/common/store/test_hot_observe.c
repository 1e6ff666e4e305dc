#include "services/common/store/hot_observe.h"

#include "services/common/base/macros.h"
#include "services/common/model/states.h"
#include "tests/support/test.h"

static void life_goes_forward(void **state)
{
    UNUSED(state);
    assert_int_equal(observe_next(INSTANCE_PLACING, false, INSTANCE_STARTING), INSTANCE_STARTING);
    assert_int_equal(observe_next(INSTANCE_PLACING, false, INSTANCE_READY), INSTANCE_READY);
    assert_int_equal(observe_next(INSTANCE_STARTING, false, INSTANCE_READY), INSTANCE_READY);
    assert_int_equal(observe_next(INSTANCE_READY, false, INSTANCE_UNHEALTHY), INSTANCE_UNHEALTHY);
    assert_int_equal(observe_next(INSTANCE_UNHEALTHY, false, INSTANCE_READY), INSTANCE_READY);
    assert_int_equal(observe_next(INSTANCE_STOPPING, true, INSTANCE_KILLING), INSTANCE_KILLING);
    assert_int_equal(observe_next(INSTANCE_KILLING, true, INSTANCE_STOPPED), INSTANCE_STOPPED);
    assert_int_equal(observe_next(INSTANCE_STOPPED, true, INSTANCE_VERIFIED), INSTANCE_VERIFIED);
    assert_int_equal(observe_next(INSTANCE_FAILED, false, INSTANCE_VERIFIED), INSTANCE_VERIFIED);
}

static void what_is_behind_is_ignored(void **state)
{
    UNUSED(state);
    for (int said = 0; said < INSTANCE_STATE_COUNT; said++) {
        assert_int_equal(observe_next(said, false, said), -1);
        assert_int_equal(observe_next(INSTANCE_VERIFIED, true, said), -1);
        assert_int_equal(observe_next(INSTANCE_PENDING, false, said), -1);
    }
    assert_int_equal(observe_next(INSTANCE_READY, false, INSTANCE_STARTING), -1);
    assert_int_equal(observe_next(INSTANCE_STOPPING, true, INSTANCE_READY), -1);
    assert_int_equal(observe_next(INSTANCE_STOPPED, true, INSTANCE_STARTING), -1);
    assert_int_equal(observe_next(INSTANCE_STOPPED, true, INSTANCE_FAILED), -1);
}

static void workers_do_not_say_what_is_not_theirs(void **state)
{
    UNUSED(state);
    static const int others[] = {INSTANCE_PENDING,    INSTANCE_PLACING,       INSTANCE_STOPPING,
                                 INSTANCE_LOST,       INSTANCE_PRESUMED_GONE, -1,
                                 INSTANCE_STATE_COUNT};
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        for (int state_now = 0; state_now < INSTANCE_STATE_COUNT; state_now++)
            assert_int_equal(observe_next(state_now, false, others[i]), -1);
}

static void an_end_is_named_by_whether_it_was_asked_for(void **state)
{
    UNUSED(state);
    assert_int_equal(observe_next(INSTANCE_READY, false, INSTANCE_STOPPED), INSTANCE_FAILED);
    assert_int_equal(observe_next(INSTANCE_READY, true, INSTANCE_FAILED), INSTANCE_STOPPED);
    assert_int_equal(observe_next(INSTANCE_STOPPING, true, INSTANCE_FAILED), INSTANCE_STOPPED);
    assert_int_equal(observe_next(INSTANCE_STUCK, true, INSTANCE_FAILED), INSTANCE_STOPPED);
    assert_int_equal(observe_next(INSTANCE_STOPPED, true, INSTANCE_STUCK), INSTANCE_STUCK); // it was seen after all
    assert_int_equal(observe_next(INSTANCE_LOST, false, INSTANCE_STOPPED), INSTANCE_FAILED);
    assert_true(observe_fails(INSTANCE_READY, false, INSTANCE_FAILED));
    assert_true(observe_fails(INSTANCE_STARTING, false, INSTANCE_VERIFIED));
    assert_false(observe_fails(INSTANCE_READY, true, INSTANCE_STOPPED));
    assert_false(observe_fails(INSTANCE_STOPPED, false, INSTANCE_VERIFIED));
    assert_false(observe_fails(INSTANCE_STARTING, false, INSTANCE_READY));
}

// Whatever is said, what follows is an edge of the machine.
static void only_edges_are_taken(void **state)
{
    UNUSED(state);
    for (int from = 0; from < INSTANCE_STATE_COUNT; from++)
        for (int said = 0; said < INSTANCE_STATE_COUNT; said++)
            for (int asked = 0; asked < 2; asked++) {
                int next = observe_next(from, asked, said);
                assert_true(next == -1 || instance_may(from, next));
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(life_goes_forward),
        cmocka_unit_test(what_is_behind_is_ignored),
        cmocka_unit_test(workers_do_not_say_what_is_not_theirs),
        cmocka_unit_test(an_end_is_named_by_whether_it_was_asked_for),
        cmocka_unit_test(only_edges_are_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
