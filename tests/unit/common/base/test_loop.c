// The event loop: descriptors, timers, signals, and sources that are removed while callbacks run.
#include "tests/support/test.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/clock.h"
#include "services/common/base/loop.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define PIPES 3

struct fixture {
    struct loop *loop;
    int reading[PIPES];
    int writing[PIPES];
    struct loop_watch *watches[PIPES];
    struct loop_timer *timers[PIPES];
    int calls;
    uint32_t events;
    int64_t called_ms;
    char order[16];
};

static int set_up(void **state)
{
    struct err err = {0};
    struct fixture *fixture = calloc(1, sizeof *fixture);
    if (!fixture || loop_new(&fixture->loop, &err) < 0)
        return -1;
    for (size_t i = 0; i < PIPES; i++) {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
            return -1;
        fixture->reading[i] = ends[0];
        fixture->writing[i] = ends[1];
    }
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    loop_free(fixture->loop);
    for (size_t i = 0; i < PIPES; i++) {
        cleanup_close(&fixture->reading[i]);
        cleanup_close(&fixture->writing[i]);
    }
    free(fixture);
    return 0;
}

static void step(struct fixture *fixture, int timeout_ms)
{
    struct err err = {0};
    assert_ok(loop_step(fixture->loop, timeout_ms, &err), err);
}

static void run(struct fixture *fixture)
{
    struct err err = {0};
    assert_ok(loop_run(fixture->loop, &err), err);
}

static void watch(struct fixture *fixture, size_t index, uint32_t events, loop_fd_fn function)
{
    struct err err = {0};
    assert_ok(loop_watch_add(fixture->loop, fixture->reading[index], events, function, fixture,
                             &fixture->watches[index], &err),
              err);
}

static void timer(struct fixture *fixture, size_t index, loop_timer_fn function)
{
    struct err err = {0};
    assert_ok(loop_timer_add(fixture->loop, function, fixture, &fixture->timers[index], &err), err);
}

static void wake(struct fixture *fixture, size_t index)
{
    assert_int_equal(write(fixture->writing[index], "x", 1), 1);
}

static void read_one(void *context, int fd, uint32_t events)
{
    struct fixture *fixture = context;
    char byte = 0;
    fixture->calls++;
    fixture->events = events;
    if (events & EPOLLIN)
        assert_int_equal(read(fd, &byte, 1), 1);
}

static void calls_back_for_descriptors(void **state)
{
    struct fixture *fixture = *state;
    watch(fixture, 0, EPOLLIN, read_one);
    step(fixture, 0);
    assert_int_equal(fixture->calls, 0);
    wake(fixture, 0);
    step(fixture, -1);
    assert_int_equal(fixture->calls, 1);
    assert_int_equal(fixture->events, EPOLLIN);
    step(fixture, 0);
    assert_int_equal(fixture->calls, 1);
    cleanup_close(&fixture->writing[0]);
    fixture->writing[0] = -1;
    step(fixture, -1);
    assert_int_equal(fixture->events, EPOLLHUP);
}

static void changes_what_is_watched(void **state)
{
    struct fixture *fixture = *state;
    struct err err = {0};
    watch(fixture, 0, EPOLLIN, read_one);
    wake(fixture, 0);
    assert_ok(loop_watch_change(fixture->watches[0], 0, &err), err);
    step(fixture, 0);
    assert_int_equal(fixture->calls, 0);
    assert_ok(loop_watch_change(fixture->watches[0], EPOLLIN, &err), err);
    step(fixture, -1);
    assert_int_equal(fixture->calls, 1);
}

static void a_descriptor_that_cannot_be_watched_is_an_error(void **state)
{
    struct fixture *fixture = *state;
    struct err err = {0};
    struct loop_watch *out = NULL;
    AUTO_CLOSE int file = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    assert_error(loop_watch_add(fixture->loop, file, EPOLLIN, read_one, fixture, &out, &err), err, ERR_IO, "watch");
    assert_error(loop_watch_add(fixture->loop, -1, EPOLLIN, read_one, fixture, &out, &err), err, ERR_IO, "watch");
    assert_null(out);
}

static void remove_all_watches(void *context, int fd, uint32_t events)
{
    UNUSED(fd);
    UNUSED(events);
    struct fixture *fixture = context;
    fixture->calls++;
    for (size_t i = 0; i < PIPES; i++) {
        loop_watch_remove(fixture->watches[i]);
        fixture->watches[i] = NULL;
    }
}

static void a_watch_removed_by_another_callback_is_not_called(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 0; i < PIPES; i++) {
        watch(fixture, i, EPOLLIN, remove_all_watches);
        wake(fixture, i);
    }
    step(fixture, -1);
    step(fixture, 0);
    assert_int_equal(fixture->calls, 1);
    loop_watch_remove(NULL);
}

static void note(struct fixture *fixture, char letter)
{
    size_t length = strlen(fixture->order);
    assert_true(length < sizeof fixture->order - 1);
    fixture->order[length] = letter;
}

static void note_a(void *context)
{
    note(context, 'a');
}

static void note_b(void *context)
{
    note(context, 'b');
}

static void note_c_and_stop(void *context)
{
    struct fixture *fixture = context;
    note(fixture, 'c');
    fixture->called_ms = clock_boot_ms();
    loop_stop(fixture->loop);
}

static void timers_fire_in_order_and_not_early(void **state)
{
    struct fixture *fixture = *state;
    int64_t now = clock_boot_ms();
    timer(fixture, 0, note_c_and_stop);
    timer(fixture, 1, note_a);
    timer(fixture, 2, note_b);
    loop_timer_arm(fixture->timers[0], now + 30);
    loop_timer_arm(fixture->timers[1], now + 10);
    loop_timer_arm(fixture->timers[2], now + 20);
    run(fixture);
    assert_string_equal(fixture->order, "abc");
    assert_true(fixture->called_ms >= now + 30);
}

static void an_earlier_timer_is_not_missed(void **state)
{
    struct fixture *fixture = *state;
    int64_t now = clock_boot_ms();
    timer(fixture, 0, note_a);
    timer(fixture, 1, note_c_and_stop);
    loop_timer_arm(fixture->timers[0], now + 3600000);
    step(fixture, 0);
    loop_timer_arm(fixture->timers[1], now + 10);
    run(fixture);
    assert_string_equal(fixture->order, "c");
    loop_timer_arm(fixture->timers[0], clock_boot_ms() + 5);
    while (strlen(fixture->order) < 2)
        step(fixture, -1);
    assert_string_equal(fixture->order, "ca");
}

static void a_later_time_replaces_an_earlier_one(void **state)
{
    struct fixture *fixture = *state;
    int64_t now = clock_boot_ms();
    timer(fixture, 0, note_c_and_stop);
    loop_timer_arm(fixture->timers[0], now + 5);
    step(fixture, 0);
    loop_timer_arm(fixture->timers[0], now + 40);
    run(fixture);
    assert_true(fixture->called_ms >= now + 40);
}

static void disarmed_and_removed_timers_are_silent(void **state)
{
    struct fixture *fixture = *state;
    int64_t now = clock_boot_ms();
    timer(fixture, 0, note_a);
    timer(fixture, 1, note_b);
    timer(fixture, 2, note_c_and_stop);
    loop_timer_arm(fixture->timers[0], now);
    loop_timer_arm(fixture->timers[1], now);
    loop_timer_arm(fixture->timers[2], now + 5);
    loop_timer_disarm(fixture->timers[0]);
    loop_timer_remove(fixture->timers[1]);
    loop_timer_remove(NULL);
    run(fixture);
    assert_string_equal(fixture->order, "c");
}

static void arm_again_at_once(void *context)
{
    struct fixture *fixture = context;
    fixture->calls++;
    loop_timer_arm(fixture->timers[0], 0);
}

static void a_timer_that_is_always_due_leaves_room_for_descriptors(void **state)
{
    struct fixture *fixture = *state;
    timer(fixture, 0, arm_again_at_once);
    loop_timer_arm(fixture->timers[0], 0);
    watch(fixture, 1, EPOLLIN, remove_all_watches);
    wake(fixture, 1);
    step(fixture, -1);
    assert_int_equal(fixture->calls, 2);
    step(fixture, -1);
    assert_int_equal(fixture->calls, 3);
}

static void remove_the_other_and_itself(void *context)
{
    struct fixture *fixture = context;
    fixture->calls++;
    loop_timer_remove(fixture->timers[0]);
    loop_timer_remove(fixture->timers[1]);
}

static void a_timer_may_remove_timers(void **state)
{
    struct fixture *fixture = *state;
    timer(fixture, 0, remove_the_other_and_itself);
    timer(fixture, 1, remove_the_other_and_itself);
    loop_timer_arm(fixture->timers[0], 1);
    loop_timer_arm(fixture->timers[1], 1);
    step(fixture, -1);
    step(fixture, 0);
    assert_int_equal(fixture->calls, 1);
}

static void step_inside(void *context, int fd, uint32_t events)
{
    UNUSED(fd);
    UNUSED(events);
    struct fixture *fixture = context;
    fixture->calls++;
    loop_watch_remove(fixture->watches[0]);
    loop_watch_remove(fixture->watches[1]);
    step(fixture, 0);
}

static void a_callback_may_step(void **state)
{
    struct fixture *fixture = *state;
    watch(fixture, 0, EPOLLIN, step_inside);
    watch(fixture, 1, EPOLLIN, step_inside);
    wake(fixture, 0);
    wake(fixture, 1);
    step(fixture, -1);
    assert_int_equal(fixture->calls, 1);
}

static void stop_before_run_is_not_lost(void **state)
{
    struct fixture *fixture = *state;
    loop_stop(fixture->loop);
    run(fixture);
    timer(fixture, 0, note_c_and_stop);
    loop_timer_arm(fixture->timers[0], 0);
    run(fixture);
    assert_string_equal(fixture->order, "c");
}

static void on_signal(void *context, int number)
{
    struct fixture *fixture = context;
    note(fixture, number == SIGUSR1 ? '1' : '2');
    if (number == SIGUSR2)
        loop_stop(fixture->loop);
}

static void calls_back_for_signals(void **state)
{
    struct fixture *fixture = *state;
    struct err err = {0};
    const int signals[] = {SIGUSR1, SIGUSR2};
    assert_ok(loop_signals(fixture->loop, signals, 2, on_signal, fixture, &err), err);
    pthread_kill(pthread_self(), SIGUSR1);
    while (!fixture->order[0])
        step(fixture, -1);
    pthread_kill(pthread_self(), SIGUSR2);
    run(fixture);
    assert_string_equal(fixture->order, "12");
}

static void free_takes_null(void **state)
{
    UNUSED(state);
    loop_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(calls_back_for_descriptors, set_up, tear_down),
        cmocka_unit_test_setup_teardown(changes_what_is_watched, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_descriptor_that_cannot_be_watched_is_an_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_watch_removed_by_another_callback_is_not_called, set_up, tear_down),
        cmocka_unit_test_setup_teardown(timers_fire_in_order_and_not_early, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_earlier_timer_is_not_missed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_later_time_replaces_an_earlier_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(disarmed_and_removed_timers_are_silent, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_timer_that_is_always_due_leaves_room_for_descriptors, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_timer_may_remove_timers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_callback_may_step, set_up, tear_down),
        cmocka_unit_test_setup_teardown(stop_before_run_is_not_lost, set_up, tear_down),
        cmocka_unit_test_setup_teardown(calls_back_for_signals, set_up, tear_down),
        cmocka_unit_test(free_takes_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
