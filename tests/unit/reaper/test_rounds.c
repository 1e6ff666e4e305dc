#include "services/reaper/rounds.h"

#include "services/common/base/clock.h"
#include "tests/support/process.h"
#include "tests/support/test.h"

#include <stdatomic.h>

struct counted {
    atomic_int rounds;
    int64_t rest_ms;
};

static int64_t count(void *context)
{
    struct counted *counted = context;
    atomic_fetch_add(&counted->rounds, 1);
    return counted->rest_ms;
}

static bool many_came(void *context)
{
    return atomic_load(&((struct counted *)context)->rounds) >= 5;
}

static bool one_came(void *context)
{
    return atomic_load(&((struct counted *)context)->rounds) >= 1;
}

static void goes_on_until_it_is_stopped(void **state)
{
    UNUSED(state);
    struct counted counted = {.rest_ms = 1};
    struct rounds *rounds;
    struct err err;
    assert_ok(rounds_start(count, &counted, &rounds, &err), err);
    assert_true(wait_until(many_came, &counted, 60000));
    rounds_stop(rounds);
    int then = atomic_load(&counted.rounds);
    assert_true(then >= 5);
    rounds_stop(NULL);
}

static void a_rest_is_cut_short(void **state)
{
    UNUSED(state);
    struct counted counted = {.rest_ms = 3600000};
    struct rounds *rounds;
    struct err err;
    assert_ok(rounds_start(count, &counted, &rounds, &err), err);
    assert_true(wait_until(one_came, &counted, 60000));
    int64_t asked_ms = clock_boot_ms();
    rounds_stop(rounds);
    assert_true(clock_boot_ms() - asked_ms < 60000);
    assert_int_equal(atomic_load(&counted.rounds), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goes_on_until_it_is_stopped),
        cmocka_unit_test(a_rest_is_cut_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
