// A container that was started, in this life of the worker or in an earlier one: what has become of it.
#include "services/common/base/cleanup.h"
#include "services/common/base/clock.h"
#include "services/worker/runtime_docker_internal.h"

#include <stdio.h>
#include <string.h>

static int look_begin(struct docker_instance *instance, struct err *err)
{
    UNUSED(err);
    return docker_ask(instance, "GET", "/containers/%s/json",
                      instance->container[0] ? instance->container : instance->container_name);
}

// Numbers as others reach them, in the order of the ports; of an adopted one as its label has them.
static void reached_ports(const struct engine_container *container, int numbers[static ENGINE_PORTS_MAX])
{
    struct engine_port ports[ENGINE_PORTS_MAX];
    size_t count = engine_ports_parse(container->ports, ports);
    for (size_t i = 0; i < count; i++)
        numbers[i] = engine_published_number(container, ports[i].container);
}

static void tell_started(struct docker_instance *instance, const struct engine_container *container)
{
    int numbers[ENGINE_PORTS_MAX] = {0};
    reached_ports(container, numbers);
    struct runtime_started started = {.boundary = "container",
                                      .limited = true,
                                      .host = instance->runtime->host,
                                      .address = instance->runtime->publish,
                                      .is_over = !container->running,
                                      .port_numbers = numbers};
    snprintf(started.object, sizeof started.object, "%.*s", (int)sizeof started.object - 1, container->id);
    instance->started = true;
    if (instance->events.started)
        instance->events.started(instance->context, &instance->base, &started);
}

static void take_over(struct docker_instance *instance, const struct engine_container *container)
{
    const char *signal = arena_copy(instance->arena, container->stop_signal, strlen(container->stop_signal));
    snprintf(instance->container, sizeof instance->container, "%s", container->id);
    instance->create.stop_signal = signal ? signal : "SIGTERM";
    if (*container->output)
        instance->output_inside = arena_copy(instance->arena, container->output, strlen(container->output));
    instance->create.stop_grace_ms = container->stop_grace_ms;
    docker_network_join(instance, NULL);
    instance->interrupted = true; // what it has written so far is with the engine
    if (instance->asked && instance->kill_at_ms == 0)
        instance->kill_at_ms = clock_boot_ms() + container->stop_grace_ms;
}

static void follow(struct docker_instance *instance, const struct engine_container *container)
{
    struct err err = {0};
    if (!container->running && !container->exited) { // created in a former life, and never started
        err_set(&err, ERR_UNAVAILABLE, "its worker ended before it was started");
        docker_give_up(instance, &err);
        return;
    }
    instance->running = container->running;
    if (!instance->started)
        tell_started(instance, container);
    if (instance->released)
        return;
    docker_streams_flow(instance);
    docker_streams_feed(instance);
    if (instance->running && !instance->attach && docker_streams_open(instance, &err) < 0)
        loop_timer_arm(instance->streams, clock_boot_ms());
    docker_go(instance, container->running ? DOCKER_WAIT : DOCKER_LOOK_AT_END);
}

bool docker_is_ours(const struct docker_instance *instance, const struct engine_container *container)
{
    return strcmp(container->deployment, instance->runtime->deployment) == 0 &&
           strcmp(container->identity, instance->identity) == 0;
}

static void look_answered(struct docker_instance *instance, struct http_response *response)
{
    AUTO_ARENA struct arena *arena = arena_new(0);
    struct engine_container container;
    struct err err = {0};
    if (response->status == 404) { // by its id its processes can be looked for all the same
        instance->vanished = true;
        docker_go(instance, instance->container[0] ? DOCKER_REMOVE : DOCKER_LEAVE);
    } else if (response->status != 200) {
        docker_engine_refused(response, "looking at the container", &err);
        docker_again(instance, &err);
    } else if (engine_container_read(strbuf_text(&response->body), response->body.length, arena, &container, &err) <
               0) {
        docker_again(instance, &err);
    } else if (!docker_is_ours(instance, &container)) { // a stranger's of this name: ours is not there
        instance->vanished = true;
        docker_go(instance, DOCKER_LEAVE);
    } else {
        if (instance->adopted && !instance->container[0])
            take_over(instance, &container);
        follow(instance, &container);
    }
}

const struct docker_step_ops docker_look = {look_begin, look_answered};
