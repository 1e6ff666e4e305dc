#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "services/common/store/wakes.h"

static void equal_wakes_merge(void **state)
{
    UNUSED(state);
    AUTO_WAKES struct wakes wakes = WAKES_INIT;
    wakes_add(&wakes, WAKE_DEMAND, 3, 100);
    wakes_add(&wakes, WAKE_WORKER, 3, 0);
    wakes_add(&wakes, WAKE_DEMAND, 3, 20);
    assert_int_equal(wakes.count, 2);
    assert_int_equal(wakes.items[0].tasks, 120);
    wakes_clear(&wakes);
    assert_int_equal(wakes.count, 0);
}

static void many_wakes_are_kept(void **state)
{
    UNUSED(state);
    AUTO_WAKES struct wakes wakes = WAKES_INIT;
    for (int64_t i = 0; i < 1000; i++)
        wakes_add(&wakes, WAKE_JOB, i, 0);
    assert_int_equal(wakes.count, 1000);
    assert_int_equal(wakes.items[999].id, 999);
}

static void texts_read_back(void **state)
{
    UNUSED(state);
    const struct wake cases[] = {{WAKE_DEMAND, 3, 100}, {WAKE_WORKER, 7, 0}, {WAKE_JOB, INT64_MAX, 0}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[WAKE_TEXT_SIZE];
        struct wake back;
        wake_format(&cases[i], text);
        assert_int_equal(wake_parse(text, &back, NULL), 0);
        assert_int_equal(back.kind, cases[i].kind);
        assert_true(back.id == cases[i].id && back.tasks == cases[i].tasks);
    }
}

static void nonsense_is_refused(void **state)
{
    UNUSED(state);
    const char *const cases[] = {"", "x1", "d", "d3", "d3:", "d:4", "w", "w-1", "j1 ", "d99999999999999999999:1", "*"};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct wake wake;
        struct err err;
        assert_int_equal(wake_parse(cases[i], &wake, &err), -1);
        assert_int_equal(err.code, ERR_INVALID);
    }
}

static void one_can_be_dropped(void **state)
{
    UNUSED(state);
    AUTO_WAKES struct wakes wakes = WAKES_INIT;
    wakes_add(&wakes, WAKE_DEMAND, 3, 1);
    wakes_add(&wakes, WAKE_JOB, 3, 0);
    for (int i = 0; i < 100; i++)
        wakes_add(&wakes, WAKE_JOB, 100 + i, 0);
    wakes_add(&wakes, WAKE_DEMAND, 3, 1); // too far from its equal to be merged with it
    wakes_drop(&wakes, WAKE_DEMAND, 3);
    wakes_drop(&wakes, WAKE_WORKER, 3);
    assert_int_equal(wakes.count, 101);
    for (size_t i = 0; i < wakes.count; i++)
        assert_int_equal(wakes.items[i].kind, WAKE_JOB);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_wakes_merge),   cmocka_unit_test(many_wakes_are_kept), cmocka_unit_test(texts_read_back),
        cmocka_unit_test(nonsense_is_refused), cmocka_unit_test(one_can_be_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
