// Standard streams of a container: over one connection, opened before the start, and again when the engine was away.
//
// What the container has written is kept by the engine, so that a connection that is opened again begins at the
// beginning and skips what has been delivered.
#include "services/common/base/cleanup.h"
#include "services/common/base/clock.h"
#include "services/worker/runtime_docker_internal.h"

#include <string.h>

#define AGAIN_MS 200
#define PASSED_ON_MS 2000 // after so long a command has what it was given, or does not read it

static enum runtime_stream stream_of(enum engine_stream stream)
{
    return stream == ENGINE_STDERR ? RUNTIME_STDERR : RUNTIME_STDOUT;
}

static void on_output(void *context, enum engine_stream engine_stream, const char *bytes, size_t length)
{
    struct docker_instance *instance = context;
    enum runtime_stream stream = stream_of(engine_stream);
    size_t skipped = (size_t)MIN((uint64_t)length, instance->skip[stream]);
    instance->skip[stream] -= skipped;
    bytes += skipped;
    length -= skipped;
    if (length == 0)
        return;
    instance->seen[stream] += length;
    instance->streams_until_ms = 0; // it is still coming
    if (instance->modes[stream] == RUNTIME_DISCARD || !instance->events.output)
        return;
    docker_instance_hold(instance);
    instance->events.output(instance->context, &instance->base, stream, bytes, length);
    docker_instance_drop(instance);
}

// ---- stdin

static void feed(struct docker_instance *instance)
{
    struct err err;
    if (instance->stdin_mode != RUNTIME_STDIN_BYTES || instance->stdin_done || !instance->attach || !instance->running)
        return;
    size_t left = instance->stdin_length - instance->stdin_written;
    ssize_t written =
        left > 0 ? docker_attach_write(instance->attach, instance->stdin_bytes + instance->stdin_written, left, &err)
                 : 0;
    if (written > 0)
        instance->stdin_written += (size_t)written;
    if (written >= 0 && instance->stdin_written < instance->stdin_length)
        return;
    if (written < 0 && docker_attach_is_gone(instance->attach))
        return;                  // with an engine that was killed, see docker_streams_again()
    instance->stdin_done = true; // all of it, or the command does not read it
    instance->stdin_done_ms = clock_boot_ms();
    docker_attach_close_stdin(instance->attach);
    if (instance->stdin_written == instance->stdin_length)
        docker_record_keep(instance);
}

void docker_streams_feed(struct docker_instance *instance)
{
    feed(instance);
}

static void on_writable(void *context)
{
    struct docker_instance *instance = context;
    feed(instance);
    if (instance->stdin_mode != RUNTIME_STDIN_PIPE || !instance->running || !instance->events.writable)
        return;
    docker_instance_hold(instance);
    instance->events.writable(instance->context, &instance->base);
    docker_instance_drop(instance);
}

ssize_t docker_runtime_write(struct runtime_instance *base, const char *bytes, size_t length, struct err *err)
{
    struct docker_instance *instance = docker_instance_of(base);
    if (instance->stdin_mode != RUNTIME_STDIN_PIPE || instance->stdin_done || !instance->attach)
        return err_set(err, ERR_CONFLICT, "stdin is closed");
    return instance->running ? docker_attach_write(instance->attach, bytes, length, err) : 0;
}

void docker_runtime_close_stdin(struct runtime_instance *base)
{
    struct docker_instance *instance = docker_instance_of(base);
    instance->stdin_done = true;
    if (instance->attach)
        docker_attach_close_stdin(instance->attach);
}

// ---- opened and closed

static void on_opened(void *context)
{
    struct docker_instance *instance = context;
    instance->attached = true;
    feed(instance);
    if (instance->step == DOCKER_ATTACH) {
        docker_instance_hold(instance);
        docker_go(instance, DOCKER_START);
        docker_instance_drop(instance);
    }
}

// Input that was on its way is lost, and nobody knows how much of it: what the engine has taken it need not have passed
// on.
static bool is_cut(const struct docker_instance *instance)
{
    if (instance->stdin_mode == RUNTIME_STDIN_BYTES && instance->stdin_done)
        return clock_boot_ms() - instance->stdin_done_ms < PASSED_ON_MS;
    return instance->stdin_mode != RUNTIME_STDIN_EMPTY && !instance->stdin_done;
}

static void on_closed(void *context, const struct err *error)
{
    struct docker_instance *instance = context;
    struct err err = {0};
    docker_streams_close(instance);
    docker_instance_hold(instance);
    instance->interrupted |= error != NULL;
    if (instance->step == DOCKER_ATTACH) {
        err = error ? *error : err;
        if (!error)
            err_set(&err, ERR_UNAVAILABLE, "the engine has closed the container's streams");
        docker_again(instance, &err);
    } else if (instance->step == DOCKER_STREAMS) {
        loop_timer_arm(instance->timer, clock_boot_ms());
    } else if (instance->step < DOCKER_STREAMS) { // it has ended, or the engine was away
        loop_timer_arm(instance->streams, clock_boot_ms() + AGAIN_MS);
    }
    docker_instance_drop(instance);
}

void docker_streams_again(void *context)
{
    struct docker_instance *instance = context;
    struct err err;
    if (instance->attach || instance->step != DOCKER_WAIT)
        return;
    // As long as the engine answers the streams have ended because the command has closed them: its end will be told.
    if (!instance->interrupted && !docker_is_disturbed(instance))
        return;
    instance->interrupted = true;
    if (is_cut(instance) && !instance->asked) {
        instance->vanished = true;
        err_set(&instance->error, ERR_UNAVAILABLE, "the container engine went away while it was given its input");
        instance->kill_asked = true;
        docker_stop_now(instance); // with its record: a later life must not wait for it either
    }
    if (docker_streams_open(instance, &err) < 0)
        loop_timer_arm(instance->streams, clock_boot_ms() + AGAIN_MS);
}

int docker_streams_open(struct docker_instance *instance, struct err *err)
{
    static const struct docker_attach_events events = {
        .opened = on_opened, .output = on_output, .writable = on_writable, .closed = on_closed};
    AUTO_STRBUF struct strbuf path = STRBUF_INIT;
    char call[ENGINE_ID_SIZE + 128];
    bool from_beginning = instance->step != DOCKER_ATTACH;
    bool is_over = instance->step == DOCKER_STREAMS;
    snprintf(call, sizeof call, "/containers/%s/attach?stdout=1&stderr=1&stream=%d&stdin=%d&logs=%d",
             instance->container, !is_over, instance->create.has_stdin && !is_over, from_beginning);
    docker_engine_path(instance->runtime->engine, call, &path);
    for (int i = 0; i < RUNTIME_STREAM_COUNT; i++)
        instance->skip[i] = from_beginning ? instance->seen[i] : 0;
    if (strbuf_ok(&path, err) < 0)
        return -1;
    if (docker_attach_open(instance->runtime->loop, docker_engine_address(instance->runtime->engine), path.data,
                           &events, instance, &instance->attach, err) < 0)
        return -1;
    docker_streams_flow(instance);
    return 0;
}

void docker_streams_close(struct docker_instance *instance)
{
    loop_timer_disarm(instance->streams);
    docker_attach_free(TAKE_PTR(instance->attach));
}

// Output comes after `started`, and only as long as it is wanted.
void docker_streams_flow(struct docker_instance *instance)
{
    bool unwanted =
        instance->modes[RUNTIME_STDOUT] == RUNTIME_PAUSE || instance->modes[RUNTIME_STDERR] == RUNTIME_PAUSE;
    if (instance->attach)
        docker_attach_pause(instance->attach, unwanted || !instance->started);
}

int docker_runtime_set_output(struct runtime_instance *base, enum runtime_stream stream, enum runtime_output mode,
                              struct err *err)
{
    struct docker_instance *instance = docker_instance_of(base);
    UNUSED(err);
    instance->modes[stream] = mode;
    docker_streams_flow(instance);
    return 0;
}
