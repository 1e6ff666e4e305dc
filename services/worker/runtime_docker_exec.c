// Probes: commands that are run beside the container's own, inside of it.
//
// The engine has no call that ends one: a probe that takes too long is no longer waited for, and ends with its
// container. What the engine did not do is not held against the command: an end that was not seen, and an exit code of
// a command that was never started, count only when the engine is known to have worked all the while (engine_pulse.h).
// Where that is not known yet it is asked from then on, so that the next probe can be judged.
#include "services/common/base/cleanup.h"
#include "services/common/base/clock.h"
#include "services/worker/runtime_docker_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DOUBT_MS 30000 // until the next probe
#define LOOK_MS 3000
#define NOT_SEEN "the command has not ended in time, or the container engine has not run it"

struct docker_probe {
    struct docker_instance *instance;
    struct docker_probe *next;
    struct http_async_call *call;
    struct loop_timer *timer;
    char id[ENGINE_ID_SIZE];
    int64_t began_ms;
    bool late; // its time is over, and the engine was asked whether it runs
    runtime_exec_fn function;
    void *context;
};

static void unlink_probe(struct docker_probe *probe)
{
    struct docker_probe **link = &probe->instance->probes;
    while (*link != probe)
        link = &(*link)->next;
    *link = probe->next;
}

// Without an exit nothing is told.
static void end(struct docker_probe *probe, const struct runtime_exit *exit, const struct err *trouble)
{
    runtime_exec_fn function = probe->function;
    void *context = probe->context;
    unlink_probe(probe);
    http_async_cancel(probe->call);
    loop_timer_remove(probe->timer);
    free(probe);
    if (exit)
        function(context, exit, trouble);
}

static void end_unmade(struct docker_probe *probe, const struct err *trouble)
{
    probe->instance->doubts_engine = true;
    engine_pulse_need(probe->instance->runtime->pulse, DOUBT_MS);
    end(probe, &(struct runtime_exit){.at_wall_us = clock_wall_us()}, trouble);
}

static void end_unanswered(struct docker_probe *probe, const struct err *failure)
{
    struct err err;
    err_set(&err, ERR_UNAVAILABLE, "the container engine does not answer (%.120s)", failure->text);
    end_unmade(probe, &err);
}

static void end_refused(struct docker_probe *probe, const struct http_response *response)
{
    struct err err = {0};
    docker_engine_refused(response, "running a command in the container", &err);
    end_unmade(probe, &err);
}

static bool engine_worked(const struct docker_probe *probe)
{
    return engine_pulse_worked_since(probe->instance->runtime->pulse, probe->began_ms);
}

static void end_unseen(struct docker_probe *probe, const char *what)
{
    const char *known = engine_pulse_trouble(probe->instance->runtime->pulse);
    struct err err;
    err_set(&err, ERR_UNAVAILABLE, "%s", *known ? known : what);
    end_unmade(probe, &err);
}

// It counts, or `what` has become of it.
static void end_doubtful(struct docker_probe *probe, const struct runtime_exit *exit, const char *what)
{
    if (engine_worked(probe))
        end(probe, exit, NULL);
    else
        end_unseen(probe, what);
}

void docker_probes_end(struct docker_instance *instance, bool told)
{
    static const struct runtime_exit unknown = {0};
    struct err err;
    err_set(&err, ERR_CONFLICT, "its container has ended");
    while (instance->probes)
        end(instance->probes, told ? &unknown : NULL, &err);
}

static void judge(struct docker_probe *probe, const struct engine_exec *exec)
{
    const struct runtime_exit exit = {
        .known = exec->code >= 0, .code = exec->code, .at_wall_us = clock_wall_us()}; // without: it runs still
    if (exit.known && exec->began) {
        probe->instance->doubts_engine = false;
        end(probe, &exit, NULL);
    } else if (exit.known) {
        end_doubtful(probe, &exit, "the container engine could not start the command");
    } else if (probe->late && exec->began) {
        end_doubtful(probe, &exit, NOT_SEEN);
    } else {
        end_unseen(probe, "the container engine has not run the command in time");
    }
}

static void on_looked(void *context, struct http_response *response, const struct err *failure)
{
    struct docker_probe *probe = context;
    struct engine_exec exec;
    struct err err;
    probe->call = NULL;
    if (!response)
        end_unanswered(probe, failure);
    else if (response->status != 200)
        end_refused(probe, response);
    else if (engine_exec_read(strbuf_text(&response->body), response->body.length, &exec, &err) < 0)
        end_unmade(probe, &err);
    else
        judge(probe, &exec);
}

static void look(struct docker_probe *probe)
{
    char path[ENGINE_ID_SIZE + 32];
    struct err err;
    snprintf(path, sizeof path, "/exec/%s/json", probe->id);
    const struct http_call call = {.method = "GET", .path = path, .timeout_ms = LOOK_MS};
    if (docker_engine_call(probe->instance->runtime->engine, &call, on_looked, probe, &probe->call, &err) < 0)
        end_unmade(probe, &err);
}

static void on_timeout(void *context)
{
    struct docker_probe *probe = context;
    probe->late = true;
    if (!probe->id[0] || !engine_worked(probe)) {
        end_unseen(probe, NOT_SEEN);
        return;
    }
    http_async_cancel(TAKE_PTR(probe->call));
    look(probe);
}

// An engine that could not start it says so in the output, or by a status; in any case it has noted an exit code.
static void on_ran(void *context, struct http_response *response, const struct err *failure)
{
    struct docker_probe *probe = context;
    probe->call = NULL;
    if (!response)
        end_unanswered(probe, failure);
    else
        look(probe);
}

static int drop_output(void *context, const char *bytes, size_t length)
{
    UNUSED(context);
    UNUSED(bytes);
    UNUSED(length);
    return 0;
}

// The answer lasts as long as the command runs.
static void run(struct docker_probe *probe)
{
    static const char body[] = "{\"Detach\":false,\"Tty\":false}";
    char path[ENGINE_ID_SIZE + 32];
    struct err err;
    snprintf(path, sizeof path, "/exec/%s/start", probe->id);
    const struct http_call call = {.method = "POST",
                                   .path = path,
                                   .body = body,
                                   .body_length = sizeof body - 1,
                                   .timeout_ms = -1,
                                   .on_body = drop_output,
                                   .no_reuse = true};
    if (docker_engine_call(probe->instance->runtime->engine, &call, on_ran, probe, &probe->call, &err) < 0)
        end_unmade(probe, &err);
}

static void on_created(void *context, struct http_response *response, const struct err *failure)
{
    struct docker_probe *probe = context;
    struct err err;
    probe->call = NULL;
    if (!response)
        end_unanswered(probe, failure);
    else if (response->status != 201)
        end_refused(probe, response);
    else if (engine_created_read(strbuf_text(&response->body), response->body.length, probe->id, &err) < 0)
        end_unmade(probe, &err);
    else
        run(probe);
}

static void write_body(const char *const *argv, struct strbuf *out)
{
    strbuf_add_text(out, "{\"AttachStdout\":true,\"AttachStderr\":true,\"Cmd\":[");
    for (size_t i = 0; argv[i]; i++) {
        if (i > 0)
            strbuf_add_char(out, ',');
        strbuf_add_json(out, argv[i], strlen(argv[i]));
    }
    strbuf_add_text(out, "]}");
}

static int send_probe(struct docker_probe *probe, const char *const *argv, struct err *err)
{
    AUTO_STRBUF struct strbuf body = STRBUF_INIT;
    char path[ENGINE_ID_SIZE + 32];
    write_body(argv, &body);
    snprintf(path, sizeof path, "/containers/%s/exec", probe->instance->container);
    if (strbuf_ok(&body, err) < 0)
        return -1;
    const struct http_call call = {.method = "POST", .path = path, .body = body.data, .body_length = body.length};
    return docker_engine_call(probe->instance->runtime->engine, &call, on_created, probe, &probe->call, err);
}

// An engine that does not work is not given more to do.
static int ask_pulse(struct docker_instance *instance, int64_t timeout_ms, struct err *err)
{
    struct engine_pulse *pulse = instance->runtime->pulse;
    const char *trouble = engine_pulse_trouble(pulse);
    instance->doubts_engine |= *trouble != '\0';
    if (instance->doubts_engine)
        engine_pulse_need(pulse, timeout_ms + DOUBT_MS);
    return *trouble ? err_set(err, ERR_UNAVAILABLE, "%s", trouble) : 0;
}

int docker_runtime_exec(struct runtime_instance *base, const char *const *argv, int64_t timeout_ms,
                        runtime_exec_fn function, void *context, struct err *err)
{
    struct docker_instance *instance = docker_instance_of(base);
    if (!instance->running)
        return err_set(err, ERR_CONFLICT, "'%.100s' does not run", instance->identity);
    if (ask_pulse(instance, timeout_ms, err) < 0)
        return -1;
    struct docker_probe *probe = calloc(1, sizeof *probe);
    if (!probe)
        return err_set(err, ERR_NO_MEMORY, "no memory for a probe");
    *probe = (struct docker_probe){.instance = instance,
                                   .next = instance->probes,
                                   .began_ms = clock_boot_ms(),
                                   .function = function,
                                   .context = context};
    instance->probes = probe;
    if (loop_timer_add(instance->runtime->loop, on_timeout, probe, &probe->timer, err) < 0 ||
        send_probe(probe, argv, err) < 0) {
        end(probe, NULL, NULL);
        return -1;
    }
    loop_timer_arm(probe->timer, probe->began_ms + timeout_ms);
    return 0;
}
