#include "services/worker/engine_wait.h"

#include "services/common/base/clock.h"
#include "services/common/base/log.h"
#include "services/common/base/loop.h"
#include "services/common/base/macros.h"
#include "services/worker/lease_keeper.h"
#include "services/worker/state.h"

#include <stdlib.h>

#define AGAIN_MS 1000
#define PATIENCE_MS 60000

struct engine_wait {
    struct docker_engine *engine;
    struct lease_keeper *keeper; // NULL: there is no lease to keep
    struct loop_timer *timer;    // asks again
    struct engine_wait_events events;
    void *context;
    int64_t until_ms; // so long it is waited for; 0: not at all
    bool is_over;
};

static void on_works_again(void *context, const struct err *error)
{
    struct engine_wait *wait = context;
    loop_timer_arm(wait->timer, clock_boot_ms() + AGAIN_MS);
    if (!error)
        wait->events.works_again(wait->context);
}

static void on_hello(void *context, const struct err *error)
{
    struct engine_wait *wait = context;
    if (error)
        loop_timer_arm(wait->timer, clock_boot_ms() + AGAIN_MS);
    if (error && clock_boot_ms() < wait->until_ms) {
        log_event(LOG_WARN, "waiting for the container engine", "error", error->text, NULL);
        return;
    }
    wait->is_over = true;
    wait->events.over(wait->context, error);
}

static void on_timer(void *context)
{
    struct engine_wait *wait = context;
    docker_engine_hello(wait->engine, wait->is_over ? on_works_again : on_hello, wait);
}

static int keep_lease(struct engine_wait *wait, const struct engine_wait_settings *settings, struct err *err)
{
    const struct state *state = settings->state;
    if (!state->had_engine)
        return 0;
    wait->until_ms = clock_boot_ms() + PATIENCE_MS;
    return lease_keeper_start(settings->loop, settings->http, state->former_worker, state->former_incarnation,
                              &wait->keeper, err);
}

int engine_wait_start(const struct engine_wait_settings *settings, const struct engine_wait_events *events,
                      void *context, struct engine_wait **out, struct err *err)
{
    struct engine_wait *wait = calloc(1, sizeof *wait);
    if (!wait)
        return err_set(err, ERR_NO_MEMORY, "no memory to wait for an engine");
    *wait = (struct engine_wait){.events = *events, .context = context};
    if (docker_engine_new(settings->loop, settings->url, &wait->engine, err) < 0 ||
        loop_timer_add(settings->loop, on_timer, wait, &wait->timer, err) < 0 || keep_lease(wait, settings, err) < 0) {
        engine_wait_free(wait);
        return -1;
    }
    docker_engine_hello(wait->engine, on_hello, wait);
    *out = wait;
    return 0;
}

void engine_wait_free(struct engine_wait *wait)
{
    if (!wait)
        return;
    lease_keeper_free(wait->keeper);
    loop_timer_remove(wait->timer);
    docker_engine_free(wait->engine);
    free(wait);
}

struct docker_engine *engine_wait_engine(struct engine_wait *wait)
{
    return wait->engine;
}

void engine_wait_registers(struct engine_wait *wait)
{
    if (wait)
        lease_keeper_free(TAKE_PTR(wait->keeper));
}
