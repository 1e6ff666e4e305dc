// Log pipes and standard input of an instance. A command never waits for a log that nobody wants, and a log that comes
// faster than it is wanted never takes memory here: it stays in the pipe.
#include "services/worker/runtime_process_internal.h"

#include "services/common/base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#define DISCARD_MAX (1024 * 1024) // at most, in one go

void process_stream_close(struct process_stream *stream)
{
    loop_watch_remove(TAKE_PTR(stream->watch));
    cleanup_close(&stream->fd);
    stream->fd = -1;
}

// Pages of the pipe are dropped without having been here. Returns what read(2) would.
static ssize_t discard(struct process_stream *stream)
{
    struct process_runtime *runtime = process_owner(stream->instance);
    ssize_t length = splice(stream->fd, NULL, runtime->null_fd, NULL, DISCARD_MAX, SPLICE_F_NONBLOCK);
    if (length < 0 && errno == EINVAL)
        length = read(stream->fd, runtime->chunk, sizeof(runtime->chunk));
    return length;
}

// One piece. Returns what read(2) does. The instance may be released when it comes back.
static ssize_t pump(struct process_stream *stream)
{
    struct process_instance *instance = stream->instance;
    struct process_runtime *runtime = process_owner(instance);
    if (stream->mode == RUNTIME_DISCARD)
        return discard(stream);
    ssize_t length = read(stream->fd, runtime->chunk, sizeof(runtime->chunk));
    if (length > 0 && instance->events.output)
        instance->events.output(instance->context, &instance->base, stream->stream, runtime->chunk, (size_t)length);
    return length;
}

static void on_readable(void *context, int fd, uint32_t events)
{
    UNUSED(fd);
    UNUSED(events);
    struct process_stream *stream = context;
    struct process_instance *instance = stream->instance;
    process_instance_hold(instance);
    ssize_t length = pump(stream);
    if (!instance->released && (length == 0 || (length < 0 && errno != EAGAIN && errno != EINTR)))
        process_stream_close(stream);
    process_instance_drop(instance);
}

void process_stream_drain(struct process_stream *stream)
{
    struct process_instance *instance = stream->instance;
    process_instance_hold(instance);
    ssize_t length = 0;
    do {
        if (!instance->released && stream->fd >= 0)
            length = pump(stream);
    } while (!instance->released && stream->fd >= 0 && (length > 0 || (length < 0 && errno == EINTR)));
    process_stream_close(stream);
    process_instance_drop(instance);
}

// A paused stream is not watched at all: the end of a pipe would be reported again and again.
int process_stream_watch(struct process_stream *stream, struct err *err)
{
    if (stream->watch || stream->fd < 0 || stream->mode == RUNTIME_PAUSE)
        return 0;
    struct loop *loop = process_owner(stream->instance)->loop;
    return loop_watch_add(loop, stream->fd, EPOLLIN, on_readable, stream, &stream->watch, err);
}

int process_runtime_set_output(struct runtime_instance *base, enum runtime_stream which, enum runtime_output mode,
                               struct err *err)
{
    struct process_instance *instance = process_instance_of(base);
    struct process_stream *stream = &instance->streams[which];
    stream->mode = mode;
    if (mode == RUNTIME_PAUSE)
        loop_watch_remove(TAKE_PTR(stream->watch));
    return instance->started ? process_stream_watch(stream, err) : 0;
}

static void on_writable(void *context, int fd, uint32_t events)
{
    UNUSED(fd);
    UNUSED(events);
    struct process_instance *instance = context;
    process_instance_hold(instance);
    loop_watch_remove(TAKE_PTR(instance->stdin_watch));
    if (instance->events.writable)
        instance->events.writable(instance->context, &instance->base);
    process_instance_drop(instance);
}

static int await_room(struct process_instance *instance, struct err *err)
{
    if (instance->stdin_watch)
        return 0;
    struct loop *loop = process_owner(instance)->loop;
    return loop_watch_add(loop, instance->stdin_fd, EPOLLOUT, on_writable, instance, &instance->stdin_watch, err);
}

ssize_t process_runtime_write(struct runtime_instance *base, const char *bytes, size_t length, struct err *err)
{
    struct process_instance *instance = process_instance_of(base);
    if (instance->stdin_fd < 0)
        return err_set(err, ERR_CONFLICT, "standard input of '%s' is closed", instance->identity);
    size_t done = 0;
    while (done < length) {
        ssize_t count = write(instance->stdin_fd, bytes + done, length - done);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 && errno == EAGAIN)
            break;
        if (count < 0) {
            process_runtime_close_stdin(base);
            return err_set(err, ERR_CONFLICT, "'%s' does not read its standard input any more", instance->identity);
        }
        done += (size_t)count;
    }
    if (done < length && await_room(instance, err) < 0)
        return -1;
    return (ssize_t)done;
}

void process_runtime_close_stdin(struct runtime_instance *base)
{
    struct process_instance *instance = process_instance_of(base);
    loop_watch_remove(TAKE_PTR(instance->stdin_watch));
    cleanup_close(&instance->stdin_fd);
    instance->stdin_fd = -1;
}
