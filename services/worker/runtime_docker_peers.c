// Services of the job as they are reached from inside its network: by name, on the ports that they have in there.
#include "services/common/base/cleanup.h"
#include "services/common/model/engine_labels.h"
#include "services/worker/environment.h"
#include "services/worker/runtime_docker_internal.h"

#include <stdio.h>
#include <string.h>

static int peers_begin(struct docker_instance *instance, struct err *err)
{
    AUTO_STRBUF struct strbuf path = STRBUF_INIT;
    char deployment[160], job[160];
    const char *const labels[] = {deployment, job, NULL};
    if (instance->service_count == 0) {
        docker_go(instance, DOCKER_CREATE);
        return 0;
    }
    snprintf(deployment, sizeof deployment, ENGINE_LABEL_DEPLOYMENT "=%s", instance->runtime->deployment);
    snprintf(job, sizeof job, ENGINE_LABEL_JOB "=%s", instance->job);
    strbuf_add_text(&path, "/containers/json?");
    docker_engine_add_filters(labels, &path);
    if (strbuf_ok(&path, err) < 0)
        return -1;
    return docker_ask(instance, "GET", "%s", path.data);
}

static const struct engine_container *find_peer(const struct engine_container *list, size_t count,
                                                const struct service_address *service)
{
    for (size_t i = 0; i < count; i++)
        for (size_t n = 0; n < service->port_count && strcmp(list[i].service, service->name) == 0; n++)
            for (size_t at = 0; at < list[i].published_count; at++)
                if (list[i].published[at].number == service->ports[n].number)
                    return &list[i];
    return NULL;
}

// The same service as whoever is in the job's network sees it.
static struct service_address seen_from_inside(const struct service_address *service,
                                               const struct engine_container *container)
{
    struct service_address inside = *service;
    struct engine_port ports[ENGINE_PORTS_MAX];
    size_t count = engine_ports_parse(container->ports, ports);
    inside.host = service->name;
    for (size_t i = 0; i < inside.port_count; i++)
        for (size_t n = 0; n < count; n++)
            if (strcmp(ports[n].name, inside.ports[i].name) == 0)
                inside.ports[i].number = ports[n].container;
    return inside;
}

// The environment with what `changes` has; both end with NULL.
static int merge_environment(struct docker_instance *instance, const char *const *changes, struct err *err)
{
    size_t count = 0, extra = 0;
    while (instance->create.env[count])
        count++;
    while (changes[extra])
        extra++;
    const char **merged = arena_alloc_zero(instance->arena, count + extra + 1, sizeof *merged);
    if (!merged)
        return err_set(err, ERR_NO_MEMORY, "no memory for an environment");
    if (count > 0)
        memcpy(merged, instance->create.env, count * sizeof *merged);
    for (size_t i = 0; i < extra; i++) {
        size_t name = strcspn(changes[i], "=") + 1, at = 0;
        while (at < count && strncmp(merged[at], changes[i], name) != 0)
            at++;
        merged[at] = arena_copy(instance->arena, changes[i], strlen(changes[i]));
        if (!merged[at])
            return err_set(err, ERR_NO_MEMORY, "no memory for an environment");
        count += at == count;
    }
    instance->create.env = merged;
    return 0;
}

static int meet_peers(struct docker_instance *instance, const struct engine_container *list, size_t count,
                      struct err *err)
{
    AUTO_ENVIRONMENT struct environment *environment = NULL;
    const char *const *changes = NULL;
    if (environment_new(false, &environment, err) < 0)
        return -1;
    for (size_t i = 0; i < instance->service_count; i++) {
        const struct engine_container *peer = find_peer(list, count, &instance->services[i]);
        if (peer) {
            const struct service_address inside = seen_from_inside(&instance->services[i], peer);
            environment_add_services(environment, &inside, 1);
        }
    }
    if (environment_list(environment, &changes, err) < 0)
        return -1;
    return changes ? merge_environment(instance, changes, err) : 0;
}

static void peers_answered(struct docker_instance *instance, struct http_response *response)
{
    AUTO_ARENA struct arena *arena = arena_new(0);
    struct engine_container *list = NULL;
    size_t count = 0;
    struct err err = {0};
    if (response->status != 200)
        docker_engine_refused(response, "looking for services", &err);
    else if (engine_containers_read(strbuf_text(&response->body), response->body.length, arena, &list, &count, &err) ==
                 0 &&
             meet_peers(instance, list, count, &err) == 0) {
        docker_go(instance, DOCKER_CREATE);
        return;
    }
    docker_again(instance, &err);
}

const struct docker_step_ops docker_peers = {peers_begin, peers_answered};
