// What becomes of a job: named cases.
#include "tests/support/test.h"

#include "services/common/base/macros.h"
#include "services/common/base/utf8.h"
#include "tests/support/settle_world.h"

#include <stdio.h>
#include <string.h>

static void a_job_without_services_is_released_and_succeeds(void **state)
{
    UNUSED(state);
    struct world world;
    world_init(&world, 1, 0);
    world_settle(&world);
    assert_int_equal(world.view.phase, PHASE_RELEASED);
    assert_int_equal(world.ready[0], 10);
    world.stages[0].open = 0;
    world_settle(&world);
    assert_int_equal(world.view.outcome, OUTCOME_SUCCEEDED);
    assert_int_equal(world.view.cleanup, CLEANUP_NONE);
    assert_true(world.view.closed);
}

static void tasks_wait_for_all_services(void **state)
{
    UNUSED(state);
    struct world world;
    world_init(&world, 1, 2);
    world.services[1].depends_mask = 1;
    struct settle_plan plan = world_settle(&world);
    assert_int_equal(plan.start_count, 1);
    assert_true(plan.wakes_pending);
    assert_null(world_instance(&world, 1, 1));
    world_instance(&world, 0, 1)->state = INSTANCE_READY;
    world_settle(&world);
    assert_int_equal(world.view.phase, PHASE_WAITING);
    world_instance(&world, 1, 1)->state = INSTANCE_READY;
    plan = world_settle(&world);
    assert_true(plan.sets_started);
    assert_int_equal(world.ready[0], 10);
}

static void services_stop_after_the_tasks_in_reverse(void **state)
{
    UNUSED(state);
    struct world world;
    world_init(&world, 1, 2);
    world.services[1].depends_mask = 1;
    world_add_instance(&world, 0, 1, INSTANCE_READY);
    world_add_instance(&world, 1, 1, INSTANCE_READY);
    world_settle(&world);
    world.leased[0] = 4;
    world.view.stop_requested = true;
    world_settle(&world);
    assert_int_equal(world.view.outcome, OUTCOME_STOPPED);
    assert_int_equal(world.stages[0].open, 4);
    assert_int_equal(world_instance(&world, 1, 1)->state, INSTANCE_READY); // its tasks still run
    world.leased[0] = world.stages[0].open = 0;
    world_settle(&world);
    assert_int_equal(world_instance(&world, 1, 1)->state, INSTANCE_STOPPING);
    assert_int_equal(world_instance(&world, 0, 1)->state, INSTANCE_READY);
    world_instance(&world, 1, 1)->state = INSTANCE_STOPPED;
    world_settle(&world);
    assert_int_equal(world_instance(&world, 0, 1)->state, INSTANCE_READY); // not yet verified
    world_instance(&world, 1, 1)->state = INSTANCE_VERIFIED;
    world_settle(&world);
    assert_int_equal(world_instance(&world, 0, 1)->state, INSTANCE_STOPPING);
    world_instance(&world, 0, 1)->state = INSTANCE_VERIFIED;
    world_settle(&world);
    assert_int_equal(world.view.cleanup, CLEANUP_CLEAN);
    assert_true(world.view.closed);
}

static void a_stop_while_queued_starts_nothing(void **state)
{
    UNUSED(state);
    struct world world;
    world_init(&world, 1, 1);
    world_settle(&world);
    world.view.stop_requested = true;
    struct settle_plan plan = world_settle(&world);
    assert_int_equal(plan.start_count, 0);
    assert_int_equal(world_instance(&world, 0, 1)->state, INSTANCE_VERIFIED);
    assert_int_equal(world.view.cleanup, CLEANUP_CLEAN);
    assert_true(world.view.closed);
}

static void failures_end_the_job_or_not(void **state)
{
    UNUSED(state);
    struct world world;
    world_init(&world, 1, 0);
    world.stages[0].failed = 1;
    world.stages[0].open = 9;
    struct settle_plan plan = world_settle(&world);
    assert_int_equal(world.view.outcome, OUTCOME_FAILED);
    assert_string_equal(plan.reason_code, "task_failed");
    assert_string_equal(plan.reason_message, "1 task of stage 'count' failed");
    assert_true(world.view.closed);

    world_init(&world, 1, 0);
    world.stages[0] =
        (struct settle_stage){.name = "count", .from_stage = -1, .fail_job = false, .failed = 1, .open = 9};
    world_settle(&world);
    assert_int_equal(world.view.outcome, OUTCOME_NONE);
    world.stages[0].open = 0;
    world_settle(&world);
    assert_int_equal(world.view.outcome, OUTCOME_SUCCEEDED);
}

static void stages_follow_each_other(void **state)
{
    UNUSED(state);
    struct world world;
    world_init(&world, 3, 0);
    world.stages[0].open = 0; // declared first, but fed by the third
    world.stages[0].from_stage = 2;
    world.stages[1].after_mask = 1;
    world_settle(&world);
    assert_true(world.stages[0].released && !world.stages[0].closed);
    assert_false(world.stages[1].released);
    world.stages[2].open = 0;
    world_settle(&world);
    assert_true(world.stages[0].closed && world.stages[1].released && !world.stages[1].closed);
    world.stages[1].open = 0;
    world_settle(&world);
    assert_int_equal(world.view.outcome, OUTCOME_SUCCEEDED);
}

static void a_service_that_dies_fails_the_job(void **state)
{
    UNUSED(state);
    static const struct {
        int instance;
        const char *code;
    } cases[] = {
        {INSTANCE_FAILED, "service_failed"},       {INSTANCE_VERIFIED, "service_failed"},
        {INSTANCE_UNHEALTHY, "service_unhealthy"}, {INSTANCE_LOST, "service_lost"},
        {INSTANCE_PRESUMED_GONE, "service_lost"},  {INSTANCE_STUCK, "service_stuck"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct world world;
        world_init(&world, 1, 1);
        world_add_instance(&world, 0, 1, INSTANCE_READY);
        world_settle(&world);
        world_instance(&world, 0, 1)->state = cases[i].instance;
        world_instance(&world, 0, 1)->error = "exit 1";
        struct settle_plan plan = world_settle(&world);
        assert_int_equal(world.view.outcome, OUTCOME_FAILED);
        assert_string_equal(plan.reason_code, cases[i].code);
        assert_non_null(strstr(plan.reason_message, "exit 1"));
        assert_int_equal(world.view.cleanup == CLEANUP_STUCK, cases[i].instance == INSTANCE_STUCK);
    }
}

static void a_service_that_is_never_ready_has_a_deadline(void **state)
{
    UNUSED(state);
    struct world world;
    world_init(&world, 1, 1);
    world_add_instance(&world, 0, 1, INSTANCE_STARTING);
    world.instances[0].ready_by_us = START + 5 * SECOND;
    struct settle_plan plan = world_settle(&world);
    assert_true(plan.attention_at_us == START + 5 * SECOND);
    world.view.now_us = START + 5 * SECOND;
    plan = world_settle(&world);
    assert_string_equal(plan.reason_code, "service_never_ready");
    assert_int_equal(world.instances[0].state, INSTANCE_STOPPING);
}

static void a_restart_waits_and_is_limited(void **state)
{
    UNUSED(state);
    struct world world;
    world_init(&world, 1, 1);
    world.services[0].on_failure = SERVICE_RESTART;
    world.services[0].restart_max = 2;
    world_add_instance(&world, 0, 1, INSTANCE_READY);
    world_settle(&world);
    for (int epoch = 1; epoch <= 2; epoch++) {
        world_instance(&world, 0, epoch)->state = INSTANCE_FAILED;
        world_instance(&world, 0, epoch)->failed = true;
        world_instance(&world, 0, epoch)->ended_at_us = world.view.now_us;
        world_settle(&world);
        assert_int_equal(world.view.phase, PHASE_WAITING); // no tasks meanwhile
        assert_null(world_instance(&world, 0, epoch + 1)); // not before the first is seen to be gone
        world_instance(&world, 0, epoch)->state = INSTANCE_VERIFIED;
        struct settle_plan plan = world_settle(&world);
        assert_false(plan.wakes_pending);
        assert_true(plan.attention_at_us == world.view.now_us + epoch * SECOND);
        world_instance(&world, 0, epoch + 1)->state = INSTANCE_READY;
        world_settle(&world);
        assert_int_equal(world.view.phase, PHASE_RELEASED);
    }
    world_instance(&world, 0, 3)->state = INSTANCE_VERIFIED;
    struct settle_plan plan = world_settle(&world);
    assert_string_equal(plan.reason_code, "service_restarts_exhausted");
}

static void a_longer_backoff_is_kept(void **state)
{
    UNUSED(state);
    struct world world;
    world_init(&world, 1, 1);
    world.services[0].on_failure = SERVICE_RESTART;
    world.services[0].restart_max = 2;
    world.services[0].restart_backoff_ms = 600 * 1000;
    world_add_instance(&world, 0, 1, INSTANCE_VERIFIED);
    world_instance(&world, 0, 1)->ended_at_us = world.view.now_us;
    struct settle_plan plan = world_settle(&world);
    assert_true(plan.attention_at_us == world.view.now_us + 600 * SECOND);
}

// Both were lost with their worker: what comes first is ready before the other one starts again.
static void a_restart_waits_for_its_dependencies(void **state)
{
    UNUSED(state);
    struct world world;
    world_init(&world, 1, 2);
    world.services[1].depends_mask = 1;
    for (int i = 0; i < 2; i++) {
        world.services[i].on_failure = SERVICE_RESTART;
        world.services[i].restart_max = 2;
        world_add_instance(&world, i, 1, INSTANCE_PRESUMED_GONE);
        world_instance(&world, i, 1)->ended_at_us = world.view.now_us;
    }
    world_settle(&world);
    assert_non_null(world_instance(&world, 0, 2));
    assert_null(world_instance(&world, 1, 2));
    world_instance(&world, 0, 2)->state = INSTANCE_READY;
    world_settle(&world);
    assert_non_null(world_instance(&world, 1, 2));
    world_instance(&world, 1, 2)->state = INSTANCE_READY;
    world_settle(&world);
    assert_int_equal(world.view.phase, PHASE_RELEASED);
}

// PostgreSQL takes whole characters only: half of one would keep the job from ever ending.
static void a_long_error_is_cut_between_characters(void **state)
{
    UNUSED(state);
    for (int before = 0; before < 4; before++) {
        struct world world;
        char error[400];
        world_init(&world, 1, 1);
        world_add_instance(&world, 0, 1, INSTANCE_FAILED);
        snprintf(error, sizeof error, "%.*s", before, "xxxx");
        while (strlen(error) < sizeof error - 8)
            strcat(error, "\xF0\x9F\x98\x80");
        world_instance(&world, 0, 1)->error = error;
        struct settle_plan plan = world_settle(&world);
        assert_string_equal(plan.reason_code, "service_failed");
        assert_true(strlen(plan.reason_message) > 150);
        assert_true(utf8_valid(plan.reason_message, strlen(plan.reason_message)));
    }
}

static void an_ignored_service_holds_nothing_up(void **state)
{
    UNUSED(state);
    struct world world;
    world_init(&world, 1, 1);
    world.services[0].on_failure = SERVICE_IGNORE;
    world_add_instance(&world, 0, 1, INSTANCE_FAILED);
    world_settle(&world);
    assert_int_equal(world.view.outcome, OUTCOME_NONE);
    assert_int_equal(world.view.phase, PHASE_RELEASED);
}

static void autostop_false_keeps_until_stop_or_lifetime(void **state)
{
    UNUSED(state);
    for (int by_stop = 0; by_stop <= 1; by_stop++) {
        struct world world;
        world_init(&world, 1, 1);
        world.view.autostop_on = 0;
        world.view.first_placed_at_us = START;
        world_add_instance(&world, 0, 1, INSTANCE_READY);
        world_settle(&world);
        world.stages[0].open = 0;
        struct settle_plan plan = world_settle(&world);
        assert_int_equal(world.view.cleanup, CLEANUP_KEPT);
        assert_int_equal(world.instances[0].state, INSTANCE_READY);
        assert_true(plan.attention_at_us == START + 86400 * SECOND);
        if (by_stop)
            world.view.stop_requested = true;
        else
            world.view.now_us += 86400 * SECOND;
        plan = world_settle(&world);
        assert_int_equal(world.view.outcome, OUTCOME_SUCCEEDED);
        assert_int_equal(world.instances[0].state, INSTANCE_STOPPING);
        assert_string_equal(plan.stops[0].reason, by_stop ? "stop_requested" : "max_lifetime");
    }
}

static void kept_after_a_failure_for_a_while(void **state)
{
    UNUSED(state);
    for (int times_out = 0; times_out < 2; times_out++) {
        struct world world;
        world_init(&world, 1, 1);
        world.view.keep_on_failure_ms = 60000;
        world.view.linger_ms = 120000; // for success only
        world_add_instance(&world, 0, 1, INSTANCE_READY);
        world.stages[0].failed = !times_out;
        world.view.timeout_ms = times_out ? 1 : 0;
        world.view.now_us += times_out ? 1000 : 0;
        world_settle(&world);
        assert_int_equal(world.view.outcome, times_out ? OUTCOME_TIMED_OUT : OUTCOME_FAILED);
        assert_int_equal(world.view.cleanup, CLEANUP_KEPT);
        assert_true(world.view.attention_at_us == world.view.now_us + 60 * SECOND);
        world.view.now_us += 60 * SECOND;
        struct settle_plan plan = world_settle(&world);
        assert_string_equal(plan.stops[0].reason, "keep_over");
    }
}

static void what_was_in_trouble_is_stopped_as_failed(void **state)
{
    UNUSED(state);
    struct world world;
    world_init(&world, 1, 2);
    world.stages[0].open = 0;
    world.view.outcome = OUTCOME_FAILED;
    world.view.cleanup = CLEANUP_PENDING;
    world_add_instance(&world, 0, 1, INSTANCE_STARTING);
    world_add_instance(&world, 1, 1, INSTANCE_STARTING);
    world.instances[0].ready_by_us = START;
    world.instances[1].ready_by_us = START + SECOND;
    struct settle_plan plan;
    settle_decide(&world.view, &plan);
    assert_int_equal(plan.stop_count, 2);
    assert_true(plan.stops[0].failed && !plan.stops[1].failed);
    assert_string_equal(plan.stops[0].reason, "never_ready");
    assert_string_equal(plan.stops[1].reason, "failed");
    assert_true(plan.attention_at_us == 0);
}

static void deadlines_end_the_work(void **state)
{
    UNUSED(state);
    struct world world;
    world_init(&world, 1, 0);
    world.view.timeout_ms = 1000;
    assert_true(world_settle(&world).attention_at_us == START + SECOND);
    world.view.now_us += SECOND;
    struct settle_plan plan = world_settle(&world);
    assert_int_equal(plan.outcome, OUTCOME_TIMED_OUT);
    assert_string_equal(plan.reason_code, "timeout");

    world_init(&world, 1, 1);
    world_add_instance(&world, 0, 1, INSTANCE_READY);
    world.view.first_placed_at_us = START;
    world.view.autostop_on = 0;
    world.view.now_us += 86400 * SECOND;
    world_settle(&world);
    assert_int_equal(world.view.outcome, OUTCOME_TIMED_OUT);
    assert_int_equal(world.instances[0].state, INSTANCE_STOPPING); // whatever autostop says
}

static void pausing_holds_the_tasks_and_keeps_the_services(void **state)
{
    UNUSED(state);
    struct world world;
    world_init(&world, 1, 1);
    world_add_instance(&world, 0, 1, INSTANCE_READY);
    world_settle(&world);
    world.view.paused = true;
    struct settle_plan plan = world_settle(&world);
    assert_int_equal(world.view.phase, PHASE_WAITING);
    assert_int_equal(plan.stop_count, 0);
    world.view.paused = false;
    world_settle(&world);
    assert_int_equal(world.ready[0], 10);
}

static void one_that_would_not_die_holds_up_no_others(void **state)
{
    UNUSED(state);
    struct world world;
    world_init(&world, 1, 2);
    world.services[1].depends_mask = 1;
    world_add_instance(&world, 0, 1, INSTANCE_READY);
    world_add_instance(&world, 1, 1, INSTANCE_STUCK);
    world.view.stop_requested = true;
    world_settle(&world);
    assert_int_equal(world.view.cleanup, CLEANUP_STUCK);
    assert_int_equal(world_instance(&world, 0, 1)->state, INSTANCE_STOPPING);
}

static void a_task_that_does_not_end_keeps_no_service_beyond_its_lifetime(void **state)
{
    UNUSED(state);
    struct world world;
    world_init(&world, 1, 1);
    world_add_instance(&world, 0, 1, INSTANCE_READY);
    world.view.first_placed_at_us = START;
    world_settle(&world);
    world.leased[0] = 1;
    world.view.stop_requested = true;
    world_settle(&world);
    assert_int_equal(world.instances[0].state, INSTANCE_READY);
    world.view.now_us += 86400 * SECOND;
    world_settle(&world);
    assert_int_equal(world.instances[0].state, INSTANCE_STOPPING);
    assert_false(world.view.closed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_without_services_is_released_and_succeeds),
        cmocka_unit_test(tasks_wait_for_all_services),
        cmocka_unit_test(services_stop_after_the_tasks_in_reverse),
        cmocka_unit_test(a_stop_while_queued_starts_nothing),
        cmocka_unit_test(failures_end_the_job_or_not),
        cmocka_unit_test(stages_follow_each_other),
        cmocka_unit_test(a_service_that_dies_fails_the_job),
        cmocka_unit_test(a_service_that_is_never_ready_has_a_deadline),
        cmocka_unit_test(a_restart_waits_and_is_limited),
        cmocka_unit_test(a_longer_backoff_is_kept),
        cmocka_unit_test(a_restart_waits_for_its_dependencies),
        cmocka_unit_test(a_long_error_is_cut_between_characters),
        cmocka_unit_test(an_ignored_service_holds_nothing_up),
        cmocka_unit_test(autostop_false_keeps_until_stop_or_lifetime),
        cmocka_unit_test(kept_after_a_failure_for_a_while),
        cmocka_unit_test(what_was_in_trouble_is_stopped_as_failed),
        cmocka_unit_test(deadlines_end_the_work),
        cmocka_unit_test(pausing_holds_the_tasks_and_keeps_the_services),
        cmocka_unit_test(one_that_would_not_die_holds_up_no_others),
        cmocka_unit_test(a_task_that_does_not_end_keeps_no_service_beyond_its_lifetime),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
