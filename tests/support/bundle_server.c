#include "tests/support/bundle_server.h"

#include "services/common/base/fd.h"
#include "services/common/base/sha256.h"
#include "services/common/http/server.h"
#include "tests/support/die.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUNDLES_MAX 8
#define NAME_SIZE (SHA256_HEX_SIZE + 7)

struct served {
    char name[NAME_SIZE];
    char *content;
    size_t length;
};

struct bundle_server {
    struct http_server *http;
    char url[64];
    struct served bundles[BUNDLES_MAX];
    atomic_int count, requests, refusals, status;
    atomic_bool corrupt;
};

static enum http_handled serve(struct bundle_server *server, const struct served *served, struct http_reply *reply)
{
    struct strbuf body = STRBUF_INIT;
    strbuf_add(&body, served->content, served->length);
    if (atomic_load(&server->corrupt))
        body.data[0] ^= 1;
    return http_reply_bytes(reply, 200, "application/zstd", &body);
}

static enum http_handled get(void *app, struct http_request *request, struct http_reply *reply)
{
    struct bundle_server *server = app;
    const char *hash = http_request_param(request, "sha256");
    atomic_fetch_add(&server->requests, 1);
    if (atomic_load(&server->refusals) > 0) {
        atomic_fetch_sub(&server->refusals, 1);
        return http_reply_empty(reply, atomic_load(&server->status));
    }
    for (int i = 0; i < atomic_load(&server->count); i++) {
        if (strcmp(server->bundles[i].name + strlen("sha256:"), hash) == 0)
            return serve(server, &server->bundles[i], reply);
    }
    return http_reply_empty(reply, 404);
}

struct bundle_server *bundle_server_start(void)
{
    static const struct http_route routes[] = {{"GET", "/v1/bundles/{sha256}", get, 0, "", 0, 0, 0}};
    struct err err;
    struct bundle_server *server = calloc(1, sizeof *server);
    const struct http_server_settings settings = {
        .address = "127.0.0.1", .routes = {routes, 1}, .app = server, .threads = 1};
    if (http_server_start(&settings, &server->http, &err) < 0)
        die("cannot serve bundles: %s", err.text);
    snprintf(server->url, sizeof server->url, "http://127.0.0.1:%d", http_server_port(server->http));
    return server;
}

void bundle_server_stop(struct bundle_server *server)
{
    http_server_free(server->http);
    for (int i = 0; i < BUNDLES_MAX; i++)
        free(server->bundles[i].content);
    free(server);
}

const char *bundle_server_url(const struct bundle_server *server)
{
    return server->url;
}

const char *bundle_server_add(struct bundle_server *server, const char *path)
{
    struct err err;
    char hash[SHA256_HEX_SIZE];
    struct served *served = &server->bundles[atomic_load(&server->count)];
    if (file_read(path, (size_t)100 << 20, &served->content, &served->length, &err) < 0 ||
        sha256_hex(served->content, served->length, hash, &err) < 0)
        die("cannot serve '%s': %s", path, err.text);
    snprintf(served->name, sizeof served->name, "sha256:%s", hash);
    atomic_fetch_add(&server->count, 1);
    return served->name;
}

void bundle_server_corrupt(struct bundle_server *server)
{
    atomic_store(&server->corrupt, true);
}

void bundle_server_refuse(struct bundle_server *server, int status, int times)
{
    atomic_store(&server->status, status);
    atomic_store(&server->refusals, times);
}

int bundle_server_requests(const struct bundle_server *server)
{
    return atomic_load(&server->requests);
}
