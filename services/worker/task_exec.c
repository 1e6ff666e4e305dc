// A process per task: a working directory, the item on stdin, the outputs in a file beside the directory.
//
// A task holds its slots from the beginning of its working directory until nothing of its process is left.
#include "services/common/base/cleanup.h"
#include "services/common/base/clock.h"
#include "services/common/base/log.h"
#include "services/worker/task_output.h"
#include "services/worker/tasks_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OUTPUT_ARENA_BYTES 1024

struct task_exec {
    struct tasks *tasks;
    struct slice_run *slice; // NULL: it was abandoned
    int64_t task;
    int slots;
    int64_t started_us;
    struct workspace_request *request; // until the working directory is there
    char *directory, *output;
    struct runtime_instance *instance; // until it is gone
    struct loop_timer *timeout;
    struct log_source *log; // from the first byte on
    struct last_line errors;
    bool timed_out, cancelled;
    bool adopted;   // from a former life
    int64_t logged; // with adopted: bytes of its log that the manager has
    struct task_exec *previous, *next;
};

static void exec_free(struct task_exec *exec)
{
    struct tasks *tasks = exec->tasks;
    *(exec->previous ? &exec->previous->next : &tasks->execs) = exec->next;
    if (exec->next)
        exec->next->previous = exec->previous;
    tasks->slots_used -= exec->slots;
    workspace_cancel(exec->request);
    runtime_release(exec->instance);
    loop_timer_remove(exec->timeout);
    log_close(exec->log);
    if (exec->output)
        unlink(exec->output);
    if (exec->directory)
        workspace_remove(tasks->workspaces, exec->directory);
    free(exec->output);
    free(exec->directory);
    free(exec);
    tasks_look_soon(tasks);
}

// ---- its end

static void succeed(struct task_exec *exec)
{
    AUTO_ARENA struct arena *arena = arena_new(OUTPUT_ARENA_BYTES);
    struct task_outputs outputs;
    struct err err;
    if (!arena) {
        slice_run_drop(exec->slice, exec->task);
    } else if (task_outputs_read(exec->output, arena, &outputs, &err) < 0) {
        slice_run_fail(exec->slice, exec->task, 0, SLICE_RETRY_COUNTED, err.text);
    } else {
        slice_run_succeed(exec->slice, exec->task, outputs.json, outputs.count);
    }
}

static void end(struct task_exec *exec, const struct task_verdict *verdict)
{
    if (exec->slice && verdict->end == TASK_SUCCEEDED)
        succeed(exec);
    else if (exec->slice)
        tasks_apply(exec->slice, exec->task, verdict);
    exec_free(exec);
}

static void end_with_error(struct task_exec *exec, const struct err *error, const char *what)
{
    struct task_verdict verdict;
    task_verdict_of_error(error, what, &verdict);
    end(exec, &verdict);
}

static void on_gone(void *context, struct runtime_instance *instance, const struct runtime_gone *gone)
{
    struct task_exec *exec = context;
    struct task_verdict verdict = {.end = TASK_UNTOUCHED};
    UNUSED(instance);
    tasks_took(exec->tasks, clock_boot_us() - exec->started_us);
    if (exec->slice) {
        const struct stage_spec *run = &exec->slice->order->run;
        bool was_cut = exec->adopted && !exec->timed_out && !task_end_is_its_own(gone);
        task_verdict(gone, run->run.command.items[0], &exec->errors, exec->timed_out ? run->timeout_ms : 0,
                     exec->cancelled, &verdict);
        verdict.end = was_cut ? TASK_UNTOUCHED : verdict.end;
    }
    end(exec, &verdict);
}

// ---- its life

static void on_output(void *context, struct runtime_instance *instance, enum runtime_stream stream, const char *bytes,
                      size_t length)
{
    struct task_exec *exec = context;
    UNUSED(instance);
    if (stream == RUNTIME_STDERR)
        last_line_add(&exec->errors, bytes, length);
    if (!exec->log && exec->slice) {
        const struct slice_order *order = exec->slice->order;
        char source[256];
        snprintf(source, sizeof source, "task/%s/%lld/%d", order->stage, (long long)exec->task, order->attempt);
        exec->log = logs_open_again(exec->tasks->logs, order->job, source, exec->logged);
    }
    log_write(exec->log, bytes, length);
}

static void on_timeout(void *context)
{
    struct task_exec *exec = context;
    exec->timed_out = true;
    runtime_stop(exec->instance, TASK_GRACE_MS, NULL);
}

static int make_timeout(struct task_exec *exec, struct err *err)
{
    return exec->slice->order->run.timeout_ms > 0
               ? loop_timer_add(exec->tasks->loop, on_timeout, exec, &exec->timeout, err)
               : 0;
}

static void arm_timeout(struct task_exec *exec, int64_t begun_ms)
{
    if (exec->timeout && exec->slice)
        loop_timer_arm(exec->timeout, begun_ms + exec->slice->order->run.timeout_ms);
}

static int make_environment(struct task_exec *exec, const char *const **out, struct err *err)
{
    struct environment *environment = exec->slice->environment;
    const struct slice_order *order = exec->slice->order;
    environment_set_directory(environment, &order->run.run, exec->directory);
    environment_set_i64(environment, "CURFEW_TASK", exec->task);
    environment_set_i64(environment, "CURFEW_ATTEMPT", order->attempt);
    environment_set_i64(environment, "CURFEW_TOKEN", order->token);
    environment_set(environment, "CURFEW_OUTPUT", exec->output);
    return environment_list(environment, out, err);
}

static int start_process(struct task_exec *exec, const char *const *environment, struct err *err)
{
    static const struct runtime_events events = {.output = on_output, .gone = on_gone};
    const struct slice_order *order = exec->slice->order;
    const struct run_spec *run = &order->run.run;
    const char *argv[SPEC_ARGUMENTS_MAX + 1] = {0};
    char identity[RUNTIME_IDENTITY_SIZE];
    AUTO_STRBUF struct strbuf input = STRBUF_INIT;
    for (size_t i = 0; i < run->command.count && i < SPEC_ARGUMENTS_MAX; i++)
        argv[i] = run->command.items[i];
    snprintf(identity, sizeof identity, "%s/%s/%lld/%lld", order->job, order->stage, (long long)exec->task,
             (long long)order->token);
    strbuf_add_text(&input, slice_run_item(exec->slice, exec->task));
    strbuf_add_char(&input, '\n');
    if (strbuf_ok(&input, err) < 0)
        return -1;
    const struct runtime_spec spec = {.identity = identity,
                                      .job = order->job,
                                      .name = order->stage,
                                      .container = run_spec_in_container(run),
                                      .image = run->image,
                                      .argv = argv,
                                      .env = environment,
                                      .directory = exec->directory,
                                      .output = exec->output,
                                      .services = order->services,
                                      .service_count = order->service_count,
                                      .stdin_mode = RUNTIME_STDIN_BYTES,
                                      .stdin_bytes = input.data,
                                      .stdin_length = input.length,
                                      .stop_grace_ms = TASK_GRACE_MS,
                                      .memory_bytes = run->memory_bytes,
                                      .cpu_millis = run->cpus_milli};
    return runtime_start(exec->tasks->runtime, &spec, &events, exec, &exec->instance, err);
}

static void on_workspace(void *context, const char *directory, const struct err *error)
{
    struct task_exec *exec = context;
    const char *const *environment;
    struct err err;
    exec->request = NULL;
    if (error) {
        end_with_error(exec, error, "no working directory");
        return;
    }
    exec->directory = strdup(directory);
    if (!exec->directory || asprintf(&exec->output, "%s.output", directory) < 0) {
        exec->output = NULL;
        err_set(&err, ERR_NO_MEMORY, "no memory");
        end_with_error(exec, &err, "no working directory");
        return;
    }
    if (make_environment(exec, &environment, &err) < 0 || make_timeout(exec, &err) < 0 ||
        start_process(exec, environment, &err) < 0)
        end_with_error(exec, &err, "cannot be started");
    else
        arm_timeout(exec, clock_boot_ms());
}

static struct task_exec *exec_new(struct tasks *tasks, struct slice_run *slice, int64_t task)
{
    struct task_exec *exec = calloc(1, sizeof *exec);
    if (!exec)
        return NULL;
    *exec = (struct task_exec){.tasks = tasks,
                               .slice = slice,
                               .task = task,
                               .slots = tasks_slots_of(slice),
                               .started_us = clock_boot_us(),
                               .next = tasks->execs};
    if (exec->next)
        exec->next->previous = exec;
    tasks->execs = exec;
    tasks->slots_used += exec->slots;
    return exec;
}

void task_exec_start(struct tasks *tasks, struct slice_run *slice)
{
    const struct slice_order *order = slice->order;
    int64_t task = slice_run_take(slice);
    struct task_exec *exec = exec_new(tasks, slice, task);
    char name[128];
    struct err err;
    if (!exec) {
        slice_run_drop(slice, task);
        return;
    }
    snprintf(name, sizeof name, "%s-%s-%lld", order->job, order->stage, (long long)task);
    if (workspace_prepare(tasks->workspaces, name, order->bundle, on_workspace, exec, &exec->request, &err) < 0)
        end_with_error(exec, &err, "no working directory");
}

// ---- from a former life

// What has ended while nobody was there has not run too long for anybody.
static void on_adopted(void *context, struct runtime_instance *instance, const struct runtime_started *started)
{
    struct task_exec *exec = context;
    UNUSED(instance);
    if (!started->is_over)
        arm_timeout(exec, exec->started_us / 1000);
}

static int adopt(struct task_exec *exec, const struct task_survivor *survivor, struct err *err)
{
    static const struct runtime_events events = {.started = on_adopted, .output = on_output, .gone = on_gone};
    char name[64];
    snprintf(name, sizeof name, "adopted-%lld.output", (long long)exec->task);
    if (workspace_path(exec->tasks->workspaces, name, &exec->output, err) < 0 || make_timeout(exec, err) < 0)
        return -1;
    return runtime_adopt_task(exec->tasks->runtime, survivor->identity, exec->output, &events, exec, &exec->instance,
                              err);
}

static int adopt_to_end(struct task_exec *exec, const struct task_survivor *survivor, struct err *err)
{
    static const struct runtime_events events = {.gone = on_gone};
    exec->cancelled = true;
    if (runtime_adopt(exec->tasks->runtime, survivor->identity, &events, exec, &exec->instance, err) < 0)
        return -1;
    return runtime_kill(exec->instance, err);
}

bool task_exec_adopt(struct tasks *tasks, struct slice_run *slice, const struct task_survivor *survivor,
                     const struct slice_adoption *adoption)
{
    struct task_exec *exec = exec_new(tasks, slice, survivor->task);
    struct err err;
    if (!exec)
        return false;
    exec->adopted = true;
    exec->logged = adoption ? adoption->logged : 0;
    if (survivor->begun_boot_ms > 0)
        exec->started_us = survivor->begun_boot_ms * 1000;
    if ((adoption ? adopt(exec, survivor, &err) : adopt_to_end(exec, survivor, &err)) == 0)
        return true;
    log_event(LOG_ERROR, "cannot take over what a former life has left", "identity", survivor->identity, "error",
              err.text, NULL);
    exec_free(exec);
    return false;
}

// ---- all of them

static void stop(struct task_exec *exec)
{
    exec->cancelled = true;
    if (exec->instance) {
        runtime_stop(exec->instance, TASK_GRACE_MS, NULL);
        return;
    }
    if (exec->slice)
        slice_run_drop(exec->slice, exec->task);
    exec_free(exec);
}

void task_exec_cancel(struct tasks *tasks, const struct slice_run *slice)
{
    struct task_exec *next;
    for (struct task_exec *exec = tasks->execs; exec; exec = next) {
        next = exec->next;
        if (exec->slice == slice)
            stop(exec);
    }
}

void task_exec_abandon(struct tasks *tasks)
{
    struct task_exec *next;
    for (struct task_exec *exec = tasks->execs; exec; exec = next) {
        next = exec->next;
        exec->slice = NULL;
        if (exec->instance)
            runtime_kill(exec->instance, NULL);
        else
            exec_free(exec);
    }
}

void task_exec_free_all(struct tasks *tasks)
{
    while (tasks->execs)
        exec_free(tasks->execs);
}

size_t task_exec_running(const struct tasks *tasks)
{
    size_t count = 0;
    for (const struct task_exec *exec = tasks->execs; exec; exec = exec->next)
        count += exec->instance != NULL;
    return count;
}

int task_exec_orphan_slots(const struct tasks *tasks)
{
    int slots = 0;
    for (const struct task_exec *exec = tasks->execs; exec; exec = exec->next)
        slots += exec->slice ? 0 : exec->slots;
    return slots;
}
