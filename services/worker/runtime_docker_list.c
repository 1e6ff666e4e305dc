// Looks at everything that is there, by label, whatever this life of the worker knows of it.
#include "services/common/base/cleanup.h"
#include "services/common/base/clock.h"
#include "services/common/model/engine_labels.h"
#include "services/worker/runtime_docker_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LABEL_SIZE 512
#define AGAIN_MS 500
#define PATIENCE_MS 60000

struct docker_query {
    struct docker_runtime *runtime;
    struct docker_query *next;
    struct http_async_call *call;
    struct loop_timer *timer; // asks again
    int64_t give_up_at_ms;
    char *path;
    runtime_list_fn list;
    runtime_inspect_fn inspect;
    void *context;
    char identity[RUNTIME_IDENTITY_SIZE]; // of an inspect
};

static void free_query(struct docker_query *query)
{
    struct docker_query **link = &query->runtime->queries;
    while (*link != query)
        link = &(*link)->next;
    *link = query->next;
    loop_timer_remove(query->timer);
    free(query->path);
    free(query);
}

void docker_queries_end(struct docker_runtime *runtime)
{
    while (runtime->queries) {
        http_async_cancel(runtime->queries->call);
        free_query(runtime->queries);
    }
}

static void tell_list(struct docker_query *query, const struct engine_container *containers, size_t count,
                      struct arena *arena)
{
    struct err err = {0};
    struct runtime_found *found = arena_alloc_zero(arena, count + 1, sizeof *found);
    size_t n = 0;
    if (!found) {
        err_set(&err, ERR_NO_MEMORY, "no memory for a list of containers");
        query->list(query->context, NULL, 0, &err);
        return;
    }
    for (size_t i = 0; i < count; i++)
        if (*containers[i].identity)
            found[n++] = (struct runtime_found){
                .identity = containers[i].identity,
                .live = docker_instance_find(query->runtime, containers[i].identity) != NULL,
                .remaining = strcmp(containers[i].state, "running") == 0,
                .directory = "",
                .survives = true,
                .begun_boot_ms = docker_record_begun_ms(query->runtime, containers[i].identity),
            };
    docker_records_sweep(query->runtime, containers, count);
    query->list(query->context, found, n, NULL);
}

static void tell_inspect(const struct docker_query *query, const struct engine_container *containers, size_t count)
{
    int64_t remaining = 0;
    for (size_t i = 0; i < count; i++)
        remaining += strcmp(containers[i].identity, query->identity) == 0;
    query->inspect(query->context, remaining, NULL);
}

static void on_answer(void *context, struct http_response *response, const struct err *failure)
{
    struct docker_query *query = context;
    AUTO_ARENA struct arena *arena = arena_new(0);
    struct engine_container *containers = NULL;
    size_t count = 0;
    struct err err = {0};
    int outcome = -1;
    query->call = NULL;
    if ((!response || response->status == 503) && query->list && clock_boot_ms() < query->give_up_at_ms) {
        loop_timer_arm(query->timer, clock_boot_ms() + AGAIN_MS); // nobody can go on without the list
        return;
    }
    if (!response)
        err = *failure;
    else if (response->status != 200)
        docker_engine_refused(response, "listing containers", &err);
    else
        outcome = engine_containers_read(strbuf_text(&response->body), response->body.length, arena, &containers,
                                         &count, &err);
    if (outcome < 0 && query->list)
        query->list(query->context, NULL, 0, &err);
    else if (outcome < 0)
        query->inspect(query->context, -1, &err);
    else if (query->list)
        tell_list(query, containers, count, arena);
    else
        tell_inspect(query, containers, count);
    free_query(query);
}

static int send_query(struct docker_query *query, struct err *err)
{
    const struct http_call call = {.method = "GET", .path = query->path};
    return docker_engine_call(query->runtime->engine, &call, on_answer, query, &query->call, err);
}

static void on_timer(void *context)
{
    struct docker_query *query = context;
    if (send_query(query, NULL) < 0)
        loop_timer_arm(query->timer, clock_boot_ms() + AGAIN_MS);
}

// Takes over `query`.
static int ask(struct docker_query *query, const char *label, struct err *err)
{
    AUTO_STRBUF struct strbuf path = STRBUF_INIT;
    char deployment[LABEL_SIZE];
    const char *const labels[] = {deployment, label, NULL};
    query->next = query->runtime->queries;
    query->runtime->queries = query;
    snprintf(deployment, sizeof deployment, ENGINE_LABEL_DEPLOYMENT "=%s", query->runtime->deployment);
    strbuf_add_text(&path, "/containers/json?all=1&");
    docker_engine_add_filters(labels, &path);
    query->give_up_at_ms = clock_boot_ms() + PATIENCE_MS;
    if (strbuf_take(&path, &query->path, err) == 0 &&
        loop_timer_add(query->runtime->loop, on_timer, query, &query->timer, err) == 0 && send_query(query, err) == 0)
        return 0;
    free_query(query);
    return -1;
}

static struct docker_query *query_new(struct runtime *base, void *context, struct err *err)
{
    struct docker_query *query = calloc(1, sizeof *query);
    if (query)
        *query = (struct docker_query){.runtime = docker_runtime_of(base), .context = context};
    else
        err_set(err, ERR_NO_MEMORY, "no memory to look for containers");
    return query;
}

int docker_runtime_list(struct runtime *base, runtime_list_fn function, void *context, struct err *err)
{
    char owner[LABEL_SIZE];
    struct docker_query *query = query_new(base, context, err);
    if (!query)
        return -1;
    query->list = function;
    snprintf(owner, sizeof owner, ENGINE_LABEL_OWNER "=%s", query->runtime->owner);
    return ask(query, owner, err);
}

int docker_runtime_inspect(struct runtime *base, const char *identity, runtime_inspect_fn function, void *context,
                           struct err *err)
{
    char label[LABEL_SIZE];
    struct docker_query *query = query_new(base, context, err);
    if (!query)
        return -1;
    query->inspect = function;
    snprintf(query->identity, sizeof query->identity, "%s", identity);
    snprintf(label, sizeof label, ENGINE_LABEL_IDENTITY "=%s", identity);
    return ask(query, label, err);
}
