#include "services/reaper/engine_client.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/log.h"
#include "services/common/engine/network_removal.h"
#include "services/common/http/client.h"
#include "services/common/model/engine_labels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CALL_TIMEOUT_MS 10000
#define TEXT_MAX 256
#define PATH_SIZE 512

struct engine_client {
    struct http_client *http;
    char url[TEXT_MAX];
    char id[ENGINE_ID_SIZE];
    int version; // 0: not agreed yet
};

int engine_client_new(const char *url, struct engine_client **out, struct err *err)
{
    struct engine_client *engine = calloc(1, sizeof *engine);
    bool slashes = strncmp(url, "unix:///", 8) == 0; // as Docker writes it
    if (!engine)
        return err_set(err, ERR_NO_MEMORY, "no memory for an engine");
    snprintf(engine->url, sizeof engine->url, "%s%s", slashes ? "unix:" : "", slashes ? url + strlen("unix://") : url);
    const struct http_client_settings settings = {
        .base_url = engine->url, .user_agent = "curfew-reaper", .timeout_ms = CALL_TIMEOUT_MS};
    if (http_client_new(&settings, &engine->http, err) < 0) {
        free(engine);
        return -1;
    }
    *out = engine;
    return 0;
}

void engine_client_free(struct engine_client *engine)
{
    if (!engine)
        return;
    http_client_free(engine->http);
    free(engine);
}

// ---- calls

static int refused(const struct engine_client *engine, const char *what, const struct http_response *response,
                   struct err *err)
{
    enum err_code code = response->status == 409 || response->status == 403 ? ERR_CONFLICT : ERR_IO;
    return err_set(err, code, "%s: the engine at %.80s says %d: %.120s", what, engine->url, response->status,
                   response->body.length > 0 ? strbuf_text(&response->body) : "");
}

static int call_with(struct engine_client *engine, const char *method, const char *path, const struct strbuf *body,
                     struct http_response *response, struct err *err)
{
    char version[16] = "", full[PATH_SIZE];
    if (engine->version > 0)
        snprintf(version, sizeof version, "/v1.%d", engine->version);
    int length = snprintf(full, sizeof full, "%s%s", version, path);
    const struct http_call request = {.method = method,
                                      .path = full,
                                      .body = body ? strbuf_text(body) : NULL,
                                      .body_length = body ? body->length : 0};
    if (length >= (int)sizeof full)
        return err_set(err, ERR_INVALID, "the engine's path is too long");
    if (http_call(engine->http, &request, response, err) == 0)
        return 0;
    engine->version = 0; // it may be another one when it answers again
    return err_prefix(err, "no container engine at %.80s (is it running, and may this user use it?)", engine->url);
}

static int call(struct engine_client *engine, const char *method, const char *path, struct http_response *response,
                struct err *err)
{
    return call_with(engine, method, path, NULL, response, err);
}

// ---- which engine it is

static int get(struct engine_client *engine, const char *path, const char *what, struct http_response *response,
               struct err *err)
{
    if (call(engine, "GET", path, response, err) < 0)
        return -1;
    return response->status == 200 ? 0 : refused(engine, what, response, err);
}

static int agree(struct engine_client *engine, struct err *err)
{
    AUTO_HTTP_RESPONSE struct http_response response = HTTP_RESPONSE_INIT;
    if (get(engine, "/version", "asking for its version", &response, err) < 0)
        return -1;
    return engine_version_read(strbuf_text(&response.body), response.body.length, engine->url, &engine->version, err);
}

int engine_client_hello(struct engine_client *engine, const char **id, struct err *err)
{
    AUTO_HTTP_RESPONSE struct http_response response = HTTP_RESPONSE_INIT;
    engine->version = 0;
    if (agree(engine, err) < 0 || get(engine, "/info", "asking who it is", &response, err) < 0 ||
        engine_id_read(strbuf_text(&response.body), response.body.length, engine->id, err) < 0)
        return -1;
    *id = engine->id;
    return 0;
}

// ---- what there is

// It says nothing about the engine's other objects.
static int unreadable(struct err *err)
{
    err->code = ERR_IO;
    return -1;
}

static int list(struct engine_client *engine, const char *path, const char *deployment, struct http_response *response,
                struct err *err)
{
    char full[PATH_SIZE];
    // {"label":["io.curfew.deployment=..."]}
    snprintf(full, sizeof full, "%s%%7B%%22label%%22%%3A%%5B%%22" ENGINE_LABEL_DEPLOYMENT "%%3D%s%%22%%5D%%7D", path,
             deployment);
    return get(engine, full, "listing", response, err);
}

// What the engine was asked to filter is looked at once more.
static void keep_ours(struct engine_listing *listing, const char *deployment)
{
    size_t containers = 0, networks = 0;
    for (size_t i = 0; i < listing->container_count; i++)
        if (strcmp(listing->containers[i].deployment, deployment) == 0)
            listing->containers[containers++] = listing->containers[i];
    for (size_t i = 0; i < listing->network_count; i++)
        if (strcmp(listing->networks[i].deployment, deployment) == 0)
            listing->networks[networks++] = listing->networks[i];
    listing->container_count = containers;
    listing->network_count = networks;
}

int engine_client_list(struct engine_client *engine, const char *deployment, struct arena *arena,
                       struct engine_listing *out, struct err *err)
{
    AUTO_HTTP_RESPONSE struct http_response containers = HTTP_RESPONSE_INIT;
    AUTO_HTTP_RESPONSE struct http_response networks = HTTP_RESPONSE_INIT;
    *out = (struct engine_listing){0};
    if (list(engine, "/containers/json?all=1&filters=", deployment, &containers, err) < 0 ||
        list(engine, "/networks?filters=", deployment, &networks, err) < 0 ||
        engine_containers_read(strbuf_text(&containers.body), containers.body.length, arena, &out->containers,
                               &out->container_count, err) < 0 ||
        engine_networks_read(strbuf_text(&networks.body), networks.body.length, arena, &out->networks,
                             &out->network_count, err) < 0)
        return -1;
    keep_ours(out, deployment);
    return 0;
}

int engine_client_inspect(struct engine_client *engine, const char *id, struct arena *arena,
                          struct engine_container *out, struct err *err)
{
    AUTO_HTTP_RESPONSE struct http_response response = HTTP_RESPONSE_INIT;
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "/containers/%s/json", id);
    if (call(engine, "GET", path, &response, err) < 0)
        return -1;
    if (response.status == 404)
        return ENGINE_ABSENT;
    if (response.status != 200)
        return refused(engine, "inspecting", &response, err);
    if (engine_container_read(strbuf_text(&response.body), response.body.length, arena, out, err) < 0)
        return unreadable(err);
    return ENGINE_DONE;
}

// ---- what is done

static int act(struct engine_client *engine, const char *method, const char *path, const char *what, struct err *err)
{
    AUTO_HTTP_RESPONSE struct http_response response = HTTP_RESPONSE_INIT;
    if (call(engine, method, path, &response, err) < 0)
        return -1;
    if (response.status == 404)
        return ENGINE_ABSENT;
    return response.status >= 200 && response.status < 300 ? ENGINE_DONE : refused(engine, what, &response, err);
}

int engine_client_signal(struct engine_client *engine, const char *id, const char *signal_name, struct err *err)
{
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "/containers/%s/kill?signal=%s", id, signal_name);
    int outcome = act(engine, "POST", path, "signalling", err);
    return outcome < 0 && err->code == ERR_CONFLICT ? ENGINE_DONE : outcome; // it does not run any more
}

int engine_client_remove(struct engine_client *engine, const char *id, struct err *err)
{
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "/containers/%s?v=1", id);
    return act(engine, "DELETE", path, "removing", err);
}

int engine_client_remove_network(struct engine_client *engine, const char *id, struct err *err)
{
    struct network_removal removal;
    char refusal[160] = "";
    int outcome = REMOVAL_GOES_ON;
    network_removal_begin(&removal, id);
    while (outcome == REMOVAL_GOES_ON) {
        AUTO_HTTP_RESPONSE struct http_response response = HTTP_RESPONSE_INIT;
        AUTO_STRBUF struct strbuf path = STRBUF_INIT, body = STRBUF_INIT;
        const char *method = network_removal_ask(&removal, &path, &body);
        if (strbuf_ok(&path, err) < 0 || strbuf_ok(&body, err) < 0 ||
            call_with(engine, method, path.data, body.length > 0 ? &body : NULL, &response, err) < 0)
            return -1;
        const char *text = strbuf_text(&response.body);
        if (removal.step == REMOVAL_DELETE)
            engine_message_read(text, response.body.length, refusal, sizeof refusal);
        outcome = network_removal_answered(&removal, response.status, text, response.body.length, err);
    }
    if (removal.taken_out > 0)
        log_event(LOG_WARN, "a network had endpoints of containers that are gone", "network", id, "endpoints",
                  LOG_NUMBER(removal.taken_out), NULL);
    if (outcome == REMOVAL_IN_USE)
        return err_set(err, ERR_CONFLICT, "the engine says: %s%s%s", refusal, *removal.endpoint ? "; in it is " : "",
                       removal.endpoint);
    if (outcome < 0)
        return unreadable(err);
    return outcome == REMOVAL_MISCOUNTED ? ENGINE_MISCOUNTED : ENGINE_DONE;
}
