#include "tests/support/runtime_scripted.h"

#include "tests/support/runtime_scripted_internal.h"

#include <stdlib.h>
#include <string.h>

void runtime_scripted_tell_started(struct runtime_instance *base, pid_t pid, const char *address)
{
    struct scripted_instance *instance = scripted_instance_of(base);
    struct runtime_started started = {.pid = pid,
                                      .start_time = 1,
                                      .object = "scripted",
                                      .boundary = "scripted",
                                      .limited = true,
                                      .host = address,
                                      .address = address,
                                      .is_over = pid == 0 && !address,
                                      .port_numbers = instance->ports};
    if (instance->events.started)
        instance->events.started(instance->context, base, &started);
}

void runtime_scripted_output(struct runtime_instance *base, enum runtime_stream stream, const char *text)
{
    struct scripted_instance *instance = scripted_instance_of(base);
    if (instance->events.output)
        instance->events.output(instance->context, base, stream, text, strlen(text));
}

void runtime_scripted_writable(struct runtime_instance *base)
{
    struct scripted_instance *instance = scripted_instance_of(base);
    if (instance->events.writable)
        instance->events.writable(instance->context, base);
}

void runtime_scripted_exited(struct runtime_instance *base, int code, int signal_number)
{
    struct scripted_instance *instance = scripted_instance_of(base);
    instance->exit = (struct runtime_exit){
        .known = true, .code = signal_number ? -1 : code, .signal = signal_number, .at_wall_us = 1};
    if (instance->events.exited)
        instance->events.exited(instance->context, base, &instance->exit);
}

void runtime_scripted_remains(struct runtime_instance *base, const char *text)
{
    struct scripted_instance *instance = scripted_instance_of(base);
    if (instance->events.remains)
        instance->events.remains(instance->context, base, text);
}

void runtime_scripted_gone(struct runtime_instance *base, enum runtime_reason reason)
{
    struct scripted_instance *instance = scripted_instance_of(base);
    struct runtime_gone gone = {.reason = reason,
                                .grade = instance->exit.known ? RUNTIME_GRADE_EXIT : RUNTIME_GRADE_ABSENT,
                                .exit = instance->exit,
                                .at_wall_us = 2};
    if (instance->events.gone)
        instance->events.gone(instance->context, base, &gone);
}

void runtime_scripted_not_started(struct runtime_instance *base, enum err_code code, const char *text)
{
    struct scripted_instance *instance = scripted_instance_of(base);
    struct runtime_gone gone = {.reason = RUNTIME_NOT_STARTED, .grade = RUNTIME_GRADE_EXIT, .at_wall_us = 2};
    err_set(&gone.start_error, code, "%s", text);
    if (instance->events.gone)
        instance->events.gone(instance->context, base, &gone);
}

void runtime_scripted_inspected(struct runtime *runtime, int64_t remaining)
{
    struct request *request = scripted_request_take(runtime, REQUEST_INSPECT);
    request->function.inspect(request->context, remaining, NULL);
    free(request);
}

void runtime_scripted_executed(struct runtime *runtime, int code)
{
    struct request *request = scripted_request_take(runtime, REQUEST_EXEC);
    struct runtime_exit result = {.known = code >= 0, .code = code, .at_wall_us = 1};
    request->function.exec(request->context, &result, NULL);
    free(request);
}

void runtime_scripted_unexecuted(struct runtime *runtime, const char *why)
{
    struct request *request = scripted_request_take(runtime, REQUEST_EXEC);
    struct err trouble;
    err_set(&trouble, ERR_UNAVAILABLE, "%s", why);
    request->function.exec(request->context, &(struct runtime_exit){0}, &trouble);
    free(request);
}

void runtime_scripted_resists(struct runtime *runtime, int64_t since_ms, const char *why)
{
    struct scripted *scripted = scripted_of(runtime);
    scripted->resists_since_ms = since_ms;
    err_set(&scripted->resists_why, ERR_UNAVAILABLE, "%s", why);
}

void runtime_scripted_listed(struct runtime *runtime, const struct runtime_found *found, size_t count)
{
    struct request *request = scripted_request_take(runtime, REQUEST_LIST);
    request->function.list(request->context, found, count, NULL);
    free(request);
}
