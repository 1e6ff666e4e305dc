// A process runtime in a loop, with what it called back written down. For tests of the runtime and of the shim below
// it.
#pragma once

#include "tests/support/test.h"

#include "services/common/base/clock.h"
#include "services/common/base/strbuf.h"
#include "services/worker/runtime_process.h"
#include "tests/support/die.h"
#include "tests/support/oracle.h"
#include "tests/support/process.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define RIG_TIMEOUT_MS 30000

struct rig {
    struct loop *loop;
    struct runtime *runtime;
    char *directory; // working directory and state live below
    char job[64];    // unique on this machine
    char marker[80]; // CURFEW_JOB=...
    int count;
    int port_first, port_last; // 0: as usual
};

// What came back from one instance.
struct seen {
    struct rig *rig;
    struct runtime_instance *instance;
    char identity[RUNTIME_IDENTITY_SIZE];
    bool started, exited, gone, out_of_order, writable;
    struct strbuf out[RUNTIME_STREAM_COUNT];
    int64_t bytes;
    bool drop; // count standard output, do not keep it
    struct runtime_started start;
    struct runtime_exit exit;
    struct runtime_gone end;
};

static inline void seen_on_started(void *context, struct runtime_instance *instance,
                                   const struct runtime_started *started)
{
    struct seen *seen = context;
    UNUSED(instance);
    seen->out_of_order |= seen->started || seen->exited || seen->gone;
    seen->started = true;
    seen->start = *started;
}

static inline void seen_on_output(void *context, struct runtime_instance *instance, enum runtime_stream stream,
                                  const char *bytes, size_t length)
{
    struct seen *seen = context;
    UNUSED(instance);
    seen->out_of_order |= seen->gone;
    seen->bytes += (int64_t)length;
    if (!seen->drop || stream != RUNTIME_STDOUT)
        strbuf_add(&seen->out[stream], bytes, length);
}

static inline void seen_on_writable(void *context, struct runtime_instance *instance)
{
    UNUSED(instance);
    ((struct seen *)context)->writable = true;
}

static inline void seen_on_exited(void *context, struct runtime_instance *instance, const struct runtime_exit *result)
{
    struct seen *seen = context;
    UNUSED(instance);
    seen->out_of_order |= !seen->started || seen->exited || seen->gone;
    seen->exited = true;
    seen->exit = *result;
}

static inline void seen_on_gone(void *context, struct runtime_instance *instance, const struct runtime_gone *gone)
{
    struct seen *seen = context;
    UNUSED(instance);
    seen->out_of_order |= seen->gone;
    seen->gone = true;
    seen->end = *gone;
}

static const struct runtime_events SEEN_EVENTS = {.started = seen_on_started,
                                                  .output = seen_on_output,
                                                  .writable = seen_on_writable,
                                                  .exited = seen_on_exited,
                                                  .gone = seen_on_gone};

enum rig_boundary { RIG_BEST, RIG_PIDNS, RIG_CGROUP, RIG_DESCENDANTS };

static inline int rig_open_runtime(struct rig *rig, enum rig_boundary boundary, struct err *err)
{
    char state[512];
    snprintf(state, sizeof(state), "%s/state", rig->directory);
    struct runtime_process_settings settings = {
        .loop = rig->loop,
        .shim_path = program_path("curfew-shim"),
        .state_directory = state,
        .deployment = "test",
        .port_first = rig->port_first,
        .port_last = rig->port_last,
        .without_pid_namespace = boundary == RIG_CGROUP || boundary == RIG_DESCENDANTS,
        .without_cgroup = boundary == RIG_PIDNS || boundary == RIG_DESCENDANTS,
    };
    if (runtime_process_new(&settings, &rig->runtime, err) < 0)
        return -1;
    return runtime_extend_lease(rig->runtime, clock_boot_ms() + 600 * 1000, err);
}

// A directory and a name; no runtime yet.
static inline void rig_prepare(struct rig *rig)
{
    static int counter;
    *rig = (struct rig){.directory = temp_dir_new()};
    snprintf(rig->job, sizeof(rig->job), "jtest%d-%d", (int)getpid(), ++counter);
    snprintf(rig->marker, sizeof(rig->marker), "CURFEW_JOB=%s", rig->job);
}

static inline void rig_begin(struct rig *rig, enum rig_boundary boundary)
{
    struct err err;
    if (loop_new(&rig->loop, &err) < 0 || rig_open_runtime(rig, boundary, &err) < 0)
        die("cannot open a runtime: %s", err.text);
}

static inline void rig_open(struct rig *rig, enum rig_boundary boundary)
{
    rig_prepare(rig);
    rig_begin(rig, boundary);
}

static inline void rig_close(struct rig *rig)
{
    runtime_free(rig->runtime);
    loop_free(rig->loop);
    if (oracle_wait_none(rig->marker, 60000) != 0) {
        oracle_print(rig->marker);
        temp_dir_free(rig->directory);
        fail_msg("processes of %s are left", rig->job);
    }
    temp_dir_free(rig->directory);
}

// Turns the loop until *flag is set.
static inline bool rig_await(struct rig *rig, const bool *flag, int64_t timeout_ms)
{
    struct err err;
    int64_t deadline = clock_boot_ms() + timeout_ms;
    while (!*flag && clock_boot_ms() < deadline) {
        if (loop_step(rig->loop, 50, &err) < 0)
            die("loop: %s", err.text);
    }
    return *flag;
}

static inline void seen_release(struct seen *seen)
{
    for (int i = 0; i < RUNTIME_STREAM_COUNT; i++)
        strbuf_release(&seen->out[i]);
}

// The spec that tests begin with: environment with PATH and the job's marker.
static inline struct runtime_spec rig_spec(struct rig *rig, const char *const *argv)
{
    static const char *env[3];
    env[0] = "PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin";
    env[1] = rig->marker;
    return (struct runtime_spec){.argv = argv, .env = env, .directory = rig->directory, .stop_grace_ms = 10000};
}

static inline int seen_start(struct seen *seen, struct rig *rig, struct runtime_spec spec, struct err *err)
{
    *seen = (struct seen){.rig = rig};
    snprintf(seen->identity, sizeof(seen->identity), "%s/thing/%d", rig->job, ++rig->count);
    spec.identity = seen->identity;
    return runtime_start(rig->runtime, &spec, &SEEN_EVENTS, seen, &seen->instance, err);
}

static inline void seen_run(struct seen *seen, struct rig *rig, const char *const *argv)
{
    struct err err = {0};
    assert_ok(seen_start(seen, rig, rig_spec(rig, argv), &err), err);
}

// The program with the bad manners, and waits until it says that it is ready. No assertions: also for forked children.
static inline int seen_start_nasty(struct seen *seen, struct rig *rig, const char *mode, const char *number,
                                   struct err *err)
{
    static char path[512];
    snprintf(path, sizeof(path), "%s/tests/fixtures/nasty", build_dir());
    const char *argv[] = {path, mode, number, NULL};
    if (seen_start(seen, rig, rig_spec(rig, argv), err) < 0)
        return -1;
    int64_t deadline = clock_boot_ms() + RIG_TIMEOUT_MS;
    const bool never = false;
    bool wait = strcmp(mode, "never-ready") != 0;
    while (wait && !strstr(strbuf_text(&seen->out[0]), "ready") && !seen->gone && clock_boot_ms() < deadline)
        rig_await(rig, &never, 10);
    return seen->started ? 0 : err_set(err, ERR_INTERNAL, "'%s' was not started", mode);
}

static inline void seen_run_nasty(struct seen *seen, struct rig *rig, const char *mode, const char *number)
{
    struct err err = {0};
    assert_ok(seen_start_nasty(seen, rig, mode, number, &err), err);
}

static inline void seen_await_gone(struct seen *seen)
{
    assert_true(rig_await(seen->rig, &seen->gone, RIG_TIMEOUT_MS));
    assert_false(seen->out_of_order);
    assert_int_equal(oracle_find(seen->rig->marker, NULL, 0), 0);
}

static inline void seen_finish(struct seen *seen)
{
    seen_await_gone(seen);
    runtime_release(seen->instance);
    seen_release(seen);
}
