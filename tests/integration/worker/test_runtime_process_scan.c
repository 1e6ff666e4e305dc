// The independent listing of processes, and what the runtime says of limits.
#include "tests/integration/worker/runtime_fixture.h"

static struct rig rig;

static int setup(void **state)
{
    rig_open(&rig, (enum rig_boundary)(intptr_t)*state);
    return 0;
}

static int teardown(void **state)
{
    UNUSED(state);
    rig_close(&rig);
    return 0;
}

// Whether the scan for an identity shows this pid.
static bool scan_shows(const char *identity, pid_t pid)
{
    pid_t pids[64];
    char marker[RUNTIME_IDENTITY_SIZE + 64];
    struct err err;
    snprintf(marker, sizeof(marker), "CURFEW_INSTANCE=test/%s", identity);
    int64_t count = runtime_process_scan(marker, pids, ARRAY_LEN(pids), &err);
    assert_ok((int)count, err);
    assert_true(count <= 64);
    for (int64_t i = 0; i < count; i++) {
        if (pids[i] == pid)
            return true;
    }
    return false;
}

static void a_marker_is_a_whole_variable(void **state)
{
    UNUSED(state);
    struct seen seen;
    struct err err;
    char identity[RUNTIME_IDENTITY_SIZE + 1];
    seen_run_nasty(&seen, &rig, "well-behaved", NULL);
    assert_true(scan_shows(seen.identity, seen.start.pid));
    snprintf(identity, sizeof(identity), "%s0", seen.identity);
    assert_false(scan_shows(identity, seen.start.pid));
    snprintf(identity, sizeof(identity), "%.*s", (int)strlen(seen.identity) - 1, seen.identity);
    assert_false(scan_shows(identity, seen.start.pid));
    assert_ok(runtime_stop(seen.instance, -1, &err), err);
    seen_finish(&seen);
    assert_false(scan_shows(seen.identity, seen.start.pid));
}

static void who_hides_its_environment_is_found_by_its_ancestors(void **state)
{
    UNUSED(state);
    struct seen seen;
    struct err err;
    seen_run_nasty(&seen, &rig, "hides-environment", NULL);
    assert_true(scan_shows(seen.identity, seen.start.pid));
    pid_t pids[16];
    int64_t count = oracle_find(rig.marker, pids, ARRAY_LEN(pids));
    bool found = false;
    for (int64_t i = 0; i < count && i < 16; i++)
        found |= pids[i] == seen.start.pid;
    assert_true(found);
    assert_ok(runtime_kill(seen.instance, &err), err);
    seen_finish(&seen);
}

static void limits_are_in_force_or_it_is_said(void **state)
{
    UNUSED(state);
    struct seen free_one, limited;
    struct err err = {0};
    const char *const argv[] = {"sleep", "600", NULL};
    struct runtime_spec spec = rig_spec(&rig, argv);
    assert_ok(seen_start(&free_one, &rig, spec, &err), err);
    spec.memory_bytes = 64 << 20;
    spec.cpu_millis = 500;
    spec.processes = 50;
    assert_ok(seen_start(&limited, &rig, spec, &err), err);
    assert_true(rig_await(&rig, &free_one.started, RIG_TIMEOUT_MS));
    assert_true(rig_await(&rig, &limited.started, RIG_TIMEOUT_MS));
    assert_true(free_one.start.limited); // none was asked for
    if (!strstr(runtime_process_boundary(rig.runtime), "cgroup"))
        assert_false(limited.start.limited);
    assert_ok(runtime_kill(free_one.instance, &err), err);
    assert_ok(runtime_kill(limited.instance, &err), err);
    assert_true(rig_await(&rig, &free_one.gone, RIG_TIMEOUT_MS));
    seen_finish(&limited);
    runtime_release(free_one.instance);
    seen_release(&free_one);
}

static void two_workers_of_one_deployment(void **state)
{
    UNUSED(state);
    struct rig other;
    struct seen seen;
    struct err err;
    rig_open(&other, (enum rig_boundary)(intptr_t)RIG_BEST);
    rig_close(&other); // takes what it may of what both use
    seen_run_nasty(&seen, &rig, "well-behaved", NULL);
    assert_string_equal(seen.start.boundary, runtime_process_boundary(rig.runtime));
    assert_ok(runtime_stop(seen.instance, -1, &err), err);
    seen_finish(&seen);
}

#define IN(where, function) {#function " (" #where ")", function, setup, teardown, (void *)(intptr_t)(where)}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN(RIG_BEST, a_marker_is_a_whole_variable),
        IN(RIG_DESCENDANTS, a_marker_is_a_whole_variable),
        IN(RIG_BEST, who_hides_its_environment_is_found_by_its_ancestors),
        IN(RIG_DESCENDANTS, who_hides_its_environment_is_found_by_its_ancestors),
        IN(RIG_BEST, limits_are_in_force_or_it_is_said),
        IN(RIG_DESCENDANTS, limits_are_in_force_or_it_is_said),
        IN(RIG_BEST, two_workers_of_one_deployment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
