// Processes of stream mode: each takes task after task of one stage as long as there are some, and fails only what it
// had not answered when it ends.
#include "services/worker/task_stream.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/clock.h"
#include "services/common/base/sha256.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IDLE_MS 1000        // without work, then it is asked to end
#define QUICK_TASK_US 20000 // below it a second task is put behind the first: the pipe hides the way to us and back

static void process_free(struct stream_process *process)
{
    struct tasks *tasks = process->tasks;
    *(process->previous ? &process->previous->next : &tasks->streams) = process->next;
    if (process->next)
        process->next->previous = process->previous;
    tasks->slots_used -= process->slots;
    workspace_cancel(process->request);
    runtime_release(process->instance);
    loop_timer_remove(process->timeout);
    loop_timer_remove(process->idle);
    log_close(process->log);
    if (process->directory)
        workspace_remove(tasks->workspaces, process->directory);
    strbuf_release(&process->to_write);
    strbuf_release(&process->partial);
    free(process->directory);
    free(process->key);
    free(process->job);
    free(process->stage);
    free(process);
    tasks_look_soon(tasks);
}

// ---- its end

// The first was being worked on; the others have only been waiting behind it.
static void resolve(struct stream_process *process, const struct task_verdict *verdict)
{
    struct task_verdict waited = {.end = TASK_FAILED,
                                  .retry = SLICE_RETRY_UNCOUNTED,
                                  .exit = -1,
                                  .error = "its process ended before it came to it"};
    for (size_t i = 0; i < process->given_count; i++) {
        struct stream_task *given = &process->given[i];
        if (given->slice && given->cancelled)
            slice_run_drop(given->slice, given->task);
        else if (given->slice)
            tasks_apply(given->slice, given->task, i == 0 ? verdict : &waited);
    }
    process->given_count = 0;
}

static void end_with_error(struct stream_process *process, const struct err *error, const char *what)
{
    struct task_verdict verdict;
    task_verdict_of_error(error, what, &verdict);
    resolve(process, &verdict);
    process_free(process);
}

static void judge(const struct stream_process *process, const struct runtime_gone *gone, struct task_verdict *out)
{
    const char *command = process->given[0].slice->order->run.run.command.items[0];
    task_verdict(gone, command, &process->errors, process->timed_out ? process->timeout_ms : 0, false, out);
    if (process->fault[0]) {
        *out = (struct task_verdict){.end = TASK_FAILED, .retry = SLICE_RETRY_COUNTED, .exit = -1};
        snprintf(out->error, sizeof out->error, "%s", process->fault);
    } else if (out->end == TASK_SUCCEEDED) {
        *out = (struct task_verdict){.end = TASK_FAILED, .retry = SLICE_RETRY_COUNTED, .exit = 0};
        snprintf(out->error, sizeof out->error, "exit 0 without an answer");
    } else if (out->end == TASK_UNTOUCHED) { // stopped for the sake of another task, or because it closed its stdin
        *out = (struct task_verdict){.end = TASK_FAILED, .retry = SLICE_RETRY_UNCOUNTED, .exit = -1};
        snprintf(out->error, sizeof out->error, "its process was stopped before it answered");
    }
}

static void on_gone(void *context, struct runtime_instance *instance, const struct runtime_gone *gone)
{
    struct stream_process *process = context;
    struct task_verdict verdict = {.end = TASK_UNTOUCHED};
    UNUSED(instance);
    if (process->given_count > 0 && process->given[0].slice)
        judge(process, gone, &verdict);
    resolve(process, &verdict);
    process_free(process);
}

void stream_break(struct stream_process *process, const char *format, ...)
{
    va_list arguments;
    if (process->fault[0] || process->orphan)
        return;
    va_start(arguments, format);
    vsnprintf(process->fault, sizeof process->fault, format, arguments);
    va_end(arguments);
    process->ending = true;
    loop_timer_disarm(process->timeout);
    runtime_kill(process->instance, NULL);
}

static void on_timeout(void *context)
{
    struct stream_process *process = context;
    process->timed_out = true;
    process->ending = true;
    runtime_kill(process->instance, NULL);
}

// End of file asks it to end; whoever does not is stopped.
static void ask_to_end(struct stream_process *process)
{
    process->ending = true;
    runtime_close_stdin(process->instance);
    loop_timer_arm(process->idle, clock_boot_ms() + TASK_GRACE_MS);
}

static void on_idle(void *context)
{
    struct stream_process *process = context;
    if (process->ending)
        runtime_stop(process->instance, TASK_GRACE_MS, NULL);
    else
        ask_to_end(process);
}

// ---- its life

void stream_begin_work(struct stream_process *process)
{
    int64_t now_ms = clock_boot_ms();
    process->work_us = clock_boot_us();
    loop_timer_disarm(process->timeout);
    loop_timer_disarm(process->idle);
    if (process->given_count > 0 && process->timeout_ms > 0)
        loop_timer_arm(process->timeout, now_ms + process->timeout_ms);
    if (process->given_count == 0)
        loop_timer_arm(process->idle, now_ms + (process->ending ? TASK_GRACE_MS : IDLE_MS));
    tasks_look_soon(process->tasks);
}

static void on_started(void *context, struct runtime_instance *instance, const struct runtime_started *started)
{
    struct stream_process *process = context;
    UNUSED(instance);
    UNUSED(started);
    process->started = true;
    stream_begin_work(process);
    stream_flush(process);
}

static void on_output(void *context, struct runtime_instance *instance, enum runtime_stream stream, const char *bytes,
                      size_t length)
{
    struct stream_process *process = context;
    UNUSED(instance);
    if (stream == RUNTIME_STDOUT) {
        stream_read(process, bytes, length);
        return;
    }
    last_line_add(&process->errors, bytes, length);
    if (!process->log) {
        char source[256];
        snprintf(source, sizeof source, "stage/%s/%s", process->stage, process->name);
        process->log = logs_open(process->tasks->logs, process->job, source);
    }
    log_write(process->log, bytes, length);
}

// Whoever has ended takes no more tasks.
static void on_exited(void *context, struct runtime_instance *instance, const struct runtime_exit *exit)
{
    struct stream_process *process = context;
    UNUSED(instance);
    UNUSED(exit);
    process->ending = true;
}

static void on_writable(void *context, struct runtime_instance *instance)
{
    UNUSED(instance);
    stream_flush(context);
}

static int start_process(struct stream_process *process, struct err *err)
{
    static const struct runtime_events events = {
        .started = on_started, .output = on_output, .writable = on_writable, .exited = on_exited, .gone = on_gone};
    struct slice_run *slice = process->given[0].slice;
    const struct slice_order *order = slice->order;
    const struct run_spec *run = &order->run.run;
    const char *argv[SPEC_ARGUMENTS_MAX + 1] = {0};
    char identity[RUNTIME_IDENTITY_SIZE];
    const char *const *environment;
    environment_set_directory(slice->environment, run, process->directory);
    if (environment_list(slice->environment, &environment, err) < 0)
        return -1;
    for (size_t i = 0; i < run->command.count && i < SPEC_ARGUMENTS_MAX; i++)
        argv[i] = run->command.items[i];
    snprintf(identity, sizeof identity, "%s/%s/stream/%s", order->job, order->stage, process->name);
    const struct runtime_spec spec = {.identity = identity,
                                      .job = order->job,
                                      .name = order->stage,
                                      .container = run_spec_in_container(run),
                                      .image = run->image,
                                      .argv = argv,
                                      .env = environment,
                                      .directory = process->directory,
                                      .services = order->services,
                                      .service_count = order->service_count,
                                      .stdin_mode = RUNTIME_STDIN_PIPE,
                                      .stop_grace_ms = TASK_GRACE_MS,
                                      .memory_bytes = run->memory_bytes,
                                      .cpu_millis = run->cpus_milli};
    return runtime_start(process->tasks->runtime, &spec, &events, process, &process->instance, err);
}

static void on_workspace(void *context, const char *directory, const struct err *error)
{
    struct stream_process *process = context;
    struct err err;
    process->request = NULL;
    if (error) {
        end_with_error(process, error, "no working directory");
        return;
    }
    process->directory = strdup(directory);
    if (!process->directory) {
        err_set(&err, ERR_NO_MEMORY, "no memory");
        end_with_error(process, &err, "no working directory");
    } else if (start_process(process, &err) < 0) {
        end_with_error(process, &err, "cannot be started");
    }
}

// ---- tasks for it

static void give(struct stream_process *process, struct slice_run *slice)
{
    struct stream_task *given = &process->given[process->given_count++];
    *given = (struct stream_task){.slice = slice, .task = slice_run_take(slice)};
    stream_write_task(process, given);
    if (process->given_count == 1 && process->started)
        stream_begin_work(process);
    stream_flush(process);
}

static int open_process(struct stream_process *process, struct slice_run *slice, struct err *err)
{
    const struct slice_order *order = slice->order;
    char name[128];
    process->key = strdup(slice->stream_key);
    process->job = strdup(order->job);
    process->stage = strdup(order->stage);
    process->timeout_ms = order->run.timeout_ms;
    snprintf(process->name, sizeof process->name, "%lld-%u", (long long)order->token, ++process->tasks->stream_count);
    if (!process->key || !process->job || !process->stage)
        return err_set(err, ERR_NO_MEMORY, "no memory for a process");
    if (loop_timer_add(process->tasks->loop, on_timeout, process, &process->timeout, err) < 0 ||
        loop_timer_add(process->tasks->loop, on_idle, process, &process->idle, err) < 0)
        return -1;
    snprintf(name, sizeof name, "%s-%s-stream", order->job, order->stage);
    return workspace_prepare(process->tasks->workspaces, name, order->bundle, on_workspace, process, &process->request,
                             err);
}

// With the slice's next task, which has failed when it cannot be opened.
static void process_new(struct tasks *tasks, struct slice_run *slice)
{
    struct stream_process *process = calloc(1, sizeof *process);
    struct err err;
    if (!process) {
        slice_run_drop(slice, slice_run_take(slice));
        return;
    }
    *process = (struct stream_process){.tasks = tasks, .slots = tasks_slots_of(slice), .next = tasks->streams};
    if (process->next)
        process->next->previous = process;
    tasks->streams = process;
    tasks->slots_used += process->slots;
    give(process, slice);
    if (open_process(process, slice, &err) < 0)
        end_with_error(process, &err, "cannot be started");
}

// One that has at most `most` tasks.
static struct stream_process *find(struct tasks *tasks, const char *key, size_t most)
{
    struct stream_process *process = tasks->streams;
    while (process && (process->ending || process->given_count > most || strcmp(process->key, key) != 0))
        process = process->next;
    return process;
}

bool task_stream_place(struct tasks *tasks, struct slice_run *slice)
{
    struct stream_process *process = find(tasks, slice->stream_key, 0);
    if (!process && tasks_slots_free(tasks) >= tasks_slots_of(slice)) {
        process_new(tasks, slice);
        return true;
    }
    if (!process && tasks->average_us > 0 && tasks->average_us < QUICK_TASK_US)
        process = find(tasks, slice->stream_key, STREAM_WINDOW - 1);
    if (!process)
        return false;
    give(process, slice);
    return true;
}

char *task_stream_key(const struct slice_run *slice, const char *const *environment)
{
    const struct slice_order *order = slice->order;
    const struct stage_spec *run = &order->run;
    AUTO_STRBUF struct strbuf key = STRBUF_INIT;
    char hash[SHA256_HEX_SIZE];
    strbuf_add_format(&key, "%s\n%s\n%s\n%lld\n%lld\n", order->job, order->stage, order->bundle ? order->bundle : "",
                      (long long)run->slots, (long long)run->timeout_ms);
    strbuf_add_format(&key, "%s\n%lld\n%lld\n", run->run.image ? run->run.image : "", (long long)run->run.cpus_milli,
                      (long long)run->run.memory_bytes);
    for (size_t i = 0; i < run->run.command.count; i++)
        strbuf_add(&key, run->run.command.items[i], strlen(run->run.command.items[i]) + 1);
    for (size_t i = 0; environment[i]; i++)
        strbuf_add(&key, environment[i], strlen(environment[i]) + 1);
    // Hashed, because secrets are among it.
    bool hashed = strbuf_ok(&key, NULL) == 0 && sha256_hex(key.data, key.length, hash, NULL) == 0;
    if (key.data)
        explicit_bzero(key.data, key.length);
    return hashed ? strdup(hash) : NULL;
}

// ---- all of them

void task_stream_reclaim(struct tasks *tasks, const char *key)
{
    for (struct stream_process *process = tasks->streams; process; process = process->next) {
        bool other = !key || strcmp(process->key, key) != 0;
        if (other && !process->ending && process->given_count == 0)
            ask_to_end(process);
    }
}

bool task_stream_finish(struct tasks *tasks, const char *job, const char *stage)
{
    bool none = true;
    for (struct stream_process *process = tasks->streams; process; process = process->next) {
        if (process->orphan || strcmp(process->job, job) != 0 || strcmp(process->stage, stage) != 0)
            continue;
        none = false;
        if (!process->ending && process->given_count == 0)
            ask_to_end(process);
    }
    return none;
}

static void stop(struct stream_process *process)
{
    process->ending = true;
    if (process->instance) {
        runtime_stop(process->instance, TASK_GRACE_MS, NULL);
        return;
    }
    resolve(process, &(const struct task_verdict){.end = TASK_UNTOUCHED});
    process_free(process);
}

void task_stream_cancel(struct tasks *tasks, const struct slice_run *slice)
{
    struct stream_process *next;
    for (struct stream_process *process = tasks->streams; process; process = next) {
        bool touched = false;
        next = process->next;
        for (size_t i = 0; i < process->given_count; i++) {
            process->given[i].cancelled |= process->given[i].slice == slice;
            touched |= process->given[i].slice == slice;
        }
        if (touched)
            stop(process);
    }
}

void task_stream_abandon(struct tasks *tasks)
{
    struct stream_process *next;
    for (struct stream_process *process = tasks->streams; process; process = next) {
        next = process->next;
        process->orphan = process->ending = true;
        for (size_t i = 0; i < process->given_count; i++)
            process->given[i].slice = NULL;
        if (process->timeout)
            loop_timer_disarm(process->timeout);
        if (process->instance)
            runtime_kill(process->instance, NULL);
        else
            process_free(process);
    }
}

void task_stream_free_all(struct tasks *tasks)
{
    while (tasks->streams)
        process_free(tasks->streams);
}

size_t task_stream_running(const struct tasks *tasks)
{
    size_t count = 0;
    for (const struct stream_process *process = tasks->streams; process; process = process->next)
        count += process->instance != NULL;
    return count;
}

int task_stream_orphan_slots(const struct tasks *tasks)
{
    int slots = 0;
    for (const struct stream_process *process = tasks->streams; process; process = process->next)
        slots += process->orphan ? process->slots : 0;
    return slots;
}
