#include "tests/bench/scenarios/crew.h"

#include "services/common/base/clock.h"
#include "tests/bench/scenarios/world.h"
#include "tests/support/die.h"
#include "tests/support/manager.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void crew_open(struct crew *crew, struct world *world, int count, int64_t width, int64_t per_job)
{
    static int crews; // names are unique in a database
    crews++;
    *crew = (struct crew){.count = count, .width = width, .per_job = per_job, .wait_ms = 1000};
    crew->workers = calloc((size_t)count, sizeof *crew->workers);
    if (!crew->workers)
        die("bench: no memory");
    for (int i = 0; i < count; i++) {
        AUTO_JSON_OBJECT struct json_object *answer = NULL;
        char body[256];
        snprintf(body, sizeof body,
                 "{\"name\":\"bench-%d-%d\",\"host\":\"h\",\"boot\":\"b\",\"runtimes\":[\"pull\"],\"slots\":1,"
                 "\"queues\":[\"default\"],\"labels\":{}}",
                 crews, i);
        if (manager_call(world->managers[i % world->manager_count], "POST", "/v1/workers", body, &answer) != 201)
            die("bench: worker %d is not registered", i);
        crew->workers[i].id = json_number_at(answer, "/worker");
    }
}

void crew_close(struct crew *crew)
{
    for (int i = 0; i < crew->count; i++)
        strbuf_release(&crew->workers[i].slices);
    free(crew->workers);
    ledger_release(&crew->ledger);
    *crew = (struct crew){0};
}

// Goes through the slices of a reply: the members stand in the order in which the manager writes them.
static void take_slices(struct crew *crew, struct crew_worker *worker, const char *body)
{
    static const char head[] = "{\"slice\":\"j";
    strbuf_clear(&worker->slices);
    worker->carried = 0;
    for (const char *at = body; (at = strstr(at, head));) {
        const char *end = strchr(at + strlen(head), ',');
        const char *token = strstr(at, "\"token\":"), *first = strstr(at, "\"first\":"),
                   *count = strstr(at, "\"count\":");
        if (!end || !token || !first || !count)
            die("bench: an unexpected slice: %.200s", at);
        int64_t tasks = atoll(count + strlen("\"count\":"));
        ledger_give(&crew->ledger, at + strlen(head), crew->per_job, atoll(first + strlen("\"first\":")), tasks);
        worker->carried += tasks;
        crew->given += tasks;
        if (worker->slices.length)
            strbuf_add_char(&worker->slices, ',');
        strbuf_add(&worker->slices, at, (size_t)(end - at));
        strbuf_add_text(&worker->slices, ",\"token\":");
        strbuf_add_i64(&worker->slices, atoll(token + strlen("\"token\":")));
        strbuf_add_text(&worker->slices, ",\"succeeded\":\"all\"}");
        at = count;
    }
}

void crew_send(struct crew *crew, struct load_connection *connection)
{
    struct crew_worker *worker = &crew->workers[connection->index - crew->first];
    bool reports = worker->slices.length > 0;
    // Who has nothing to wait for does not wait: it would be measured.
    bool last = crew->todo > 0 && crew->given + crew->count * crew->width > crew->todo;
    AUTO_STRBUF struct strbuf body = STRBUF_INIT;
    char path[64], poll[96];
    snprintf(path, sizeof path, "/v1/workers/%lld/%s", (long long)worker->id, reports ? "report" : "poll");
    snprintf(poll, sizeof poll, "\"wait_ms\":%d,\"want\":{\"default\":%lld}", last ? 0 : crew->wait_ms,
             (long long)crew->width);
    if (reports)
        strbuf_add_format(&body, "{\"incarnation\":1,\"slices\":[%s],\"poll\":{%s}}", strbuf_text(&worker->slices),
                          poll);
    else
        strbuf_add_format(&body, "{\"incarnation\":1,%s}", poll);
    load_send(connection, "POST", path, strbuf_text(&body), body.length);
}

void crew_answer(struct crew *crew, struct load_connection *connection, int status, const char *body)
{
    struct crew_worker *worker = &crew->workers[connection->index - crew->first];
    if (status != 200 || (worker->slices.length > 0 && !strstr(body, "\"stale\":[]")))
        die("bench: worker %lld: status %d: %.300s", (long long)worker->id, status, body);
    crew->done += worker->carried;
    take_slices(crew, worker, body);
    if (crew->todo > 0 && crew->done >= crew->todo)
        load_stop(connection->load);
}

static void next(struct load_connection *connection)
{
    crew_send(load_context(connection->load), connection);
}

static void answer(struct load_connection *connection, int status, const char *body, size_t length)
{
    (void)length;
    crew_answer(load_context(connection->load), connection, status, body);
}

double crew_run(struct crew *crew, struct world *world, int64_t ms)
{
    struct load *load = load_new(world->ports, world->manager_count, crew->count, next, answer, crew);
    int64_t began_us = clock_boot_us();
    for (int i = 0; i < crew->count; i++)
        load_wake(load_connection_at(load, i));
    load_run(load, ms);
    double seconds = (double)(clock_boot_us() - began_us) / 1e6;
    load_free(load);
    if (crew->done < crew->todo)
        die("bench: %lld of %lld tasks in %.0f s", (long long)crew->done, (long long)crew->todo, seconds);
    return seconds;
}
