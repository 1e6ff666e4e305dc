#include "services/worker/services.h"

#include "services/worker/services_internal.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

// How many ended instances are remembered, so that an order that comes late or again starts nothing.
#define TOMBSTONES_MAX 4096

// The probes want a number; looked up once, at the start.
static void resolve(struct services *services)
{
    struct addrinfo *found = NULL;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    snprintf(services->host, sizeof services->host, "127.0.0.1");
    if (getaddrinfo(services->advertise, NULL, &hints, &found) == 0 && found)
        getnameinfo(found->ai_addr, found->ai_addrlen, services->host, sizeof services->host, NULL, 0, NI_NUMERICHOST);
    if (found)
        freeaddrinfo(found);
}

static char *copy_or_null(const char *text)
{
    return text ? strdup(text) : NULL;
}

int services_new(struct loop *loop, struct runtime *runtime, struct workspaces *workspaces, struct logs *logs,
                 struct http_async *http, const struct services_settings *settings,
                 const struct services_events *events, void *context, struct services **out, struct err *err)
{
    struct services *services = calloc(1, sizeof *services);
    if (!services)
        return err_set(err, ERR_NO_MEMORY, "no memory for services");
    *services = (struct services){
        .loop = loop,
        .runtime = runtime,
        .workspaces = workspaces,
        .logs = logs,
        .http = http,
        .settings = *settings,
        .advertise = strdup(settings->advertise),
        .secrets_directory = copy_or_null(settings->secrets_directory),
        .deployment = strdup(settings->deployment),
        .events = *events,
        .context = context,
    };
    if (!services->advertise || !services->deployment ||
        (settings->secrets_directory && !services->secrets_directory)) {
        services_free(services);
        return err_set(err, ERR_NO_MEMORY, "no memory for services");
    }
    resolve(services);
    *out = services;
    return 0;
}

void services_free(struct services *services)
{
    if (!services)
        return;
    while (services->first)
        service_instance_free(services->first);
    free(services->advertise);
    free(services->secrets_directory);
    free(services->deployment);
    free(services);
}

static struct service_instance *find(const struct services *services, const char *job, const char *service, int epoch)
{
    for (struct service_instance *instance = services->last; instance; instance = instance->previous)
        if (instance->epoch == epoch && strcmp(instance->service, service) == 0 && strcmp(instance->job, job) == 0)
            return instance;
    return NULL;
}

// The oldest tombstones go first; an order for one of them can hardly be under way any more.
static void forget_old(struct services *services)
{
    struct service_instance *next;
    for (struct service_instance *instance = services->first; instance && services->over > TOMBSTONES_MAX;
         instance = next) {
        next = instance->next;
        if (instance_is_over(instance->state))
            service_instance_free(instance);
    }
}

void services_start(struct services *services, struct service_order *order)
{
    struct service_instance *known = find(services, order->job, order->service, order->epoch);
    if (known) {
        service_say(known); // the manager has not heard of it yet
        service_order_free(order);
        return;
    }
    forget_old(services);
    struct service_instance *instance = service_instance_new(services, order->job, order->service, order->epoch, order);
    if (!instance)
        return;
    if (order->adopts)
        service_instance_adopt(instance);
    else
        service_instance_start(instance);
}

void services_stop(struct services *services, const char *job, const char *service, int epoch)
{
    struct service_instance *instance = find(services, job, service, epoch);
    if (instance) {
        service_instance_stop(instance);
        return;
    }
    instance = service_instance_new(services, job, service, epoch, NULL);
    if (instance)
        service_instance_stop(instance);
}

void services_verify(struct services *services, const char *job, const char *service, int epoch)
{
    struct service_instance *instance = find(services, job, service, epoch);
    if (instance) {
        service_instance_look(instance);
        return;
    }
    instance = service_instance_new(services, job, service, epoch, NULL);
    if (!instance)
        return;
    instance->ran = true; // in an earlier life of this worker, which has seen it stopped
    service_instance_stop(instance);
}

void services_report_all(struct services *services)
{
    for (struct service_instance *instance = services->first; instance; instance = instance->next)
        if (!instance_is_over(instance->state))
            service_say(instance);
}

bool services_know(const struct services *services, const char *job, const char *service, int epoch)
{
    return find(services, job, service, epoch) != NULL;
}

size_t services_running(const struct services *services)
{
    size_t count = 0;
    for (const struct service_instance *instance = services->first; instance; instance = instance->next)
        count += instance->instance || instance->request;
    return count;
}

int services_room(const struct services *services)
{
    int running = (int)services_running(services);
    return running < services->settings.most ? services->settings.most - running : 0;
}

void services_stop_all(struct services *services)
{
    for (struct service_instance *instance = services->last; instance; instance = instance->previous)
        if (!instance_is_over(instance->state))
            service_instance_stop(instance);
}

// It is a container that was started and is still wanted: neither the lease nor the worker's life is its own.
static bool lives_on(const struct service_instance *instance)
{
    return instance->instance && instance->address[0] && !instance->stop_asked && instance_is_up(instance->state);
}

void services_fence(struct services *services)
{
    for (struct service_instance *instance = services->last; instance; instance = instance->previous)
        if (!instance_is_over(instance->state) && !lives_on(instance))
            service_instance_kill(instance);
}

void services_abandon(struct services *services)
{
    struct service_instance *previous;
    services_fence(services);
    for (struct service_instance *instance = services->last; instance; instance = previous) {
        previous = instance->previous;
        if (!lives_on(instance))
            continue;
        if (services->events.on_left)
            services->events.on_left(services->context, instance->identity);
        service_instance_free(instance);
    }
}
