#include "tests/support/fake_worker.h"

#include "services/common/base/clock.h"
#include "services/common/base/strbuf.h"
#include "tests/support/die.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void fake_worker_init(struct fake_worker *worker, const struct manager *manager, const char *name)
{
    char body[512], former[96] = "";
    AUTO_JSON_OBJECT struct json_object *reply = NULL;
    worker->client = manager_client(manager);
    if (worker->incarnation > 0)
        snprintf(former, sizeof(former), ",\"former_worker\":%" PRId64 ",\"former_incarnation\":%d", worker->id,
                 worker->incarnation);
    snprintf(body, sizeof(body),
             "{\"name\":\"%s\",\"host\":\"host\",\"boot\":\"boot\",\"runtimes\":[\"%s\"],\"slots\":100,"
             "\"queues\":[\"default\"],\"labels\":{}%s}",
             name, worker->is_pull ? "pull" : "process", former);
    int status = client_call(worker->client, "POST", "/v1/workers", NULL, 0, body, &reply);
    if (status != 201)
        die("register: %d %s", status, reply ? json_object_to_json_string(reply) : "");
    worker->id = json_number_at(reply, "/worker");
    worker->incarnation = (int)json_number_at(reply, "/incarnation");
    snprintf(worker->poll_path, sizeof(worker->poll_path), "/v1/workers/%" PRId64 "/poll", worker->id);
    snprintf(worker->report_path, sizeof(worker->report_path), "/v1/workers/%" PRId64 "/report", worker->id);
}

void fake_worker_release(struct fake_worker *worker)
{
    http_client_free(worker->client);
    worker->client = NULL;
}

int fake_worker_poll(struct fake_worker *worker, int wait_ms, int64_t want, struct json_object **reply)
{
    char body[256];
    snprintf(body, sizeof(body),
             "{\"incarnation\":%d,\"wait_ms\":%d,\"want\":{\"default\":%" PRId64 "},\"want_services\":%d%s}",
             worker->incarnation, wait_ms, want, worker->is_pull ? 0 : 100,
             worker->holds_nothing ? ",\"held\":[]" : "");
    return client_call(worker->client, "POST", worker->poll_path, NULL, 0, body, reply);
}

int fake_worker_report(struct fake_worker *worker, const char *members, struct json_object **reply)
{
    AUTO_STRBUF struct strbuf body = STRBUF_INIT;
    strbuf_add_format(&body, "{\"incarnation\":%d%s%s}", worker->incarnation, *members ? "," : "", members);
    return client_call(worker->client, "POST", worker->report_path, NULL, 0, strbuf_text(&body), reply);
}

static void add_observation(struct strbuf *out, struct json_object *order, const char *state, const char *more)
{
    if (out->length && out->data[out->length - 1] == '}')
        strbuf_add_char(out, ',');
    strbuf_add_format(out, "{\"job\":\"%s\",\"service\":\"%s\",\"epoch\":%" PRId64 ",\"state\":\"%s\"%s}",
                      json_text_at(order, "/job"), json_text_at(order, "/service"), json_number_at(order, "/epoch"),
                      state, more);
}

static void add_slices(struct fake_worker *worker, struct json_object *reply, struct strbuf *out)
{
    size_t count = worker->holds_tasks ? 0 : json_length_at(reply, "/slices");
    for (size_t i = 0; i < count; i++) {
        struct json_object *slice = json_object_array_get_idx(json_at(reply, "/slices"), i);
        strbuf_add_format(out, "%s{\"slice\":\"%s\",\"token\":%" PRId64 ",\"succeeded\":\"all\"}", i ? "," : "",
                          json_text_at(slice, "/slice"), json_number_at(slice, "/token"));
        worker->tasks += json_number_at(slice, "/count");
    }
}

static void add_instances(struct fake_worker *worker, struct json_object *reply, struct strbuf *out)
{
    for (size_t i = 0; i < json_length_at(reply, "/start"); i++) {
        struct json_object *order = json_object_array_get_idx(json_at(reply, "/start"), i);
        add_observation(out, order, "starting",
                        ",\"object\":\"fake\",\"host\":\"127.0.0.1\",\"ports\":{\"main\":40000}");
        if (!worker->holds_services)
            add_observation(out, order, "ready", "");
        worker->starts++;
    }
    for (size_t i = 0; i < json_length_at(reply, "/stop"); i++) {
        struct json_object *order = json_object_array_get_idx(json_at(reply, "/stop"), i);
        add_observation(out, order, "stopped", ",\"exit\":{\"code\":0,\"signal\":null},\"grade\":\"exit\"");
        add_observation(out, order, "verified", ",\"grade\":\"absent\"");
        worker->stops++;
    }
    for (size_t i = 0; i < json_length_at(reply, "/verify"); i++)
        add_observation(out, json_object_array_get_idx(json_at(reply, "/verify"), i), "verified",
                        ",\"grade\":\"absent\"");
}

void fake_worker_obey(struct fake_worker *worker, struct json_object *reply)
{
    AUTO_STRBUF struct strbuf slices = STRBUF_INIT, instances = STRBUF_INIT, members = STRBUF_INIT;
    add_slices(worker, reply, &slices);
    add_instances(worker, reply, &instances);
    for (size_t i = 0; i < json_length_at(reply, "/cancel"); i++) {
        struct json_object *cancel = json_object_array_get_idx(json_at(reply, "/cancel"), i);
        strbuf_add_format(&slices, "%s{\"slice\":\"%s\",\"token\":%" PRId64 "}", slices.length ? "," : "",
                          json_text_at(cancel, "/slice"), json_number_at(cancel, "/token"));
    }
    if (!slices.length && !instances.length)
        return;
    strbuf_add_format(&members, "\"slices\":[%s],\"instances\":[%s]", strbuf_text(&slices), strbuf_text(&instances));
    AUTO_JSON_OBJECT struct json_object *answer = NULL;
    int status = fake_worker_report(worker, strbuf_text(&members), &answer);
    if (status != 200 && status != 409 && status != 503)
        die("report %s: %d %s", strbuf_text(&members), status, answer ? json_object_to_json_string(answer) : "");
}

void fake_worker_step(struct fake_worker *worker, int wait_ms, int64_t want)
{
    AUTO_JSON_OBJECT struct json_object *reply = NULL;
    int status = fake_worker_poll(worker, wait_ms, want, &reply);
    if (status == 200)
        fake_worker_obey(worker, reply);
    else if (status && status != 503)
        die("poll: %d %s", status, reply ? json_object_to_json_string(reply) : "");
}

bool fake_worker_until(struct fake_worker *worker, struct manager *manager, const char *job, const char *state,
                       const char *cleanup, int64_t timeout_ms)
{
    int64_t deadline_ms = clock_boot_ms() + timeout_ms;
    while (clock_boot_ms() < deadline_ms) {
        fake_worker_step(worker, 50, 100);
        if (manager_wait_job(manager, job, state, cleanup, 1))
            return true;
    }
    return false;
}
