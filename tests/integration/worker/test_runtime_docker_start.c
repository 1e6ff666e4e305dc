// Starts at an engine whose containerd dies now and then: an engine that the test plays answers as Docker 20.10 does.
#include "services/worker/runtime_docker.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/clock.h"
#include "services/common/engine/forgotten.h"
#include "services/worker/runtime_docker_internal.h"
#include "tests/support/loop_test.h"
#include "tests/support/starting_engine.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WAIT_MS 30000
#define CLOSING "{\"message\":\"transport is closing: unavailable\"}"

static struct starting_engine engine;

// ---- what the machine shows: in place of common/engine/forgotten.c

static struct {
    bool refuses;
} machine;

int engine_forgotten_end(const char *container, struct engine_forgotten *out, struct err *err)
{
    UNUSED(container);
    UNUSED(err);
    *out = (struct engine_forgotten){.found = machine.refuses, .refused = machine.refuses, .refused_pid = 7};
    if (machine.refuses)
        snprintf(out->text, sizeof out->text, "process 7 is there");
    return 0;
}

// ---- the worker's side

struct rig {
    struct loop *loop;
    struct docker_engine *client;
    struct runtime *runtime;
    struct runtime_instance *instance;
    bool started, gone;
    int remains;
    struct runtime_gone end;
};

static void on_started(void *context, struct runtime_instance *instance, const struct runtime_started *started)
{
    UNUSED(instance);
    UNUSED(started);
    ((struct rig *)context)->started = true;
}

static void on_remains(void *context, struct runtime_instance *instance, const char *text)
{
    UNUSED(instance);
    assert_string_equal(text, "process 7 is there");
    ((struct rig *)context)->remains++;
}

static void on_gone(void *context, struct runtime_instance *instance, const struct runtime_gone *gone)
{
    struct rig *rig = context;
    UNUSED(instance);
    rig->gone = true;
    rig->end = *gone;
}

static void start(struct rig *rig, const char *directory)
{
    static const struct runtime_events events = {.started = on_started, .remains = on_remains, .gone = on_gone};
    static const char *const argv[] = {"true", NULL}, *const env[] = {NULL};
    struct err err = {0};
    const struct runtime_spec spec = {.identity = "j1/main/0/1",
                                      .job = "j1",
                                      .name = "main",
                                      .container = true,
                                      .image = "i",
                                      .argv = argv,
                                      .env = env,
                                      .directory = directory,
                                      .stdin_mode = RUNTIME_STDIN_BYTES,
                                      .stdin_bytes = "7\n",
                                      .stdin_length = 2};
    starting_engine_play(&engine);
    assert_ok(runtime_extend_lease(rig->runtime, clock_boot_ms() + 10 * WAIT_MS, &err), err);
    assert_ok(runtime_start(rig->runtime, &spec, &events, rig, &rig->instance, &err), err);
}

static void open_rig(struct rig *rig, void **state)
{
    struct err err = {0};
    char url[200], directory[200];
    *rig = (struct rig){0};
    starting_engine_listen(&engine, temp_path(state, "sock"));
    snprintf(url, sizeof url, "unix:%.150s", temp_path(state, "sock"));
    snprintf(directory, sizeof directory, "%.150s", temp_path(state, "work"));
    assert_int_equal(mkdir(directory, 0700), 0);
    assert_ok(loop_new(&rig->loop, &err), err);
    assert_ok(docker_engine_new(rig->loop, url, &rig->client, &err), err);
    const struct runtime_docker_settings settings = {.loop = rig->loop,
                                                     .engine = rig->client,
                                                     .deployment = "d",
                                                     .worker = "w",
                                                     .owner = "o",
                                                     .address = "127.0.0.1",
                                                     .image_timeout_ms = WAIT_MS};
    assert_ok(runtime_docker_new(&settings, &rig->runtime, &err), err);
}

// The engine refuses the first start.
static void open_refusing(struct rig *rig, void **state, int status, const char *text)
{
    open_rig(rig, state);
    engine.refusal_status = status;
    engine.refusal = text;
}

static void close_rig(struct rig *rig)
{
    runtime_release(rig->instance);
    runtime_free(rig->runtime);
    docker_engine_free(rig->client);
    loop_free(rig->loop);
    starting_engine_stop(&engine);
}

// For another rig in the same test.
static void clear(void **state)
{
    unlink(temp_path(state, "sock"));
    rmdir(temp_path(state, "work"));
}

static void expect_it_ran(struct rig *rig)
{
    assert_true(loop_until_set(rig->loop, &rig->gone, WAIT_MS));
    assert_true(rig->started);
    assert_int_equal(rig->end.reason, RUNTIME_EXITED);
    assert_true(rig->end.exit.known);
    assert_int_equal(rig->end.exit.code, 0);
}

// ---- programs

// containerd was killed when the start was half done: the same container is never started again.
static void a_container_that_was_half_started_is_replaced(void **state)
{
    static const struct {
        int status;
        const char *text;
    } refusals[] = {{500, "{\"message\":\"task c1: already exists: unknown\"}"},
                    {409, "{\"message\":\"id already in use\"}"}};
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        struct rig rig;
        open_refusing(&rig, state, refusals[i].status, refusals[i].text);
        start(&rig, temp_path(state, "work"));
        expect_it_ran(&rig);
        assert_int_equal(engine.creates, 2);
        assert_int_equal(engine.removals, 2);
        close_rig(&rig);
        clear(state);
    }
}

static bool has_looked_thrice(void *context)
{
    return ((struct rig *)context)->remains >= 3;
}

// The start went well in truth, and this user may not end what runs: that is not gone, and the container stays as the
// trace of it, until somebody else has ended it.
static void what_may_not_be_ended_is_looked_for_until_it_is_gone(void **state)
{
    struct rig rig;
    open_refusing(&rig, state, 409, "{\"message\":\"id already in use\"}");
    machine.refuses = true;
    start(&rig, temp_path(state, "work"));
    assert_true(loop_until(rig.loop, has_looked_thrice, &rig, WAIT_MS));
    assert_false(rig.gone);
    assert_int_equal(engine.removals, 0);
    assert_int_equal(engine.creates, 1);
    machine.refuses = false;
    expect_it_ran(&rig);
    assert_int_equal(engine.creates, 2);
    assert_int_equal(engine.removals, 2);
    close_rig(&rig);
}

// An error that nobody has foreseen counts only when the engine is known to have worked all the while.
static void a_start_that_containerd_missed_is_tried_again(void **state)
{
    static const char *const texts[] = {CLOSING, "{\"message\":\"connection closed: unavailable\"}",
                                        "{\"message\":\"never read before\"}"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct rig rig;
        open_refusing(&rig, state, 500, texts[i]);
        start(&rig, temp_path(state, "work"));
        expect_it_ran(&rig);
        assert_int_equal(engine.creates, 1);
        assert_int_equal(engine.attached, 2); // those of the first start were deaf
        close_rig(&rig);
        clear(state);
    }
}

// A network that cannot go does not keep the one who was in it.
static void an_engine_that_has_lost_count_keeps_the_network_alone(void **state)
{
    struct rig rig;
    open_refusing(&rig, state, 500, CLOSING);
    engine.miscounts = true;
    start(&rig, temp_path(state, "work"));
    expect_it_ran(&rig);
    assert_int_equal(engine.network_removals, 3);
    close_rig(&rig);
}

static bool is_known_to_work(void *context)
{
    return engine_pulse_since_ms(context) > 0;
}

static bool is_in_trouble(void *context)
{
    return *engine_pulse_trouble(context) != '\0';
}

static bool is_started(void *context)
{
    return engine.starts == *(int *)context;
}

static bool is_asked_for_its_version(void *context)
{
    return engine.versions >= *(int *)context;
}

// One start is tried, and none again as long as the engine says that its containerd is away.
static void a_start_that_failed_waits_for_containerd(void **state)
{
    struct rig rig;
    open_refusing(&rig, state, 500,
                  "{\"message\":\"connection error: desc = transport: dial containerd.sock: unavailable\"}");
    engine.has_containerd = true;
    starting_engine_play(&engine);
    struct engine_pulse *pulse = docker_runtime_of(rig.runtime)->pulse;
    engine_pulse_need(pulse, WAIT_MS);
    assert_true(loop_until(rig.loop, is_known_to_work, pulse, WAIT_MS));
    engine.has_containerd = false;
    assert_true(loop_until(rig.loop, is_in_trouble, pulse, WAIT_MS));
    start(&rig, temp_path(state, "work"));
    assert_true(loop_until(rig.loop, is_started, &(int){1}, WAIT_MS));
    int later = engine.versions + 2;
    assert_true(loop_until(rig.loop, is_asked_for_its_version, &later, WAIT_MS));
    assert_int_equal(engine.starts, 1);
    engine.has_containerd = true;
    expect_it_ran(&rig);
    close_rig(&rig);
}

// Trouble with a create, which then went well, is no part of the minute that its start has.
static void patience_begins_anew_when_the_engine_has_answered(void **state)
{
    struct rig rig;
    open_refusing(&rig, state, 500, CLOSING);
    engine.loses_create = engine.holds_start = true;
    start(&rig, temp_path(state, "work"));
    assert_true(loop_until(rig.loop, is_started, &(int){2}, WAIT_MS));
    const struct docker_instance *instance = docker_instance_of(rig.instance);
    assert_true(instance->give_up_at_ms >= engine.first_start_ms + DOCKER_PATIENCE_MS);
    engine.released = true;
    expect_it_ran(&rig);
    close_rig(&rig);
}

// The engine is killed when the container has been started, and is there again before anybody has noticed: what the
// command shall read is lost with the old connection. It would wait for it for ever.
static void a_command_whose_input_is_lost_is_ended(void **state)
{
    struct rig rig;
    open_rig(&rig, state);
    engine.dies = true;
    start(&rig, temp_path(state, "work"));
    assert_true(loop_until_set(rig.loop, &rig.gone, WAIT_MS));
    assert_true(rig.started);
    assert_int_equal(rig.end.reason, RUNTIME_LOST);
    assert_non_null(strstr(rig.end.start_error.text, "while it was given its input"));
    close_rig(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_container_that_was_half_started_is_replaced, temp_dir_setup,
                                        temp_dir_teardown),
        cmocka_unit_test_setup_teardown(what_may_not_be_ended_is_looked_for_until_it_is_gone, temp_dir_setup,
                                        temp_dir_teardown),
        cmocka_unit_test_setup_teardown(a_start_that_containerd_missed_is_tried_again, temp_dir_setup,
                                        temp_dir_teardown),
        cmocka_unit_test_setup_teardown(an_engine_that_has_lost_count_keeps_the_network_alone, temp_dir_setup,
                                        temp_dir_teardown),
        cmocka_unit_test_setup_teardown(a_command_whose_input_is_lost_is_ended, temp_dir_setup, temp_dir_teardown),
        cmocka_unit_test_setup_teardown(a_start_that_failed_waits_for_containerd, temp_dir_setup, temp_dir_teardown),
        cmocka_unit_test_setup_teardown(patience_begins_anew_when_the_engine_has_answered, temp_dir_setup,
                                        temp_dir_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
