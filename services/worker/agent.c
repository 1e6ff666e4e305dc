#include "services/worker/agent.h"

#include "services/common/base/clock.h"
#include "services/common/base/log.h"
#include "services/worker/agent_internal.h"
#include "services/worker/runtime.h"

#include <stdlib.h>

#define BACKOFF_BASE_MS 50
#define BACKOFF_MAX_MS 2000
// How long a poll that asks for nothing waits before it is sent: in a busy worker the next report brings its own.
#define IDLE_POLL_DELAY_MS 20

static void on_turn(void *context);
static void on_fence(void *context);

int agent_new(struct loop *loop, struct http_async *http, const struct agent_settings *settings,
              const struct agent_events *events, void *context, struct agent **out, struct err *err)
{
    struct agent *agent = calloc(1, sizeof *agent);
    if (!agent)
        return err_set(err, ERR_NO_MEMORY, "no memory for the agent");
    *agent = (struct agent){
        .loop = loop,
        .http = http,
        .settings = *settings,
        .events = *events,
        .context = context,
        .worker = settings->former_worker,
        .incarnation = settings->former_incarnation,
        .backoff = {.base_ms = BACKOFF_BASE_MS, .max_ms = BACKOFF_MAX_MS},
    };
    agent->registering.agent = agent->polling.agent = agent->reporting.agent = agent;
    if (outbox_new(&agent->outbox, err) < 0 || loop_timer_add(loop, on_turn, agent, &agent->turn, err) < 0 ||
        loop_timer_add(loop, on_fence, agent, &agent->fence, err) < 0) {
        agent_free(agent);
        return -1;
    }
    *out = agent;
    return 0;
}

static void exchange_release(struct exchange *exchange)
{
    exchange_cancel(exchange);
    strbuf_release(&exchange->body);
}

void agent_free(struct agent *agent)
{
    if (!agent)
        return;
    exchange_release(&agent->registering);
    exchange_release(&agent->polling);
    exchange_release(&agent->reporting);
    loop_timer_remove(agent->turn);
    loop_timer_remove(agent->fence);
    outbox_free(agent->outbox);
    free(agent);
}

void agent_attach(struct agent *agent, struct runtime *runtime, struct tasks *tasks, struct services *services,
                  struct logs *logs)
{
    agent->runtime = runtime;
    agent->tasks = tasks;
    agent->services = services;
    agent->logs = logs;
}

void agent_tell_survivors(struct agent *agent, struct survivors *survivors)
{
    agent->survivors = survivors;
}

void agent_begin(struct agent *agent, struct survivors *survivors)
{
    agent->survivors = survivors;
    agent->state = AGENT_NEW;
    agent_turn_soon(agent);
}

// ---- trouble

void agent_turn_soon(struct agent *agent)
{
    if (agent->turn_is_due)
        return;
    agent->turn_is_due = true;
    loop_timer_arm(agent->turn, clock_boot_ms());
}

void agent_trouble(struct agent *agent, const char *what, const char *text, int64_t retry_ms)
{
    int64_t pause_ms = backoff_next_ms(&agent->backoff);
    if (retry_ms > pause_ms)
        pause_ms = retry_ms;
    agent->silent_until_ms = clock_boot_ms() + pause_ms;
    if (!agent->in_trouble)
        log_event(LOG_WARN, "manager does not answer as it should, trying again", "call", what, "error", text, NULL);
    agent->in_trouble = true;
}

void agent_fine(struct agent *agent)
{
    backoff_reset(&agent->backoff);
    agent->silent_until_ms = 0;
    if (agent->in_trouble)
        log_event(LOG_INFO, "manager answers again", NULL);
    agent->in_trouble = false;
}

// ---- the lease

void agent_lease_renewed(struct agent *agent, int64_t sent_at_ms, int64_t lease_ms)
{
    struct err err;
    int64_t fence_at_ms = sent_at_ms + lease_ms - agent->fence_margin_ms;
    if (fence_at_ms <= agent->fence_at_ms && !agent->fenced)
        return; // an answer that was overtaken by a later one
    agent->fence_at_ms = fence_at_ms;
    agent->fenced = false;
    loop_timer_arm(agent->fence, fence_at_ms);
    if (agent->events.on_lease)
        agent->events.on_lease(agent->context, fence_at_ms);
    if (agent->runtime && runtime_extend_lease(agent->runtime, fence_at_ms, &err) < 0)
        log_event(LOG_ERROR, "lease not passed on", "error", err.text, NULL);
}

// No answer in time: whatever runs is ended before the manager may give it to others. The shims do so by themselves
// too.
static void on_fence(void *context)
{
    struct agent *agent = context;
    agent->fenced = true;
    if (!agent->tasks)
        return;
    if (tasks_running(agent->tasks) > 0 || services_running(agent->services) > 0)
        log_event(LOG_ERROR, "lease is over, ending what may not outlive it", NULL);
    tasks_abandon(agent->tasks);
    services_fence(agent->services);
}

void agent_end_incarnation(struct agent *agent, const char *why)
{
    if (agent->state != AGENT_REGISTERED)
        return;
    log_event(LOG_WARN, "incarnation is over, ending everything", "why", why, NULL);
    agent->state = AGENT_ENDING;
    exchange_cancel(&agent->polling);
    exchange_cancel(&agent->reporting);
    agent->reporting.carries = false;
    loop_timer_disarm(agent->fence);
    agent->fence_at_ms = 0;
    tasks_abandon(agent->tasks);
    services_abandon(agent->services);
    outbox_clear(agent->outbox);
    logs_not_shipped(agent->logs);
}

// ---- what to send when

static void failed_to_send(struct agent *agent, const char *what, const struct err *err)
{
    agent_trouble(agent, what, err->text, 0);
    loop_timer_arm(agent->turn, agent->silent_until_ms);
}

static void turn_unregistered(struct agent *agent)
{
    struct err err;
    bool running = agent->tasks && (tasks_running(agent->tasks) > 0 || services_running(agent->services) > 0);
    if (agent->state == AGENT_ENDING && running)
        return; // agent_look() comes when something has ended
    if (agent->registering.call || agent->ending)
        return;
    agent->state = AGENT_NEW;
    if (agent->outbox)
        outbox_clear(agent->outbox);
    if (agent_send_register(agent, &err) < 0)
        failed_to_send(agent, "register", &err);
}

// True while an answer that may bring orders is awaited.
static bool is_polling(const struct agent *agent)
{
    return agent->polling.call || (agent->reporting.call && agent->reporting.polls);
}

static void report(struct agent *agent, int64_t want, int room)
{
    struct err err;
    if (want > 0 && agent->polling.call && !agent->polling.wants)
        exchange_cancel(&agent->polling); // it can bring no slices, and orders are repeated
    if (agent_send_report(agent, !is_polling(agent), want, room, &err) < 0)
        failed_to_send(agent, "report", &err);
}

static void poll(struct agent *agent, int64_t want, int room)
{
    struct err err;
    int64_t now_ms = clock_boot_ms();
    if (want == 0 && !agent->draining && !agent->polling.call) {
        if (agent->idle_poll_at_ms == 0)
            agent->idle_poll_at_ms = now_ms + IDLE_POLL_DELAY_MS;
        if (now_ms < agent->idle_poll_at_ms) {
            loop_timer_arm(agent->turn, agent->idle_poll_at_ms);
            return;
        }
    }
    agent->idle_poll_at_ms = 0;
    exchange_cancel(&agent->polling);
    if (agent_send_poll(agent, want, room, &err) < 0)
        failed_to_send(agent, "poll", &err);
}

static void turn_registered(struct agent *agent)
{
    int64_t want = agent->draining ? 0 : tasks_want(agent->tasks);
    int room = agent->draining ? 0 : services_room(agent->services);
    bool something = outbox_pending(agent->outbox) || logs_pending(agent->logs);
    if (something && !agent->reporting.call)
        report(agent, want, room);
    if (!is_polling(agent) || (want > 0 && agent->polling.call && !agent->polling.wants && !agent->reporting.call))
        poll(agent, want, room);
}

static void on_turn(void *context)
{
    struct agent *agent = context;
    agent->turn_is_due = false;
    if (clock_boot_ms() < agent->silent_until_ms) {
        loop_timer_arm(agent->turn, agent->silent_until_ms);
        return;
    }
    if (agent->state == AGENT_NEW || agent->state == AGENT_ENDING)
        turn_unregistered(agent);
    else if (agent->state == AGENT_REGISTERED && agent->tasks)
        turn_registered(agent);
}

// ---- what the parts tell

void agent_slice_done(struct agent *agent, const struct slice_outcome *outcome)
{
    struct err err;
    if (agent->state == AGENT_REGISTERED && outbox_add_outcome(agent->outbox, outcome, &err) < 0)
        log_event(LOG_ERROR, "outcome dropped", "slice", outcome->slice, "error", err.text, NULL);
    agent_turn_soon(agent);
}

void agent_observed(struct agent *agent, const struct observation *observation)
{
    struct err err;
    if (agent->state == AGENT_REGISTERED && outbox_put_observation(agent->outbox, observation, &err) < 0)
        log_event(LOG_ERROR, "observation dropped", "service", observation->service, "error", err.text, NULL);
    agent_turn_soon(agent);
}

void agent_holds_less(struct agent *agent)
{
    agent->said_held_at_ms = 0;
    agent->idle_poll_at_ms = 0;
    if (agent->polling.call && agent->polling.wants) // slices may be under way that never arrive
        agent->say_held_until_ms = clock_boot_ms() + 2 * agent->poll_ms;
    exchange_cancel(&agent->polling); // orders are repeated
    agent_turn_soon(agent);
}

void agent_look(struct agent *agent)
{
    agent_turn_soon(agent);
}

void agent_drain(struct agent *agent)
{
    agent->ending = agent->draining = true;
    agent_turn_soon(agent);
}

bool agent_is_drained(const struct agent *agent)
{
    int64_t token;
    if (agent->state != AGENT_REGISTERED || !agent->tasks)
        return true;
    if (tasks_running(agent->tasks) > 0 || services_running(agent->services) > 0)
        return false;
    // What it holds may go to others by now, and nobody is there to be told.
    if (agent->fenced && clock_boot_ms() >= agent->fence_at_ms + agent->fence_margin_ms)
        return true;
    return tasks_held(agent->tasks, &token, 1) == 0 && outbox_held(agent->outbox, &token, 1) == 0 &&
           !outbox_pending(agent->outbox) && !agent->reporting.call && !logs_pending(agent->logs);
}
