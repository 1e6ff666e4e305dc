// What the worker says to a shim that is just ending changes nothing about what it hears of it.
#include "tests/integration/worker/runtime_fixture.h"

#include <time.h>

#define ROUNDS 60

// Without reading what the shim says.
static void extend_until_the_shim_has_ended(struct rig *rig)
{
    int64_t deadline_ms = clock_boot_ms() + RIG_TIMEOUT_MS;
    siginfo_t child = {0};
    struct err err;
    while (child.si_pid == 0 && clock_boot_ms() < deadline_ms) {
        assert_ok(runtime_extend_lease(rig->runtime, clock_boot_ms() + 600 * 1000, &err), err);
        nanosleep(&(struct timespec){.tv_nsec = 10000}, NULL);
        assert_int_equal(waitid(P_ALL, 0, &child, WEXITED | WNOHANG | WNOWAIT), 0);
    }
    assert_true(child.si_pid != 0);
}

// A shim that ends with something unread has the worker's next read fail with ECONNRESET, before what it had said.
static void leases_that_come_too_late_hide_no_exit(void **state)
{
    struct rig rig;
    UNUSED(state);
    rig_open(&rig, RIG_BEST);
    for (int round = 0; round < ROUNDS; round++) {
        struct seen seen;
        seen_run(&seen, &rig, (const char *const[]){"sh", "-c", "exit 7", NULL});
        extend_until_the_shim_has_ended(&rig);
        seen_await_gone(&seen);
        assert_int_equal(seen.end.reason, RUNTIME_EXITED);
        assert_true(seen.end.exit.known);
        assert_int_equal(seen.end.exit.code, 7);
        seen_finish(&seen);
    }
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(leases_that_come_too_late_hide_no_exit)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
