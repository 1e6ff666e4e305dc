// The image of a container, when the engine does not have it.
#include "services/common/base/cleanup.h"
#include "services/common/base/clock.h"
#include "services/common/base/log.h"
#include "services/worker/runtime_docker_internal.h"

#include <stdio.h>
#include <string.h>

#define PROGRESS_EVERY_MS 10000
#define LINE_BYTES_MAX 65536

static void take_progress(struct docker_instance *instance, const char *line, size_t length)
{
    char status[128], error[200];
    struct err err;
    if (engine_progress_read(line, length, status, error, &err) < 0)
        return;
    if (error[0])
        snprintf(instance->pull_error, sizeof instance->pull_error, "%s", error);
    int64_t now_ms = clock_boot_ms();
    if (now_ms < instance->pull_said_at_ms + PROGRESS_EVERY_MS)
        return;
    instance->pull_said_at_ms = now_ms;
    log_event(LOG_INFO, "pulling an image", "image", instance->create.image, "status", status, "identity",
              instance->identity, NULL);
}

static int on_progress(void *context, const char *bytes, size_t length)
{
    struct docker_instance *instance = context;
    struct strbuf *buffer = &instance->progress;
    strbuf_add(buffer, bytes, length);
    for (const char *end; (end = memchr(strbuf_text(buffer), '\n', buffer->length)) != NULL;) {
        size_t line = (size_t)(end - buffer->data);
        take_progress(instance, buffer->data, line);
        strbuf_drop_front(buffer, line + 1);
    }
    return buffer->failed || buffer->length > LINE_BYTES_MAX ? -1 : 0;
}

// "NAME", "NAME:TAG" or "NAME@sha256:...": without a tag the engine would pull all there are.
static int pull_begin(struct docker_instance *instance, struct err *err)
{
    AUTO_STRBUF struct strbuf path = STRBUF_INIT;
    const char *image = instance->create.image, *slash = strrchr(image, '/');
    strbuf_add_text(&path, "/images/create?fromImage=");
    for (const char *at = image; *at; at++)
        strbuf_add_format(&path, *at == '@' || *at == ':' || *at == '/' ? "%%%02X" : "%c", *at);
    if (!strpbrk(slash ? slash : image, ":@"))
        strbuf_add_text(&path, "&tag=latest");
    if (strbuf_ok(&path, err) < 0)
        return -1;
    strbuf_clear(&instance->progress);
    instance->pull_error[0] = '\0';
    instance->pull_said_at_ms = 0;
    struct http_call call = {.method = "POST",
                             .path = path.data,
                             .timeout_ms = instance->runtime->image_timeout_ms,
                             .on_body = on_progress,
                             .on_body_context = instance};
    return docker_ask_call(instance, &call);
}

// `response` is NULL when it took too long.
static void pull_answered(struct docker_instance *instance, struct http_response *response)
{
    struct err err = {0}, refusal = {0};
    if (!response) {
        err_set(&err, ERR_INVALID,
                "the engine has no image %.80s, and pulling it took longer than image-timeout, %lld s",
                instance->create.image, (long long)instance->runtime->image_timeout_ms / 1000);
        docker_give_up(instance, &err);
        return;
    }
    if (response->status == 200 && !instance->pull_error[0]) {
        instance->pulled = true;
        docker_go(instance, DOCKER_CREATE);
        return;
    }
    if (response->status != 200)
        docker_engine_refused(response, "pulling", &refusal);
    err_set(&err, ERR_INVALID, "the engine has no image %.80s, and cannot pull it: %.130s", instance->create.image,
            instance->pull_error[0] ? instance->pull_error : refusal.text);
    docker_give_up(instance, &err);
}

const struct docker_step_ops docker_pull = {pull_begin, pull_answered};
