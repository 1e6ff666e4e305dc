#include "services/reaper/engine_client.h"

#include "services/common/base/cleanup.h"
#include "services/common/http/client.h"
#include "services/common/json/wire.h"
#include "services/common/model/engine_labels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VERSION_BEST 41 // of API 1.x: what we were tested with
#define VERSION_OLDEST 40
#define CALL_TIMEOUT_MS 10000
#define TEXT_MAX 256
#define LIST_MAX 20000
#define GRACE_DEFAULT_S 10
#define PATH_SIZE 512

struct engine_client {
    struct http_client *http;
    char url[TEXT_MAX];
    char id[TEXT_MAX];
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

static int call(struct engine_client *engine, const char *method, const char *path, struct http_response *response,
                struct err *err)
{
    char version[16] = "", full[PATH_SIZE];
    if (engine->version > 0)
        snprintf(version, sizeof version, "/v1.%d", engine->version);
    int length = snprintf(full, sizeof full, "%s%s", version, path);
    const struct http_call request = {.method = method, .path = full};
    if (length >= (int)sizeof full)
        return err_set(err, ERR_INVALID, "the engine's path is too long");
    if (http_call(engine->http, &request, response, err) == 0)
        return 0;
    engine->version = 0; // it may be another one when it answers again
    return err_prefix(err, "no container engine at %.80s (is it running, and may this user use it?)", engine->url);
}

static int read_object(const struct http_response *response, const char *before, const char *after,
                       const struct wire_field *fields, size_t count, void *out, struct arena *arena, struct err *err)
{
    AUTO_FAULTS struct faults faults = FAULTS_INIT;
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    strbuf_add_text(&text, before);
    strbuf_add(&text, strbuf_text(&response->body), response->body.length);
    strbuf_add_text(&text, after);
    if (strbuf_ok(&text, err) < 0)
        return -1;
    const char *kept = arena_copy(arena, text.data, text.length); // texts that need no unescaping are borrowed from it
    if (!kept)
        return err_set(err, ERR_NO_MEMORY, "no memory for an engine's answer");
    if (wire_read_answer(kept, text.length, NULL, fields, count, out, arena, &faults, err) < 0)
        return err_prefix(err, "answer of the container engine");
    return 0;
}

// ---- which engine it is

struct about {
    const char *api, *oldest, *id;
};

static const struct wire_field version_fields[] = {
    {"ApiVersion", WIRE_TEXT, true, offsetof(struct about, api), 0, TEXT_MAX, NULL},
    {"MinAPIVersion", WIRE_TEXT, false, offsetof(struct about, oldest), 0, TEXT_MAX, NULL},
};

static const struct wire_field info_fields[] = {
    {"ID", WIRE_TEXT, true, offsetof(struct about, id), 1, TEXT_MAX - 1, NULL},
};

static int agree(struct engine_client *engine, const struct about *about, struct err *err)
{
    int newest = 0, oldest = 0;
    if (sscanf(about->api, "1.%d", &newest) != 1)
        return err_set(err, ERR_INVALID, "what answers at %.80s is no container engine that we know", engine->url);
    if (newest < VERSION_OLDEST)
        return err_set(err, ERR_INVALID, "the engine at %.80s is too old: it has API 1.%d, at least 1.%d is needed",
                       engine->url, newest, VERSION_OLDEST);
    if (!about->oldest || sscanf(about->oldest, "1.%d", &oldest) != 1)
        oldest = VERSION_OLDEST;
    engine->version = newest < VERSION_BEST ? newest : oldest > VERSION_BEST ? oldest : VERSION_BEST;
    return 0;
}

static int ask(struct engine_client *engine, const char *path, const struct wire_field *fields, size_t count,
               struct about *about, struct arena *arena, struct err *err)
{
    AUTO_HTTP_RESPONSE struct http_response response = HTTP_RESPONSE_INIT;
    if (call(engine, "GET", path, &response, err) < 0)
        return -1;
    if (response.status != 200)
        return refused(engine, "asking who it is", &response, err);
    return read_object(&response, "", "", fields, count, about, arena, err);
}

int engine_client_hello(struct engine_client *engine, const char **id, struct err *err)
{
    AUTO_ARENA struct arena *arena = arena_new(0);
    struct about about = {0};
    if (!arena)
        return err_set(err, ERR_NO_MEMORY, "no memory for an engine's answer");
    engine->version = 0;
    if (ask(engine, "/version", version_fields, ARRAY_LEN(version_fields), &about, arena, err) < 0 ||
        agree(engine, &about, err) < 0 ||
        ask(engine, "/info", info_fields, ARRAY_LEN(info_fields), &about, arena, err) < 0)
        return -1;
    snprintf(engine->id, sizeof engine->id, "%s", about.id);
    *id = engine->id;
    return 0;
}

// ---- labels

struct labels {
    const char *deployment, *job, *service, *epoch, *identity;
};

static const struct wire_field label_fields[] = {
    {ENGINE_LABEL_DEPLOYMENT, WIRE_TEXT, false, offsetof(struct labels, deployment), 0, TEXT_MAX, NULL},
    {ENGINE_LABEL_JOB, WIRE_TEXT, false, offsetof(struct labels, job), 0, TEXT_MAX, NULL},
    {ENGINE_LABEL_SERVICE, WIRE_TEXT, false, offsetof(struct labels, service), 0, TEXT_MAX, NULL},
    {ENGINE_LABEL_EPOCH, WIRE_TEXT, false, offsetof(struct labels, epoch), 0, TEXT_MAX, NULL},
    {ENGINE_LABEL_IDENTITY, WIRE_TEXT, false, offsetof(struct labels, identity), 0, TEXT_MAX, NULL},
};

static struct labels read_labels(struct wire *wire, const struct wire_place *place)
{
    struct labels labels = {0};
    wire_object(wire, place, label_fields, ARRAY_LEN(label_fields), &labels);
    labels.deployment = labels.deployment ? labels.deployment : "";
    labels.job = labels.job ? labels.job : "";
    return labels;
}

static const char *identity_of(const struct labels *labels, struct arena *arena)
{
    char text[3 * TEXT_MAX + 3];
    if (labels->identity)
        return labels->identity;
    if (!*labels->job || !labels->service || !labels->epoch)
        return "";
    int length = snprintf(text, sizeof text, "%s/%s/%s", labels->job, labels->service, labels->epoch);
    const char *copy = arena_copy(arena, text, (size_t)length + 1);
    return copy ? copy : "";
}

// ---- lists

struct listed {
    const char *id;
    struct labels labels;
};

static void listed_labels_read(struct wire *wire, const struct wire_place *place, void *object)
{
    ((struct listed *)object)->labels = read_labels(wire, place);
}

static const struct wire_field listed_fields[] = {
    {"Id", WIRE_TEXT, true, offsetof(struct listed, id), 1, TEXT_MAX, NULL},
    {"Labels", WIRE_CUSTOM, false, 0, 0, 0, listed_labels_read},
};

struct listing {
    struct arena *arena;
    struct listed *items;
    size_t count;
};

static void listed_read(struct wire *wire, const struct wire_place *place, void *object)
{
    struct listing *listing = object;
    wire_object(wire, place, listed_fields, ARRAY_LEN(listed_fields), &listing->items[place->index]);
}

static void listing_read(struct wire *wire, const struct wire_place *place, void *object)
{
    struct listing *listing = object;
    listing->items = arena_alloc_zero(listing->arena, LIST_MAX, sizeof *listing->items);
    if (listing->items)
        wire_array(wire, place, LIST_MAX, listed_read, object, &listing->count);
    else
        wire->no_memory = true;
}

static const struct wire_field listing_fields[] = {{"list", WIRE_CUSTOM, true, 0, 0, 0, listing_read}};

static int list(struct engine_client *engine, const char *path, const char *deployment, struct listing *out,
                struct err *err)
{
    AUTO_HTTP_RESPONSE struct http_response response = HTTP_RESPONSE_INIT;
    char full[PATH_SIZE];
    // {"label":["io.curfew.deployment=..."]}
    snprintf(full, sizeof full, "%s%%7B%%22label%%22%%3A%%5B%%22" ENGINE_LABEL_DEPLOYMENT "%%3D%s%%22%%5D%%7D", path,
             deployment);
    if (call(engine, "GET", full, &response, err) < 0)
        return -1;
    if (response.status != 200)
        return refused(engine, "listing", &response, err);
    return read_object(&response, "{\"list\":", "}", listing_fields, ARRAY_LEN(listing_fields), out, out->arena, err);
}

// What the engine was asked to filter is looked at once more.
static bool is_ours(const struct listed *listed, const char *deployment)
{
    return listed->labels.deployment && strcmp(listed->labels.deployment, deployment) == 0;
}

static int take_containers(const struct listing *listing, const char *deployment, struct engine_listing *out,
                           struct err *err)
{
    out->containers = arena_alloc_zero(listing->arena, listing->count + 1, sizeof *out->containers);
    if (!out->containers)
        return err_set(err, ERR_NO_MEMORY, "no memory for a list of containers");
    for (size_t i = 0; i < listing->count; i++)
        if (is_ours(&listing->items[i], deployment))
            out->containers[out->container_count++] = (struct engine_container){
                .id = listing->items[i].id,
                .deployment = deployment,
                .identity = identity_of(&listing->items[i].labels, listing->arena),
            };
    return 0;
}

static int take_networks(const struct listing *listing, const char *deployment, struct engine_listing *out,
                         struct err *err)
{
    out->networks = arena_alloc_zero(listing->arena, listing->count + 1, sizeof *out->networks);
    if (!out->networks)
        return err_set(err, ERR_NO_MEMORY, "no memory for a list of networks");
    for (size_t i = 0; i < listing->count; i++)
        if (is_ours(&listing->items[i], deployment))
            out->networks[out->network_count++] =
                (struct engine_network){.id = listing->items[i].id, .job = listing->items[i].labels.job};
    return 0;
}

int engine_client_list(struct engine_client *engine, const char *deployment, struct arena *arena,
                       struct engine_listing *out, struct err *err)
{
    struct listing containers = {.arena = arena}, networks = {.arena = arena};
    *out = (struct engine_listing){0};
    if (list(engine, "/containers/json?all=1&filters=", deployment, &containers, err) < 0 ||
        list(engine, "/networks?filters=", deployment, &networks, err) < 0)
        return -1;
    return take_containers(&containers, deployment, out, err) < 0 ? -1 : take_networks(&networks, deployment, out, err);
}

// ---- one container

struct inspected {
    struct arena *arena;
    const char *id, *status, *stop_signal;
    bool out_of_memory;
    int64_t exit_code, stop_timeout_s;
    struct labels labels;
};

#define AT(member) offsetof(struct inspected, member)
static const struct wire_field state_fields[] = {
    {"Status", WIRE_TEXT, true, AT(status), 0, TEXT_MAX, NULL},
    {"ExitCode", WIRE_I64, false, AT(exit_code), INT32_MIN, INT32_MAX, NULL},
    {"OOMKilled", WIRE_BOOLEAN, false, AT(out_of_memory), 0, 0, NULL},
};

static void state_read(struct wire *wire, const struct wire_place *place, void *object)
{
    wire_object(wire, place, state_fields, ARRAY_LEN(state_fields), object);
}

static void inspected_labels_read(struct wire *wire, const struct wire_place *place, void *object)
{
    ((struct inspected *)object)->labels = read_labels(wire, place);
}

static const struct wire_field config_fields[] = {
    {"StopSignal", WIRE_TEXT, false, AT(stop_signal), 0, TEXT_MAX, NULL},
    {"StopTimeout", WIRE_I64, false, AT(stop_timeout_s), INT32_MIN, INT32_MAX, NULL},
    {"Labels", WIRE_CUSTOM, false, 0, 0, 0, inspected_labels_read},
};

static void config_read(struct wire *wire, const struct wire_place *place, void *object)
{
    wire_object(wire, place, config_fields, ARRAY_LEN(config_fields), object);
}

static const struct wire_field inspected_fields[] = {
    {"Id", WIRE_TEXT, true, AT(id), 1, TEXT_MAX, NULL},
    {"State", WIRE_CUSTOM, true, 0, 0, 0, state_read},
    {"Config", WIRE_CUSTOM, true, 0, 0, 0, config_read},
};

static void take_inspected(const struct inspected *seen, struct engine_container *out)
{
    bool never_ran = strcmp(seen->status, "created") == 0;
    bool over = strcmp(seen->status, "exited") == 0 || strcmp(seen->status, "dead") == 0;
    *out = (struct engine_container){
        .id = seen->id,
        .deployment = seen->labels.deployment ? seen->labels.deployment : "",
        .identity = identity_of(&seen->labels, seen->arena),
        .running = !over && !never_ran && strcmp(seen->status, "removing") != 0,
        .exited = over,
        .out_of_memory = seen->out_of_memory,
        .exit_code = seen->exit_code,
        .stop_signal = seen->stop_signal && *seen->stop_signal ? seen->stop_signal : "SIGTERM",
        .stop_grace_ms = (seen->stop_timeout_s >= 0 ? seen->stop_timeout_s : GRACE_DEFAULT_S) * 1000,
    };
}

int engine_client_inspect(struct engine_client *engine, const char *id, struct arena *arena,
                          struct engine_container *out, struct err *err)
{
    AUTO_HTTP_RESPONSE struct http_response response = HTTP_RESPONSE_INIT;
    struct inspected seen = {.arena = arena, .stop_timeout_s = -1};
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "/containers/%s/json", id);
    if (call(engine, "GET", path, &response, err) < 0)
        return -1;
    if (response.status == 404)
        return ENGINE_ABSENT;
    if (response.status != 200)
        return refused(engine, "inspecting", &response, err);
    if (read_object(&response, "", "", inspected_fields, ARRAY_LEN(inspected_fields), &seen, arena, err) < 0)
        return -1;
    take_inspected(&seen, out);
    return ENGINE_DONE;
}

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
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "/networks/%s", id);
    return act(engine, "DELETE", path, "removing a network", err);
}
