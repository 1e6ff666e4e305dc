// Random lives of random jobs, each of which must come to its close whatever happens, with nothing stopped too early,
// nothing started too early and nothing left.
#include "tests/support/test.h"

#include "services/common/base/macros.h"
#include "tests/support/settle_world.h"

#include <stdio.h>
#include <string.h>

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

// Whatever else: no service outlives it.
static bool lifetime_is_over(const struct world *world)
{
    const struct settle_view *view = &world->view;
    return view->first_placed_at_us != 0 && view->first_placed_at_us + view->max_lifetime_ms * 1000 <= view->now_us;
}

// None before all that it depends on; a new one has changed nothing about the others yet.
static void check_start(struct world *world, const struct settle_start *start)
{
    for (size_t i = 0; i < world->view.service_count; i++) {
        if (!(world->services[start->service].depends_mask & (1u << i)))
            continue;
        struct settle_instance *first = world_current(world, (int)i);
        assert_non_null(first);
        assert_true(first->state == INSTANCE_READY || world->services[i].on_failure == SERVICE_IGNORE);
    }
}

static void check_promises(struct world *world, const struct settle_plan *plan)
{
    for (size_t i = 0; i < plan->start_count; i++)
        check_start(world, &plan->starts[i]);
    for (size_t i = 0; i < plan->stop_count; i++) {
        const struct settle_stop *stop = &plan->stops[i];
        if (plan->outcome == OUTCOME_NONE || stop->never_placed)
            continue;
        for (size_t j = 0; j < world->view.stage_count && !lifetime_is_over(world); j++)
            assert_int_equal(world->leased[j], 0);              // tasks first
        for (size_t j = 0; j < world->view.instance_count; j++) // then who depends on it
            if (world->services[world->instances[j].service].depends_mask & (1u << stop->service))
                assert_true(world->instances[j].state == INSTANCE_STUCK ||
                            !instance_is_live(world->instances[j].state));
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
        struct settle_plan plan = world_settle(&world);
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
        cmocka_unit_test(every_life_comes_to_its_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
