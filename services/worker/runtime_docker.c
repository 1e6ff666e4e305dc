#include "services/worker/runtime_docker.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/clock.h"
#include "services/worker/runtime_docker_internal.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BACKOFF_MS 100
#define BACKOFF_MAX_MS 2000
#define FIRST_PORT 20000 // in a container, for a port that says no number: there is nobody else in there
#define ARENA_BYTES 4096

// ---- instances

struct docker_instance *docker_instance_find(struct docker_runtime *runtime, const char *identity)
{
    struct docker_instance *instance = runtime->instances;
    while (instance && strcmp(instance->identity, identity) != 0)
        instance = instance->next;
    return instance;
}

void docker_instance_hold(struct docker_instance *instance)
{
    instance->references++;
}

void docker_instance_drop(struct docker_instance *instance)
{
    if (--instance->references > 0)
        return;
    strbuf_release(&instance->progress);
    arena_free(instance->arena);
    free(instance);
}

void docker_instance_detach(struct docker_instance *instance)
{
    if (instance->released)
        return;
    instance->released = true;
    docker_probes_end(instance, false);
    docker_streams_close(instance);
    docker_network_abandon(instance);
    background_cancel(TAKE_PTR(instance->packing));
    http_async_cancel(TAKE_PTR(instance->call));
    http_async_cancel(TAKE_PTR(instance->push));
    loop_timer_remove(TAKE_PTR(instance->timer));
    loop_timer_remove(TAKE_PTR(instance->streams));
    loop_timer_remove(TAKE_PTR(instance->pressure));
    cleanup_close(&instance->upload_fd);
    instance->upload_fd = -1;
    if (instance->archive)
        unlink(instance->archive);
    *(instance->previous ? &instance->previous->next : &instance->runtime->instances) = instance->next;
    if (instance->next)
        instance->next->previous = instance->previous;
    docker_instance_drop(instance);
}

static void link_instance(struct docker_instance *instance)
{
    instance->next = instance->runtime->instances;
    if (instance->next)
        instance->next->previous = instance;
    instance->runtime->instances = instance;
}

struct docker_instance *docker_instance_new(struct docker_runtime *runtime, const char *identity,
                                            const struct runtime_events *events, void *context, struct err *err)
{
    struct docker_instance *instance = calloc(1, sizeof *instance);
    if (!instance) {
        err_set(err, ERR_NO_MEMORY, "no memory for a container");
        return NULL;
    }
    *instance = (struct docker_instance){
        .base.runtime = &runtime->base,
        .runtime = runtime,
        .events = *events,
        .context = context,
        .arena = arena_new(ARENA_BYTES),
        .upload_fd = -1,
        .backoff = {.base_ms = BACKOFF_MS, .max_ms = BACKOFF_MAX_MS},
        .references = 1,
    };
    link_instance(instance);
    instance->identity = instance->arena ? arena_copy(instance->arena, identity, strlen(identity)) : NULL;
    if (!instance->identity)
        err_set(err, ERR_NO_MEMORY, "no memory for a container");
    else if (loop_timer_add(runtime->loop, docker_step_timer, instance, &instance->timer, err) == 0 &&
             loop_timer_add(runtime->loop, docker_streams_again, instance, &instance->streams, err) == 0 &&
             loop_timer_add(runtime->loop, docker_press, instance, &instance->pressure, err) == 0)
        return instance;
    docker_instance_detach(instance);
    return NULL;
}

static void docker_runtime_release(struct runtime_instance *base)
{
    docker_instance_detach(docker_instance_of(base));
}

// ---- the runtime

static int docker_runtime_choose_ports(struct runtime *base, bool container, struct runtime_port *ports, size_t count,
                                       struct err *err)
{
    UNUSED(base);
    if (!container || count > ENGINE_PORTS_MAX)
        return err_set(err, ERR_INVALID, "at most %d ports of a container", ENGINE_PORTS_MAX);
    for (size_t i = 0; i < count; i++)
        ports[i].number = ports[i].container > 0 ? ports[i].container : FIRST_PORT + (int)i;
    return 0;
}

// The lease is over: what must not run twice is ended.
static void on_fence(void *context)
{
    struct docker_runtime *runtime = context;
    for (struct docker_instance *instance = runtime->instances, *next; instance; instance = next) {
        next = instance->next;
        if (instance->survives || instance->step >= DOCKER_LOOK_AT_END)
            continue;
        instance->fenced = true;
        docker_stop_now(instance);
    }
}

static int docker_runtime_extend_lease(struct runtime *base, int64_t deadline_boot_ms, struct err *err)
{
    struct docker_runtime *runtime = docker_runtime_of(base);
    UNUSED(err);
    runtime->lease_boot_ms = deadline_boot_ms;
    loop_timer_arm(runtime->fence, deadline_boot_ms);
    return 0;
}

static void docker_runtime_free(struct runtime *base)
{
    struct docker_runtime *runtime = docker_runtime_of(base);
    while (runtime->instances)
        docker_instance_detach(runtime->instances);
    docker_queries_end(runtime);
    docker_networks_free(runtime);
    engine_pulse_free(runtime->pulse);
    loop_timer_remove(runtime->fence);
    free(runtime->deployment);
    free(runtime->worker);
    free(runtime->owner);
    free(runtime->records);
    free(runtime->boot);
    free(runtime);
}

static const struct runtime_ops DOCKER_OPS = {
    .name = "docker",
    .choose_ports = docker_runtime_choose_ports,
    .extend_lease = docker_runtime_extend_lease,
    .start = docker_runtime_start,
    .adopt = docker_runtime_adopt,
    .adopt_task = docker_runtime_adopt_task,
    .list = docker_runtime_list,
    .inspect = docker_runtime_inspect,
    .free = docker_runtime_free,
    .signal = docker_runtime_signal,
    .stop = docker_runtime_stop,
    .kill = docker_runtime_kill,
    .set_output = docker_runtime_set_output,
    .write = docker_runtime_write,
    .close_stdin = docker_runtime_close_stdin,
    .exec = docker_runtime_exec,
    .release = docker_runtime_release,
    .disturbed = docker_runtime_disturbed,
    .resists = docker_runtime_resists,
};

// Where ports are published has to be a number for the engine, and for probes.
static int resolve(struct docker_runtime *runtime, const char *address, struct err *err)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    snprintf(runtime->host, sizeof runtime->host, "%s", address);
    int failed = getaddrinfo(address, NULL, &hints, &found);
    if (failed)
        return err_set(err, ERR_INVALID, "engine-address: %.100s: %s", address, gai_strerror(failed));
    failed = getnameinfo(found->ai_addr, found->ai_addrlen, runtime->publish, sizeof runtime->publish, NULL, 0,
                         NI_NUMERICHOST);
    freeaddrinfo(found);
    return failed ? err_set(err, ERR_INVALID, "engine-address: %.100s: %s", address, gai_strerror(failed)) : 0;
}

int runtime_docker_new(const struct runtime_docker_settings *settings, struct runtime **out, struct err *err)
{
    struct docker_runtime *runtime = calloc(1, sizeof *runtime);
    if (!runtime)
        return err_set(err, ERR_NO_MEMORY, "no memory for the runtime");
    *runtime = (struct docker_runtime){
        .base.ops = &DOCKER_OPS,
        .loop = settings->loop,
        .engine = settings->engine,
        .deployment = strdup(settings->deployment),
        .worker = strdup(settings->worker),
        .owner = strdup(settings->owner),
        .image_timeout_ms = settings->image_timeout_ms,
    };
    int outcome = runtime->deployment && runtime->worker && runtime->owner
                      ? 0
                      : err_set(err, ERR_NO_MEMORY, "no memory for the runtime");
    if (outcome == 0)
        outcome = resolve(runtime, settings->address, err);
    if (outcome == 0 && settings->state_directory)
        outcome = docker_records_open(runtime, settings->state_directory, settings->boot, err);
    if (outcome == 0)
        outcome = loop_timer_add(runtime->loop, on_fence, runtime, &runtime->fence, err);
    if (outcome == 0)
        outcome = engine_pulse_new(runtime->loop, runtime->engine, &runtime->pulse, err);
    if (outcome < 0) {
        docker_runtime_free(&runtime->base);
        return -1;
    }
    *out = &runtime->base;
    return 0;
}
