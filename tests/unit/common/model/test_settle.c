// What becomes of a job: named cases, and random lives of random jobs, each of which must come to its close whatever
// happens, with nothing stopped too early, nothing started too early and nothing left.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "services/common/base/macros.h"
#include "services/common/model/settle.h"
#include "services/common/model/states.h"

#define SECOND INT64_C(1000000)
#define START (INT64_C(1000000) * SECOND)
#define ALL_OUTCOMES 0xfu
#define EPOCHS 64

// A job in memory: the view, and the arrays behind it.
struct world {
    struct settle_view view;
    struct settle_stage stages[8];
    struct settle_service services[8];
    struct settle_instance instances[EPOCHS];
    int64_t leased[8]; // of each stage's open tasks
    int64_t ready[8];
};

static void world_init(struct world *world, size_t stages, size_t services)
{
    *world = (struct world){0};
    world->view = (struct settle_view){
        .now_us = START,
        .outcome = OUTCOME_NONE,
        .cleanup = services > 0 ? CLEANUP_PENDING : CLEANUP_NONE,
        .phase = PHASE_WAITING,
        .autostop_on = ALL_OUTCOMES,
        .max_lifetime_ms = 86400 * 1000,
        .created_at_us = START,
        .stages = world->stages,
        .stage_count = stages,
        .services = world->services,
        .service_count = services,
        .instances = world->instances,
    };
    for (size_t i = 0; i < stages; i++)
        world->stages[i] = (struct settle_stage){.name = "count", .from_stage = -1, .fail_job = true, .open = 10};
    for (size_t i = 0; i < services; i++)
        world->services[i] =
            (struct settle_service){.name = "cache", .restart_window_ms = 60000, .restart_backoff_ms = 1000};
}

static struct settle_instance *world_instance(struct world *world, int service, int epoch)
{
    for (size_t i = 0; i < world->view.instance_count; i++)
        if (world->instances[i].service == service && world->instances[i].epoch == epoch)
            return &world->instances[i];
    return NULL;
}

static struct settle_instance *world_current(struct world *world, int service)
{
    struct settle_instance *current = NULL;
    for (size_t i = 0; i < world->view.instance_count; i++)
        if (world->instances[i].service == service)
            current = &world->instances[i];
    return current;
}

static void world_add_instance(struct world *world, int service, int epoch, int state)
{
    size_t at = world->view.instance_count;
    assert_true(at < EPOCHS);
    while (at > 0 && world->instances[at - 1].service > service) {
        world->instances[at] = world->instances[at - 1];
        at--;
    }
    world->instances[at] = (struct settle_instance){.service = service,
                                                    .epoch = epoch,
                                                    .state = state,
                                                    .not_before_us = world->view.now_us,
                                                    .created_at_us = world->view.now_us};
    world->view.instance_count++;
}

static void apply_stages(struct world *world, const struct settle_plan *plan)
{
    for (size_t i = 0; i < world->view.stage_count; i++) {
        world->stages[i].released |= (plan->release_stages >> i) & 1;
        world->stages[i].closed |= (plan->close_stages >> i) & 1;
        if (plan->cancel_tasks)
            world->stages[i].open = world->leased[i];
        bool claimable = world->stages[i].released && plan->phase == PHASE_RELEASED && !plan->cancel_tasks;
        world->ready[i] = claimable ? world->stages[i].open - world->leased[i] : 0;
    }
}

static void apply_stop(struct world *world, const struct settle_stop *stop)
{
    struct settle_instance *instance = world_instance(world, stop->service, stop->epoch);
    assert_non_null(instance);
    assert_false(instance->stop_requested);
    assert_true(instance_may(instance->state, stop->never_placed ? INSTANCE_VERIFIED : INSTANCE_STOPPING));
    instance->stop_requested = true;
    instance->failed |= stop->failed;
    instance->state = stop->never_placed ? INSTANCE_VERIFIED : INSTANCE_STOPPING;
    if (stop->never_placed)
        instance->ended_at_us = world->view.now_us;
}

static void apply(struct world *world, const struct settle_plan *plan)
{
    struct settle_view *view = &world->view;
    if (plan->sets_outcome) {
        assert_int_equal(view->outcome, OUTCOME_NONE);
        view->outcome = plan->outcome;
    }
    view->cleanup = plan->cleanup;
    view->keep_until_us = plan->keep_until_us;
    view->phase = plan->phase;
    view->attention_at_us = plan->attention_at_us;
    if (plan->sets_started)
        view->started_at_us = view->now_us;
    apply_stages(world, plan);
    for (size_t i = 0; i < plan->stop_count; i++)
        apply_stop(world, &plan->stops[i]);
    for (size_t i = 0; i < plan->start_count; i++) {
        world_add_instance(world, plan->starts[i].service, plan->starts[i].epoch, INSTANCE_PENDING);
        world_instance(world, plan->starts[i].service, plan->starts[i].epoch)->not_before_us =
            plan->starts[i].not_before_us;
    }
    view->closed |= plan->closes;
}

// Settles until nothing changes, and holds the plan against its promise of how soon that is.
static struct settle_plan settle(struct world *world)
{
    struct settle_plan first, plan;
    settle_decide(&world->view, &first);
    apply(world, &first);
    settle_decide(&world->view, &plan);
    if (first.cancel_tasks || first.stop_count > 0) {
        apply(world, &plan);
        settle_decide(&world->view, &plan);
    }
    assert_false(plan.changes);
    return first;
}

// ---- named cases

static void a_job_without_services_is_released_and_succeeds(void **state)
{
    UNUSED(state);
    struct world world;
    world_init(&world, 1, 0);
    settle(&world);
    assert_int_equal(world.view.phase, PHASE_RELEASED);
    assert_int_equal(world.ready[0], 10);
    world.stages[0].open = 0;
    settle(&world);
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
    struct settle_plan plan = settle(&world);
    assert_int_equal(plan.start_count, 1);
    assert_true(plan.wakes_pending);
    assert_null(world_instance(&world, 1, 1));
    world_instance(&world, 0, 1)->state = INSTANCE_READY;
    settle(&world);
    assert_int_equal(world.view.phase, PHASE_WAITING);
    world_instance(&world, 1, 1)->state = INSTANCE_READY;
    plan = settle(&world);
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
    settle(&world);
    world.leased[0] = 4;
    world.view.stop_requested = true;
    settle(&world);
    assert_int_equal(world.view.outcome, OUTCOME_STOPPED);
    assert_int_equal(world.stages[0].open, 4);
    assert_int_equal(world_instance(&world, 1, 1)->state, INSTANCE_READY); // its tasks still run
    world.leased[0] = world.stages[0].open = 0;
    settle(&world);
    assert_int_equal(world_instance(&world, 1, 1)->state, INSTANCE_STOPPING);
    assert_int_equal(world_instance(&world, 0, 1)->state, INSTANCE_READY);
    world_instance(&world, 1, 1)->state = INSTANCE_STOPPED;
    settle(&world);
    assert_int_equal(world_instance(&world, 0, 1)->state, INSTANCE_READY); // not yet verified
    world_instance(&world, 1, 1)->state = INSTANCE_VERIFIED;
    settle(&world);
    assert_int_equal(world_instance(&world, 0, 1)->state, INSTANCE_STOPPING);
    world_instance(&world, 0, 1)->state = INSTANCE_VERIFIED;
    settle(&world);
    assert_int_equal(world.view.cleanup, CLEANUP_CLEAN);
    assert_true(world.view.closed);
}

static void a_stop_while_queued_starts_nothing(void **state)
{
    UNUSED(state);
    struct world world;
    world_init(&world, 1, 1);
    settle(&world);
    world.view.stop_requested = true;
    struct settle_plan plan = settle(&world);
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
    struct settle_plan plan = settle(&world);
    assert_int_equal(world.view.outcome, OUTCOME_FAILED);
    assert_string_equal(plan.reason_code, "task_failed");
    assert_string_equal(plan.reason_message, "1 task of stage 'count' failed");
    assert_true(world.view.closed);

    world_init(&world, 1, 0);
    world.stages[0] =
        (struct settle_stage){.name = "count", .from_stage = -1, .fail_job = false, .failed = 1, .open = 9};
    settle(&world);
    assert_int_equal(world.view.outcome, OUTCOME_NONE);
    world.stages[0].open = 0;
    settle(&world);
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
    settle(&world);
    assert_true(world.stages[0].released && !world.stages[0].closed);
    assert_false(world.stages[1].released);
    world.stages[2].open = 0;
    settle(&world);
    assert_true(world.stages[0].closed && world.stages[1].released && !world.stages[1].closed);
    world.stages[1].open = 0;
    settle(&world);
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
        settle(&world);
        world_instance(&world, 0, 1)->state = cases[i].instance;
        world_instance(&world, 0, 1)->error = "exit 1";
        struct settle_plan plan = settle(&world);
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
    struct settle_plan plan = settle(&world);
    assert_true(plan.attention_at_us == START + 5 * SECOND);
    world.view.now_us = START + 5 * SECOND;
    plan = settle(&world);
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
    settle(&world);
    for (int epoch = 1; epoch <= 2; epoch++) {
        world_instance(&world, 0, epoch)->state = INSTANCE_FAILED;
        world_instance(&world, 0, epoch)->failed = true;
        world_instance(&world, 0, epoch)->ended_at_us = world.view.now_us;
        settle(&world);
        assert_int_equal(world.view.phase, PHASE_WAITING); // no tasks meanwhile
        assert_null(world_instance(&world, 0, epoch + 1)); // not before the first is seen to be gone
        world_instance(&world, 0, epoch)->state = INSTANCE_VERIFIED;
        struct settle_plan plan = settle(&world);
        assert_false(plan.wakes_pending);
        assert_true(plan.attention_at_us == world.view.now_us + epoch * SECOND);
        world_instance(&world, 0, epoch + 1)->state = INSTANCE_READY;
        settle(&world);
        assert_int_equal(world.view.phase, PHASE_RELEASED);
    }
    world_instance(&world, 0, 3)->state = INSTANCE_VERIFIED;
    struct settle_plan plan = settle(&world);
    assert_string_equal(plan.reason_code, "service_restarts_exhausted");
}

static void an_ignored_service_holds_nothing_up(void **state)
{
    UNUSED(state);
    struct world world;
    world_init(&world, 1, 1);
    world.services[0].on_failure = SERVICE_IGNORE;
    world_add_instance(&world, 0, 1, INSTANCE_FAILED);
    settle(&world);
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
        settle(&world);
        world.stages[0].open = 0;
        struct settle_plan plan = settle(&world);
        assert_int_equal(world.view.cleanup, CLEANUP_KEPT);
        assert_int_equal(world.instances[0].state, INSTANCE_READY);
        assert_true(plan.attention_at_us == START + 86400 * SECOND);
        if (by_stop)
            world.view.stop_requested = true;
        else
            world.view.now_us += 86400 * SECOND;
        plan = settle(&world);
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
        settle(&world);
        assert_int_equal(world.view.outcome, times_out ? OUTCOME_TIMED_OUT : OUTCOME_FAILED);
        assert_int_equal(world.view.cleanup, CLEANUP_KEPT);
        assert_true(world.view.attention_at_us == world.view.now_us + 60 * SECOND);
        world.view.now_us += 60 * SECOND;
        struct settle_plan plan = settle(&world);
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
    assert_true(settle(&world).attention_at_us == START + SECOND);
    world.view.now_us += SECOND;
    struct settle_plan plan = settle(&world);
    assert_int_equal(plan.outcome, OUTCOME_TIMED_OUT);
    assert_string_equal(plan.reason_code, "timeout");

    world_init(&world, 1, 1);
    world_add_instance(&world, 0, 1, INSTANCE_READY);
    world.view.first_placed_at_us = START;
    world.view.autostop_on = 0;
    world.view.now_us += 86400 * SECOND;
    settle(&world);
    assert_int_equal(world.view.outcome, OUTCOME_TIMED_OUT);
    assert_int_equal(world.instances[0].state, INSTANCE_STOPPING); // whatever autostop says
}

static void pausing_holds_the_tasks_and_keeps_the_services(void **state)
{
    UNUSED(state);
    struct world world;
    world_init(&world, 1, 1);
    world_add_instance(&world, 0, 1, INSTANCE_READY);
    settle(&world);
    world.view.paused = true;
    struct settle_plan plan = settle(&world);
    assert_int_equal(world.view.phase, PHASE_WAITING);
    assert_int_equal(plan.stop_count, 0);
    world.view.paused = false;
    settle(&world);
    assert_int_equal(world.ready[0], 10);
}

// ---- random lives

static uint64_t random_state;

static int random_below(int n)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (int)((random_state >> 33) % (uint64_t)n);
}

static void random_job(struct world *world)
{
    world_init(world, (size_t)(1 + random_below(4)), (size_t)random_below(4));
    for (size_t i = 0; i < world->view.stage_count; i++) {
        world->stages[i].open = random_below(4);
        world->stages[i].fail_job = random_below(2);
        if (i > 0 && random_below(3) == 0)
            world->stages[i].from_stage = random_below((int)i);
        if (i > 0 && random_below(3) == 0)
            world->stages[i].after_mask = 1u << random_below((int)i);
    }
    for (size_t i = 0; i < world->view.service_count; i++) {
        world->services[i].on_failure = random_below(3);
        world->services[i].restart_max = random_below(3);
        if (i > 0 && random_below(2) == 0)
            world->services[i].depends_mask = 1u << random_below((int)i);
    }
    world->view.autostop_on = random_below(2) ? ALL_OUTCOMES : (unsigned)random_below(16);
    world->view.keep_on_failure_ms = random_below(2) * 5000;
    world->view.linger_ms = random_below(3) == 0 ? 3000 : 0;
    world->view.timeout_ms = random_below(4) == 0 ? 20000 : 0;
    world->view.max_lifetime_ms = 600 * 1000;
}

// A worker does something to one task: claims it, finishes it, loses it.
static void task_event(struct world *world)
{
    size_t i = (size_t)random_below((int)world->view.stage_count);
    struct settle_stage *stage = &world->stages[i];
    if (world->leased[i] > 0 && random_below(2)) {
        world->leased[i]--;
        int fate = random_below(world->view.outcome == OUTCOME_NONE ? 8 : 3);
        if (fate == 7) {
            world->ready[i]++;
            return;
        }
        stage->open--;
        if (fate == 0)
            stage->failed++;
        for (size_t j = 0; fate == 1 && j < world->view.stage_count; j++)
            if (world->stages[j].from_stage == (int)i && world->view.outcome == OUTCOME_NONE)
                world->stages[j].open++;
        return;
    }
    if (world->ready[i] == 0)
        return;
    for (size_t service = 0; service < world->view.service_count; service++) { // the promise: none before all are ready
        struct settle_instance *current = world_current(world, (int)service);
        assert_non_null(current);
        assert_true(current->state == INSTANCE_READY || world->services[service].on_failure == SERVICE_IGNORE);
    }
    world->ready[i]--;
    world->leased[i]++;
}

// A worker or the reaper reports something of one instance: any edge of the machine, but for those that only settling
// takes.
static void instance_event(struct world *world)
{
    if (world->view.instance_count == 0)
        return;
    struct settle_instance *instance = &world->instances[random_below((int)world->view.instance_count)];
    int to = random_below(INSTANCE_STATE_COUNT);
    if (!instance_may(instance->state, to) || to == INSTANCE_PENDING)
        return;
    if (instance->state == INSTANCE_PENDING && (to != INSTANCE_PLACING || instance->not_before_us > world->view.now_us))
        return;
    if (to == INSTANCE_STOPPING || (to == INSTANCE_FAILED && instance->stop_requested) ||
        (to == INSTANCE_STOPPED && !instance->stop_requested) || (to == INSTANCE_VERIFIED && !instance->ended_at_us))
        return;
    instance->state = to;
    if (to == INSTANCE_PLACING) {
        instance->ready_by_us = world->view.now_us + 10 * SECOND;
        if (world->view.first_placed_at_us == 0)
            world->view.first_placed_at_us = world->view.now_us;
    }
    if (to == INSTANCE_FAILED || to == INSTANCE_STOPPED || to == INSTANCE_PRESUMED_GONE || to == INSTANCE_LOST) {
        instance->failed |= !instance->stop_requested;
        instance->ended_at_us = world->view.now_us;
    }
}

static void check_promises(const struct world *world, const struct settle_plan *plan)
{
    for (size_t i = 0; i < plan->stop_count; i++) {
        const struct settle_stop *stop = &plan->stops[i];
        if (plan->outcome == OUTCOME_NONE || stop->never_placed)
            continue;
        for (size_t j = 0; j < world->view.stage_count; j++)
            assert_int_equal(world->leased[j], 0);              // tasks first
        for (size_t j = 0; j < world->view.instance_count; j++) // then who depends on it
            if (world->services[world->instances[j].service].depends_mask & (1u << stop->service))
                assert_false(instance_is_live(world->instances[j].state));
    }
    if (!world->view.closed)
        return;
    for (size_t i = 0; i < world->view.instance_count; i++)
        assert_true(instance_is_over(world->instances[i].state));
    for (size_t i = 0; i < world->view.stage_count; i++)
        assert_int_equal(world->leased[i], 0);
}

static void live_once(unsigned seed)
{
    struct world world;
    random_state = seed;
    random_job(&world);
    int outcome = OUTCOME_NONE;
    for (int step = 0; step < 20000 && !world.view.closed && world.view.instance_count < EPOCHS - 8; step++) {
        struct settle_plan plan = settle(&world);
        check_promises(&world, &plan);
        assert_true(outcome == OUTCOME_NONE || outcome == world.view.outcome);
        outcome = world.view.outcome;
        int event = random_below(100);
        if (event < 50)
            task_event(&world);
        else if (event < 97)
            instance_event(&world);
        else if (event == 97)
            world.view.now_us += random_below(2000) * 1000;
        else if (event == 98)
            world.view.paused = random_below(2) && world.view.outcome == OUTCOME_NONE;
        else if (random_below(50) == 0)
            world.view.stop_requested = true;
    }
    if (world.view.instance_count >= EPOCHS - 8)
        return; // restarted for longer than this world is wide
    assert_true(world.view.closed);
}

static void every_life_comes_to_its_close(void **state)
{
    UNUSED(state);
    for (unsigned seed = 1; seed <= 3000; seed++)
        live_once(seed);
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
        cmocka_unit_test(an_ignored_service_holds_nothing_up),
        cmocka_unit_test(autostop_false_keeps_until_stop_or_lifetime),
        cmocka_unit_test(kept_after_a_failure_for_a_while),
        cmocka_unit_test(what_was_in_trouble_is_stopped_as_failed),
        cmocka_unit_test(deadlines_end_the_work),
        cmocka_unit_test(pausing_holds_the_tasks_and_keeps_the_services),
        cmocka_unit_test(every_life_comes_to_its_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
