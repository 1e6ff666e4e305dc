// What is to be started, or taken over: copied, named and labelled.
#include "services/common/base/clock.h"
#include "services/common/model/signal_name.h"
#include "services/worker/runtime_docker_internal.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static const char *const *copy_list(struct arena *arena, const char *const *list)
{
    size_t count = 0;
    while (list && list[count])
        count++;
    const char **copy = arena_alloc_zero(arena, count + 1, sizeof *copy);
    for (size_t i = 0; copy && i < count; i++)
        if (!(copy[i] = arena_copy(arena, list[i], strlen(list[i]))))
            return NULL;
    return copy;
}

static const char *copy_text(struct arena *arena, const char *text)
{
    return text ? arena_copy(arena, text, strlen(text)) : NULL;
}

static bool copy_ports(struct docker_instance *instance, const struct runtime_spec *spec)
{
    struct engine_create_port *ports = arena_alloc_zero(instance->arena, spec->port_count + 1, sizeof *ports);
    for (size_t i = 0; ports && i < spec->port_count; i++) {
        ports[i].name = copy_text(instance->arena, spec->ports[i].name);
        ports[i].container = spec->ports[i].number;
        if (!ports[i].name)
            return false;
    }
    instance->create.ports = ports;
    instance->create.port_count = MIN(spec->port_count, (size_t)ENGINE_PORTS_MAX);
    return ports != NULL;
}

static bool copy_services(struct docker_instance *instance, const struct runtime_spec *spec)
{
    struct service_address *services = arena_alloc_zero(instance->arena, spec->service_count + 1, sizeof *services);
    for (size_t i = 0; services && i < spec->service_count; i++) {
        services[i] = spec->services[i];
        services[i].name = copy_text(instance->arena, spec->services[i].name);
        services[i].host = copy_text(instance->arena, spec->services[i].host);
        for (size_t n = 0; n < services[i].port_count; n++)
            if (!(services[i].ports[n].name = copy_text(instance->arena, spec->services[i].ports[n].name)))
                return false;
        if (!services[i].name)
            return false;
    }
    instance->services = services;
    instance->service_count = spec->service_count;
    return services != NULL;
}

// "JOB/SERVICE/EPOCH": the labels of a service; tasks have four parts.
static void label_service(struct docker_instance *instance)
{
    const char *last = strrchr(instance->identity, '/');
    if (instance->survives && last) {
        instance->create.service = instance->name;
        instance->create.epoch = last + 1;
    }
}

static bool copy_spec(struct docker_instance *instance, const struct runtime_spec *spec)
{
    struct arena *arena = instance->arena;
    const char *signal = signal_name(spec->stop_signal ? spec->stop_signal : SIGTERM);
    char archive[PATH_MAX];
    snprintf(archive, sizeof archive, "%.4000s.tar", spec->directory);
    instance->job = copy_text(arena, spec->job);
    instance->name = copy_text(arena, spec->name);
    instance->directory = copy_text(arena, spec->directory);
    instance->output = instance->output_inside = copy_text(arena, spec->output);
    instance->archive = copy_text(arena, archive);
    instance->stdin_bytes = spec->stdin_length > 0 ? arena_copy(arena, spec->stdin_bytes, spec->stdin_length) : "";
    instance->stdin_length = spec->stdin_length;
    instance->stdin_mode = spec->stdin_mode;
    instance->survives = spec->survives;
    instance->create = (struct engine_create){
        .image = copy_text(arena, spec->image),
        .argv = copy_list(arena, spec->argv),
        .env = copy_list(arena, spec->env),
        .directory = instance->directory,
        .has_stdin = spec->stdin_mode != RUNTIME_STDIN_EMPTY,
        .deployment = instance->runtime->deployment,
        .job = instance->job,
        .identity = instance->identity,
        .worker = instance->runtime->worker,
        .owner = instance->runtime->owner,
        .output = instance->output,
        .alias = instance->name,
        .publish_address = instance->runtime->publish,
        .stop_signal = signal ? signal : "SIGTERM",
        .stop_grace_ms = spec->stop_grace_ms,
        .memory_bytes = spec->memory_bytes,
        .cpu_millis = spec->cpu_millis,
        .processes = spec->processes,
        .open_files = spec->open_files,
    };
    label_service(instance);
    return instance->job && instance->name && instance->directory && instance->archive && instance->stdin_bytes &&
           (instance->output || !spec->output) && instance->create.image && instance->create.argv &&
           instance->create.env && copy_ports(instance, spec) && copy_services(instance, spec);
}

static bool name_things(struct docker_instance *instance)
{
    char name[ENGINE_NAME_SIZE], network[ENGINE_NAME_SIZE];
    engine_container_name(instance->runtime->deployment, instance->identity, name);
    engine_network_name(instance->runtime->deployment, instance->job, network);
    instance->container_name = copy_text(instance->arena, name);
    instance->network = copy_text(instance->arena, network);
    instance->create.network = instance->network;
    return instance->container_name && instance->network;
}

int docker_runtime_start(struct runtime *base, const struct runtime_spec *spec, const struct runtime_events *events,
                         void *context, struct runtime_instance **out, struct err *err)
{
    struct docker_runtime *runtime = docker_runtime_of(base);
    if (clock_boot_ms() >= runtime->lease_boot_ms)
        return err_set(err, ERR_STALE, "no lease holds");
    if (!spec->image || !spec->directory)
        return err_set(err, ERR_INVALID, "a container needs an image and a working directory");
    if (docker_instance_find(runtime, spec->identity))
        return err_set(err, ERR_CONFLICT, "'%.100s' is there already", spec->identity);
    struct docker_instance *instance = docker_instance_new(runtime, spec->identity, events, context, err);
    if (!instance)
        return -1;
    if (!copy_spec(instance, spec) || !name_things(instance)) {
        docker_instance_detach(instance);
        return err_set(err, ERR_NO_MEMORY, "no memory for a container");
    }
    *out = &instance->base;
    docker_go(instance, DOCKER_PACK);
    return 0;
}

// `output` is NULL for what is no task.
static int adopt(struct docker_runtime *runtime, const char *identity, const char *output,
                 const struct runtime_events *events, void *context, struct runtime_instance **out, struct err *err)
{
    static const char *const nothing[] = {NULL};
    if (docker_instance_find(runtime, identity))
        return err_set(err, ERR_CONFLICT, "'%.100s' is there already", identity);
    struct docker_instance *instance = docker_instance_new(runtime, identity, events, context, err);
    if (!instance)
        return -1;
    instance->adopted = true;
    instance->survives = !output;
    instance->output = copy_text(instance->arena, output);
    instance->job = arena_copy(instance->arena, identity, strcspn(identity, "/"));
    instance->create.argv = instance->create.env = nothing;
    instance->create.stop_signal = "SIGTERM";
    if (!instance->job || (output && !instance->output) || !name_things(instance)) {
        docker_instance_detach(instance);
        return err_set(err, ERR_NO_MEMORY, "no memory for a container");
    }
    *out = &instance->base;
    docker_go(instance, DOCKER_LOOK);
    return 0;
}

int docker_runtime_adopt(struct runtime *base, const char *identity, const struct runtime_events *events, void *context,
                         struct runtime_instance **out, struct err *err)
{
    return adopt(docker_runtime_of(base), identity, NULL, events, context, out, err);
}

int docker_runtime_adopt_task(struct runtime *base, const char *identity, const char *output,
                              const struct runtime_events *events, void *context, struct runtime_instance **out,
                              struct err *err)
{
    return adopt(docker_runtime_of(base), identity, output, events, context, out, err);
}
