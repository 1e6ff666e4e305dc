#include "services/common/base/clock.h"
#include "services/jobmanager/alarm.h"
#include "tests/support/process.h"
#include "tests/support/test.h"

#include <stdatomic.h>

struct owner {
    struct alarm alarm;
    struct deadline deadlines[3];
    _Atomic int taken, fired;
    struct deadline *order[3];
};

static void take(void *context, struct deadline *deadline)
{
    struct owner *owner = context;
    owner->order[owner->taken] = deadline;
    owner->taken++;
}

static void fire(void *context, struct deadline *deadline)
{
    struct owner *owner = context;
    assert_true(deadline->due_ms <= clock_boot_ms());
    owner->fired++;
}

static const struct alarm_functions functions = {take, fire};

static bool all_fired(void *context)
{
    return ((struct owner *)context)->fired == 3;
}

// Under the alarm's lock: nothing rings before all are armed.
static void arm(struct owner *owner, int which, int64_t due_ms)
{
    assert_int_equal(alarm_arm(&owner->alarm, &owner->deadlines[which], due_ms, NULL), 0);
}

static void rings_in_order_of_time(void **state)
{
    UNUSED(state);
    struct owner owner = {0};
    struct err err;
    assert_ok(alarm_init(&owner.alarm, &functions, &owner, &err), err);
    int64_t now = clock_boot_ms();
    pthread_mutex_lock(&owner.alarm.mutex);
    arm(&owner, 0, now + 90);
    arm(&owner, 1, now + 30);
    arm(&owner, 2, now + 60);
    pthread_mutex_unlock(&owner.alarm.mutex);
    assert_true(wait_until(all_fired, &owner, 60000));
    assert_ptr_equal(owner.order[0], &owner.deadlines[1]);
    assert_ptr_equal(owner.order[1], &owner.deadlines[2]);
    assert_ptr_equal(owner.order[2], &owner.deadlines[0]);
    alarm_release(&owner.alarm);
}

static void what_is_disarmed_never_rings(void **state)
{
    UNUSED(state);
    struct owner owner = {.fired = 1};
    struct err err;
    assert_ok(alarm_init(&owner.alarm, &functions, &owner, &err), err);
    int64_t now = clock_boot_ms();
    pthread_mutex_lock(&owner.alarm.mutex);
    arm(&owner, 0, now + 40);
    alarm_disarm(&owner.alarm, &owner.deadlines[0]);
    for (int i = 1; i < 3; i++)
        arm(&owner, i, now + 80);
    arm(&owner, 1, now + 81);
    pthread_mutex_unlock(&owner.alarm.mutex);
    assert_true(wait_until(all_fired, &owner, 60000));
    assert_int_equal(owner.taken, 2);
    alarm_release(&owner.alarm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rings_in_order_of_time),
        cmocka_unit_test(what_is_disarmed_never_rings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
