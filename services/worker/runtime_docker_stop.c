// Signals to containers: stop, grace, kill, and again until the container has ended or the engine has said that it does
// not run any more.
//
// Whether a container that is still there resists its kill, or its engine has not carried that out, is a question of
// what the engine did all the while: see decision 31.
#include "services/common/base/clock.h"
#include "services/common/model/signal_name.h"
#include "services/worker/runtime_docker_internal.h"

#include <signal.h>
#include <stdio.h>

#define PUSH_AGAIN_MS 500
#define KILL_AGAIN_MS 2000

// Something can be signalled: it was started, and its end is not known.
static bool is_running(const struct docker_instance *instance)
{
    return instance->container[0] && (instance->step == DOCKER_LOOK || instance->step == DOCKER_WAIT);
}

static void note_signal(struct docker_instance *instance, int number)
{
    size_t at = MIN(instance->signal_count, (size_t)RUNTIME_SIGNALS_MAX - 1);
    instance->signals[at] = (struct runtime_signal){.signal = number, .at_wall_us = clock_wall_us()};
    instance->signal_count = at + 1;
}

// An engine that works and says that it has killed, or that it has and saw no end of it (500), has. Asked while it did
// not work it may say both of what it has not done.
static void note_kill(struct docker_instance *instance, const struct http_response *response)
{
    int64_t since_ms = engine_pulse_since_ms(instance->runtime->pulse);
    if (response && response->status != 503 && since_ms > 0 && instance->pushed_at_ms >= since_ms &&
        instance->killed_at_ms < since_ms)
        instance->killed_at_ms = instance->pushed_at_ms;
}

static void on_pushed(void *context, struct http_response *response, const struct err *failure)
{
    struct docker_instance *instance = context;
    UNUSED(failure);
    instance->push = NULL;
    bool arrived = response && (response->status < 300 || response->status == 409 || response->status == 404);
    bool killed = instance->kill_sent;
    if (killed)
        note_kill(instance, response);
    if (!arrived && killed)
        instance->kill_sent = false;
    else if (!arrived)
        instance->stop_sent = false;
    int64_t now_ms = clock_boot_ms();
    if (!arrived)
        loop_timer_arm(instance->pressure, now_ms + PUSH_AGAIN_MS);
    else if (killed) // an engine that was killed may have said so and not done it
        loop_timer_arm(instance->pressure, now_ms + KILL_AGAIN_MS);
    else if (instance->kill_at_ms != 0)
        loop_timer_arm(instance->pressure, instance->kill_at_ms);
}

static int push(struct docker_instance *instance, const char *signal, struct err *err)
{
    char path[ENGINE_ID_SIZE + 64];
    snprintf(path, sizeof path, "/containers/%s/kill?signal=%s", instance->container, signal);
    const struct http_call call = {.method = "POST", .path = path};
    instance->pushed_at_ms = clock_boot_ms();
    return docker_engine_call(instance->runtime->engine, &call, on_pushed, instance, &instance->push, err);
}

static void send_kill(struct docker_instance *instance)
{
    engine_pulse_need(instance->runtime->pulse, DOCKER_PULSE_MS);
    if (push(instance, "SIGKILL", NULL) < 0) {
        loop_timer_arm(instance->pressure, clock_boot_ms() + PUSH_AGAIN_MS);
        return;
    }
    if (!instance->kill_noted)
        note_signal(instance, SIGKILL);
    instance->kill_sent = instance->kill_noted = true;
}

static void send_stop(struct docker_instance *instance)
{
    if (push(instance, instance->create.stop_signal, NULL) < 0) {
        loop_timer_arm(instance->pressure, clock_boot_ms() + PUSH_AGAIN_MS);
        return;
    }
    if (!instance->stop_noted)
        note_signal(instance, signal_number(instance->create.stop_signal));
    instance->stop_sent = instance->stop_noted = true;
}

void docker_press(void *context)
{
    struct docker_instance *instance = context;
    int64_t now_ms = clock_boot_ms();
    if (!is_running(instance) || instance->push)
        return;
    bool graceless = instance->kill_asked || instance->fenced;
    if (graceless || (instance->kill_at_ms != 0 && now_ms >= instance->kill_at_ms))
        send_kill(instance);
    else if (instance->asked && !instance->stop_sent)
        send_stop(instance);
    else if (instance->asked)
        loop_timer_arm(instance->pressure, instance->kill_at_ms);
}

// The call that waits for its end has broken off, or did so a moment ago.
bool docker_is_disturbed(const struct docker_instance *instance)
{
    return (instance->step == DOCKER_WAIT && !instance->call) || clock_boot_ms() < instance->disturbed_until_ms;
}

// An engine that has just started takes calls before it answers them and has published the ports.
bool docker_runtime_disturbed(struct runtime_instance *base)
{
    const struct docker_instance *instance = docker_instance_of(base);
    engine_pulse_need(instance->runtime->pulse, DOCKER_PULSE_MS);
    return docker_is_disturbed(instance) || engine_pulse_since_ms(instance->runtime->pulse) == 0;
}

// After the end of the command whatever a working engine does not manage holds it up as well, from then on: nobody else
// will.
int64_t docker_runtime_resists(struct runtime_instance *base, struct err *err)
{
    const struct docker_instance *instance = docker_instance_of(base);
    struct engine_pulse *pulse = instance->runtime->pulse;
    engine_pulse_need(pulse, DOCKER_PULSE_MS);
    int64_t since_ms = engine_pulse_since_ms(pulse);
    const char *trouble = engine_pulse_trouble(pulse);
    *err = instance->step > DOCKER_WAIT ? instance->waits_for : (struct err){0};
    if (since_ms == 0)
        err_set(err, ERR_UNAVAILABLE, "%s", *trouble ? trouble : "the container engine has not answered yet");
    else if (instance->step <= DOCKER_START)
        err_set(err, ERR_UNAVAILABLE, "the container engine has not answered its start yet");
    else if (is_running(instance) && instance->killed_at_ms < since_ms)
        err_set(err, ERR_UNAVAILABLE, "the container engine has not carried out the kill yet");
    else
        return is_running(instance) ? instance->killed_at_ms : MAX(since_ms, instance->ended_at_ms);
    return 0;
}

// What has not been created need not be. What is on its way is waited for, and seen when its answer comes.
static void turn_back(struct docker_instance *instance)
{
    if (instance->step > DOCKER_START || instance->step == DOCKER_CREATE || instance->step == DOCKER_START)
        return;
    background_cancel(instance->packing);
    instance->packing = NULL;
    http_async_cancel(instance->call);
    instance->call = NULL;
    docker_streams_close(instance);
    docker_withdraw(instance);
}

void docker_stop_now(struct docker_instance *instance)
{
    docker_record_drop(instance);
    turn_back(instance);
    docker_press(instance);
}

int docker_runtime_stop(struct runtime_instance *base, int64_t grace_ms, struct err *err)
{
    struct docker_instance *instance = docker_instance_of(base);
    UNUSED(err);
    bool unknown = grace_ms < 0 && instance->adopted && !instance->container[0]; // its grace stands at the engine
    int64_t grace = grace_ms < 0 ? instance->create.stop_grace_ms : grace_ms;
    int64_t kill_at_ms = clock_boot_ms() + grace;
    instance->asked = true;
    if (unknown)
        return 0;
    if (instance->kill_at_ms == 0 || kill_at_ms < instance->kill_at_ms)
        instance->kill_at_ms = kill_at_ms;
    docker_stop_now(instance);
    return 0;
}

int docker_runtime_kill(struct runtime_instance *base, struct err *err)
{
    struct docker_instance *instance = docker_instance_of(base);
    UNUSED(err);
    instance->asked = instance->kill_asked = true;
    docker_stop_now(instance);
    return 0;
}

// One that is asked for beside a stop: once, and not again when its answer is lost.
int docker_runtime_signal(struct runtime_instance *base, int number, struct err *err)
{
    struct docker_instance *instance = docker_instance_of(base);
    const char *name = signal_name(number);
    char path[ENGINE_ID_SIZE + 64];
    if (!name || number == SIGKILL || number == SIGSTOP)
        return err_set(err, ERR_INVALID, "%d is no signal for an instance", number);
    if (!is_running(instance))
        return 0;
    snprintf(path, sizeof path, "/containers/%s/kill?signal=%s", instance->container, name);
    const struct http_call call = {.method = "POST", .path = path};
    return docker_engine_call(instance->runtime->engine, &call, docker_ignore, NULL, NULL, err);
}

void docker_ignore(void *context, struct http_response *response, const struct err *failure)
{
    UNUSED(context);
    UNUSED(response);
    UNUSED(failure);
}
