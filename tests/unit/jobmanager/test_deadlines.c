#include "services/common/base/macros.h"
#include "services/jobmanager/deadlines.h"
#include "tests/support/test.h"

#include <stdlib.h>

#define COUNT 500

static void the_earliest_comes_first(void **state)
{
    UNUSED(state);
    struct deadlines deadlines = {0};
    struct deadline list[COUNT] = {0};
    srand(7);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(deadlines_arm(&deadlines, &list[i], rand() % 1000, NULL), 0);
    int64_t last = -1;
    for (int i = 0; i < COUNT; i++) {
        struct deadline *first = deadlines_first(&deadlines);
        assert_true(first->due_ms >= last);
        last = first->due_ms;
        deadlines_disarm(&deadlines, first);
        assert_int_equal(first->place, 0);
    }
    assert_null(deadlines_first(&deadlines));
    deadlines_release(&deadlines);
}

static void moving_and_removing_at_random(void **state)
{
    UNUSED(state);
    struct deadlines deadlines = {0};
    struct deadline list[COUNT] = {0};
    srand(11);
    for (int round = 0; round < 20000; round++) {
        struct deadline *deadline = &list[rand() % COUNT];
        if (rand() % 3)
            assert_int_equal(deadlines_arm(&deadlines, deadline, rand() % 1000, NULL), 0);
        else
            deadlines_disarm(&deadlines, deadline);
        int64_t least = INT64_MAX;
        for (int i = 0; i < COUNT && round % 100 == 0; i++)
            if (list[i].place && list[i].due_ms < least)
                least = list[i].due_ms;
        struct deadline *first = deadlines_first(&deadlines);
        if (round % 100 == 0)
            assert_int_equal(first ? first->due_ms : INT64_MAX, least);
    }
    deadlines_release(&deadlines);
}

static void disarming_twice_is_nothing(void **state)
{
    UNUSED(state);
    struct deadlines deadlines = {0};
    struct deadline one = {0};
    deadlines_disarm(&deadlines, &one);
    assert_int_equal(deadlines_arm(&deadlines, &one, 5, NULL), 0);
    assert_int_equal(deadlines_arm(&deadlines, &one, 3, NULL), 0);
    assert_int_equal(deadlines.count, 1);
    deadlines_disarm(&deadlines, &one);
    deadlines_disarm(&deadlines, &one);
    assert_int_equal(deadlines.count, 0);
    deadlines_release(&deadlines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_earliest_comes_first),
        cmocka_unit_test(moving_and_removing_at_random),
        cmocka_unit_test(disarming_twice_is_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
