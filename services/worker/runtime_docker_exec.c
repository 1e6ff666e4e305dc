// Probes: commands that are run beside the container's own, inside of it.
//
// The engine has no call that ends one: a probe that takes too long is no longer waited for, and ends with its
// container.
#include "services/common/base/cleanup.h"
#include "services/common/base/clock.h"
#include "services/worker/runtime_docker_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct docker_probe {
    struct docker_instance *instance;
    struct docker_probe *next;
    struct http_async_call *call;
    struct loop_timer *timer;
    char id[ENGINE_ID_SIZE];
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

static void end(struct docker_probe *probe, const struct runtime_exit *exit)
{
    runtime_exec_fn function = probe->function;
    void *context = probe->context;
    unlink_probe(probe);
    http_async_cancel(probe->call);
    loop_timer_remove(probe->timer);
    free(probe);
    if (exit)
        function(context, exit);
}

static void end_unknown(struct docker_probe *probe)
{
    end(probe, &(struct runtime_exit){.at_wall_us = clock_wall_us()});
}

static void on_timeout(void *context)
{
    end_unknown(context);
}

void docker_probes_end(struct docker_instance *instance, bool told)
{
    while (instance->probes) {
        if (told)
            end_unknown(instance->probes);
        else
            end(instance->probes, NULL);
    }
}

static void on_looked(void *context, struct http_response *response, const struct err *failure)
{
    struct docker_probe *probe = context;
    struct err err;
    int code = -1;
    UNUSED(failure);
    probe->call = NULL;
    if (response && response->status == 200 &&
        engine_exec_read(strbuf_text(&response->body), response->body.length, &code, &err) == 0 && code >= 0)
        end(probe, &(struct runtime_exit){.known = true, .code = code, .at_wall_us = clock_wall_us()});
    else
        end_unknown(probe);
}

static void on_ran(void *context, struct http_response *response, const struct err *failure)
{
    struct docker_probe *probe = context;
    char path[ENGINE_ID_SIZE + 32];
    UNUSED(failure);
    probe->call = NULL;
    snprintf(path, sizeof path, "/exec/%s/json", probe->id);
    const struct http_call call = {.method = "GET", .path = path};
    if (!response || response->status != 200 ||
        docker_engine_call(probe->instance->runtime->engine, &call, on_looked, probe, &probe->call, NULL) < 0)
        end_unknown(probe);
}

static int drop_output(void *context, const char *bytes, size_t length)
{
    UNUSED(context);
    UNUSED(bytes);
    UNUSED(length);
    return 0;
}

// The answer lasts as long as the command runs.
static void on_created(void *context, struct http_response *response, const struct err *failure)
{
    static const char body[] = "{\"Detach\":false,\"Tty\":false}";
    struct docker_probe *probe = context;
    char path[ENGINE_ID_SIZE + 32];
    UNUSED(failure);
    probe->call = NULL;
    if (!response || response->status != 201 ||
        engine_created_read(strbuf_text(&response->body), response->body.length, probe->id, NULL) < 0) {
        end_unknown(probe);
        return;
    }
    snprintf(path, sizeof path, "/exec/%s/start", probe->id);
    const struct http_call call = {.method = "POST",
                                   .path = path,
                                   .body = body,
                                   .body_length = sizeof body - 1,
                                   .timeout_ms = -1,
                                   .on_body = drop_output,
                                   .no_reuse = true};
    if (docker_engine_call(probe->instance->runtime->engine, &call, on_ran, probe, &probe->call, NULL) < 0)
        end_unknown(probe);
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

int docker_runtime_exec(struct runtime_instance *base, const char *const *argv, int64_t timeout_ms,
                        runtime_exec_fn function, void *context, struct err *err)
{
    struct docker_instance *instance = docker_instance_of(base);
    if (!instance->running)
        return err_set(err, ERR_CONFLICT, "'%.100s' does not run", instance->identity);
    struct docker_probe *probe = calloc(1, sizeof *probe);
    if (!probe)
        return err_set(err, ERR_NO_MEMORY, "no memory for a probe");
    *probe =
        (struct docker_probe){.instance = instance, .next = instance->probes, .function = function, .context = context};
    instance->probes = probe;
    if (loop_timer_add(instance->runtime->loop, on_timeout, probe, &probe->timer, err) < 0 ||
        send_probe(probe, argv, err) < 0) {
        end(probe, NULL);
        return -1;
    }
    loop_timer_arm(probe->timer, clock_boot_ms() + timeout_ms);
    return 0;
}
