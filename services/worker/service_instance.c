// The life of one instance: working directory, process, readiness, stop, and the second look that verifies its end.
#include "services/common/base/cleanup.h"
#include "services/common/base/clock.h"
#include "services/worker/environment.h"
#include "services/worker/services_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_AGAIN_MS 200
#define PRESS_AGAIN_MS 1000 // a kill that is not carried out
#define SOURCE_SIZE 128

static void on_timer(void *context);
static void on_gone(void *context, struct runtime_instance *gone_instance, const struct runtime_gone *gone);
static void on_remains(void *context, struct runtime_instance *instance, const char *text);

// ---- making and freeing

static void link_last(struct service_instance *instance)
{
    struct services *services = instance->services;
    instance->previous = services->last;
    *(services->last ? &services->last->next : &services->first) = instance;
    services->last = instance;
}

static void unlink_instance(struct service_instance *instance)
{
    struct services *services = instance->services;
    *(instance->previous ? &instance->previous->next : &services->first) = instance->next;
    *(instance->next ? &instance->next->previous : &services->last) = instance->previous;
}

static int make_names(struct service_instance *instance, const char *job, const char *service, int epoch)
{
    instance->job = strdup(job);
    instance->service = strdup(service);
    return asprintf(&instance->identity, "%s/%s/%d", job, service, epoch) < 0 || !instance->job || !instance->service
               ? -1
               : 0;
}

struct service_instance *service_instance_new(struct services *services, const char *job, const char *service,
                                              int epoch, struct service_order *order)
{
    struct service_instance *instance = calloc(1, sizeof *instance);
    if (!instance) {
        service_order_free(order);
        return NULL;
    }
    *instance = (struct service_instance){.services = services,
                                          .order = order,
                                          .epoch = epoch,
                                          .state = INSTANCE_PENDING,
                                          .exit_code = -1,
                                          .exit_signal = -1,
                                          .grade = -1};
    link_last(instance);
    if (make_names(instance, job, service, epoch) == 0 &&
        loop_timer_add(services->loop, on_timer, instance, &instance->timer, NULL) == 0)
        return instance;
    service_instance_free(instance);
    return NULL;
}

static void give_back_directory(struct service_instance *instance)
{
    if (instance->directory)
        workspace_remove(instance->services->workspaces, instance->directory);
    free(instance->directory);
    instance->directory = NULL;
}

void service_instance_free(struct service_instance *instance)
{
    if (instance_is_over(instance->state))
        instance->services->over--;
    unlink_instance(instance);
    workspace_cancel(instance->request);
    readiness_stop(instance->readiness);
    runtime_release(instance->instance);
    readiness_free(instance->readiness);
    service_free_texts(instance->check);
    give_back_directory(instance);
    log_close(instance->log);
    loop_timer_remove(instance->timer);
    service_order_free(instance->order);
    strbuf_release(&instance->ports_json);
    strbuf_release(&instance->signals_json);
    strbuf_release(&instance->error);
    free(instance->job);
    free(instance->service);
    free(instance->identity);
    free(instance->host);
    free(instance);
}

// ---- the end, and the second look

// There is something of it after all, from an earlier life of this worker: it is ended, and its end comes to on_gone.
static void end_remains(struct service_instance *instance)
{
    static const struct runtime_events events = {.remains = on_remains, .gone = on_gone};
    if (instance->order)
        return;
    instance->ran = true;
    if (runtime_adopt(instance->services->runtime, instance->identity, &events, instance, &instance->instance, NULL) <
        0)
        instance->instance = NULL;
    else if (runtime_stop(instance->instance, -1, NULL) < 0) // of a runtime that outlives its worker it would go on
        loop_timer_arm(instance->timer, clock_boot_ms() + LOOK_AGAIN_MS);
}

static void on_inspected(void *context, int64_t remaining, const struct err *error)
{
    struct service_instance *instance = context;
    instance->looking = false;
    if (!error && remaining != 0)
        end_remains(instance);
    if (instance->instance)
        return;
    if (error || remaining != 0) { // never said to be verified on a guess
        loop_timer_arm(instance->timer, clock_boot_ms() + LOOK_AGAIN_MS);
        return;
    }
    // Of one that never ran here this was the only look, and what it shows is absence.
    instance->grade = instance->ran ? GRADE_VERIFIED : GRADE_ABSENT;
    service_observe(instance, INSTANCE_VERIFIED);
}

void service_instance_look(struct service_instance *instance)
{
    bool has_ended = instance->state == INSTANCE_STOPPED || instance->state == INSTANCE_FAILED;
    if (instance->looking || instance->instance || !has_ended) {
        service_say(instance);
        return;
    }
    instance->looking = true;
    if (runtime_inspect(instance->services->runtime, instance->identity, on_inspected, instance, NULL) == 0)
        return;
    instance->looking = false;
    loop_timer_arm(instance->timer, clock_boot_ms() + LOOK_AGAIN_MS);
}

static void end(struct service_instance *instance)
{
    loop_timer_disarm(instance->timer);
    readiness_free(instance->readiness);
    instance->readiness = NULL;
    log_close(instance->log);
    instance->log = NULL;
    give_back_directory(instance);
    service_observe(instance, instance->stop_asked ? INSTANCE_STOPPED : INSTANCE_FAILED);
    service_instance_look(instance);
}

// It is there, whatever was seen before, and stays until somebody else has ended it.
static void on_remains(void *context, struct runtime_instance *remaining, const char *text)
{
    UNUSED(remaining);
    struct service_instance *instance = context;
    bool is_known = instance->state == INSTANCE_STUCK && strcmp(strbuf_text(&instance->error), text) == 0;
    if (is_known)
        return;
    service_note_error(instance, "%s", text);
    service_observe(instance, INSTANCE_STUCK);
}

static void on_gone(void *context, struct runtime_instance *gone_instance, const struct runtime_gone *gone)
{
    struct service_instance *instance = context;
    if (instance->state == INSTANCE_STUCK)
        service_note_error(instance, "it was stuck, and is gone");
    service_note_gone(instance, gone);
    instance->instance = NULL;
    runtime_release(gone_instance);
    end(instance);
}

// It never ran: there is nothing that could be left, but it is looked for all the same.
static void fail_to_start(struct service_instance *instance, const char *what, const struct err *error)
{
    service_note_error(instance, "%s: %s", what, error->text);
    instance->grade = GRADE_ABSENT;
    end(instance);
}

// ---- readiness

static void on_ready(void *context)
{
    struct service_instance *instance = context;
    if (instance->stop_asked)
        return;
    strbuf_clear(&instance->error);
    service_observe(instance, INSTANCE_READY);
}

static void on_unhealthy(void *context, const char *why)
{
    struct service_instance *instance = context;
    if (instance->stop_asked)
        return;
    service_note_error(instance, "%s", why);
    service_observe(instance, INSTANCE_UNHEALTHY);
}

static void on_trouble(void *context, const char *why)
{
    struct service_instance *instance = context;
    if (!instance->stop_asked)
        service_note_trouble(instance, why);
}

static int port_of_check(const struct service_instance *instance)
{
    const char *wanted = instance->order->run.ready.port;
    for (size_t i = 0; i < instance->port_count; i++)
        if (!wanted || strcmp(instance->ports[i].name, wanted) == 0)
            return instance->reached[i];
    return 0;
}

static void begin_checks(struct service_instance *instance)
{
    static const struct readiness_events events = {
        .on_ready = on_ready, .on_unhealthy = on_unhealthy, .on_trouble = on_trouble};
    struct services *services = instance->services;
    const struct readiness_target target = {
        .spec = &instance->order->run.ready,
        .instance = instance->instance,
        .exec = (const char *const *)instance->check,
        .host = instance->address[0] ? instance->address : services->host,
        .port = port_of_check(instance),
        .behind_proxy = run_spec_in_container(&instance->order->run.run),
        .was_ready = instance->order->adopts && instance->order->ready,
    };
    struct err err;
    if (readiness_new(services->loop, services->http, &target, &events, instance, &instance->readiness, &err) < 0)
        service_note_error(instance, "%s", err.text); // its start deadline ends it
}

// Whether it can be reached: what has ended already has no ports any more.
static bool note_addresses(struct service_instance *instance, const struct runtime_started *started)
{
    bool reachable = true;
    for (size_t i = 0; i < instance->port_count; i++) {
        instance->reached[i] = started->port_numbers ? started->port_numbers[i] : instance->ports[i].number;
        reachable = reachable && instance->reached[i] > 0;
    }
    if (started->address)
        snprintf(instance->address, sizeof instance->address, "%s", started->address);
    if (started->host && !instance->host)
        instance->host = strdup(started->host);
    return reachable;
}

static void on_started(void *context, struct runtime_instance *started_instance, const struct runtime_started *started)
{
    UNUSED(started_instance);
    struct service_instance *instance = context;
    snprintf(instance->object, sizeof instance->object, "%s", started->object);
    snprintf(instance->boundary, sizeof instance->boundary, "%s", started->boundary);
    if (!note_addresses(instance, started) || service_note_ports(instance, started->port_numbers, NULL) < 0)
        strbuf_clear(&instance->ports_json);
    if (instance->stop_asked)
        return;
    service_observe(instance, instance->order->adopts && instance->order->ready ? INSTANCE_READY : INSTANCE_STARTING);
    if (!instance->readiness)
        begin_checks(instance);
}

static void on_output(void *context, struct runtime_instance *writing, enum runtime_stream stream, const char *bytes,
                      size_t length)
{
    UNUSED(writing);
    UNUSED(stream);
    struct service_instance *instance = context;
    last_line_add(&instance->last_line, bytes, length);
    log_write(instance->log, bytes, length);
    readiness_output(instance->readiness, bytes, length);
}

// ---- the start

static int choose_ports(struct service_instance *instance, struct err *err)
{
    const struct service_spec *spec = &instance->order->run;
    instance->port_count = MIN(spec->port_count, (size_t)SPEC_PORTS_MAX);
    for (size_t i = 0; i < instance->port_count; i++)
        instance->ports[i] =
            (struct runtime_port){.name = spec->ports[i].name, .container = (int)spec->ports[i].container};
    return runtime_choose_ports(instance->services->runtime, run_spec_in_container(&spec->run), instance->ports,
                                instance->port_count, err);
}

static const struct runtime_events running_events = {
    .started = on_started, .output = on_output, .remains = on_remains, .gone = on_gone};

static int run(struct service_instance *instance, char **argv, const char *const *environment, struct err *err)
{
    const struct service_spec *spec = &instance->order->run;
    const struct runtime_spec runtime_spec = {
        .identity = instance->identity,
        .job = instance->job,
        .name = instance->service,
        .container = run_spec_in_container(&spec->run),
        .image = spec->run.image,
        .survives = true,
        .argv = (const char *const *)argv,
        .env = environment,
        .directory = instance->directory,
        .services = instance->order->services,
        .service_count = instance->order->service_count,
        .stdin_mode = RUNTIME_STDIN_EMPTY,
        .stop_signal = spec->stop.signal,
        .stop_grace_ms = spec->stop.grace_ms,
        .memory_bytes = spec->run.memory_bytes,
        .cpu_millis = spec->run.cpus_milli,
        .ports = instance->ports,
        .port_count = instance->port_count,
    };
    return runtime_start(instance->services->runtime, &runtime_spec, &running_events, instance, &instance->instance,
                         err);
}

static void open_log(struct service_instance *instance)
{
    char source[SOURCE_SIZE];
    snprintf(source, sizeof source, "service/%s/%d", instance->service, instance->epoch);
    instance->log = logs_open(instance->services->logs, instance->job, source);
}

static int start_process(struct service_instance *instance, struct err *err)
{
    AUTO_ENVIRONMENT struct environment *environment = NULL;
    const struct service_spec *spec = &instance->order->run;
    const char *const *variables = NULL;
    char **argv = NULL;
    if (choose_ports(instance, err) < 0 || environment_new(!run_spec_in_container(&spec->run), &environment, err) < 0 ||
        service_make_environment(instance, environment, &variables, err) < 0 ||
        service_make_argv(instance, &spec->ready.exec, &instance->check, err) < 0 ||
        service_make_argv(instance, &spec->run.command, &argv, err) < 0)
        return -1;
    open_log(instance);
    int outcome = run(instance, argv, variables, err);
    instance->ran = outcome == 0;
    service_free_texts(argv);
    return outcome;
}

static void on_workspace(void *context, const char *directory, const struct err *error)
{
    struct service_instance *instance = context;
    struct err err = {0};
    instance->request = NULL;
    if (!directory) {
        fail_to_start(instance, "working directory", error);
        return;
    }
    instance->directory = strdup(directory);
    if (!instance->directory) {
        workspace_remove(instance->services->workspaces, directory);
        err_set(&err, ERR_NO_MEMORY, "no memory");
    }
    if (!instance->directory || start_process(instance, &err) < 0)
        fail_to_start(instance, "start", &err);
}

void service_instance_start(struct service_instance *instance)
{
    struct err err;
    char name[SOURCE_SIZE];
    snprintf(name, sizeof name, "service-%s-%d", instance->service, instance->epoch);
    service_observe(instance, INSTANCE_STARTING);
    if (workspace_prepare(instance->services->workspaces, name, instance->order->bundle, on_workspace, instance,
                          &instance->request, &err) < 0)
        fail_to_start(instance, "working directory", &err);
}

// Its output comes again from the beginning, at the positions that it had, so that nothing is logged twice.
static int take_over(struct service_instance *instance, struct err *err)
{
    if (choose_ports(instance, err) < 0 ||
        service_make_argv(instance, &instance->order->run.ready.exec, &instance->check, err) < 0)
        return -1;
    open_log(instance);
    return runtime_adopt(instance->services->runtime, instance->identity, &running_events, instance,
                         &instance->instance, err);
}

void service_instance_adopt(struct service_instance *instance)
{
    struct err err;
    instance->ran = true;
    instance->state = INSTANCE_STARTING; // said when the runtime has looked
    if (take_over(instance, &err) == 0)
        return;
    instance->instance = NULL;
    fail_to_start(instance, "take over", &err);
}

// ---- the stop

// It is stuck when the kill was carried out, and nothing but itself has kept it for so long since. Until what carries
// it works it is being killed, and that is said.
static void judge_kill(struct service_instance *instance)
{
    struct err why;
    int64_t now_ms = clock_boot_ms(), patience_ms = instance->services->settings.stuck_after_ms;
    int64_t since_ms = runtime_resists_since_ms(instance->instance, &why);
    int64_t stuck_at_ms = MAX(since_ms, instance->killing_since_ms) + patience_ms;
    if (instance->state == INSTANCE_STUCK) {
        loop_timer_arm(instance->timer, now_ms + patience_ms);
    } else if (since_ms == 0) {
        service_note_trouble(instance, why.text);
        loop_timer_arm(instance->timer, now_ms + MIN(patience_ms, PRESS_AGAIN_MS));
    } else if (now_ms < stuck_at_ms) {
        service_note_trouble(instance, NULL);
        loop_timer_arm(instance->timer, MIN(stuck_at_ms, now_ms + PRESS_AGAIN_MS));
    } else {
        service_note_error(instance, "it is still there after SIGKILL%s%s", *why.text ? ": " : "", why.text);
        service_observe(instance, INSTANCE_STUCK);
        loop_timer_arm(instance->timer, now_ms + patience_ms);
    }
}

// After a stop: first the grace is over, then all patience.
static void on_timer(void *context)
{
    struct service_instance *instance = context;
    int64_t now_ms = clock_boot_ms();
    if (!instance->instance) {
        service_instance_look(instance);
    } else if (instance->state != INSTANCE_KILLING && instance->state != INSTANCE_STUCK) {
        instance->killing_since_ms = now_ms;
        service_observe(instance, INSTANCE_KILLING);
        loop_timer_arm(instance->timer, now_ms + MIN(instance->services->settings.stuck_after_ms, PRESS_AGAIN_MS));
    } else {
        runtime_kill(instance->instance, NULL); // as long as there is something to kill
        judge_kill(instance);
    }
}

void service_instance_stop(struct service_instance *instance)
{
    struct err err;
    if (instance->stop_asked || instance_is_over(instance->state)) {
        service_say(instance);
        return;
    }
    bool had_ended = instance->state == INSTANCE_FAILED;
    instance->stop_asked = true;
    if (had_ended) {
        service_instance_look(instance);
        return;
    }
    if (!instance->instance) { // it was never started, and never will be
        workspace_cancel(instance->request);
        instance->request = NULL;
        instance->grade = GRADE_ABSENT;
        end(instance);
        return;
    }
    readiness_stop(instance->readiness);
    service_note_trouble(instance, NULL);
    if (runtime_stop(instance->instance, -1, &err) < 0)
        service_note_error(instance, "stop: %s", err.text);
    loop_timer_arm(instance->timer, clock_boot_ms() + instance->order->run.stop.grace_ms);
}

void service_instance_kill(struct service_instance *instance)
{
    struct err err;
    if (instance->instance && runtime_kill(instance->instance, &err) < 0)
        service_note_error(instance, "kill: %s", err.text);
    if (!instance->instance && instance->request) {
        workspace_cancel(instance->request);
        instance->request = NULL;
        instance->grade = GRADE_ABSENT;
        end(instance);
    }
}
