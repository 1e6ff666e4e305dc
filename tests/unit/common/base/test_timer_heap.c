// The heap of timers against a slow reference: whatever is armed, disarmed and removed, the earliest is on top.
#include "tests/support/test.h"

#include "services/common/base/timer_heap.h"

#include <stdlib.h>

#define TIMERS 100

static struct loop_timer *add(struct timer_heap *heap)
{
    struct err err = {0};
    struct loop_timer *timer = calloc(1, sizeof *timer);
    assert_non_null(timer);
    assert_ok(timer_heap_add(heap, timer, &err), err);
    return timer;
}

static bool is_armed(const struct loop_timer *timer)
{
    return timer->place < timer->heap->armed;
}

static void starts_with_nothing_armed(void **state)
{
    UNUSED(state);
    struct timer_heap heap = {0};
    assert_null(timer_heap_earliest(&heap));
    struct loop_timer *timer = add(&heap);
    assert_null(timer_heap_earliest(&heap));
    timer_heap_disarm(timer);
    timer_heap_arm(timer, 5);
    assert_ptr_equal(timer_heap_earliest(&heap), timer);
    timer_heap_remove(timer);
    assert_null(timer_heap_earliest(&heap));
    timer_heap_release(&heap);
}

static void arming_again_replaces(void **state)
{
    UNUSED(state);
    struct timer_heap heap = {0};
    struct loop_timer *one = add(&heap);
    struct loop_timer *other = add(&heap);
    timer_heap_arm(one, 10);
    timer_heap_arm(other, 20);
    assert_ptr_equal(timer_heap_earliest(&heap), one);
    timer_heap_arm(one, 30);
    assert_ptr_equal(timer_heap_earliest(&heap), other);
    timer_heap_arm(one, 5);
    assert_ptr_equal(timer_heap_earliest(&heap), one);
    assert_int_equal(heap.armed, 2);
    timer_heap_release(&heap);
}

static void check_earliest(const struct timer_heap *heap, struct loop_timer *const *timers)
{
    const struct loop_timer *found = timer_heap_earliest(heap);
    size_t armed = 0;
    for (size_t i = 0; i < TIMERS; i++) {
        if (!timers[i] || !is_armed(timers[i]))
            continue;
        armed++;
        assert_non_null(found);
        assert_true(found->due_ms <= timers[i]->due_ms);
    }
    assert_int_equal(armed, heap->armed);
}

static void random_operations_keep_the_order(void **state)
{
    UNUSED(state);
    struct timer_heap heap = {0};
    struct loop_timer *timers[TIMERS] = {0};
    srandom(7);
    for (int i = 0; i < 20000; i++) {
        struct loop_timer **timer = &timers[random() % TIMERS];
        if (!*timer) {
            *timer = add(&heap);
        } else if (random() % 10 == 0) {
            timer_heap_remove(*timer);
            *timer = NULL;
        } else if (random() % 3 == 0) {
            timer_heap_disarm(*timer);
            assert_false(is_armed(*timer));
        } else {
            timer_heap_arm(*timer, random() % 1000);
            assert_true(is_armed(*timer));
        }
        check_earliest(&heap, timers);
    }
    timer_heap_release(&heap);
    assert_int_equal(heap.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starts_with_nothing_armed),
        cmocka_unit_test(arming_again_replaces),
        cmocka_unit_test(random_operations_keep_the_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
