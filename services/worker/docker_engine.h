// The connection to a container engine: which engine it is, which version of its API is spoken, and calls to it.
//
// Single-threaded, on the loop. Nothing is called back from within a function.
#pragma once

#include "services/common/engine/reply.h"
#include "services/common/http/client_async.h"
#include "services/worker/docker_address.h"

struct docker_engine;

// `url`: see docker_address.h. Nothing is sent yet.
int docker_engine_new(struct loop *loop, const char *url, struct docker_engine **out, struct err *err) WARN_UNUSED;
void docker_engine_free(struct docker_engine *engine); // takes NULL; ends all calls without their callbacks

// Asks for version and id. `error` is NULL when the engine can be used; else its text says what is wrong and what to
// do.
typedef void (*docker_hello_fn)(void *context, const struct err *error);
void docker_engine_hello(struct docker_engine *engine, docker_hello_fn done, void *context);
const char *docker_engine_id(const struct docker_engine *engine); // NULL before the first hello that went well
const struct docker_address *docker_engine_address(const struct docker_engine *engine);

// The path of a call with the version in front; `path` begins with a slash.
void docker_engine_path(const struct docker_engine *engine, const char *path, struct strbuf *out);
// http_async_start() with that path; `call->path` is the rest. ERR_UNAVAILABLE in the callback: the engine is away.
int docker_engine_call(struct docker_engine *engine, const struct http_call *call, http_async_fn done, void *context,
                       struct http_async_call **out, struct err *err) WARN_UNUSED;

// What the engine said instead of what was asked for: "<what>: the engine says 500: <message>".
int docker_engine_refused(const struct http_response *response, const char *what, struct err *err);
// ?filters= for lists: everything with these labels, "NAME=VALUE", ended by NULL. Escaped.
void docker_engine_add_filters(const char *const *labels, struct strbuf *out);
