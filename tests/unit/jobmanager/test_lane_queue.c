#include "services/common/base/clock.h"
#include "services/jobmanager/lane_queue.h"
#include "services/jobmanager/lanes.h"
#include "tests/support/process.h"
#include "tests/support/test.h"

#include <pthread.h>
#include <stdatomic.h>

#define PATIENCE_MS 300
#define LONG_AGO_US 10000000 // so long a transaction is worth the longest wait for company

static struct lane_entry entries[10];

static void add(struct lane_queue *queue, int first, int count)
{
    for (int i = first; i < first + count; i++)
        assert_true(lane_queue_add(queue, &entries[i]));
}

static int setup(void **state)
{
    static struct lane_queue queue;
    for (size_t i = 0; i < ARRAY_LEN(entries); i++)
        entries[i] = (struct lane_entry){0};
    lane_queue_init(&queue, 8, PATIENCE_MS);
    *state = &queue;
    return 0;
}

static int teardown(void **state)
{
    lane_queue_release(*state);
    return 0;
}

static void entries_are_taken_in_order_and_there_is_a_limit(void **state)
{
    struct lane_queue *queue = *state;
    struct lane_entry *taken[10];
    add(queue, 0, 8);
    assert_false(lane_queue_add(queue, &entries[8]));
    assert_int_equal(lane_queue_count(queue), 8);
    assert_int_equal(lane_queue_take(queue, taken, 5), 5);
    for (int i = 0; i < 5; i++)
        assert_ptr_equal(taken[i], &entries[i]);
    add(queue, 8, 1);
    assert_int_equal(lane_queue_take(queue, taken, 10), 4);
    assert_ptr_equal(taken[0], &entries[5]);
    assert_ptr_equal(taken[3], &entries[8]);
    assert_int_equal(lane_queue_count(queue), 0);
}

static void what_is_left_is_taken_after_the_stop(void **state)
{
    struct lane_queue *queue = *state;
    struct lane_entry *taken[10];
    entries[0].patient = true;
    add(queue, 0, 1);
    lane_queue_stop(queue);
    assert_int_equal(lane_queue_take(queue, taken, 10), 1);
    assert_int_equal(lane_queue_take(queue, taken, 10), 0);
}

static void the_patient_wait_until_somebody_is_not(void **state)
{
    struct lane_queue *queue = *state;
    struct lane_entry *taken[10];
    entries[0].patient = true;
    int64_t begin_ms = clock_boot_ms();
    add(queue, 0, 1);
    assert_int_equal(lane_queue_take(queue, taken, 10), 1);
    assert_true(clock_boot_ms() - begin_ms >= PATIENCE_MS);
    add(queue, 0, 2);
    begin_ms = entries[0].queued_ms = clock_boot_ms() + 60000; // it would wait for so long
    assert_int_equal(lane_queue_take(queue, taken, 10), 2);
    assert_true(clock_boot_ms() < begin_ms);
}

struct taker {
    struct lane_queue *queue;
    struct lane_entry *taken[10];
    _Atomic size_t count;
};

static void *take_main(void *context)
{
    struct taker *taker = context;
    taker->count = lane_queue_take(taker->queue, taker->taken, 10);
    return NULL;
}

static bool has_taken(void *context)
{
    return ((struct taker *)context)->count > 0;
}

// Those who were answered come back within the moment that they are given, and share a transaction.
static void whoever_was_answered_is_waited_for(void **state)
{
    struct taker taker = {.queue = *state};
    pthread_t thread;
    lane_queue_answered(taker.queue, clock_boot_us() - LONG_AGO_US, 5, 10);
    taker.queue->gather.until_us = clock_boot_us() + 60 * INT64_C(1000000); // an endless moment, for a slow machine
    add(taker.queue, 0, 4);
    pthread_create(&thread, NULL, take_main, &taker);
    assert_false(wait_until(has_taken, &taker, 100));
    add(taker.queue, 4, 1);
    pthread_join(thread, NULL);
    assert_int_equal(taker.count, 5);
    // Never for more than can be taken, and for nobody when there were few.
    lane_queue_answered(taker.queue, clock_boot_us() - LONG_AGO_US, 5, 3);
    assert_int_equal(taker.queue->gather.expected, 3);
    lane_queue_answered(taker.queue, clock_boot_us() - LONG_AGO_US, 1, 10);
    assert_int_equal(taker.queue->gather.expected, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(entries_are_taken_in_order_and_there_is_a_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_left_is_taken_after_the_stop, setup, teardown),
        cmocka_unit_test_setup_teardown(the_patient_wait_until_somebody_is_not, setup, teardown),
        cmocka_unit_test_setup_teardown(whoever_was_answered_is_waited_for, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
