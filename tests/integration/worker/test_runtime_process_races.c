// What the worker says to a shim that is just ending changes nothing about what it hears of it; another worker of the
// deployment that begins and ends takes no cgroup away.
#include "tests/integration/worker/runtime_fixture.h"

#include "services/worker/runtime_process_internal.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#define ROUNDS 60
#define CGROUP_ROUNDS 2000

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

static _Atomic bool others_come_and_go;

// Returns how often there were no cgroups for it.
static void *come_and_go(void *deployment)
{
    intptr_t without = 0;
    while (atomic_load(&others_come_and_go)) {
        struct process_cgroups cgroups;
        process_cgroups_find(&cgroups, deployment);
        without += !cgroups.home;
        process_cgroups_release(&cgroups);
    }
    return (void *)without; // NOLINT(performance-no-int-to-ptr)
}

// What is empty is taken away by whoever sees it first, just before another one makes something in it.
static void others_take_no_cgroup_away(void **state)
{
    UNUSED(state);
    const struct runtime_spec spec = {0};
    struct process_cgroups cgroups;
    static char deployment[32];
    pthread_t thread;
    void *without = NULL;
    snprintf(deployment, sizeof(deployment), "races%d", (int)getpid());
    process_cgroups_find(&cgroups, deployment);
    if (!cgroups.home)
        return; // this machine has none
    AUTO_FREE char *path = process_cgroup_path(&cgroups, "j/s/1");
    others_come_and_go = true;
    assert_int_equal(pthread_create(&thread, NULL, come_and_go, deployment), 0);
    for (int round = 0; round < CGROUP_ROUNDS; round++) {
        struct err err;
        bool limited;
        assert_ok(process_cgroup_make(&cgroups, path, &spec, &limited, &err), err);
        process_cgroup_remove(path);
        process_cgroups_tidy(&cgroups);
    }
    atomic_store(&others_come_and_go, false);
    pthread_join(thread, &without);
    process_cgroups_release(&cgroups);
    assert_null(without);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leases_that_come_too_late_hide_no_exit),
        cmocka_unit_test(others_take_no_cgroup_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
