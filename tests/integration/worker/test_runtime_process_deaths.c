// Who dies, is stopped or is late, and what becomes of the process trees: with every kill boundary. The judge is the
// oracle.
#include "tests/integration/worker/runtime_fixture.h"

#include "services/common/base/fd.h"
#include "services/common/base/process.h"

#include <dirent.h>
#include <errno.h>
#include <glob.h>
#include <sys/prctl.h>

#define GONE_AFTER_KILL_MS 30000 // two seconds, where there is nobody else

static struct rig rig;
static enum rig_boundary boundary;

static int setup(void **state)
{
    boundary = (enum rig_boundary)(intptr_t)*state;
    rig_prepare(&rig);
    return 0;
}

static int teardown(void **state)
{
    UNUSED(state);
    rig_close(&rig);
    return 0;
}

static bool namespaced(void)
{
    return strncmp(runtime_process_boundary(rig.runtime), "pidns", 5) == 0;
}

// A worker of its own: starts the nastiest tree, says the shim's pid, and goes on until it is killed.
struct worker {
    pid_t pid;
    pid_t shim;
};

static pid_t find_shim(pid_t pid)
{
    struct process_stat stat;
    char path[64];
    for (int depth = 0; depth < 3; depth++) {
        AUTO_FREE char *name = NULL;
        size_t length;
        snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
        if (file_read(path, 64, &name, &length, NULL) < 0 || process_stat_read(pid, &stat) < 0)
            return 0;
        if (strcmp(name, "curfew-shim\n") == 0)
            return pid;
        pid = stat.parent;
    }
    return 0;
}

// Shim, command and two daemons; a daemon that is just being forked may be missed by one look.
static bool tree_is_complete(void *context)
{
    UNUSED(context);
    return oracle_find(rig.marker, NULL, 0) >= 4;
}

static _Noreturn void worker_main(int pipe_fd, int64_t lease_ms)
{
    struct err err;
    struct seen seen;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    rig_begin(&rig, boundary);
    if (seen_start_nasty(&seen, &rig, "tree", NULL, &err) < 0 || !wait_until(tree_is_complete, NULL, RIG_TIMEOUT_MS))
        _exit(1);
    if (lease_ms > 0 && runtime_extend_lease(rig.runtime, clock_boot_ms() + lease_ms, &err) < 0)
        _exit(1);
    pid_t shim = find_shim(seen.start.pid);
    if (write(pipe_fd, &shim, sizeof(shim)) != sizeof(shim))
        _exit(1);
    while (loop_step(rig.loop, -1, &err) >= 0) {
    }
    _exit(1);
}

static struct worker worker_start(int64_t lease_ms)
{
    struct worker worker = {0};
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    worker.pid = fork();
    if (worker.pid == 0)
        worker_main(fds[1], lease_ms);
    close(fds[1]);
    assert_int_equal(read(fds[0], &worker.shim, sizeof(worker.shim)), sizeof(worker.shim));
    close(fds[0]);
    assert_true(worker.shim > 1);
    return worker;
}

static void worker_kill(struct worker *worker)
{
    assert_int_equal(kill(worker->pid, SIGKILL), 0);
    assert_int_equal(waitpid(worker->pid, NULL, 0), worker->pid);
}

struct listed {
    bool done;
    size_t count;
    char identity[RUNTIME_IDENTITY_SIZE];
    bool live;
    int64_t remaining;
};

static void on_list(void *context, const struct runtime_found *found, size_t count, const struct err *error)
{
    struct listed *listed = context;
    listed->done = true;
    listed->count = error ? 999 : count;
    if (count == 0)
        return;
    snprintf(listed->identity, sizeof(listed->identity), "%s", found[0].identity);
    listed->live = found[0].live;
    listed->remaining = found[0].remaining;
    assert_string_equal(found[0].directory, rig.directory);
}

static struct listed list_now(void)
{
    struct listed listed = {0};
    struct err err;
    assert_ok(runtime_list(rig.runtime, on_list, &listed, &err), err);
    assert_false(listed.done);
    assert_true(rig_await(&rig, &listed.done, RIG_TIMEOUT_MS));
    return listed;
}

struct inspected {
    bool done;
    int64_t remaining;
};

static void on_inspect(void *context, int64_t remaining, const struct err *error)
{
    struct inspected *inspected = context;
    UNUSED(error);
    inspected->done = true;
    inspected->remaining = remaining;
}

static int64_t inspect_now(const char *identity)
{
    struct inspected inspected = {0};
    struct err err;
    assert_ok(runtime_inspect(rig.runtime, identity, on_inspect, &inspected, &err), err);
    assert_true(rig_await(&rig, &inspected.done, RIG_TIMEOUT_MS));
    return inspected.remaining;
}

// Takes over the one record there is and waits for its end.
static void recover(struct seen *seen)
{
    struct err err;
    struct listed listed = list_now();
    assert_int_equal(listed.count, 1);
    assert_false(listed.live);
    *seen = (struct seen){.rig = &rig};
    snprintf(seen->identity, sizeof(seen->identity), "%s", listed.identity);
    assert_ok(runtime_adopt(rig.runtime, listed.identity, &SEEN_EVENTS, seen, &seen->instance, &err), err);
    assert_true(list_now().live);
    assert_true(rig_await(&rig, &seen->gone, RIG_TIMEOUT_MS));
    assert_int_equal(oracle_find(rig.marker, NULL, 0), 0);
    assert_int_equal(inspect_now(seen->identity), 0);
}

static bool no_cgroup_left(void *context)
{
    UNUSED(context);
    glob_t found;
    char pattern[256];
    snprintf(pattern, sizeof(pattern), "/sys/fs/cgroup/unified/*/%s+*", rig.job);
    bool left = glob(pattern, 0, NULL, &found) == 0;
    globfree(&found);
    return !left;
}

static void release_recovered(struct seen *seen)
{
    runtime_release(seen->instance);
    assert_int_equal(list_now().count, 0);
    assert_true(no_cgroup_left(NULL));
    seen_release(seen);
}

static void a_killed_worker_takes_its_tree_with_it(void **state)
{
    UNUSED(state);
    struct worker worker = worker_start(0);
    worker_kill(&worker);
    assert_int_equal(oracle_wait_none(rig.marker, GONE_AFTER_KILL_MS), 0);
    rig_begin(&rig, boundary);
    struct seen seen;
    recover(&seen);
    assert_int_equal(seen.end.reason, RUNTIME_FENCED);
    assert_true(seen.end.exit.known);
    assert_int_equal(seen.end.exit.signal, SIGKILL);
    assert_int_equal(seen.end.signal_count, 2);
    assert_int_equal(seen.end.signals[0].signal, SIGTERM);
    assert_true(seen.end.at_wall_us >= seen.end.signals[1].at_wall_us);
    release_recovered(&seen);
}

static void recovering_at_once_waits_for_the_shim(void **state)
{
    UNUSED(state);
    struct worker worker = worker_start(0);
    assert_int_equal(kill(worker.shim, SIGSTOP), 0); // so that "at once" is before it has done its work
    worker_kill(&worker);
    rig_begin(&rig, boundary);
    assert_true(list_now().remaining >= 1);
    assert_int_equal(kill(worker.shim, SIGCONT), 0);
    struct seen seen;
    recover(&seen);
    assert_int_equal(seen.end.reason, RUNTIME_FENCED);
    assert_int_equal(seen.end.grade, RUNTIME_GRADE_ABSENT);
    release_recovered(&seen);
}

static void worker_and_shim_killed_together(void **state)
{
    UNUSED(state);
    struct worker worker = worker_start(0);
    assert_int_equal(kill(worker.pid, SIGSTOP), 0); // so that it cannot help
    assert_int_equal(kill(worker.shim, SIGKILL), 0);
    worker_kill(&worker);
    rig_begin(&rig, boundary);
    if (namespaced())
        assert_int_equal(oracle_wait_none(rig.marker, GONE_AFTER_KILL_MS), 0); // by the kernel alone
    struct seen seen;
    recover(&seen);
    assert_int_equal(seen.end.reason, RUNTIME_LOST);
    assert_false(seen.end.exit.known);
    release_recovered(&seen);
}

static void a_stopped_shim_does_not_save_its_tree(void **state)
{
    UNUSED(state);
    struct worker worker = worker_start(0);
    assert_int_equal(kill(worker.shim, SIGSTOP), 0);
    worker_kill(&worker);
    rig_begin(&rig, boundary);
    struct seen seen;
    recover(&seen);
    assert_int_equal(seen.end.reason, RUNTIME_LOST);
    release_recovered(&seen);
}

static void a_stopped_worker_is_fenced_when_its_lease_passes(void **state)
{
    UNUSED(state);
    struct worker worker = worker_start(1500);
    assert_int_equal(kill(worker.pid, SIGSTOP), 0);
    assert_int_equal(oracle_wait_none(rig.marker, 1500 + GONE_AFTER_KILL_MS), 0);
    worker_kill(&worker);
    rig_begin(&rig, boundary);
    struct seen seen;
    recover(&seen);
    assert_int_equal(seen.end.reason, RUNTIME_FENCED);
    release_recovered(&seen);
}

static void a_killed_shim_is_noticed_and_swept(void **state)
{
    UNUSED(state);
    struct seen seen;
    rig_begin(&rig, boundary);
    seen_run_nasty(&seen, &rig, "tree", NULL);
    assert_int_equal(kill(find_shim(seen.start.pid), SIGKILL), 0);
    seen_await_gone(&seen);
    assert_int_equal(seen.end.reason, RUNTIME_LOST);
    assert_int_equal(seen.end.grade, RUNTIME_GRADE_ABSENT);
    assert_int_equal(inspect_now(seen.identity), 0);
    seen_finish(&seen);
    assert_int_equal(list_now().count, 0);
}

static void a_shim_that_does_not_obey_is_killed(void **state)
{
    UNUSED(state);
    struct seen seen;
    struct err err;
    rig_begin(&rig, boundary);
    seen_run_nasty(&seen, &rig, "tree", NULL);
    assert_int_equal(kill(find_shim(seen.start.pid), SIGSTOP), 0);
    assert_ok(runtime_stop(seen.instance, 100, &err), err);
    seen_await_gone(&seen);
    assert_int_equal(seen.end.reason, RUNTIME_STOPPED);
    seen_finish(&seen);
}

static void shims_shrug_off_signals(void **state)
{
    UNUSED(state);
    struct seen seen;
    struct err err;
    rig_begin(&rig, boundary);
    seen_run_nasty(&seen, &rig, "well-behaved", NULL);
    pid_t shim = find_shim(seen.start.pid);
    const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGPIPE, SIGALRM};
    for (size_t i = 0; i < ARRAY_LEN(signals); i++)
        assert_int_equal(kill(shim, signals[i]), 0);
    const bool never = false;
    rig_await(&rig, &never, 200);
    assert_false(seen.exited);
    assert_ok(runtime_stop(seen.instance, -1, &err), err);
    seen_await_gone(&seen);
    assert_int_equal(seen.end.exit.code, 0);
    seen_finish(&seen);
}

static void an_init_killed_from_outside_takes_everything_with_it(void **state)
{
    UNUSED(state);
    struct seen seen;
    struct process_stat stat;
    rig_begin(&rig, boundary);
    if (!namespaced())
        return; // this machine does not allow one
    seen_run_nasty(&seen, &rig, "tree", NULL);
    assert_int_equal(process_stat_read(seen.start.pid, &stat), 0);
    assert_int_equal(kill(stat.parent, SIGKILL), 0);
    seen_await_gone(&seen);
    assert_int_equal(seen.end.reason, RUNTIME_EXITED);
    assert_int_equal(seen.end.exit.signal, SIGKILL);
    seen_finish(&seen);
}

static void a_lease_that_passes_ends_and_one_that_is_renewed_does_not(void **state)
{
    UNUSED(state);
    struct seen seen;
    struct err err;
    const bool never = false;
    rig_begin(&rig, boundary);
    seen_run_nasty(&seen, &rig, "ignore-term", NULL);
    assert_ok(runtime_extend_lease(rig.runtime, clock_boot_ms() + 2000, &err), err);
    assert_ok(runtime_extend_lease(rig.runtime, clock_boot_ms() + 600 * 1000, &err), err);
    rig_await(&rig, &never, 4000);
    assert_false(seen.exited);
    int64_t before = clock_boot_ms();
    assert_ok(runtime_extend_lease(rig.runtime, clock_boot_ms() + 100, &err), err);
    seen_await_gone(&seen);
    assert_true(clock_boot_ms() - before >= 1000); // 100 ms, fence grace of a second
    assert_int_equal(seen.end.reason, RUNTIME_FENCED);
    assert_int_equal(seen.end.grade, RUNTIME_GRADE_EXIT);
    assert_int_equal(seen.end.exit.signal, SIGKILL);
    seen_finish(&seen);
}

static void a_long_grace_does_not_outlive_the_lease(void **state)
{
    UNUSED(state);
    struct seen seen;
    struct err err;
    rig_begin(&rig, boundary);
    seen_run_nasty(&seen, &rig, "ignore-term", NULL);
    assert_ok(runtime_stop(seen.instance, 600 * 1000, &err), err);
    assert_ok(runtime_extend_lease(rig.runtime, clock_boot_ms() + 100, &err), err);
    seen_await_gone(&seen);
    assert_int_equal(seen.end.reason, RUNTIME_STOPPED);
    seen_finish(&seen);
}

static void ending_the_runtime_ends_everything(void **state)
{
    UNUSED(state);
    struct seen seen;
    rig_begin(&rig, boundary);
    seen_run_nasty(&seen, &rig, "tree", NULL);
    runtime_free(TAKE_PTR(rig.runtime));
    assert_int_equal(oracle_wait_none(rig.marker, GONE_AFTER_KILL_MS), 0);
    assert_false(seen.gone);
    seen_release(&seen);
}

static void a_state_directory_has_one_worker(void **state)
{
    UNUSED(state);
    struct err err;
    rig_begin(&rig, boundary);
    struct runtime *first = rig.runtime;
    assert_error(rig_open_runtime(&rig, boundary, &err), err, ERR_CONFLICT, "another worker");
    rig.runtime = first;
}

// Writes a record as an earlier life of a worker would have left it.
static void forge_record(const char *identity, const char *boot_id, pid_t pid, int64_t start_time)
{
    struct err err;
    char path[1024], name[RUNTIME_IDENTITY_SIZE], text[1024];
    snprintf(name, sizeof(name), "%s", identity);
    for (char *at = name; *at; at++)
        *at = *at == '/' ? '+' : *at;
    snprintf(path, sizeof(path), "%s/state/shims/%s", rig.directory, name);
    int length =
        snprintf(text, sizeof(text),
                 "marker test/%s\nboot %s\ndirectory %s\ncgroup \nshim %d %lld\nstarted %d %lld\nsignal 15 77\nhalf",
                 identity, boot_id, rig.directory, (int)pid, (long long)start_time, (int)pid, (long long)start_time);
    assert_ok(file_replace(path, text, (size_t)length, 0600, &err), err);
}

static void strangers_with_our_pids_are_left_alone(void **state)
{
    UNUSED(state);
    struct err err;
    struct seen seen, living;
    char boot_id[PROCESS_BOOT_ID_SIZE];
    struct process_stat stat;
    rig_begin(&rig, boundary);
    seen_run_nasty(&living, &rig, "well-behaved", NULL); // its identity is ours with one more digit
    AUTO_PROCESS struct process *stranger = process_start((const char *const[]){"sleep", "600", NULL}, NULL);
    assert_ok(process_boot_id(boot_id, &err), err);
    assert_int_equal(process_stat_read(process_pid(stranger), &stat), 0);
    const struct {
        const char *boot_id;
        int64_t start_time;
    } cases[] = {{boot_id, stat.start_time - 1}, {"00000000-0000-0000-0000-000000000000", stat.start_time}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char identity[RUNTIME_IDENTITY_SIZE];
        snprintf(identity, sizeof(identity), "%s/thing", rig.job);
        forge_record(identity, cases[i].boot_id, process_pid(stranger), cases[i].start_time);
        seen = (struct seen){.rig = &rig};
        assert_ok(runtime_adopt(rig.runtime, identity, &SEEN_EVENTS, &seen, &seen.instance, &err), err);
        assert_true(rig_await(&rig, &seen.gone, RIG_TIMEOUT_MS));
        assert_int_equal(seen.end.reason, RUNTIME_LOST);
        assert_int_equal(seen.end.signal_count, 1);
        assert_true(process_is_running(stranger));
        assert_false(living.exited);
        runtime_release(seen.instance);
    }
    assert_ok(runtime_kill(living.instance, &err), err);
    seen_finish(&living);
}

static void adopting_what_is_not_there_is_an_error(void **state)
{
    UNUSED(state);
    struct err err;
    struct seen seen;
    struct runtime_instance *instance;
    rig_begin(&rig, boundary);
    assert_error(runtime_adopt(rig.runtime, "job/none/1", &SEEN_EVENTS, &seen, &instance, &err), err, ERR_NOT_FOUND,
                 "open");
    seen_run_nasty(&seen, &rig, "well-behaved", NULL);
    assert_error(runtime_adopt(rig.runtime, seen.identity, &SEEN_EVENTS, &seen, &instance, &err), err, ERR_CONFLICT,
                 "live");
    assert_true(list_now().live);
    assert_true(inspect_now(seen.identity) >= 2);
    assert_ok(runtime_kill(seen.instance, &err), err);
    seen_finish(&seen);
}

#define IN(where, function) {#function " (" #where ")", function, setup, teardown, (void *)(intptr_t)(where)}
#define EVERYWHERE(function) \
    IN(RIG_BEST, function), IN(RIG_PIDNS, function), IN(RIG_CGROUP, function), IN(RIG_DESCENDANTS, function)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EVERYWHERE(a_killed_worker_takes_its_tree_with_it),
        EVERYWHERE(recovering_at_once_waits_for_the_shim),
        EVERYWHERE(worker_and_shim_killed_together),
        IN(RIG_BEST, a_stopped_shim_does_not_save_its_tree),
        IN(RIG_DESCENDANTS, a_stopped_shim_does_not_save_its_tree),
        EVERYWHERE(a_stopped_worker_is_fenced_when_its_lease_passes),
        EVERYWHERE(a_killed_shim_is_noticed_and_swept),
        IN(RIG_BEST, a_shim_that_does_not_obey_is_killed),
        IN(RIG_DESCENDANTS, a_shim_that_does_not_obey_is_killed),
        IN(RIG_BEST, shims_shrug_off_signals),
        IN(RIG_BEST, an_init_killed_from_outside_takes_everything_with_it),
        IN(RIG_PIDNS, an_init_killed_from_outside_takes_everything_with_it),
        IN(RIG_BEST, a_lease_that_passes_ends_and_one_that_is_renewed_does_not),
        IN(RIG_BEST, a_long_grace_does_not_outlive_the_lease),
        EVERYWHERE(ending_the_runtime_ends_everything),
        IN(RIG_BEST, a_state_directory_has_one_worker),
        IN(RIG_BEST, strangers_with_our_pids_are_left_alone),
        IN(RIG_BEST, adopting_what_is_not_there_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
