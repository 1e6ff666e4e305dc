// A container engine against what the manager knows to be there.
#include "services/cli/api.h"
#include "services/cli/doctor.h"
#include "services/common/base/arena.h"
#include "services/common/engine/forgotten.h"
#include "services/common/engine/reply.h"
#include "services/common/http/target.h"
#include "services/common/model/engine_labels.h"

#include <string.h>

#define AREA "engine"
#define PAGE "/v1/services?limit=500"

struct engine_look {
    struct cli *cli;
    const char *url, *deployment;
    struct arena *arena;
    struct engine_container *containers;
    size_t count;
};

static int ask(const struct engine_look *look, const char *path, struct http_response *response, struct err *err)
{
    const struct http_call call = {.method = "GET", .path = path, .base_url = look->url};
    if (http_call(look->cli->client, &call, response, err) < 0)
        return -1;
    return response->status == 200 ? 0 : err_set(err, ERR_IO, "it answers with status %d", response->status);
}

static int list(struct engine_look *look, struct err *err)
{
    AUTO_HTTP_RESPONSE struct http_response response = HTTP_RESPONSE_INIT;
    AUTO_STRBUF struct strbuf path = STRBUF_INIT, filter = STRBUF_INIT;
    strbuf_add_format(&filter, "{\"label\":[\"" ENGINE_LABEL_DEPLOYMENT "=%s\"]}", look->deployment);
    strbuf_add_text(&path, "/containers/json?all=1&filters=");
    http_escape(&path, strbuf_text(&filter));
    if (strbuf_ok(&path, err) < 0 || ask(look, strbuf_text(&path), &response, err) < 0)
        return -1;
    return engine_containers_read(strbuf_text(&response.body), response.body.length, look->arena, &look->containers,
                                  &look->count, err);
}

// A container of a service that is live, as the manager says: its place in the list is cleared.
static void strike(struct engine_look *look, struct json_object *service)
{
    for (size_t i = 0; i < look->count; i++) {
        struct engine_container *container = &look->containers[i];
        if (container->job && strcmp(container->job, api_text(service, "job")) == 0 &&
            strcmp(container->service, api_text(service, "name")) == 0)
            container->job = NULL;
    }
}

static int strike_known(struct engine_look *look, struct err *err)
{
    AUTO_STRBUF struct strbuf path = STRBUF_INIT;
    strbuf_add_text(&path, PAGE);
    for (bool more = true; more;) {
        AUTO_JSON_DOCUMENT struct json_document page = JSON_DOCUMENT_INIT;
        if (strbuf_ok(&path, err) < 0 || api_get(look->cli, strbuf_text(&path), &page, err) < 0)
            return -1;
        struct json_object *services = api_member(page.root, "services");
        for (size_t i = 0; services && i < json_object_array_length(services); i++)
            strike(look, json_object_array_get_idx(services, i));
        const char *next = api_text(page.root, "next");
        more = *next;
        strbuf_clear(&path);
        strbuf_add_text(&path, PAGE "&cursor=");
        http_escape(&path, next);
    }
    return 0;
}

// What runs on though the engine takes its container for ended, where this machine is the engine's.
static void look_for_forgotten(const struct engine_look *look, struct findings *findings)
{
    struct engine_forgotten left = {0}, one;
    struct err err;
    int found = 0;
    for (size_t i = 0; i < look->count; i++) {
        if (strcmp(look->containers[i].state, "running") == 0 || strcmp(look->containers[i].state, "paused") == 0)
            continue;
        if (engine_forgotten_look(look->containers[i].id, &one, &err) < 0) {
            findings_add(findings, AREA, "forgotten", VERDICT_WARNING, "may this user read /proc?", "%s", err.text);
            return;
        }
        found += one.found;
        if (one.found > 0)
            left = one;
    }
    findings_add(findings, AREA, "forgotten", found ? VERDICT_WRONG : VERDICT_OK,
                 "ask again in a moment: a worker or reaper that is root ends them; or end them as root",
                 "%d processes on this machine of containers that the engine takes for ended%s%s", found,
                 *left.text ? ": " : "", left.text);
}

// Containers of tasks come and go with every poll; those of services stay until they are certified.
static void compare(struct engine_look *look, struct findings *findings)
{
    struct err err;
    size_t unknown = 0, services = 0;
    if (list(look, &err) < 0 || strike_known(look, &err) < 0) {
        findings_add(findings, AREA, "containers", VERDICT_WRONG, "see what is wrong with it", "%s", err.text);
        return;
    }
    for (size_t i = 0; i < look->count; i++) {
        services += *look->containers[i].service != '\0';
        unknown += look->containers[i].job && *look->containers[i].service;
    }
    findings_add(findings, AREA, "containers", unknown ? VERDICT_WRONG : VERDICT_OK,
                 "ask again in a moment: a reaper that watches this engine removes them after two looks",
                 "%zu of services of this installation, %zu of them of no service that is live", services, unknown);
    look_for_forgotten(look, findings);
}

void doctor_engine(struct cli *cli, const char *url, const char *deployment, struct findings *findings)
{
    AUTO_HTTP_RESPONSE struct http_response version = HTTP_RESPONSE_INIT;
    AUTO_ARENA struct arena *arena = arena_new(0);
    struct engine_look look = {.cli = cli, .url = url, .deployment = deployment, .arena = arena};
    struct err err = {0};
    int speaks = 0;
    if (!arena || ask(&look, "/version", &version, &err) < 0 ||
        engine_version_read(strbuf_text(&version.body), version.body.length, url, &speaks, &err) < 0) {
        findings_add(findings, AREA, "answers", VERDICT_WRONG, "is it running, and may this user use it?", "%s: %s",
                     url, arena ? err.text : "no memory");
        return;
    }
    findings_add(findings, AREA, "answers", VERDICT_OK, NULL, "%s speaks version 1.%d", url, speaks);
    if (*deployment)
        compare(&look, findings);
}
