#include "tests/support/runtime_scripted.h"

#include "tests/support/runtime_scripted_internal.h"

#include <stdlib.h>
#include <string.h>

static void *must(void *pointer)
{
    if (!pointer)
        abort();
    return pointer;
}

static void note(struct runtime *runtime, const char *verb, const char *identity, const char *detail)
{
    struct strbuf *log = &scripted_of(runtime)->log;
    strbuf_add_text(log, verb);
    if (identity)
        strbuf_add_format(log, " %s", identity);
    if (detail)
        strbuf_add_format(log, " %s", detail);
    strbuf_add_char(log, '\n');
}

static void note_number(struct runtime_instance *instance, const char *verb, int64_t number)
{
    strbuf_add_format(&scripted_of(instance->runtime)->log, "%s %s %lld\n", verb,
                      scripted_instance_of(instance)->identity, (long long)number);
}

static char **copy_list(const char *const *list)
{
    size_t count = 0;
    while (list && list[count])
        count++;
    char **copy = must(calloc(count + 1, sizeof(*copy)));
    for (size_t i = 0; i < count; i++)
        copy[i] = must(strdup(list[i]));
    return copy;
}

static void free_list(char **list)
{
    for (size_t i = 0; list && list[i]; i++)
        free(list[i]);
    free(list);
}

static struct scripted_instance *instance_add(struct runtime *runtime, const char *identity,
                                              const struct runtime_events *events, void *context)
{
    struct scripted_instance *instance = must(calloc(1, sizeof(*instance)));
    instance->base.runtime = runtime;
    instance->events = *events;
    instance->context = context;
    strncpy(instance->identity, identity, sizeof(instance->identity) - 1);
    instance->next = scripted_of(runtime)->instances;
    scripted_of(runtime)->instances = instance;
    return instance;
}

static void instance_free(struct scripted_instance *instance)
{
    free_list(instance->argv);
    free_list(instance->env);
    free(instance->directory);
    strbuf_release(&instance->stdin_text);
    free(instance);
}

static int scripted_choose_ports(struct runtime *runtime, bool container, struct runtime_port *ports, size_t count,
                                 struct err *err)
{
    UNUSED(container);
    UNUSED(err);
    for (size_t i = 0; i < count; i++)
        ports[i].number = scripted_of(runtime)->next_port++;
    return 0;
}

static int scripted_extend_lease(struct runtime *runtime, int64_t deadline_boot_ms, struct err *err)
{
    UNUSED(err);
    strbuf_add_format(&scripted_of(runtime)->log, "lease %lld\n", (long long)deadline_boot_ms);
    return 0;
}

static int scripted_start(struct runtime *runtime, const struct runtime_spec *spec, const struct runtime_events *events,
                          void *context, struct runtime_instance **out, struct err *err)
{
    struct scripted *scripted = scripted_of(runtime);
    note(runtime, "start", spec->identity, NULL);
    if (scripted->fail_start) {
        scripted->fail_start = false;
        return err_set(err, scripted->fail_code, "scripted failure of a start");
    }
    if (runtime_scripted_find(runtime, spec->identity))
        return err_set(err, ERR_CONFLICT, "instance '%s' exists already", spec->identity);
    struct scripted_instance *instance = instance_add(runtime, spec->identity, events, context);
    instance->argv = copy_list(spec->argv);
    instance->env = copy_list(spec->env);
    instance->directory = must(strdup(spec->directory ? spec->directory : ""));
    for (size_t i = 0; i < spec->port_count && i < ARRAY_LEN(instance->ports); i++)
        instance->ports[i] = spec->ports[i].number;
    if (spec->stdin_mode == RUNTIME_STDIN_BYTES)
        strbuf_add(&instance->stdin_text, spec->stdin_bytes, spec->stdin_length);
    *out = &instance->base;
    return 0;
}

static int scripted_adopt(struct runtime *runtime, const char *identity, const struct runtime_events *events,
                          void *context, struct runtime_instance **out, struct err *err)
{
    UNUSED(err);
    note(runtime, "adopt", identity, NULL);
    *out = &instance_add(runtime, identity, events, context)->base;
    return 0;
}

static int scripted_adopt_task(struct runtime *runtime, const char *identity, const char *output,
                               const struct runtime_events *events, void *context, struct runtime_instance **out,
                               struct err *err)
{
    UNUSED(err);
    note(runtime, "adopt_task", identity, NULL);
    *out = &instance_add(runtime, identity, events, context)->base;
    scripted_instance_of(*out)->directory = must(strdup(output));
    return 0;
}

static struct request *request_add(struct runtime *runtime, enum request_kind kind, void *context)
{
    struct request *request = must(calloc(1, sizeof(*request)));
    request->kind = kind;
    request->context = context;
    struct request **last = &scripted_of(runtime)->requests;
    while (*last)
        last = &(*last)->next;
    *last = request;
    return request;
}

// Unlinks the oldest request of a kind; the caller frees it.
struct request *scripted_request_take(struct runtime *runtime, enum request_kind kind)
{
    struct request **link = &scripted_of(runtime)->requests;
    while (*link && (*link)->kind != kind)
        link = &(*link)->next;
    struct request *request = must(*link);
    *link = request->next;
    return request;
}

static int scripted_list(struct runtime *runtime, runtime_list_fn function, void *context, struct err *err)
{
    UNUSED(err);
    note(runtime, "list", NULL, NULL);
    request_add(runtime, REQUEST_LIST, context)->function.list = function;
    return 0;
}

static int scripted_inspect(struct runtime *runtime, const char *identity, runtime_inspect_fn function, void *context,
                            struct err *err)
{
    UNUSED(err);
    note(runtime, "inspect", identity, NULL);
    request_add(runtime, REQUEST_INSPECT, context)->function.inspect = function;
    return 0;
}

static int scripted_exec(struct runtime_instance *instance, const char *const *argv, int64_t timeout_ms,
                         runtime_exec_fn function, void *context, struct err *err)
{
    UNUSED(timeout_ms);
    UNUSED(err);
    note(instance->runtime, "exec", scripted_instance_of(instance)->identity, argv[0]);
    request_add(instance->runtime, REQUEST_EXEC, context)->function.exec = function;
    return 0;
}

static int scripted_signal(struct runtime_instance *instance, int signal_number, struct err *err)
{
    UNUSED(err);
    note_number(instance, "signal", signal_number);
    return 0;
}

static int scripted_stop(struct runtime_instance *instance, int64_t grace_ms, struct err *err)
{
    UNUSED(err);
    note_number(instance, "stop", grace_ms);
    return 0;
}

static int scripted_kill(struct runtime_instance *instance, struct err *err)
{
    UNUSED(err);
    note(instance->runtime, "kill", scripted_instance_of(instance)->identity, NULL);
    return 0;
}

static int scripted_set_output(struct runtime_instance *instance, enum runtime_stream stream, enum runtime_output mode,
                               struct err *err)
{
    UNUSED(err);
    strbuf_add_format(&scripted_of(instance->runtime)->log, "output %s %d %d\n",
                      scripted_instance_of(instance)->identity, (int)stream, (int)mode);
    return 0;
}

static ssize_t scripted_write(struct runtime_instance *instance, const char *bytes, size_t length, struct err *err)
{
    UNUSED(err);
    int64_t limit = scripted_of(instance->runtime)->write_limit;
    size_t taken = limit >= 0 ? MIN(length, (size_t)limit) : length;
    strbuf_add(&scripted_instance_of(instance)->stdin_text, bytes, taken);
    note_number(instance, "write", (int64_t)taken);
    return (ssize_t)taken;
}

static void scripted_close_stdin(struct runtime_instance *instance)
{
    note(instance->runtime, "close_stdin", scripted_instance_of(instance)->identity, NULL);
}

static int64_t scripted_resists(struct runtime_instance *instance, struct err *err)
{
    const struct scripted *scripted = scripted_of(instance->runtime);
    *err = scripted->resists_why;
    return scripted->resists_since_ms;
}

static void scripted_release(struct runtime_instance *base)
{
    struct scripted_instance *instance = scripted_instance_of(base);
    note(base->runtime, "release", instance->identity, NULL);
    struct scripted_instance **link = &scripted_of(base->runtime)->instances;
    while (*link != instance)
        link = &(*link)->next;
    *link = instance->next;
    instance_free(instance);
}

static void scripted_free(struct runtime *runtime)
{
    struct scripted *scripted = scripted_of(runtime);
    while (scripted->instances) {
        struct scripted_instance *instance = scripted->instances;
        scripted->instances = instance->next;
        instance_free(instance);
    }
    while (scripted->requests) {
        struct request *request = scripted->requests;
        scripted->requests = request->next;
        free(request);
    }
    strbuf_release(&scripted->log);
    free(scripted);
}

static const struct runtime_ops SCRIPTED_OPS = {
    .name = "scripted",
    .choose_ports = scripted_choose_ports,
    .extend_lease = scripted_extend_lease,
    .start = scripted_start,
    .adopt = scripted_adopt,
    .adopt_task = scripted_adopt_task,
    .list = scripted_list,
    .inspect = scripted_inspect,
    .free = scripted_free,
    .signal = scripted_signal,
    .stop = scripted_stop,
    .kill = scripted_kill,
    .set_output = scripted_set_output,
    .write = scripted_write,
    .close_stdin = scripted_close_stdin,
    .exec = scripted_exec,
    .release = scripted_release,
    .resists = scripted_resists,
};

struct runtime *runtime_scripted_new(void)
{
    struct scripted *scripted = must(calloc(1, sizeof(*scripted)));
    scripted->base.ops = &SCRIPTED_OPS;
    scripted->write_limit = -1;
    scripted->resists_since_ms = 1;
    scripted->next_port = 20000;
    return &scripted->base;
}

const char *runtime_scripted_log(struct runtime *runtime)
{
    return strbuf_text(&scripted_of(runtime)->log);
}

void runtime_scripted_forget(struct runtime *runtime)
{
    strbuf_clear(&scripted_of(runtime)->log);
}

bool runtime_scripted_saw(struct runtime *runtime, const char *line)
{
    size_t length = strlen(line);
    const char *log = runtime_scripted_log(runtime);
    for (const char *at = log; (at = strstr(at, line)); at++) {
        if ((at == log || at[-1] == '\n') && at[length] == '\n')
            return true;
    }
    return false;
}

void runtime_scripted_fail_start(struct runtime *runtime, enum err_code code)
{
    scripted_of(runtime)->fail_start = true;
    scripted_of(runtime)->fail_code = code;
}

void runtime_scripted_limit_write(struct runtime *runtime, int64_t bytes)
{
    scripted_of(runtime)->write_limit = bytes;
}

struct runtime_instance *runtime_scripted_find(struct runtime *runtime, const char *identity)
{
    for (struct scripted_instance *at = scripted_of(runtime)->instances; at; at = at->next) {
        if (strcmp(at->identity, identity) == 0)
            return &at->base;
    }
    return NULL;
}

size_t runtime_scripted_count(struct runtime *runtime)
{
    size_t count = 0;
    for (struct scripted_instance *at = scripted_of(runtime)->instances; at; at = at->next)
        count++;
    return count;
}

const char *runtime_scripted_argument(struct runtime_instance *instance, size_t index)
{
    char **argv = scripted_instance_of(instance)->argv;
    for (size_t i = 0; argv && argv[i]; i++) {
        if (i == index)
            return argv[i];
    }
    return NULL;
}

const char *runtime_scripted_env(struct runtime_instance *instance, const char *name)
{
    size_t length = strlen(name);
    char **env = scripted_instance_of(instance)->env;
    for (size_t i = 0; env && env[i]; i++) {
        if (strncmp(env[i], name, length) == 0 && env[i][length] == '=')
            return env[i] + length + 1;
    }
    return NULL;
}

const char *runtime_scripted_directory(struct runtime_instance *instance)
{
    return scripted_instance_of(instance)->directory;
}

const char *runtime_scripted_stdin(struct runtime_instance *instance)
{
    return strbuf_text(&scripted_instance_of(instance)->stdin_text);
}
