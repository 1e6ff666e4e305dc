// From the end of a container's command to the proof that nothing of it is left.
#include "services/common/base/cleanup.h"
#include "services/common/base/clock.h"
#include "services/common/base/log.h"
#include "services/common/engine/forgotten.h"
#include "services/worker/docker_archive.h"
#include "services/worker/runtime_docker_internal.h"
#include "services/worker/task_output.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LAST_OUTPUT_MS 5000
#define ARCHIVE_ROOM 16384 // headers and padding around one file

static const char *container_of(const struct docker_instance *instance)
{
    return instance->container[0] ? instance->container : instance->container_name;
}

// ---- it runs

static int wait_begin(struct docker_instance *instance, struct err *err)
{
    UNUSED(err);
    char path[ENGINE_ID_SIZE + 64];
    snprintf(path, sizeof path, "/containers/%s/wait", instance->container);
    struct http_call call = {.method = "POST", .path = path, .timeout_ms = -1};
    return docker_ask_call(instance, &call);
}

static void wait_answered(struct docker_instance *instance, struct http_response *response)
{
    struct err err = {0};
    if (response->status == 200 || response->status == 404) {
        docker_go(instance, DOCKER_LOOK_AT_END);
        return;
    }
    docker_engine_refused(response, "waiting for the container", &err);
    docker_again(instance, &err);
}

const struct docker_step_ops docker_wait = {wait_begin, wait_answered};

// ---- it has ended

static int look_begin(struct docker_instance *instance, struct err *err)
{
    UNUSED(err);
    return docker_ask(instance, "GET", "/containers/%s/json", instance->container);
}

static void has_ended(struct docker_instance *instance)
{
    instance->running = false;
    loop_timer_disarm(instance->pressure);
    docker_probes_end(instance, true);
    if (instance->events.exited && !instance->released)
        instance->events.exited(instance->context, &instance->base, &instance->exit);
    docker_go(instance, DOCKER_STREAMS);
}

// Engines say 128 + the signal's number, as a shell does: it was one when we have sent it.
static void name_signal(struct docker_instance *instance)
{
    for (size_t i = 0; i < instance->signal_count; i++)
        if (instance->exit.code == 128 + instance->signals[i].signal) {
            instance->exit.signal = instance->signals[i].signal;
            instance->exit.code = -1;
            return;
        }
}

static void look_answered(struct docker_instance *instance, struct http_response *response)
{
    AUTO_ARENA struct arena *arena = arena_new(0);
    struct engine_container container;
    struct err err = {0};
    if (response->status == 404) {
        instance->vanished = true;
        err_set(&instance->error, ERR_NOT_FOUND, "somebody has removed its container");
        has_ended(instance);
    } else if (response->status != 200) {
        docker_engine_refused(response, "looking at the container", &err);
        docker_again(instance, &err);
    } else if (engine_container_read(strbuf_text(&response->body), response->body.length, arena, &container, &err) <
               0) {
        docker_again(instance, &err);
    } else if (container.exited) {
        instance->exit = (struct runtime_exit){.known = true,
                                               .code = (int)container.exit_code,
                                               .out_of_memory = container.out_of_memory,
                                               .at_wall_us = clock_wall_us()};
        name_signal(instance);
        has_ended(instance);
    } else if (strcmp(container.state, "created") == 0) {
        instance->vanished = instance->interrupted = true;
        err_set(&instance->error, ERR_UNAVAILABLE, "the container engine was killed, and has forgotten its start");
        has_ended(instance);
    } else { // an engine that was killed says so for a moment
        err_set(&err, ERR_UNAVAILABLE, "the engine says it has ended, and that it has not");
        instance->step = DOCKER_WAIT;
        docker_again(instance, &err);
    }
}

const struct docker_step_ops docker_look_at_end = {look_begin, look_answered};

// ---- its output

static bool is_paused(const struct docker_instance *instance)
{
    return instance->modes[RUNTIME_STDOUT] == RUNTIME_PAUSE || instance->modes[RUNTIME_STDERR] == RUNTIME_PAUSE;
}

// Begun when the container has ended, when its streams have, and after a while. Nothing of what it wrote is left out:
// what came while nobody listened is with the engine.
static int streams_begin(struct docker_instance *instance, struct err *err)
{
    int64_t now_ms = clock_boot_ms();
    if (instance->attach && instance->streams_until_ms == 0)
        instance->streams_until_ms = now_ms + LAST_OUTPUT_MS;
    if (instance->attach && (now_ms < instance->streams_until_ms || is_paused(instance))) {
        loop_timer_arm(instance->timer, MAX(instance->streams_until_ms, now_ms + LAST_OUTPUT_MS / 10));
        return 0;
    }
    instance->interrupted |= instance->attach != NULL; // it has not come to its end
    docker_streams_close(instance);
    bool missing = (instance->interrupted || !instance->attached) && !instance->replayed && !instance->vanished;
    if (!missing) {
        docker_go(instance, DOCKER_FETCH);
        return 0;
    }
    instance->replayed = true;
    instance->streams_until_ms = 0;
    if (docker_streams_open(instance, err) < 0) {
        instance->replayed = false;
        return -1;
    }
    loop_timer_arm(instance->timer, now_ms);
    return 0;
}

const struct docker_step_ops docker_streams = {streams_begin, NULL};

// ---- the output file

static int fetch_begin(struct docker_instance *instance, struct err *err)
{
    AUTO_STRBUF struct strbuf path = STRBUF_INIT;
    if (!instance->output || !instance->output_inside || !instance->exit.known) {
        docker_go(instance, DOCKER_REMOVE);
        return 0;
    }
    strbuf_add_format(&path, "/containers/%s/archive?path=", instance->container);
    for (const char *at = instance->output_inside; *at; at++)
        strbuf_add_format(&path, "%%%02X", (unsigned)(unsigned char)*at);
    if (strbuf_ok(&path, err) < 0)
        return -1;
    struct http_call call = {
        .method = "GET", .path = path.data, .response_limit = TASK_OUTPUT_BYTES_MAX + ARCHIVE_ROOM};
    return docker_ask_call(instance, &call);
}

// A file that is too large, for whoever reads it to see that it is.
static void leave_too_large(const struct docker_instance *instance)
{
    AUTO_CLOSE int fd = open(instance->output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd >= 0 && ftruncate(fd, (off_t)TASK_OUTPUT_BYTES_MAX + 1) < 0)
        unlink(instance->output);
}

// `response` is NULL when the file is too large.
static void fetch_answered(struct docker_instance *instance, struct http_response *response)
{
    struct err err = {0};
    unlink(instance->output); // of an earlier try
    if (!response) {
        leave_too_large(instance);
    } else if (response->status != 200 && response->status != 404) {
        docker_engine_refused(response, "fetching the output file", &err);
        docker_again(instance, &err);
        return;
    } else if (response->status == 200 &&
               docker_archive_take_file(strbuf_text(&response->body), response->body.length, instance->output, &err) <
                   0 &&
               err.code != ERR_NOT_FOUND) {
        instance->vanished = true;
        instance->error = err;
        err_prefix(&instance->error, "its output file");
        unlink(instance->output);
    }
    docker_go(instance, DOCKER_REMOVE);
}

const struct docker_step_ops docker_fetch = {fetch_begin, fetch_answered};

// ---- nothing is left

// What the engine says of the others is believed. It says 255 when it has not seen the end, and 137 when it has lost
// sight of the command and ended what it could find.
static bool is_doubtful(const struct docker_instance *instance)
{
    bool seen = instance->exit.known && instance->exit.code != 255 && instance->exit.code != 128 + SIGKILL;
    return instance->container[0] && (!instance->started || instance->interrupted || !seen);
}

static void say_refused(struct docker_instance *instance, const struct engine_forgotten *left)
{
    if (!instance->refusal_said)
        log_event(LOG_ERROR, ENGINE_FORGOTTEN_REFUSED, "identity", instance->identity, "container", instance->container,
                  "pid", LOG_NUMBER(left->refused_pid), NULL);
    instance->refusal_said = true;
    if (instance->events.remains)
        instance->events.remains(instance->context, &instance->base, left->text);
}

// Ends what the engine has forgotten, where that can be seen.
static struct engine_forgotten end_forgotten(struct docker_instance *instance)
{
    struct engine_forgotten left = {0};
    struct err err = {0};
    if (!is_doubtful(instance))
        return left;
    if (engine_forgotten_end(instance->container, &left, &err) < 0)
        log_event(LOG_WARN, "cannot look for processes of a container", "identity", instance->identity, "error",
                  err.text, NULL);
    if (left.refused > 0)
        say_refused(instance, &left);
    else if (left.found > 0)
        log_event(LOG_WARN, ENGINE_FORGOTTEN_ENDED, "identity", instance->identity, "container", instance->container,
                  "processes", LOG_NUMBER(left.found), NULL);
    return left;
}

// What may not be ended keeps its container: a later life, and whoever watches the engine, find it by that.
static int remove_begin(struct docker_instance *instance, struct err *err)
{
    docker_streams_close(instance);
    const struct engine_forgotten left = end_forgotten(instance);
    if (instance->released)
        return 0;
    if (left.refused > 0)
        return err_set(err, ERR_FORBIDDEN, "%s", left.text);
    return docker_ask(instance, "DELETE", "/containers/%s?v=1&force=1", instance->container);
}

static void remove_answered(struct docker_instance *instance, struct http_response *response)
{
    struct err err = {0};
    bool removed = response->status == 204 || response->status == 404;
    instance->was_removed = removed;
    if (removed && end_forgotten(instance).found > 0) {
        err_set(&err, ERR_UNAVAILABLE, "processes of the container are still there");
        if (!instance->released)
            docker_again(instance, &err);
        return;
    }
    if (removed && instance->again) {
        instance->again = instance->was_removed = false;
        instance->container[0] = '\0';
        docker_go(instance, DOCKER_NETWORK);
        return;
    }
    if (removed) {
        docker_go(instance, DOCKER_ABSENT);
        return;
    }
    docker_engine_refused(response, "removing the container", &err);
    docker_again(instance, &err);
}

const struct docker_step_ops docker_remove = {remove_begin, remove_answered};

static int absent_begin(struct docker_instance *instance, struct err *err)
{
    UNUSED(err);
    docker_streams_close(instance);
    return docker_ask(instance, "GET", "/containers/%s/json", container_of(instance));
}

static void absent_answered(struct docker_instance *instance, struct http_response *response)
{
    AUTO_ARENA struct arena *arena = arena_new(0);
    struct engine_container container;
    struct err err = {0};
    if (response->status == 404 && !instance->was_removed && end_forgotten(instance).found > 0) {
        err_set(&err, ERR_UNAVAILABLE, "processes of the container are still there");
        if (!instance->released)
            docker_again(instance, &err);
    } else if (response->status == 404) {
        docker_go(instance, DOCKER_LEAVE);
    } else if (response->status != 200) {
        docker_engine_refused(response, "looking whether the container is gone", &err);
        docker_again(instance, &err);
    } else if (engine_container_read(strbuf_text(&response->body), response->body.length, arena, &container, &err) <
               0) {
        docker_again(instance, &err);
    } else if (!docker_is_ours(instance, &container)) {
        docker_go(instance, DOCKER_LEAVE); // another's: there is none of ours
    } else {
        snprintf(instance->container, sizeof instance->container, "%s", container.id);
        instance->step = DOCKER_REMOVE;
        err_set(&err, ERR_UNAVAILABLE, "the container is still there");
        if (instance->was_removed) // and is there all the same
            docker_again(instance, &err);
        else
            docker_go(instance, DOCKER_REMOVE);
    }
}

const struct docker_step_ops docker_absent = {absent_begin, absent_answered};
