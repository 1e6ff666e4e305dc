// How an instance gets from one step to the next, and what is done when an answer does not come.
#include "services/common/base/cleanup.h"
#include "services/common/base/clock.h"
#include "services/common/base/log.h"
#include "services/worker/runtime_docker_internal.h"

#include <stdarg.h>

#define DISTURBED_MS 5000 // ports are published anew after an engine's start

static const struct {
    const struct docker_step_ops *ops;
    const char *name;
} steps[] = {
    [DOCKER_PACK] = {&docker_pack, "pack"},          [DOCKER_NETWORK] = {&docker_network, "network"},
    [DOCKER_PEERS] = {&docker_peers, "peers"},       [DOCKER_CREATE] = {&docker_create, "create"},
    [DOCKER_FIND] = {&docker_find, "find"},          [DOCKER_PULL] = {&docker_pull, "pull"},
    [DOCKER_UPLOAD] = {&docker_upload, "upload"},    [DOCKER_ATTACH] = {&docker_attach_step, "attach"},
    [DOCKER_START] = {&docker_start, "start"},       [DOCKER_LOOK] = {&docker_look, "look"},
    [DOCKER_WAIT] = {&docker_wait, "wait"},          [DOCKER_LOOK_AT_END] = {&docker_look_at_end, "look at its end"},
    [DOCKER_STREAMS] = {&docker_streams, "streams"}, [DOCKER_FETCH] = {&docker_fetch, "fetch"},
    [DOCKER_REMOVE] = {&docker_remove, "remove"},    [DOCKER_ABSENT] = {&docker_absent, "absent"},
    [DOCKER_LEAVE] = {&docker_leave, "leave"},       [DOCKER_OVER] = {NULL, "over"},
};

static void tell_gone(struct docker_instance *instance)
{
    struct runtime_gone gone = {
        .reason = RUNTIME_EXITED,
        .grade = RUNTIME_GRADE_ABSENT,
        .start_error = instance->error,
        .exit = instance->exit,
        .signal_count = instance->signal_count,
        .at_wall_us = clock_wall_us(),
    };
    for (size_t i = 0; i < instance->signal_count; i++)
        gone.signals[i] = instance->signals[i];
    if (instance->not_started)
        gone.reason = RUNTIME_NOT_STARTED;
    else if (instance->fenced)
        gone.reason = RUNTIME_FENCED;
    else if (instance->asked)
        gone.reason = RUNTIME_STOPPED;
    else if (instance->vanished)
        gone.reason = RUNTIME_LOST;
    if (instance->events.gone)
        instance->events.gone(instance->context, &instance->base, &gone);
}

static void begin(struct docker_instance *instance)
{
    struct err err = {0};
    if (instance->step == DOCKER_OVER)
        tell_gone(instance);
    else if (steps[instance->step].ops->begin(instance, &err) < 0)
        docker_again(instance, &err);
}

void docker_go(struct docker_instance *instance, enum docker_step step)
{
    if (instance->released)
        return;
    if (instance->step == DOCKER_NETWORK && step != DOCKER_NETWORK)
        docker_network_unask(instance);
    if (step <= DOCKER_START && (instance->asked || instance->fenced)) {
        docker_withdraw(instance);
        return;
    }
    instance->step = step;
    instance->waits_for = (struct err){0};
    instance->create_sent |= step == DOCKER_CREATE;
    if (step > DOCKER_WAIT && instance->ended_at_ms == 0)
        instance->ended_at_ms = clock_boot_ms();
    log_event(LOG_DEBUG, "container", "identity", instance->identity, "step", steps[instance->step].name, NULL);
    loop_timer_disarm(instance->timer);
    if (step != DOCKER_START) { // a start that is tried again is attached again: that is no progress
        backoff_reset(&instance->backoff);
        instance->give_up_at_ms = 0;
    }
    if (step == DOCKER_LEAVE)
        docker_record_drop(instance);
    if (step == DOCKER_LOOK || step == DOCKER_WAIT)
        loop_timer_arm(instance->pressure, clock_boot_ms());
    begin(instance);
}

void docker_again(struct docker_instance *instance, const struct err *why)
{
    int64_t now_ms = clock_boot_ms();
    if (instance->step <= DOCKER_START) {
        if (instance->give_up_at_ms == 0)
            instance->give_up_at_ms = now_ms + DOCKER_PATIENCE_MS;
        if (now_ms >= instance->give_up_at_ms) {
            docker_give_up(instance, why);
            return;
        }
        if (instance->asked || instance->fenced) {
            docker_withdraw(instance);
            return;
        }
    }
    instance->waits_for = *why;
    log_event(LOG_DEBUG, "container, again", "identity", instance->identity, "step", steps[instance->step].name, "why",
              why->text, NULL);
    loop_timer_arm(instance->timer, now_ms + backoff_next_ms(&instance->backoff));
}

void docker_give_up(struct docker_instance *instance, const struct err *why)
{
    log_event(LOG_WARN, "a container cannot be started", "identity", instance->identity, "image",
              instance->create.image ? instance->create.image : "", "error", why->text, NULL);
    instance->error = *why;
    instance->not_started = true;
    docker_withdraw(instance);
}

// Without a create there is nothing to look for, and no engine is needed for the end. The network of a job whose engine
// is away is the reaper's business.
void docker_withdraw(struct docker_instance *instance)
{
    bool engine_answers = instance->backoff.failures == 0;
    if (instance->create_sent || instance->adopted) {
        docker_go(instance, DOCKER_ABSENT);
    } else if (instance->in_network && engine_answers) {
        docker_go(instance, DOCKER_LEAVE);
    } else {
        docker_network_abandon(instance);
        instance->step = DOCKER_OVER;
        loop_timer_arm(instance->timer, clock_boot_ms()); // told when the caller has returned
    }
}

// ---- calls

static void on_answer(void *context, struct http_response *response, const struct err *failure)
{
    struct docker_instance *instance = context;
    struct err err = {0};
    instance->call = NULL;
    cleanup_close(&instance->upload_fd);
    instance->upload_fd = -1;
    docker_instance_hold(instance);
    if (response && response->status != 503) {
        steps[instance->step].ops->answered(instance, response);
    } else if (response) {
        docker_engine_refused(response, "waiting for the engine", &err);
        docker_again(instance, &err);
    } else if (instance->step == DOCKER_FETCH && failure->code == ERR_TOO_LARGE) {
        docker_fetch.answered(instance, NULL);
    } else if (instance->step == DOCKER_PULL && failure->code == ERR_TIMEOUT) {
        docker_pull.answered(instance, NULL);
    } else {
        instance->interrupted = true;
        instance->disturbed_until_ms = clock_boot_ms() + DISTURBED_MS;
        if (instance->step == DOCKER_WAIT && !instance->attach)
            loop_timer_arm(instance->streams, clock_boot_ms());
        err = *failure;
        err_prefix(&err, "the container engine does not answer");
        docker_again(instance, &err);
    }
    docker_instance_drop(instance);
}

int docker_ask_call(struct docker_instance *instance, struct http_call *call)
{
    struct err err = {0};
    if (docker_engine_call(instance->runtime->engine, call, on_answer, instance, &instance->call, &err) == 0)
        return 0;
    instance->call = NULL;
    docker_again(instance, &err);
    return 0;
}

PRINTF_LIKE(4, 0)
static int ask(struct docker_instance *instance, const char *method, const struct strbuf *body, const char *format,
               va_list arguments)
{
    char path[1024];
    vsnprintf(path, sizeof path, format, arguments);
    struct http_call call = {.method = method, .path = path};
    if (body) {
        call.body = body->data;
        call.body_length = body->length;
    }
    return docker_ask_call(instance, &call);
}

int docker_ask(struct docker_instance *instance, const char *method, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int outcome = ask(instance, method, NULL, format, arguments);
    va_end(arguments);
    return outcome;
}

int docker_ask_with(struct docker_instance *instance, const char *method, const struct strbuf *body, const char *format,
                    ...)
{
    va_list arguments;
    va_start(arguments, format);
    int outcome = ask(instance, method, body, format, arguments);
    va_end(arguments);
    return outcome;
}

void docker_step_timer(void *context)
{
    struct docker_instance *instance = context;
    docker_instance_hold(instance);
    begin(instance);
    docker_instance_drop(instance);
}
