#include "tests/support/loop_test.h"

#include "services/common/base/clock.h"
#include "tests/support/die.h"

#define STEP_MS 20

static void step(struct loop *loop, int64_t deadline_ms)
{
    struct err err;
    int64_t left = deadline_ms - clock_boot_ms();
    if (left < 0)
        left = 0;
    if (loop_step(loop, left < STEP_MS ? (int)left : STEP_MS, &err) < 0)
        die("loop: %s", err.text);
}

bool loop_until(struct loop *loop, bool (*predicate)(void *context), void *context, int64_t timeout_ms)
{
    int64_t deadline_ms = clock_boot_ms() + timeout_ms;
    while (!predicate(context) && clock_boot_ms() < deadline_ms)
        step(loop, deadline_ms);
    return predicate(context);
}

bool loop_until_set(struct loop *loop, const bool *flag, int64_t timeout_ms)
{
    int64_t deadline_ms = clock_boot_ms() + timeout_ms;
    while (!*flag && clock_boot_ms() < deadline_ms)
        step(loop, deadline_ms);
    return *flag;
}

void loop_for(struct loop *loop, int64_t ms)
{
    int64_t deadline_ms = clock_boot_ms() + ms;
    while (clock_boot_ms() < deadline_ms)
        step(loop, deadline_ms);
    step(loop, deadline_ms); // who was not scheduled meanwhile has seen nothing yet
}
