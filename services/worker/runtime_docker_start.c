// From the working directory to a container that runs.
#include "services/common/base/cleanup.h"
#include "services/common/base/clock.h"
#include "services/worker/docker_archive.h"
#include "services/worker/runtime_docker_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define ATTACH_MS 30000
#define RENEWALS_MAX 5

// ---- the working directory

static void on_packed(void *context, const struct err *error)
{
    struct docker_instance *instance = context;
    instance->packing = NULL;
    docker_instance_hold(instance);
    if (error)
        docker_give_up(instance, error);
    else
        docker_go(instance, DOCKER_NETWORK);
    docker_instance_drop(instance);
}

static int pack_begin(struct docker_instance *instance, struct err *err)
{
    const struct docker_packing packing = {
        .directory = instance->directory, .output = instance->output, .archive = instance->archive};
    return background_start(instance->runtime->loop, docker_archive_pack, &packing, on_packed, instance,
                            &instance->packing, err);
}

const struct docker_step_ops docker_pack = {pack_begin, NULL};

// ---- the container

static int create_begin(struct docker_instance *instance, struct err *err)
{
    AUTO_STRBUF struct strbuf body = STRBUF_INIT;
    engine_create_write(&instance->create, &body);
    if (strbuf_ok(&body, err) < 0)
        return -1;
    return docker_ask_with(instance, "POST", &body, "/containers/create?name=%s", instance->container_name);
}

static void create_answered(struct docker_instance *instance, struct http_response *response)
{
    struct err err = {0};
    if (response->status == 201) {
        if (engine_created_read(strbuf_text(&response->body), response->body.length, instance->container, &err) < 0)
            docker_again(instance, &err);
        else
            docker_go(instance, DOCKER_UPLOAD);
    } else if (response->status == 409) {
        docker_go(instance, DOCKER_FIND);
    } else if (response->status == 404 && !instance->pulled) {
        docker_go(instance, DOCKER_PULL);
    } else {
        docker_engine_refused(response, "creating a container", &err);
        err.code = err.code == ERR_NOT_FOUND ? ERR_INVALID : err.code; // it is not the command that is missing
        docker_give_up(instance, &err);
    }
}

const struct docker_step_ops docker_create = {create_begin, create_answered};

static int find_begin(struct docker_instance *instance, struct err *err)
{
    UNUSED(err);
    return docker_ask(instance, "GET", "/containers/%s/json", instance->container_name);
}

static void find_answered(struct docker_instance *instance, struct http_response *response)
{
    AUTO_ARENA struct arena *arena = arena_new(0);
    struct engine_container container;
    struct err err = {0};
    if (response->status == 404) {
        docker_go(instance, DOCKER_CREATE);
    } else if (response->status != 200) {
        docker_engine_refused(response, "looking for its container", &err);
        docker_again(instance, &err);
    } else if (engine_container_read(strbuf_text(&response->body), response->body.length, arena, &container, &err) <
               0) {
        docker_again(instance, &err);
    } else if (!docker_is_ours(instance, &container)) {
        err_set(&err, ERR_CONFLICT, "the name %.140s is taken by a container that is not ours",
                instance->container_name);
        docker_give_up(instance, &err);
    } else { // its creation was not answered
        snprintf(instance->container, sizeof instance->container, "%s", container.id);
        docker_go(instance, container.running || container.exited ? DOCKER_ATTACH : DOCKER_UPLOAD);
    }
}

const struct docker_step_ops docker_find = {find_begin, find_answered};

// ---- its files

static int upload_begin(struct docker_instance *instance, struct err *err)
{
    struct stat status;
    instance->upload_fd = open(instance->archive, O_RDONLY | O_CLOEXEC);
    if (instance->upload_fd < 0 || fstat(instance->upload_fd, &status) < 0)
        return err_errno(err, ERR_IO, errno, "the packed working directory");
    struct http_call call = {.method = "PUT",
                             .content_type = "application/x-tar",
                             .has_upload = true,
                             .upload_fd = instance->upload_fd,
                             .upload_length = status.st_size,
                             .timeout_ms = 120000};
    char path[ENGINE_ID_SIZE + 64];
    snprintf(path, sizeof path, "/containers/%s/archive?path=%%2F", instance->container);
    call.path = path;
    return docker_ask_call(instance, &call);
}

static void upload_answered(struct docker_instance *instance, struct http_response *response)
{
    struct err err = {0};
    if (response->status == 200) {
        docker_go(instance, DOCKER_ATTACH);
        return;
    }
    docker_engine_refused(response, "copying the working directory into the container", &err);
    err.code = err.code == ERR_NOT_FOUND ? ERR_UNAVAILABLE : err.code;
    docker_give_up(instance, &err);
}

const struct docker_step_ops docker_upload = {upload_begin, upload_answered};

// ---- its streams, and the start

// After a start that has failed there is no other one as long as the engine is known not to work: each makes an
// endpoint and takes it out again, and it loses count of them (docs/decisions/0035-lost-count.md).
static int attach_begin(struct docker_instance *instance, struct err *err)
{
    const char *trouble = engine_pulse_trouble(instance->runtime->pulse);
    if (instance->backoff.failures > 0 && *trouble) {
        engine_pulse_need(instance->runtime->pulse, DOCKER_PULSE_MS);
        return err_set(err, ERR_UNAVAILABLE, "%s", trouble);
    }
    docker_streams_close(instance);
    loop_timer_arm(instance->timer, clock_boot_ms() + ATTACH_MS);
    return docker_streams_open(instance, err);
}

const struct docker_step_ops docker_attach_step = {attach_begin, NULL};

static int start_begin(struct docker_instance *instance, struct err *err)
{
    UNUSED(err);
    instance->start_sent_ms = clock_boot_ms();
    return docker_ask(instance, "POST", "/containers/%s/start", instance->container);
}

// What runs containers for the engine has just died, or is not up yet: the same start will do later.
static bool is_engine_trouble(const struct http_response *response)
{
    static const char *const signs[] = {"connection error", "transport",    ": unavailable", "ttrpc",
                                        "context canceled", "shutting down"};
    for (size_t i = 0; response->status >= 500 && i < ARRAY_LEN(signs); i++)
        if (strstr(strbuf_text(&response->body), signs[i]))
            return true;
    return false;
}

// Errors of its own, in words that nobody has foreseen, are held against the container when it worked all the while.
static bool may_be_engine_trouble(const struct docker_instance *instance, const struct http_response *response)
{
    return response->status >= 500 && !engine_pulse_worked_since(instance->runtime->pulse, instance->start_sent_ms);
}

// What was attached is deaf: a start that fails takes the old streams along.
static void start_later(struct docker_instance *instance, const struct err *why)
{
    engine_pulse_need(instance->runtime->pulse, DOCKER_PULSE_MS);
    instance->step = DOCKER_ATTACH;
    docker_again(instance, why);
}

// Whether it can only be started as another container: its network is lost (another's last container took it along, or
// another worker has made one at the same moment), or an earlier start went half way before containerd died.
static bool needs_another(struct docker_instance *instance, const struct http_response *response)
{
    const char *text = strbuf_text(&response->body);
    if (strstr(text, "network ") && (response->status == 404 || strstr(text, "is ambiguous"))) {
        docker_network_lost(instance);
        return true;
    }
    return strstr(text, "id already in use") || (response->status >= 500 && strstr(text, "already exists"));
}

static void start_answered(struct docker_instance *instance, struct http_response *response)
{
    struct err err = {0};
    const char *text = strbuf_text(&response->body);
    if (response->status == 204 || response->status == 304) {
        docker_go(instance, DOCKER_LOOK);
        return;
    }
    docker_engine_refused(response, "starting the container", &err);
    if (is_engine_trouble(response)) {
        if (strstr(text, "containerd.sock"))
            engine_pulse_expect_containerd(instance->runtime->pulse);
        start_later(instance, &err);
        return;
    }
    if (needs_another(instance, response) && instance->renewals++ < RENEWALS_MAX) {
        instance->again = true;
        docker_go(instance, DOCKER_REMOVE);
        return;
    }
    if (may_be_engine_trouble(instance, response)) {
        start_later(instance, &err);
        return;
    }
    if (strstr(text, "executable file not found") || strstr(text, "no such file or directory"))
        err.code = ERR_NOT_FOUND;
    else if (strstr(text, "permission denied"))
        err.code = ERR_FORBIDDEN;
    else if (err.code == ERR_NOT_FOUND)
        err.code = ERR_UNAVAILABLE;
    docker_give_up(instance, &err);
}

const struct docker_step_ops docker_start = {start_begin, start_answered};
