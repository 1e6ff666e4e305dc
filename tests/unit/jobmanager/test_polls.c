#include "services/common/base/clock.h"
#include "services/jobmanager/polls.h"
#include "tests/support/process.h"
#include "tests/support/test.h"

#include <stdatomic.h>

#define FAR_MS 60000

struct test_poll {
    struct parked_poll poll;
    _Atomic int ends; // how often it ended
    _Atomic int end;
};

static void ended(struct parked_poll *poll, enum poll_end end)
{
    struct test_poll *test = CONTAINER_OF(poll, struct test_poll, poll);
    test->end = (int)end;
    test->ends++;
}

static const int demands_both[] = {1, 2};

static void make(struct test_poll *test, int64_t worker, int64_t capacity, const int *demands, size_t count)
{
    static uint64_t serial;
    *test = (struct test_poll){.poll = {.worker = worker,
                                        .serial = ++serial,
                                        .capacity = capacity,
                                        .due_ms = clock_boot_ms() + FAR_MS,
                                        .demands = demands,
                                        .demand_count = count,
                                        .ended = ended}};
}

static void park(struct polls *polls, struct test_poll *test)
{
    struct err err;
    assert_int_equal(polls_park(polls, &test->poll, polls_mark(polls), &err), PARK_PARKED);
}

static void wake(struct polls *polls, enum wake_kind kind, int64_t id, int64_t tasks)
{
    struct wake wake = {.kind = kind, .id = id, .tasks = tasks};
    polls_wake(polls, &wake);
}

static int setup(void **state)
{
    struct polls *polls;
    struct err err;
    assert_ok(polls_new(&polls, &err), err);
    *state = polls;
    return 0;
}

static int teardown(void **state)
{
    polls_free(*state);
    return 0;
}

static int woken(const struct test_poll *tests, int count)
{
    int sum = 0;
    for (int i = 0; i < count; i++)
        sum += tests[i].ends && tests[i].end == POLL_WOKEN;
    return sum;
}

static void end_all(struct polls *polls, struct test_poll *tests, int count)
{
    for (int i = 0; i < count; i++)
        polls_end(polls, &tests[i].poll, POLL_STOPPING);
    assert_int_equal(polls_count(polls), 0);
}

static void just_enough_are_woken(void **state)
{
    struct polls *polls = *state;
    struct test_poll tests[10];
    for (int i = 0; i < 10; i++) {
        make(&tests[i], i + 1, 3, demands_both, 2);
        park(polls, &tests[i]);
    }
    wake(polls, WAKE_DEMAND, 1, 7);
    assert_int_equal(woken(tests, 10), 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(tests[i].ends, 1); // the longest waiting
    wake(polls, WAKE_DEMAND, 3, 100);
    assert_int_equal(woken(tests, 10), 3);
    wake(polls, WAKE_DEMAND, 2, 1000000);
    assert_int_equal(woken(tests, 10), 10);
    end_all(polls, tests, 10);
}

static void those_who_are_taken_do_not_end(void **state)
{
    struct polls *polls = *state;
    struct test_poll tests[4];
    for (int i = 0; i < 4; i++) {
        make(&tests[i], i + 1, 3, demands_both, 2);
        park(polls, &tests[i]);
    }
    struct parked_poll *taken = polls_take(polls, 1, 5, 10);
    assert_ptr_equal(taken, &tests[0].poll);
    assert_ptr_equal(taken->next_taken, &tests[1].poll);
    assert_null(taken->next_taken->next_taken);
    assert_ptr_equal(polls_take(polls, 2, 100, 1), &tests[2].poll);
    assert_null(polls_take(polls, 3, 100, 10));
    assert_null(polls_take(polls, 1, 100, 0));
    assert_int_equal(polls_count(polls), 1);
    polls_end(polls, &tests[0].poll, POLL_STOPPING); // it is not parked
    for (int i = 0; i < 4; i++)
        assert_int_equal(tests[i].ends, 0);
    end_all(polls, tests, 4);
}

// Whoever parks after the server has told all that are parked would wait out its time.
static void nobody_is_parked_once_it_stops(void **state)
{
    UNUSED(state);
    struct polls *polls;
    struct test_poll before, after;
    struct err err;
    assert_ok(polls_new(&polls, &err), err);
    make(&before, 1, 1, demands_both, 2);
    park(polls, &before);
    polls_stop(polls);
    make(&after, 2, 1, demands_both, 2);
    assert_int_equal(polls_park(polls, &after.poll, polls_mark(polls), &err), PARK_STOPPING);
    assert_int_equal(before.ends + after.ends, 0);
    end_all(polls, &before, 1);
    polls_free(polls);
}

static void a_woken_one_queues_at_the_end(void **state)
{
    struct polls *polls = *state;
    struct test_poll tests[3];
    for (int i = 0; i < 3; i++) {
        make(&tests[i], i + 1, 1, demands_both, 2);
        park(polls, &tests[i]);
    }
    for (int round = 0; round < 9; round++) {
        wake(polls, WAKE_DEMAND, 1 + round % 2, 1);
        assert_int_equal(tests[round % 3].ends, round / 3 + 1);
        park(polls, &tests[round % 3]);
    }
    end_all(polls, tests, 3);
}

static void a_worker_is_woken_alone(void **state)
{
    struct polls *polls = *state;
    struct test_poll tests[3];
    for (int i = 0; i < 3; i++) {
        make(&tests[i], i + 1, 1, NULL, 0);
        park(polls, &tests[i]);
    }
    wake(polls, WAKE_WORKER, 2, 0);
    assert_int_equal(woken(tests, 3), 1);
    assert_int_equal(tests[1].ends, 1);
    end_all(polls, tests, 3);
}

static void a_wake_between_look_and_parking_is_not_lost(void **state)
{
    struct polls *polls = *state;
    struct test_poll test;
    struct err err;
    make(&test, 1, 1, demands_both, 2);
    uint64_t mark = polls_mark(polls);
    wake(polls, WAKE_DEMAND, 2, 1);
    assert_int_equal(polls_park(polls, &test.poll, mark, &err), PARK_AGAIN);
    mark = polls_mark(polls);
    wake(polls, WAKE_WORKER, 1, 0);
    assert_int_equal(polls_park(polls, &test.poll, mark, &err), PARK_AGAIN);
    mark = polls_mark(polls);
    polls_wake_all(polls);
    assert_int_equal(polls_park(polls, &test.poll, mark, &err), PARK_AGAIN);
    mark = polls_mark(polls);
    wake(polls, WAKE_DEMAND, 3, 1);
    wake(polls, WAKE_WORKER, 9, 1);
    assert_int_equal(polls_park(polls, &test.poll, mark, &err), PARK_PARKED);
    assert_int_equal(test.ends, 0);
    end_all(polls, &test, 1);
}

static void a_newer_poll_displaces_the_older(void **state)
{
    struct polls *polls = *state;
    struct test_poll older, newer;
    struct err err;
    make(&older, 1, 1, demands_both, 2);
    make(&newer, 1, 1, demands_both, 2);
    park(polls, &older);
    park(polls, &newer);
    assert_int_equal(older.end, POLL_DISPLACED);
    assert_int_equal(polls_park(polls, &older.poll, polls_mark(polls), &err), PARK_DISPLACED);
    assert_int_equal(polls_count(polls), 1);
    wake(polls, WAKE_DEMAND, 1, 5);
    assert_int_equal(older.ends, 1);
    assert_int_equal(newer.end, POLL_WOKEN);
    assert_int_equal(newer.ends, 1);
}

static bool has_ended(void *context)
{
    return ((struct test_poll *)context)->ends > 0;
}

static void one_that_is_due_ends_by_itself(void **state)
{
    struct polls *polls = *state;
    struct test_poll soon, later;
    make(&soon, 1, 1, demands_both, 2);
    make(&later, 2, 1, demands_both, 2);
    soon.poll.due_ms = clock_boot_ms() + 20;
    park(polls, &later);
    park(polls, &soon);
    assert_true(wait_until(has_ended, &soon, 60000));
    assert_int_equal(soon.end, POLL_DUE);
    assert_int_equal(later.ends, 0);
    polls_end(polls, &soon.poll, POLL_GONE);
    assert_int_equal(soon.ends, 1);
    polls_end(polls, &later.poll, POLL_GONE);
    assert_int_equal(later.end, POLL_GONE);
}

static void after_missed_notifications_all_look(void **state)
{
    struct polls *polls = *state;
    static struct test_poll tests[1000];
    for (int i = 0; i < 1000; i++) {
        make(&tests[i], i + 1, 1, demands_both, 2);
        park(polls, &tests[i]);
    }
    polls_wake_all(polls);
    assert_int_equal(woken(tests, 1000), 1000);
    assert_int_equal(polls_count(polls), 0);
}

static void idle_ones_are_due_together(void **state)
{
    UNUSED(state);
    int moments = 0;
    int64_t last = 0;
    for (int64_t now_ms = 1000000; now_ms < 1005000; now_ms++) {
        int64_t due_ms = polls_due_ms(now_ms, 5000);
        assert_in_range(due_ms, now_ms + 4501, now_ms + 5000);
        moments += due_ms != last;
        last = due_ms;
    }
    assert_int_equal(moments, 10);
    // Short waits have nothing to share, and what was asked for is kept.
    assert_int_equal(polls_due_ms(1003, 0), 1003);
    assert_int_equal(polls_due_ms(1003, 9), 1012);
    assert_in_range(polls_due_ms(1003, 300), 1003 + 271, 1003 + 300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(just_enough_are_woken),
        cmocka_unit_test(those_who_are_taken_do_not_end),
        cmocka_unit_test(nobody_is_parked_once_it_stops),
        cmocka_unit_test(a_woken_one_queues_at_the_end),
        cmocka_unit_test(a_worker_is_woken_alone),
        cmocka_unit_test(a_wake_between_look_and_parking_is_not_lost),
        cmocka_unit_test(a_newer_poll_displaces_the_older),
        cmocka_unit_test(one_that_is_due_ends_by_itself),
        cmocka_unit_test(after_missed_notifications_all_look),
        cmocka_unit_test(idle_ones_are_due_together),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
