#include "services/worker/docker_engine.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/clock.h"
#include "services/common/base/loop.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CALL_TIMEOUT_MS 30000
#define HELLO_TIMEOUT_MS 10000

struct docker_engine {
    struct docker_address address;
    struct http_async *http;
    struct loop_timer *later;
    int version; // 0: not agreed yet
    char id[ENGINE_ID_SIZE];
    docker_hello_fn hello;
    void *hello_context;
    struct err hello_error; // to be told by `later`
};

static void on_later(void *context);

int docker_engine_new(struct loop *loop, const char *url, struct docker_engine **out, struct err *err)
{
    struct docker_engine *engine = calloc(1, sizeof *engine);
    if (!engine)
        return err_set(err, ERR_NO_MEMORY, "no memory for an engine");
    struct http_client_settings settings = {.user_agent = "curfew-worker", .timeout_ms = CALL_TIMEOUT_MS};
    if (docker_address_read(url, &engine->address, err) < 0)
        goto failed;
    settings.base_url = engine->address.url;
    if (http_async_new(loop, &settings, 0, &engine->http, err) < 0 ||
        loop_timer_add(loop, on_later, engine, &engine->later, err) < 0)
        goto failed;
    *out = engine;
    return 0;
failed:
    docker_engine_free(engine);
    return -1;
}

void docker_engine_free(struct docker_engine *engine)
{
    if (!engine)
        return;
    http_async_free(engine->http);
    loop_timer_remove(engine->later);
    free(engine);
}

const char *docker_engine_id(const struct docker_engine *engine)
{
    return engine->id[0] ? engine->id : NULL;
}

const struct docker_address *docker_engine_address(const struct docker_engine *engine)
{
    return &engine->address;
}

// ---- calls

void docker_engine_path(const struct docker_engine *engine, const char *path, struct strbuf *out)
{
    if (engine->version > 0)
        strbuf_add_format(out, "/v1.%d", engine->version);
    strbuf_add_text(out, path);
}

int docker_engine_call(struct docker_engine *engine, const struct http_call *call, http_async_fn done, void *context,
                       struct http_async_call **out, struct err *err)
{
    AUTO_STRBUF struct strbuf path = STRBUF_INIT;
    struct http_call versioned = *call;
    docker_engine_path(engine, call->path, &path);
    if (strbuf_ok(&path, err) < 0)
        return -1;
    versioned.path = path.data;
    return http_async_start(engine->http, &versioned, done, context, out, err);
}

int docker_engine_refused(const struct http_response *response, const char *what, struct err *err)
{
    char message[180];
    engine_message_read(strbuf_text(&response->body), response->body.length, message, sizeof message);
    enum err_code code = response->status == 409   ? ERR_CONFLICT
                         : response->status == 404 ? ERR_NOT_FOUND
                         : response->status == 503 ? ERR_UNAVAILABLE
                                                   : ERR_IO;
    return err_set(err, code, "%s: the engine says %d: %s", what, response->status, message);
}

static void add_escaped(const char *text, struct strbuf *out)
{
    for (; *text; text++)
        if (strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.", *text))
            strbuf_add_char(out, *text);
        else
            strbuf_add_format(out, "%%%02X", (unsigned)(unsigned char)*text);
}

void docker_engine_add_filters(const char *const *labels, struct strbuf *out)
{
    AUTO_STRBUF struct strbuf json = STRBUF_INIT;
    strbuf_add_text(&json, "{\"label\":[");
    for (size_t i = 0; labels[i]; i++) {
        if (i > 0)
            strbuf_add_char(&json, ',');
        strbuf_add_json(&json, labels[i], strlen(labels[i]));
    }
    strbuf_add_text(&json, "]}");
    strbuf_add_text(out, "filters=");
    add_escaped(strbuf_text(&json), out);
    out->failed |= json.failed;
}

// ---- hello

static void tell(struct docker_engine *engine, const struct err *error)
{
    docker_hello_fn hello = engine->hello;
    engine->hello = NULL;
    if (hello)
        hello(engine->hello_context, error);
}

static void on_later(void *context)
{
    struct docker_engine *engine = context;
    tell(engine, &engine->hello_error);
}

// Why nobody answers, and what to do about it.
static void explain_silence(const struct docker_engine *engine, const struct err *failure, struct err *error)
{
    const char *url = engine->address.url, *path = strchr(url, '/');
    bool is_local = engine->address.socket.ss_family == AF_UNIX && path;
    if (is_local && access(path, F_OK) < 0)
        err_set(error, ERR_UNAVAILABLE, "no container engine: there is no %.100s; is it installed, and running?", path);
    else if (is_local && access(path, R_OK | W_OK) < 0)
        err_set(error, ERR_FORBIDDEN,
                "this user may not use the container engine: it needs to be in the group of %.100s", path);
    else
        err_set(error, ERR_UNAVAILABLE, "no container engine answers at %.100s; is it running? (%.80s)", url,
                failure->text);
}

static void on_id(void *context, struct http_response *response, const struct err *failure)
{
    struct docker_engine *engine = context;
    struct err error = {0};
    int outcome = -1;
    if (!response)
        explain_silence(engine, failure, &error);
    else if (response->status != 200)
        docker_engine_refused(response, "asking who it is", &error);
    else
        outcome = engine_id_read(strbuf_text(&response->body), response->body.length, engine->id, &error);
    tell(engine, outcome < 0 ? &error : NULL);
}

static void ask(struct docker_engine *engine, const char *path, http_async_fn done)
{
    const struct http_call call = {.method = "GET", .path = path, .timeout_ms = HELLO_TIMEOUT_MS};
    if (docker_engine_call(engine, &call, done, engine, NULL, &engine->hello_error) < 0)
        loop_timer_arm(engine->later, clock_boot_ms());
}

static void on_version(void *context, struct http_response *response, const struct err *failure)
{
    struct docker_engine *engine = context;
    struct err error = {0};
    int outcome = -1;
    if (!response)
        explain_silence(engine, failure, &error);
    else if (response->status != 200)
        docker_engine_refused(response, "asking for its version", &error);
    else
        outcome = engine_version_read(strbuf_text(&response->body), response->body.length, engine->address.url,
                                      &engine->version, &error);
    if (outcome < 0)
        tell(engine, &error);
    else
        ask(engine, "/info", on_id);
}

void docker_engine_hello(struct docker_engine *engine, docker_hello_fn done, void *context)
{
    engine->hello = done;
    engine->hello_context = context;
    engine->version = 0;
    ask(engine, "/version", on_version);
}
