// The network of a job: there before its first container, and gone with its last.
//
// Engines make two networks of one name when they are asked at once, and then start nothing in either of them: the name
// is ambiguous. So one instance at a time asks for a job's network, everybody uses it by its id, and who sees several
// removes the younger ones; one that is in use stays, and then the older ones go.
#include "services/common/base/cleanup.h"
#include "services/common/base/clock.h"
#include "services/common/base/log.h"
#include "services/common/model/engine_labels.h"
#include "services/worker/runtime_docker_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum network_state { NETWORK_UNKNOWN, NETWORK_ASKING, NETWORK_READY, NETWORK_LEAVING };

struct docker_network {
    struct docker_network *next;
    char *job;
    char id[ENGINE_ID_SIZE];
    enum network_state state;
    const struct docker_instance *asker; // while it is asked for, or removed
    size_t users;
};

static struct docker_network *find(const struct docker_runtime *runtime, const char *job)
{
    struct docker_network *network = runtime->networks;
    while (network && strcmp(network->job, job) != 0)
        network = network->next;
    return network;
}

static struct docker_network *find_or_add(struct docker_runtime *runtime, const char *job)
{
    struct docker_network *network = find(runtime, job);
    if (network)
        return network;
    network = calloc(1, sizeof *network);
    char *copy = strdup(job);
    if (!network || !copy) {
        free(network);
        free(copy);
        return NULL;
    }
    network->job = copy;
    network->next = runtime->networks;
    runtime->networks = network;
    return network;
}

static void forget(struct docker_runtime *runtime, struct docker_network *network)
{
    struct docker_network **link = &runtime->networks;
    while (*link != network)
        link = &(*link)->next;
    *link = network->next;
    free(network->job);
    free(network);
}

void docker_networks_free(struct docker_runtime *runtime)
{
    while (runtime->networks)
        forget(runtime, runtime->networks);
}

// Those that have waited for the one who asked. They are begun by their timers, one after the other.
static void wake_others(const struct docker_instance *instance)
{
    for (struct docker_instance *other = instance->runtime->instances; other; other = other->next)
        if (other != instance && !other->released && !other->call && strcmp(other->job, instance->job) == 0 &&
            (other->step == DOCKER_NETWORK || other->step == DOCKER_LEAVE))
            loop_timer_arm(other->timer, clock_boot_ms());
}

static void settle(struct docker_instance *instance, struct docker_network *network, enum network_state state)
{
    network->state = state;
    network->asker = NULL;
    wake_others(instance);
}

int docker_network_join(struct docker_instance *instance, struct err *err)
{
    struct docker_network *network = find_or_add(instance->runtime, instance->job);
    if (!network)
        return err_set(err, ERR_NO_MEMORY, "no memory for a network");
    network->users += !instance->in_network;
    instance->in_network = true;
    return 0;
}

void docker_network_abandon(struct docker_instance *instance)
{
    struct docker_network *network = find(instance->runtime, instance->job);
    if (!network)
        return;
    network->users -= instance->in_network;
    instance->in_network = false;
    if (network->asker == instance)
        settle(instance, network, NETWORK_UNKNOWN);
    if (network->users == 0 && !network->asker)
        forget(instance->runtime, network);
}

void docker_network_unask(struct docker_instance *instance)
{
    struct docker_network *network = find(instance->runtime, instance->job);
    if (network && network->asker == instance)
        settle(instance, network, NETWORK_UNKNOWN);
}

void docker_network_lost(struct docker_instance *instance)
{
    struct docker_network *network = find(instance->runtime, instance->job);
    if (network && network->state == NETWORK_READY)
        network->state = NETWORK_UNKNOWN;
}

static int ask_for_list(struct docker_instance *instance, struct err *err)
{
    AUTO_STRBUF struct strbuf path = STRBUF_INIT;
    char deployment[160], job[160];
    const char *const labels[] = {deployment, job, NULL};
    snprintf(deployment, sizeof deployment, ENGINE_LABEL_DEPLOYMENT "=%s", instance->runtime->deployment);
    snprintf(job, sizeof job, ENGINE_LABEL_JOB "=%s", instance->job);
    strbuf_add_text(&path, "/networks?");
    docker_engine_add_filters(labels, &path);
    instance->network_question = NETWORK_LIST;
    if (strbuf_ok(&path, err) < 0)
        return -1;
    return docker_ask(instance, "GET", "%s", path.data);
}

static int by_age(const void *one, const void *other)
{
    const struct engine_network *a = one, *b = other;
    int order = strcmp(a->created, b->created);
    return order != 0 ? order : strcmp(a->id, b->id);
}

// The job's networks, the oldest first, in the arena.
static int read_networks(const struct http_response *response, struct arena *arena, struct engine_network **list,
                         size_t *count, struct err *err)
{
    if (response->status != 200)
        return docker_engine_refused(response, "looking for the job's network", err);
    if (engine_networks_read(strbuf_text(&response->body), response->body.length, arena, list, count, err) < 0)
        return -1;
    if (*count > 1)
        qsort(*list, *count, sizeof **list, by_age);
    return 0;
}

// ---- one network too many

static int ask_removal(struct docker_instance *instance, struct err *err)
{
    AUTO_STRBUF struct strbuf path = STRBUF_INIT, body = STRBUF_INIT;
    const char *method = network_removal_ask(&instance->removal, &path, &body);
    instance->network_question = NETWORK_REMOVE;
    if (strbuf_ok(&path, err) < 0 || strbuf_ok(&body, err) < 0)
        return -1;
    return docker_ask_with(instance, method, body.length > 0 ? &body : NULL, "%s", path.data);
}

static int remove_network(struct docker_instance *instance, const char *id, struct err *err)
{
    network_removal_begin(&instance->removal, id);
    return ask_removal(instance, err);
}

// Looks at the list again when the removal has come to its end.
static int removal_answered(struct docker_instance *instance, const struct http_response *response, struct err *err)
{
    int outcome = network_removal_answered(&instance->removal, response->status, strbuf_text(&response->body),
                                           response->body.length, err);
    if (outcome == REMOVAL_GOES_ON)
        return ask_removal(instance, err);
    if (instance->removal.taken_out > 0)
        log_event(LOG_WARN, "a network had endpoints of containers that are gone", "network", instance->removal.network,
                  "endpoints", LOG_NUMBER(instance->removal.taken_out), NULL);
    if (outcome == REMOVAL_MISCOUNTED)
        log_event(LOG_WARN, NETWORK_MISCOUNTED, "network", instance->removal.network, "job", instance->job, NULL);
    instance->network_refusals += outcome == REMOVAL_IN_USE || outcome == REMOVAL_MISCOUNTED;
    return outcome < 0 ? -1 : ask_for_list(instance, err);
}

// ---- before a start

static int network_begin(struct docker_instance *instance, struct err *err)
{
    if (docker_network_join(instance, err) < 0)
        return -1;
    struct docker_network *network = find(instance->runtime, instance->job);
    if (network->asker && network->asker != instance)
        return 0; // wake_others() begins again
    if (network->state == NETWORK_READY) {
        instance->create.network = arena_copy(instance->arena, network->id, strlen(network->id));
        if (!instance->create.network)
            return err_set(err, ERR_NO_MEMORY, "no memory for a network");
        docker_go(instance, DOCKER_PEERS);
        return 0;
    }
    network->state = NETWORK_ASKING;
    network->asker = instance;
    instance->network_refusals = 0;
    return ask_for_list(instance, err);
}

static int make_network(struct docker_instance *instance, struct err *err)
{
    AUTO_STRBUF struct strbuf body = STRBUF_INIT;
    engine_network_write(instance->network, instance->runtime->deployment, instance->job, &body);
    instance->network_question = NETWORK_MAKE;
    if (strbuf_ok(&body, err) < 0)
        return -1;
    return docker_ask_with(instance, "POST", &body, "/networks/create");
}

static void cannot_make(struct docker_instance *instance, const struct http_response *response)
{
    struct err err = {0};
    docker_engine_refused(response, "making the job's network", &err);
    if (strstr(strbuf_text(&response->body), "address pool"))
        err_set(&err, ERR_LIMIT,
                "the container engine has no addresses left for another network: remove some that nobody uses "
                "(docker network prune), or give it more default-address-pools");
    docker_give_up(instance, &err);
}

// The oldest that there is; before it is used, the others go, beginning with the youngest.
static int take_list(struct docker_instance *instance, const struct http_response *response, struct err *err)
{
    AUTO_ARENA struct arena *arena = arena_new(0);
    struct docker_network *network = find(instance->runtime, instance->job);
    struct engine_network *list = NULL;
    size_t count = 0;
    if (read_networks(response, arena, &list, &count, err) < 0)
        return -1;
    if (count == 0)
        return make_network(instance, err);
    if (count > 1 && instance->network_refusals < count)
        return remove_network(instance, list[count - 1 - instance->network_refusals].id, err);
    snprintf(network->id, sizeof network->id, "%s", list[0].id);
    settle(instance, network, NETWORK_READY);
    docker_go(instance, DOCKER_NETWORK);
    return 0;
}

static int network_answer(struct docker_instance *instance, const struct http_response *response, struct err *err)
{
    switch (instance->network_question) {
    case NETWORK_LIST:
        return take_list(instance, response, err);
    case NETWORK_MAKE:
        if (response->status != 201 && response->status != 409) {
            cannot_make(instance, response);
            return 0;
        }
        return ask_for_list(instance, err); // another worker may have made one at the same moment
    case NETWORK_REMOVE:
        return removal_answered(instance, response, err);
    }
    return 0;
}

static void network_answered(struct docker_instance *instance, struct http_response *response)
{
    struct err err = {0};
    if (network_answer(instance, response, &err) < 0)
        docker_again(instance, &err);
}

const struct docker_step_ops docker_network = {network_begin, network_answered};

// ---- after the end

static int leave_begin(struct docker_instance *instance, struct err *err)
{
    struct docker_network *network = find_or_add(instance->runtime, instance->job);
    if (!network)
        return err_set(err, ERR_NO_MEMORY, "no memory for a network");
    network->users -= instance->in_network;
    instance->in_network = false;
    if (network->users > 0) {
        if (network->asker == instance)
            settle(instance, network, NETWORK_UNKNOWN);
        docker_go(instance, DOCKER_OVER);
        return 0;
    }
    if (network->asker && network->asker != instance)
        return 0;
    network->state = NETWORK_LEAVING;
    network->asker = instance;
    instance->network_refusals = 0;
    return ask_for_list(instance, err);
}

// One after the other, until there is none or one that another worker's containers are in.
static int leave_answer(struct docker_instance *instance, const struct http_response *response, struct err *err)
{
    AUTO_ARENA struct arena *arena = arena_new(0);
    struct engine_network *list = NULL;
    size_t count = 0;
    if (instance->network_question == NETWORK_REMOVE)
        return removal_answered(instance, response, err);
    if (read_networks(response, arena, &list, &count, err) < 0)
        return -1;
    if (instance->network_refusals < count)
        return remove_network(instance, list[count - 1 - instance->network_refusals].id, err);
    docker_network_abandon(instance);
    docker_go(instance, DOCKER_OVER);
    return 0;
}

static void leave_answered(struct docker_instance *instance, struct http_response *response)
{
    struct err err = {0};
    if (leave_answer(instance, response, &err) < 0)
        docker_again(instance, &err);
}

const struct docker_step_ops docker_leave = {leave_begin, leave_answered};
