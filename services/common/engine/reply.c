#include "services/common/engine/reply.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/strbuf.h"
#include "services/common/base/utf8.h"
#include "services/common/engine/reply_read.h"
#include "services/common/model/engine_labels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 256
#define LABEL_MAX 4096
#define LIST_MAX 20000
#define BINDINGS_MAX 16
#define GRACE_DEFAULT_S 10
#define ARENA_BYTES 1024
#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-" // of a container

int engine_reply_read(const char *text, size_t length, const struct wire_field *fields, size_t count, void *out,
                      struct arena *arena, struct err *err)
{
    AUTO_FAULTS struct faults faults = FAULTS_INIT;
    const char *kept = arena ? arena_copy(arena, text, length) : NULL; // texts that need no unescaping stay in it
    if (!kept)
        return err_set(err, ERR_NO_MEMORY, "no memory for an engine's answer");
    if (wire_read_answer(kept, length, NULL, fields, count, out, arena, &faults, err) < 0)
        return err_prefix(err, "answer of the container engine");
    return 0;
}

// An array becomes the one member of an object, which is what can be read.
static int read_list(const char *text, size_t length, const struct wire_field *fields, void *out, struct arena *arena,
                     struct err *err)
{
    AUTO_STRBUF struct strbuf wrapped = STRBUF_INIT;
    strbuf_add_text(&wrapped, "{\"list\":");
    strbuf_add(&wrapped, text, length);
    strbuf_add_char(&wrapped, '}');
    if (strbuf_ok(&wrapped, err) < 0)
        return -1;
    return engine_reply_read(wrapped.data, wrapped.length, fields, 1, out, arena, err);
}

// ---- which engine it is

struct about {
    const char *api, *oldest, *id;
};

static const struct wire_field version_fields[] = {
    {"ApiVersion", WIRE_TEXT, true, offsetof(struct about, api), 0, TEXT_MAX, NULL},
    {"MinAPIVersion", WIRE_TEXT, false, offsetof(struct about, oldest), 0, TEXT_MAX, NULL},
};

static const struct wire_field id_fields[] = {
    {"ID", WIRE_TEXT, true, offsetof(struct about, id), 1, ENGINE_ID_SIZE - 1, NULL},
};

static const struct wire_field created_fields[] = {
    {"Id", WIRE_TEXT, true, offsetof(struct about, id), 1, ENGINE_ID_SIZE - 1, NULL},
};

int engine_version_read(const char *text, size_t length, const char *where, int *version, struct err *err)
{
    AUTO_ARENA struct arena *arena = arena_new(ARENA_BYTES);
    struct about about = {0};
    int newest = 0, oldest = 0;
    if (engine_reply_read(text, length, version_fields, ARRAY_LEN(version_fields), &about, arena, err) < 0)
        return err_set(err, ERR_INVALID, "what answers at %.80s is no container engine that we know", where);
    if (sscanf(about.api, "1.%d", &newest) != 1)
        return err_set(err, ERR_INVALID, "what answers at %.80s is no container engine that we know", where);
    if (newest < ENGINE_VERSION_OLDEST)
        return err_set(err, ERR_INVALID, "the engine at %.80s is too old: it has API 1.%d, at least 1.%d is needed",
                       where, newest, ENGINE_VERSION_OLDEST);
    if (!about.oldest || sscanf(about.oldest, "1.%d", &oldest) != 1)
        oldest = ENGINE_VERSION_OLDEST;
    if (oldest > newest)
        return err_set(err, ERR_INVALID, "the engine at %.80s says that it has API 1.%d and takes 1.%d at least", where,
                       newest, oldest);
    newest = MIN(newest, ENGINE_VERSION_NEWEST);
    *version = MAX(newest, oldest);
    return 0;
}

static int read_id(const char *text, size_t length, const struct wire_field *fields, char out[static ENGINE_ID_SIZE],
                   struct err *err)
{
    AUTO_ARENA struct arena *arena = arena_new(ARENA_BYTES);
    struct about about = {0};
    if (engine_reply_read(text, length, fields, 1, &about, arena, err) < 0)
        return -1;
    snprintf(out, ENGINE_ID_SIZE, "%s", about.id);
    return *out ? 0 : err_set(err, ERR_INVALID, "answer of the container engine: an empty id");
}

int engine_id_read(const char *text, size_t length, char out[static ENGINE_ID_SIZE], struct err *err)
{
    return read_id(text, length, id_fields, out, err);
}

int engine_created_read(const char *text, size_t length, char out[static ENGINE_ID_SIZE], struct err *err)
{
    return read_id(text, length, created_fields, out, err);
}

// ---- labels

struct labels {
    const char *deployment, *job, *service, *epoch, *identity, *worker, *ports, *output;
};

#define LABEL(name, member) {name, WIRE_TEXT, false, offsetof(struct labels, member), 0, LABEL_MAX, NULL}
static const struct wire_field label_fields[] = {
    LABEL(ENGINE_LABEL_DEPLOYMENT, deployment), LABEL(ENGINE_LABEL_JOB, job),
    LABEL(ENGINE_LABEL_SERVICE, service),       LABEL(ENGINE_LABEL_EPOCH, epoch),
    LABEL(ENGINE_LABEL_IDENTITY, identity),     LABEL(ENGINE_LABEL_WORKER, worker),
    LABEL(ENGINE_LABEL_PORTS, ports),           LABEL(ENGINE_LABEL_OUTPUT, output),
};

static const char *or_nothing(const char *text)
{
    return text ? text : "";
}

static const char *identity_of(const struct labels *labels, struct arena *arena)
{
    char text[3 * TEXT_MAX];
    if (labels->identity)
        return labels->identity;
    if (!labels->job || !labels->service || !labels->epoch)
        return "";
    int length = snprintf(text, sizeof text, "%.255s/%.255s/%.255s", labels->job, labels->service, labels->epoch);
    const char *copy = arena_copy(arena, text, (size_t)length + 1);
    return or_nothing(copy);
}

static void container_labels_read(struct wire *wire, const struct wire_place *place, void *object)
{
    struct engine_container *container = object;
    struct labels labels = {0};
    wire_object(wire, place, label_fields, ARRAY_LEN(label_fields), &labels);
    container->deployment = labels.deployment;
    container->job = labels.job;
    container->service = labels.service;
    container->worker = labels.worker;
    container->ports = labels.ports;
    container->output = labels.output;
    container->identity = identity_of(&labels, wire->arena);
}

static void fill_gaps(struct engine_container *container)
{
    const char **texts[] = {&container->deployment, &container->job,    &container->service,  &container->worker,
                            &container->ports,      &container->output, &container->identity, &container->state};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        *texts[i] = or_nothing(*texts[i]);
}

// ---- ports

static void publish(struct engine_container *container, int port, int number)
{
    if (port < 1 || number < 1 || engine_published_number(container, port) != 0 ||
        container->published_count == ENGINE_PORTS_MAX)
        return;
    container->published[container->published_count++] = (struct engine_published){port, number};
}

// Of a list: [{"PrivatePort": 6379, "PublicPort": 32768}]
struct listed_port {
    int container, number;
};

static const struct wire_field listed_port_fields[] = {
    {"PrivatePort", WIRE_INT, false, offsetof(struct listed_port, container), 0, 65535, NULL},
    {"PublicPort", WIRE_INT, false, offsetof(struct listed_port, number), 0, 65535, NULL},
};

static void listed_port_read(struct wire *wire, const struct wire_place *place, void *object)
{
    struct listed_port port = {0};
    wire_object(wire, place, listed_port_fields, ARRAY_LEN(listed_port_fields), &port);
    publish(object, port.container, port.number);
}

static void listed_ports_read(struct wire *wire, const struct wire_place *place, void *object)
{
    size_t count;
    wire_array(wire, place, LIST_MAX, listed_port_read, object, &count);
}

// Of one container: {"6379/tcp": [{"HostIp": "127.0.0.1", "HostPort": "32768"}]}
struct binding {
    struct engine_container *container;
    int port;
    const char *number;
};

static const struct wire_field binding_fields[] = {
    {"HostPort", WIRE_TEXT, false, offsetof(struct binding, number), 0, TEXT_MAX, NULL},
};

static void binding_read(struct wire *wire, const struct wire_place *place, void *object)
{
    struct binding *binding = object;
    binding->number = NULL;
    wire_object(wire, place, binding_fields, ARRAY_LEN(binding_fields), binding);
    publish(binding->container, binding->port, binding->number ? atoi(binding->number) : 0);
}

static void bindings_read(struct wire *wire, const struct wire_place *place, void *object)
{
    struct wire key = *wire;
    const char *name = NULL;
    size_t count;
    key.walk.at = place->key;
    if (wire_is_null(wire)) { // exposed, and not published
        wire_skip(wire);
        return;
    }
    struct binding binding = {.container = object};
    if (wire_text(&key, place, TEXT_MAX, &name))
        binding.port = atoi(name);
    wire_array(wire, place, BINDINGS_MAX, binding_read, &binding, &count);
}

static void bound_ports_read(struct wire *wire, const struct wire_place *place, void *object)
{
    wire_members(wire, place, LIST_MAX, bindings_read, object);
}

int engine_published_number(const struct engine_container *container, int port)
{
    for (size_t i = 0; i < container->published_count; i++)
        if (container->published[i].container == port)
            return container->published[i].number;
    return 0;
}

size_t engine_ports_parse(const char *label, struct engine_port out[static ENGINE_PORTS_MAX])
{
    size_t count = 0;
    while (*label && count < ENGINE_PORTS_MAX) {
        int used = 0;
        struct engine_port *port = &out[count];
        if (sscanf(label, "%79[^=,]=%d%n", port->name, &port->container, &used) == 2 && port->container > 0)
            count++;
        label += strcspn(label, ",");
        label += *label == ',';
    }
    return count;
}

// ---- lists

#define AT(member) offsetof(struct engine_container, member)
static const struct wire_field listed_fields[] = {
    {"Id", WIRE_TEXT, true, AT(id), 1, TEXT_MAX, NULL},
    {"State", WIRE_TEXT, false, AT(state), 0, TEXT_MAX, NULL},
    {"Labels", WIRE_CUSTOM, false, 0, 0, 0, container_labels_read},
    {"Ports", WIRE_CUSTOM, false, 0, 0, 0, listed_ports_read},
};

struct containers {
    struct engine_container *items;
    size_t count, capacity;
};

static void listed_read(struct wire *wire, const struct wire_place *place, void *object)
{
    struct containers *list = object;
    struct engine_container *grown =
        arena_grow(wire->arena, list->items, list->count, &list->capacity, sizeof *list->items);
    if (!grown) {
        wire->no_memory = true;
        return;
    }
    list->items = grown;
    struct engine_container *container = &list->items[list->count++];
    *container = (struct engine_container){0};
    wire_object(wire, place, listed_fields, ARRAY_LEN(listed_fields), container);
    fill_gaps(container);
}

static void containers_read(struct wire *wire, const struct wire_place *place, void *object)
{
    size_t count;
    wire_array(wire, place, LIST_MAX, listed_read, object, &count);
}

int engine_containers_read(const char *text, size_t length, struct arena *arena, struct engine_container **out,
                           size_t *count, struct err *err)
{
    static const struct wire_field fields[] = {{"list", WIRE_CUSTOM, true, 0, 0, 0, containers_read}};
    struct containers list = {0};
    if (read_list(text, length, fields, &list, arena, err) < 0)
        return -1;
    *out = list.items;
    *count = list.count;
    return 0;
}

struct networks {
    struct engine_network *items;
    size_t count, capacity;
};

static void network_labels_read(struct wire *wire, const struct wire_place *place, void *object)
{
    struct engine_network *network = object;
    struct labels labels = {0};
    wire_object(wire, place, label_fields, ARRAY_LEN(label_fields), &labels);
    network->deployment = labels.deployment;
    network->job = labels.job;
}

static const struct wire_field network_fields[] = {
    {"Id", WIRE_TEXT, true, offsetof(struct engine_network, id), 1, TEXT_MAX, NULL},
    {"Created", WIRE_TEXT, false, offsetof(struct engine_network, created), 0, TEXT_MAX, NULL},
    {"Labels", WIRE_CUSTOM, false, 0, 0, 0, network_labels_read},
};

static void network_read(struct wire *wire, const struct wire_place *place, void *object)
{
    struct networks *list = object;
    struct engine_network *grown =
        arena_grow(wire->arena, list->items, list->count, &list->capacity, sizeof *list->items);
    if (!grown) {
        wire->no_memory = true;
        return;
    }
    list->items = grown;
    struct engine_network *network = &list->items[list->count++];
    *network = (struct engine_network){0};
    wire_object(wire, place, network_fields, ARRAY_LEN(network_fields), network);
    network->deployment = or_nothing(network->deployment);
    network->job = or_nothing(network->job);
    network->created = or_nothing(network->created);
}

static void networks_read(struct wire *wire, const struct wire_place *place, void *object)
{
    size_t count;
    wire_array(wire, place, LIST_MAX, network_read, object, &count);
}

int engine_networks_read(const char *text, size_t length, struct arena *arena, struct engine_network **out,
                         size_t *count, struct err *err)
{
    static const struct wire_field fields[] = {{"list", WIRE_CUSTOM, true, 0, 0, 0, networks_read}};
    struct networks list = {0};
    if (read_list(text, length, fields, &list, arena, err) < 0)
        return -1;
    *out = list.items;
    *count = list.count;
    return 0;
}

static void endpoint_read(struct wire *wire, const struct wire_place *place, void *object)
{
    static const struct wire_field fields[] = {{"Name", WIRE_TEXT, false, 0, 0, TEXT_MAX, NULL}};
    const char **first = object, *name = NULL;
    wire_object(wire, place, fields, ARRAY_LEN(fields), &name);
    *first = *first ? *first : or_nothing(name);
}

static void endpoints_read(struct wire *wire, const struct wire_place *place, void *object)
{
    wire_members(wire, place, LIST_MAX, endpoint_read, object);
}

int engine_network_endpoint_read(const char *text, size_t length, char name[static ENGINE_ID_SIZE], struct err *err)
{
    static const struct wire_field fields[] = {{"Containers", WIRE_CUSTOM, false, 0, 0, 0, endpoints_read}};
    AUTO_ARENA struct arena *arena = arena_new(0);
    const char *found = NULL;
    if (engine_reply_read(text, length, fields, ARRAY_LEN(fields), &found, arena, err) < 0)
        return -1;
    bool is_name = found && found[strspn(found, NAME_CHARACTERS)] == '\0';
    snprintf(name, ENGINE_ID_SIZE, "%s", is_name ? found : "");
    return found != NULL;
}

// ---- one container

static const struct wire_field state_fields[] = {
    {"Status", WIRE_TEXT, true, AT(state), 0, TEXT_MAX, NULL},
    {"ExitCode", WIRE_I64, false, AT(exit_code), INT32_MIN, INT32_MAX, NULL},
    {"OOMKilled", WIRE_BOOLEAN, false, AT(out_of_memory), 0, 0, NULL},
};

static void state_read(struct wire *wire, const struct wire_place *place, void *object)
{
    wire_object(wire, place, state_fields, ARRAY_LEN(state_fields), object);
}

static const struct wire_field config_fields[] = {
    {"StopSignal", WIRE_TEXT, false, AT(stop_signal), 0, TEXT_MAX, NULL},
    {"StopTimeout", WIRE_I64, false, AT(stop_grace_ms), INT32_MIN, INT32_MAX, NULL}, // seconds, as they come
    {"Labels", WIRE_CUSTOM, false, 0, 0, 0, container_labels_read},
};

static void config_read(struct wire *wire, const struct wire_place *place, void *object)
{
    wire_object(wire, place, config_fields, ARRAY_LEN(config_fields), object);
}

static const struct wire_field settings_fields[] = {{"Ports", WIRE_CUSTOM, false, 0, 0, 0, bound_ports_read}};

static void settings_read(struct wire *wire, const struct wire_place *place, void *object)
{
    wire_object(wire, place, settings_fields, ARRAY_LEN(settings_fields), object);
}

static const struct wire_field container_fields[] = {
    {"Id", WIRE_TEXT, true, AT(id), 1, TEXT_MAX, NULL},
    {"State", WIRE_CUSTOM, true, 0, 0, 0, state_read},
    {"Config", WIRE_CUSTOM, true, 0, 0, 0, config_read},
    {"NetworkSettings", WIRE_CUSTOM, false, 0, 0, 0, settings_read},
};

int engine_container_read(const char *text, size_t length, struct arena *arena, struct engine_container *out,
                          struct err *err)
{
    *out = (struct engine_container){.stop_grace_ms = -1};
    if (engine_reply_read(text, length, container_fields, ARRAY_LEN(container_fields), out, arena, err) < 0)
        return -1;
    fill_gaps(out);
    bool never_ran = strcmp(out->state, "created") == 0;
    out->exited = strcmp(out->state, "exited") == 0 || strcmp(out->state, "dead") == 0;
    out->running = !out->exited && !never_ran && strcmp(out->state, "removing") != 0;
    out->stop_signal = out->stop_signal && *out->stop_signal ? out->stop_signal : "SIGTERM";
    out->stop_grace_ms = (out->stop_grace_ms >= 0 ? out->stop_grace_ms : GRACE_DEFAULT_S) * 1000;
    return 0;
}

// ---- small answers

struct message {
    const char *status, *id, *error, *message;
};

static const struct wire_field progress_fields[] = {
    {"status", WIRE_CUT, false, offsetof(struct message, status), 0, 100, NULL},
    {"id", WIRE_CUT, false, offsetof(struct message, id), 0, 20, NULL},
    {"error", WIRE_CUT, false, offsetof(struct message, error), 0, 199, NULL},
};

int engine_progress_read(const char *text, size_t length, char status[static 128], char error[static 200],
                         struct err *err)
{
    AUTO_ARENA struct arena *arena = arena_new(ARENA_BYTES);
    struct message line = {0};
    if (engine_reply_read(text, length, progress_fields, ARRAY_LEN(progress_fields), &line, arena, err) < 0)
        return -1;
    snprintf(status, 128, "%s%s%s", or_nothing(line.status), line.id ? " " : "", or_nothing(line.id));
    snprintf(error, 200, "%s", or_nothing(line.error));
    return 0;
}

static const struct wire_field message_fields[] = {
    {"message", WIRE_TEXT, true, offsetof(struct message, message), 0, 1 << 16, NULL},
};

void engine_message_read(const char *text, size_t length, char *out, size_t size)
{
    AUTO_ARENA struct arena *arena = arena_new(ARENA_BYTES);
    struct message answer = {0};
    struct err err;
    if (engine_reply_read(text, length, message_fields, ARRAY_LEN(message_fields), &answer, arena, &err) < 0)
        snprintf(out, size, "%.*s", (int)MIN(length, (size_t)INT16_MAX), text);
    else
        snprintf(out, size, "%s", answer.message);
    out[strcspn(out, "\r\n")] = '\0';
    out[utf8_prefix(out, strlen(out), size - 1)] = '\0';
}
