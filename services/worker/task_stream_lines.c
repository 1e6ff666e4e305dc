// What goes into a process of stream mode and comes out of it: a line of JSON for each task, a line for each answer.
#include "services/worker/task_stream.h"

#include "services/common/base/arena.h"
#include "services/common/base/clock.h"
#include "services/common/json/wire.h"
#include "services/worker/task_output.h"

#include <stdlib.h>
#include <string.h>

#define ARENA_BYTES 1024
#define ERROR_BYTES_MAX (TASK_ERROR_SIZE - 1)

// ---- in

void stream_write_task(struct stream_process *process, const struct stream_task *given)
{
    struct strbuf *out = &process->to_write;
    strbuf_add_text(out, "{\"task\":");
    strbuf_add_i64(out, given->task);
    strbuf_add_text(out, ",\"attempt\":");
    strbuf_add_i64(out, given->slice->order->attempt);
    strbuf_add_text(out, ",\"item\":");
    strbuf_add_text(out, slice_run_item(given->slice, given->task));
    strbuf_add_text(out, "}\n");
}

void stream_flush(struct stream_process *process)
{
    struct strbuf *out = &process->to_write;
    struct err err;
    if (!process->started || process->ending)
        return;
    if (out->failed) {
        stream_break(process, "no memory for its tasks");
        return;
    }
    if (out->length == 0)
        return;
    ssize_t taken = runtime_write(process->instance, out->data, out->length, &err);
    if (taken >= 0) {
        strbuf_drop_front(out, (size_t)taken);
        return;
    }
    // It is ending, most likely, and how it ends says more than this.
    process->ending = true;
    runtime_stop(process->instance, TASK_GRACE_MS, NULL);
}

// ---- out

struct answer {
    int64_t task;
    bool ok;
    const char *error;
    const char **outputs;
    size_t output_count, capacity;
    size_t output_bytes;
};

static void output_read(struct wire *wire, const struct wire_place *place, void *object)
{
    struct answer *answer = object;
    const char *json;
    size_t length;
    if (!wire_raw(wire, place, SPEC_ITEM_BYTES_MAX, &json, &length))
        return;
    const char **grown =
        arena_grow(wire->arena, answer->outputs, answer->output_count, &answer->capacity, sizeof *grown);
    const char *copy = arena_copy(wire->arena, json, length);
    if (!grown || !copy) {
        wire->no_memory = true;
        return;
    }
    answer->outputs = grown;
    answer->outputs[answer->output_count++] = copy;
    answer->output_bytes += length;
}

static void outputs_read(struct wire *wire, const struct wire_place *place, void *object)
{
    size_t count;
    wire_array(wire, place, TASK_OUTPUT_LINES_MAX, output_read, object, &count);
}

static const struct wire_field answer_fields[] = {
    {"task", WIRE_I64, true, offsetof(struct answer, task), 0, INT64_MAX, NULL},
    {"ok", WIRE_BOOLEAN, true, offsetof(struct answer, ok), 0, 0, NULL},
    {"error", WIRE_CUT, false, offsetof(struct answer, error), 0, ERROR_BYTES_MAX, NULL},
    {"outputs", WIRE_CUSTOM, false, 0, 0, 0, outputs_read},
};

static int read_answer(const char *text, size_t length, struct arena *arena, struct answer *out, struct err *err)
{
    AUTO_FAULTS struct faults faults = FAULTS_INIT;
    if (wire_read_answer(text, length, NULL, answer_fields, ARRAY_LEN(answer_fields), out, arena, &faults, err) == 0)
        return 0;
    if (faults.count > 0)
        err_set(err, err->code, "%.60s: %.160s", faults.list[0].pointer, faults.list[0].detail);
    return -1;
}

// The place of the task among those that it was given, -1: it was not.
static int find_given(const struct stream_process *process, int64_t task)
{
    for (size_t i = 0; i < process->given_count; i++) {
        if (process->given[i].task == task)
            return (int)i;
    }
    return -1;
}

static void record(const struct stream_task *given, const struct answer *answer)
{
    if (!answer->ok)
        slice_run_fail(given->slice, given->task, -1, SLICE_RETRY_COUNTED,
                       answer->error && answer->error[0] ? answer->error : "it said no more than that it failed");
    else if (answer->output_bytes > TASK_OUTPUT_BYTES_MAX)
        slice_run_fail(given->slice, given->task, -1, SLICE_RETRY_COUNTED, "outputs: more than 1 MiB");
    else
        slice_run_succeed(given->slice, given->task, answer->outputs, answer->output_count);
}

static void take_answer(struct stream_process *process, const struct answer *answer)
{
    int place = find_given(process, answer->task);
    if (place < 0) {
        stream_break(process, "it answered task %lld, which it had not been given", (long long)answer->task);
        return;
    }
    struct stream_task given = process->given[place];
    process->given_count--;
    if (place == 0)
        process->given[0] = process->given[1];
    if (given.slice)
        record(&given, answer);
    tasks_took(process->tasks, clock_boot_us() - process->work_us);
    stream_begin_work(process);
}

static bool is_blank(const char *text, size_t length)
{
    return length == 0 || (length == 1 && text[0] == '\r');
}

static void read_line(struct stream_process *process, const char *text, size_t length)
{
    AUTO_ARENA struct arena *arena = arena_new(ARENA_BYTES);
    struct answer answer = {0};
    struct last_line shown = {0};
    char line[LAST_LINE_SIZE];
    struct err err;
    if (is_blank(text, length))
        return;
    if (!arena) {
        stream_break(process, "no memory for its answer");
    } else if (read_answer(text, length, arena, &answer, &err) < 0) {
        last_line_add(&shown, text, MIN(length, (size_t)80));
        last_line_text(&shown, line);
        stream_break(process, "a line on stdout is no answer: %s: '%s'", err.text, line);
    } else {
        take_answer(process, &answer);
    }
}

static bool is_broken(const struct stream_process *process)
{
    return process->fault[0] != '\0' || process->timed_out || process->orphan;
}

// The first line, whose beginning may have come earlier.
static void end_partial(struct stream_process *process, const char *bytes, size_t length)
{
    struct strbuf *partial = &process->partial;
    strbuf_add(partial, bytes, length);
    if (partial->failed)
        stream_break(process, "no memory for its answer");
    else
        read_line(process, strbuf_text(partial), partial->length);
    strbuf_clear(partial);
}

void stream_read(struct stream_process *process, const char *bytes, size_t length)
{
    while (length > 0 && !is_broken(process)) {
        const char *end = memchr(bytes, '\n', length);
        size_t part = end ? (size_t)(end - bytes) : length;
        if (process->partial.length + part > STREAM_LINE_BYTES_MAX) {
            stream_break(process, "a line of more than %zu bytes on stdout", STREAM_LINE_BYTES_MAX);
            return;
        }
        if (!end)
            strbuf_add(&process->partial, bytes, part);
        else if (process->partial.length > 0)
            end_partial(process, bytes, part);
        else
            read_line(process, bytes, part);
        part += end != NULL;
        bytes += part;
        length -= part;
    }
}
