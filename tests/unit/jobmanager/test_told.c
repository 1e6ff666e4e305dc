#include "services/common/base/macros.h"
#include "services/jobmanager/told.h"
#include "tests/support/test.h"

static struct told told;

static void no_orders_are_no_news(void **state)
{
    UNUSED(state);
    struct work_operation operation = {.worker = 1, .incarnation = 1};
    assert_false(told_is_news(&told, &operation));
    assert_false(work_has_orders(&operation));
}

static void the_same_orders_are_news_once(void **state)
{
    UNUSED(state);
    struct instance_order stops[] = {{.job = 5, .service = "cache", .epoch = 1, .reason = "stopped"},
                                     {.job = 5, .service = "index", .epoch = 1, .reason = "stopped"}};
    struct work_operation operation = {.worker = 2, .incarnation = 1, .stops = stops, .stop_count = 1};
    assert_true(told_is_news(&told, &operation));
    told_set(&told, &operation);
    assert_false(told_is_news(&told, &operation));
    operation.stop_count = 2;
    assert_true(told_is_news(&told, &operation));
    told_set(&told, &operation);
    operation.incarnation = 2;
    assert_true(told_is_news(&told, &operation));
}

static void kinds_of_orders_differ(void **state)
{
    UNUSED(state);
    struct instance_order order = {.job = 5, .service = "cache", .epoch = 1};
    struct cancel_order cancel = {.job = 5, .token = 9};
    struct work_operation stop = {.worker = 3, .stops = &order, .stop_count = 1};
    struct work_operation verify = {.worker = 3, .verifies = &order, .verify_count = 1};
    struct work_operation cancelled = {.worker = 3, .cancels = &cancel, .cancel_count = 1};
    told_set(&told, &stop);
    assert_true(told_is_news(&told, &verify));
    told_set(&told, &verify);
    assert_true(told_is_news(&told, &cancelled));
    assert_true(told_is_news(&told, &stop));
    struct work_operation drill = {.worker = 4, .drill = true};
    assert_true(told_is_news(&told, &drill));
    told_set(&told, &drill);
    assert_false(told_is_news(&told, &drill));
}

static void a_wait_in_vain_is_remembered_once(void **state)
{
    UNUSED(state);
    assert_false(told_was_nothing(&told, 7));
    told_nothing(&told, 7);
    assert_false(told_was_nothing(&told, 8));
    assert_true(told_was_nothing(&told, 7));
    assert_false(told_was_nothing(&told, 7));
    told_nothing(&told, 7);
    told_nothing(&told, 7 + TOLD_SLOTS); // shares the slot: the other one is forgotten, nothing else
    assert_false(told_was_nothing(&told, 7));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_orders_are_no_news),
        cmocka_unit_test(the_same_orders_are_news_once),
        cmocka_unit_test(kinds_of_orders_differ),
        cmocka_unit_test(a_wait_in_vain_is_remembered_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
