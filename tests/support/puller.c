#include "tests/support/puller.h"

#include "services/common/base/strbuf.h"
#include "tests/support/die.h"
#include "tests/support/manager.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void puller_init(struct puller *puller, const struct system *system, int manager, const char *name, const char *queue)
{
    char body[512];
    AUTO_JSON_OBJECT struct json_object *reply = NULL;
    *puller = (struct puller){.client = system_client(system, manager)};
    snprintf(body, sizeof(body),
             "{\"name\":\"%s\",\"host\":\"outside\",\"boot\":\"%s\",\"runtimes\":[\"pull\"],\"slots\":1000,"
             "\"queues\":[\"%s\"],\"labels\":{}}",
             name, name, queue);
    int status = client_call(puller->client, "POST", "/v1/workers", NULL, 0, body, &reply);
    if (status != 201)
        die("register: %d %s", status, json_object_to_json_string(reply));
    puller->worker = json_number_at(reply, "/worker");
    puller->incarnation = json_number_at(reply, "/incarnation");
}

void puller_release(struct puller *puller)
{
    http_client_free(puller->client);
    free(puller->reports);
}

static void note_grants(struct puller *puller, struct json_object *reply, struct puller_grant *grants, int count)
{
    AUTO_STRBUF struct strbuf reports = STRBUF_INIT;
    struct err err;
    for (int i = 0; i < count; i++) {
        struct json_object *slice = json_object_array_get_idx(json_at(reply, "/slices"), (size_t)i);
        struct puller_grant *grant = &grants[i];
        snprintf(grant->job, sizeof(grant->job), "%s", json_text_at(slice, "/job"));
        snprintf(grant->slice, sizeof(grant->slice), "%s", json_text_at(slice, "/slice"));
        snprintf(grant->stage, sizeof(grant->stage), "%s", json_text_at(slice, "/stage"));
        grant->token = json_number_at(slice, "/token");
        grant->first = json_number_at(slice, "/first");
        grant->count = json_number_at(slice, "/count");
        strbuf_add_format(&reports, "%s{\"slice\":\"%s\",\"token\":%" PRId64 ",\"succeeded\":\"all\"}", i ? "," : "",
                          grant->slice, grant->token);
    }
    free(puller->reports);
    puller->reports = NULL;
    if (count > 0 && strbuf_take(&reports, &puller->reports, &err) < 0)
        die("%s", err.text);
}

static int send_turn(struct puller *puller, const char *queue, int64_t want, int wait_ms, struct json_object **reply)
{
    AUTO_STRBUF struct strbuf body = STRBUF_INIT;
    char poll[256], path[64];
    snprintf(poll, sizeof(poll), "\"incarnation\":%" PRId64 ",\"wait_ms\":%d,\"want\":{\"%s\":%" PRId64 "}",
             puller->incarnation, wait_ms, queue, want);
    if (puller->reports)
        strbuf_add_format(&body, "{\"incarnation\":%" PRId64 ",\"slices\":[%s],\"poll\":{%s}}", puller->incarnation,
                          puller->reports, poll);
    else
        strbuf_add_format(&body, "{%s}", poll);
    snprintf(path, sizeof(path), "/v1/workers/%" PRId64 "/%s", puller->worker, puller->reports ? "report" : "poll");
    return client_call(puller->client, "POST", path, NULL, 0, strbuf_text(&body), reply);
}

int puller_turn(struct puller *puller, const char *queue, int64_t want, int wait_ms, struct puller_grant *grants,
                int capacity)
{
    AUTO_JSON_OBJECT struct json_object *reply = NULL;
    int status = send_turn(puller, queue, want, wait_ms, &reply);
    if (status != 200)
        die("poll or report: %d %s", status, json_object_to_json_string(reply));
    if (json_length_at(reply, "/stale") > 0)
        die("stale without a reason: %s", json_object_to_json_string(reply));
    int count = (int)json_length_at(reply, "/slices");
    if (count > capacity)
        die("%d slices, at most %d were expected", count, capacity);
    note_grants(puller, reply, grants, count);
    return count;
}
