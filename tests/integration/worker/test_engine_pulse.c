// An engine that works, or does not, in every way it can.
#include "services/worker/engine_pulse.h"

#include "services/common/base/clock.h"
#include "services/common/base/loop.h"
#include "tests/support/loop_test.h"
#include "tests/support/played_engine.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

#define WAIT_MS 30000
#define WITH "{\"ApiVersion\":\"1.41\",\"Components\":[{\"Name\":\"Engine\"},{\"Name\":\"containerd\"}]}"
#define WITHOUT "{\"ApiVersion\":\"1.41\",\"Components\":[{\"Name\":\"Engine\"}]}"

static struct loop *loop;
static struct played_engine *played;
static struct docker_engine *engine;
static struct engine_pulse *pulse;

static int set_up(void **state)
{
    char url[200];
    struct err err;
    temp_dir_setup(state);
    played = played_engine_start(temp_path(state, "sock"));
    snprintf(url, sizeof url, "unix:%.150s", temp_path(state, "sock"));
    assert_ok(loop_new(&loop, &err), err);
    assert_ok(docker_engine_new(loop, url, &engine, &err), err);
    assert_ok(engine_pulse_new(loop, engine, &pulse, &err), err);
    return 0;
}

static int tear_down(void **state)
{
    engine_pulse_free(pulse);
    docker_engine_free(engine);
    loop_free(loop);
    played_engine_stop(played);
    return temp_dir_teardown(state);
}

static bool works(void *context)
{
    UNUSED(context);
    return engine_pulse_since_ms(pulse) > 0;
}

static bool is_in_trouble(void *context)
{
    return engine_pulse_since_ms(pulse) == 0 && strstr(engine_pulse_trouble(pulse), context);
}

static void await_trouble(const char *text)
{
    char part[64];
    snprintf(part, sizeof part, "%s", text);
    if (!loop_until(loop, is_in_trouble, part, WAIT_MS))
        fail_msg("'%s', not '%s'", engine_pulse_trouble(pulse), text);
}

static void it_says_since_when_it_works(void **state)
{
    UNUSED(state);
    played_engine_rule(played, "GET /version", 200, WITH);
    loop_for(loop, 20);
    assert_int_equal(played_engine_count(played, "GET /version"), 0); // nobody needs it
    int64_t before_ms = clock_boot_ms();
    engine_pulse_need(pulse, WAIT_MS * 4);
    engine_pulse_need(pulse, WAIT_MS);
    assert_false(works(NULL));
    assert_true(loop_until(loop, works, NULL, WAIT_MS));
    int64_t since_ms = engine_pulse_since_ms(pulse);
    assert_true(since_ms >= before_ms && since_ms <= clock_boot_ms());
    assert_string_equal(engine_pulse_trouble(pulse), "");
    played_engine_rule(played, "GET /version", 200, WITHOUT);
    await_trouble("does not reach its containerd");
    played_engine_rule(played, "GET /version", 500, "{\"message\":\"because\"}");
    await_trouble("because");
    played_engine_rule(played, "GET /version", 0, "");
    await_trouble("does not answer");
    played_engine_rule(played, "GET /version", 200, "?");
    await_trouble("answer of the container engine");
    played_engine_rule(played, "GET /version", 200, WITH);
    assert_true(loop_until(loop, works, NULL, WAIT_MS));
    assert_true(engine_pulse_since_ms(pulse) > since_ms);
}

static bool is_unknown(void *context)
{
    UNUSED(context);
    return engine_pulse_since_ms(pulse) == 0;
}

static void it_asks_for_as_long_as_somebody_needs_it(void **state)
{
    UNUSED(state);
    played_engine_rule(played, "GET /version", 200, WITHOUT); // one that has never named a containerd has none
    engine_pulse_need(pulse, 300);
    assert_true(loop_until(loop, works, NULL, WAIT_MS));
    assert_true(loop_until(loop, is_unknown, NULL, WAIT_MS));
    assert_string_equal(engine_pulse_trouble(pulse), "");
    assert_int_equal(played_engine_count(played, "GET /version"), 1);
}

static void a_containerd_that_is_known_of_otherwise_is_missed(void **state)
{
    UNUSED(state);
    played_engine_rule(played, "GET /version", 200, WITHOUT);
    engine_pulse_expect_containerd(pulse);
    engine_pulse_need(pulse, WAIT_MS);
    await_trouble("does not reach its containerd");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_says_since_when_it_works, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_asks_for_as_long_as_somebody_needs_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_containerd_that_is_known_of_otherwise_is_missed, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
