#include "tests/support/settle_world.h"

void world_init(struct world *world, size_t stages, size_t services)
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

struct settle_instance *world_instance(struct world *world, int service, int epoch)
{
    for (size_t i = 0; i < world->view.instance_count; i++)
        if (world->instances[i].service == service && world->instances[i].epoch == epoch)
            return &world->instances[i];
    return NULL;
}

struct settle_instance *world_current(struct world *world, int service)
{
    struct settle_instance *current = NULL;
    for (size_t i = 0; i < world->view.instance_count; i++)
        if (world->instances[i].service == service)
            current = &world->instances[i];
    return current;
}

void world_add_instance(struct world *world, int service, int epoch, int state)
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

struct settle_plan world_settle(struct world *world)
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
