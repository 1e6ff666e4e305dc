// Probes and kills at an engine that does, or does not, what it is asked to: what is known of the container then.
#include "services/worker/runtime_docker.h"

#include "services/common/base/clock.h"
#include "services/worker/runtime_docker_internal.h"
#include "tests/support/loop_test.h"
#include "tests/support/played_engine.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

#define WAIT_MS 30000
#define SHORT_MS 500 // of a probe that does not end; a slow machine has begun it by then
#define WITH "{\"Components\":[{\"Name\":\"containerd\"}]}"
#define WITHOUT "{\"Components\":[]}"
#define CREATE "POST /containers/c1/exec"
#define KILL "POST /containers/c1/kill"
#define REACHED(pid) "{\"Running\":true,\"ExitCode\":null,\"Pid\":" #pid "}"
#define ENDED(code, pid) "{\"Running\":false,\"ExitCode\":" #code ",\"Pid\":" #pid "}"

static struct loop *loop;
static struct played_engine *played;
static struct docker_engine *engine;
static struct runtime *runtime;
static struct docker_instance *instance;
static struct runtime_exit seen;
static char trouble[256];
static bool is_told;

static int set_up(void **state)
{
    static const struct runtime_events none = {0};
    char url[200];
    struct err err;
    temp_dir_setup(state);
    played = played_engine_start(temp_path(state, "sock"));
    snprintf(url, sizeof url, "unix:%.150s", temp_path(state, "sock"));
    assert_ok(loop_new(&loop, &err), err);
    assert_ok(docker_engine_new(loop, url, &engine, &err), err);
    const struct runtime_docker_settings settings = {
        .loop = loop, .engine = engine, .deployment = "d", .worker = "w", .owner = "o", .address = "127.0.0.1"};
    assert_ok(runtime_docker_new(&settings, &runtime, &err), err);
    instance = docker_instance_new(docker_runtime_of(runtime), "j1/cache/1", &none, NULL, &err);
    assert_non_null(instance);
    snprintf(instance->container, sizeof instance->container, "c1");
    instance->create.stop_signal = "SIGTERM";
    instance->step = DOCKER_WAIT;
    instance->running = true;
    played_engine_rule(played, "GET /version", 200, WITH);
    played_engine_rule(played, CREATE, 201, "{\"Id\":\"e1\"}");
    played_engine_rule(played, "POST /exec/e1/start", 200, "");
    return 0;
}

static int tear_down(void **state)
{
    runtime_release(&instance->base);
    runtime_free(runtime);
    docker_engine_free(engine);
    loop_free(loop);
    played_engine_stop(played);
    return temp_dir_teardown(state);
}

static void on_probed(void *context, const struct runtime_exit *exit, const struct err *why)
{
    UNUSED(context);
    seen = *exit;
    snprintf(trouble, sizeof trouble, "%s", why ? why->text : "");
    is_told = true;
}

static void probe(int64_t timeout_ms)
{
    static const char *const argv[] = {"check", NULL};
    struct err err = {0};
    is_told = false;
    if (runtime_exec(&instance->base, argv, timeout_ms, on_probed, NULL, &err) < 0)
        snprintf(trouble, sizeof trouble, "%s", err.text);
    else
        assert_true(loop_until_set(loop, &is_told, WAIT_MS));
}

static void expect_exit(const char *answer, int code) // -1: it ran, and did not end in time
{
    played_engine_rule(played, "GET /exec/e1/json", 200, answer);
    probe(code < 0 ? SHORT_MS : WAIT_MS);
    assert_string_equal(trouble, "");
    assert_int_equal(seen.known, code >= 0);
    if (code >= 0)
        assert_int_equal(seen.code, code);
}

static void expect_unmade(int64_t timeout_ms, const char *why)
{
    probe(timeout_ms);
    if (!strstr(trouble, why) || !trouble[0])
        fail_msg("'%s', not '%s'", trouble, why);
}

static bool works(void *context)
{
    UNUSED(context);
    return engine_pulse_since_ms(instance->runtime->pulse) > 0;
}

static bool is_in_trouble(void *context)
{
    UNUSED(context);
    return *engine_pulse_trouble(instance->runtime->pulse) != '\0';
}

static void what_a_command_says_counts(void **state)
{
    UNUSED(state);
    expect_exit(ENDED(0, 7), 0);
    expect_exit(ENDED(3, 7), 3);
    assert_int_equal(played_engine_count(played, "GET /version"), 0); // nothing to doubt
}

// The engine says 126 of a command that is not there, and of one that it could not start.
static void a_command_that_was_not_started_counts_when_the_engine_worked(void **state)
{
    UNUSED(state);
    played_engine_rule(played, "GET /exec/e1/json", 200, ENDED(126, 0));
    expect_unmade(WAIT_MS, "could not start the command");
    assert_true(loop_until(loop, works, NULL, WAIT_MS));
    expect_exit(ENDED(126, 0), 126);
    played_engine_rule(played, "GET /version", 200, WITHOUT);
    assert_true(loop_until(loop, is_in_trouble, NULL, WAIT_MS));
    int created = played_engine_count(played, CREATE);
    expect_unmade(WAIT_MS, "does not reach its containerd");
    assert_int_equal(played_engine_count(played, CREATE), created); // it has enough to do
}

static void a_command_that_did_not_end_counts_when_the_engine_worked(void **state)
{
    UNUSED(state);
    played_engine_rule(played, "POST /exec/e1/start", 0, "");
    played_engine_rule(played, "GET /exec/e1/json", 200, REACHED(0)); // so it says with a containerd that hangs
    expect_unmade(50, "has not run it");
    assert_true(loop_until(loop, works, NULL, WAIT_MS));
    expect_unmade(SHORT_MS, "has not run the command");
    expect_exit(REACHED(7), -1);
    played_engine_rule(played, "GET /exec/e1/json", 0, "");
    expect_unmade(SHORT_MS, "does not answer");
}

static void refusals_are_the_engines(void **state)
{
    UNUSED(state);
    played_engine_rule(played, "GET /exec/e1/json", 500, "{\"message\":\"no look\"}");
    expect_unmade(WAIT_MS, "no look");
    played_engine_rule(played, CREATE, 409, "{\"message\":\"is paused\"}");
    expect_unmade(WAIT_MS, "is paused");
    played_engine_rule(played, CREATE, 0, "");
    expect_unmade(50, "has not run it");
}

// ---- kills

static bool resists(void *context)
{
    struct err err;
    UNUSED(context);
    return runtime_resists_since_ms(&instance->base, &err) > 0;
}

static void expect_waiting(const char *why)
{
    struct err err;
    int64_t since_ms = runtime_resists_since_ms(&instance->base, &err);
    if (since_ms != 0 || !strstr(err.text, why))
        fail_msg("%lld: '%s', not '%s'", (long long)since_ms, err.text, why);
}

static void who_is_still_there_resists_when_the_engine_worked(void **state)
{
    static const int answers[] = {500, 204}; // "tried to kill container, but did not receive an exit event"
    struct err err;
    UNUSED(state);
    played_engine_rule(played, KILL, 0, "");
    assert_ok(runtime_kill(&instance->base, &err), err);
    expect_waiting("has not answered yet");
    assert_true(loop_until(loop, works, NULL, WAIT_MS));
    expect_waiting("has not carried out the kill");
    http_async_cancel(TAKE_PTR(instance->push));
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        played_engine_rule(played, KILL, answers[i], "{\"message\":\"tried\"}");
        assert_ok(runtime_kill(&instance->base, &err), err);
        assert_true(loop_until(loop, resists, NULL, WAIT_MS));
        int64_t since_ms = runtime_resists_since_ms(&instance->base, &err);
        assert_true(since_ms >= engine_pulse_since_ms(instance->runtime->pulse) && since_ms <= clock_boot_ms());
        played_engine_rule(played, "GET /version", 200, WITHOUT); // whatever it says of the kill
        assert_true(loop_until(loop, is_in_trouble, NULL, WAIT_MS));
        expect_waiting("does not reach its containerd");
        played_engine_rule(played, KILL, 0, "");
        played_engine_rule(played, "GET /version", 200, WITH);
        assert_true(loop_until(loop, works, NULL, WAIT_MS));
        expect_waiting("has not carried out the kill"); // the one of before counts no more
        http_async_cancel(TAKE_PTR(instance->push));
    }
}

static void what_comes_before_and_after_a_container_runs(void **state)
{
    struct err err;
    UNUSED(state);
    instance->step = DOCKER_START;
    assert_false(resists(NULL));
    assert_true(loop_until(loop, works, NULL, WAIT_MS));
    expect_waiting("has not answered its start");
    instance->step = DOCKER_REMOVE;
    err_set(&instance->waits_for, ERR_IO, "device busy");
    assert_int_equal(runtime_resists_since_ms(&instance->base, &err), engine_pulse_since_ms(instance->runtime->pulse));
    assert_string_equal(err.text, "device busy");
    int64_t before_ms;
    while ((before_ms = clock_boot_ms()) <= engine_pulse_since_ms(instance->runtime->pulse))
        ;
    played_engine_rule(played, "DELETE", 0, "");
    // That it has ended is news: how long it resisted before does not count against its removal.
    docker_go(instance, DOCKER_REMOVE);
    assert_in_range(runtime_resists_since_ms(&instance->base, &err), before_ms, clock_boot_ms());
    int64_t ended_at_ms = instance->ended_at_ms;
    docker_go(instance, DOCKER_REMOVE);
    assert_int_equal(runtime_resists_since_ms(&instance->base, &err), ended_at_ms);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_a_command_says_counts),
        TEST(a_command_that_was_not_started_counts_when_the_engine_worked),
        TEST(a_command_that_did_not_end_counts_when_the_engine_worked),
        TEST(refusals_are_the_engines),
        TEST(who_is_still_there_resists_when_the_engine_worked),
        TEST(what_comes_before_and_after_a_container_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
