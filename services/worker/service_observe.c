// What is said of an instance: its latest observation, which says everything.
#include "services/common/base/clock.h"
#include "services/common/model/signal_name.h"
#include "services/worker/services_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ERROR_SIZE 512

static const char *text_or_null(const struct strbuf *text)
{
    return text->length > 0 ? strbuf_text(text) : NULL;
}

void service_say(struct service_instance *instance)
{
    struct services *services = instance->services;
    if (instance->state == INSTANCE_PENDING) // not even its working directory is there: nothing to say yet
        return;
    const char *no_error = instance->error_said ? "" : NULL;
    instance->error_said |= instance->error.length > 0;
    const struct observation observation = {
        .job = instance->job,
        .service = instance->service,
        .epoch = instance->epoch,
        .state = instance->state,
        .object = instance->object[0] ? instance->object : NULL,
        .host = instance->ports_json.length == 0 ? NULL
                : instance->host                 ? instance->host
                                                 : services->advertise,
        .boundary = instance->boundary[0] ? instance->boundary : NULL,
        .error = instance->error.length > 0 ? strbuf_text(&instance->error) : no_error,
        .ports = text_or_null(&instance->ports_json),
        .signals = text_or_null(&instance->signals_json),
        .exit_code = instance->exit_code,
        .exit_signal = instance->exit_signal,
        .grade = instance->grade,
    };
    services->events.on_observation(services->context, &observation);
}

void service_observe(struct service_instance *instance, int state)
{
    bool was_over = instance_is_over(instance->state);
    instance->state = state;
    if (!was_over && instance_is_over(state))
        instance->services->over++;
    service_say(instance);
}

void service_note_error(struct service_instance *instance, const char *format, ...)
{
    char text[ERROR_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    strbuf_clear(&instance->error);
    strbuf_add_text(&instance->error, text);
    instance->is_trouble = false;
}

void service_note_trouble(struct service_instance *instance, const char *why)
{
    if (why && instance->error.length > 0 && strcmp(strbuf_text(&instance->error), why) == 0)
        return;
    if (!why && !instance->is_trouble)
        return;
    strbuf_clear(&instance->error);
    if (why)
        strbuf_add_text(&instance->error, why);
    instance->is_trouble = why != NULL;
    service_say(instance);
}

int service_note_ports(struct service_instance *instance, const int *numbers, struct err *err)
{
    strbuf_clear(&instance->ports_json);
    strbuf_add_char(&instance->ports_json, '{');
    for (size_t i = 0; i < instance->port_count; i++) {
        const char *name = instance->ports[i].name;
        if (i > 0)
            strbuf_add_char(&instance->ports_json, ',');
        strbuf_add_json(&instance->ports_json, name, strlen(name));
        strbuf_add_char(&instance->ports_json, ':');
        strbuf_add_i64(&instance->ports_json, numbers ? numbers[i] : instance->ports[i].number);
    }
    strbuf_add_char(&instance->ports_json, '}');
    return strbuf_ok(&instance->ports_json, err);
}

static void note_signals(struct service_instance *instance, const struct runtime_gone *gone)
{
    strbuf_clear(&instance->signals_json);
    strbuf_add_char(&instance->signals_json, '[');
    for (size_t i = 0; i < gone->signal_count; i++) {
        char at[CLOCK_TEXT_SIZE];
        const char *name = signal_name(gone->signals[i].signal);
        clock_format(gone->signals[i].at_wall_us, at);
        strbuf_add_format(&instance->signals_json, "%s{\"signal\":\"%s\",\"at\":\"%s\"}", i > 0 ? "," : "",
                          name ? name : "?", at);
    }
    strbuf_add_char(&instance->signals_json, ']');
}

static void note_no_start(struct service_instance *instance, const struct err *error)
{
    const struct text_list *command = instance->order ? &instance->order->run.run.command : NULL;
    const char *name = command && command->count > 0 ? command->items[0] : instance->service;
    if (error->code == ERR_NOT_FOUND)
        service_note_error(instance, "no such command: %s", name);
    else if (error->code == ERR_FORBIDDEN)
        service_note_error(instance, "not executable: %s", name);
    else
        service_note_error(instance, "cannot start %s: %s", name, error->text);
}

// Why it ended, for one that nobody had asked to.
static void note_why(struct service_instance *instance, const struct runtime_gone *gone)
{
    char line[LAST_LINE_SIZE];
    last_line_text(&instance->last_line, line);
    const char *colon = line[0] ? ": " : "";
    if (gone->reason == RUNTIME_NOT_STARTED)
        note_no_start(instance, &gone->start_error);
    else if (gone->reason == RUNTIME_FENCED)
        service_note_error(instance, "its worker could not renew its lease");
    else if (gone->reason == RUNTIME_STOPPED)
        service_note_error(instance, "ended by its worker, which had lost its lease");
    else if (gone->reason == RUNTIME_LOST && gone->start_error.text[0])
        service_note_error(instance, "it vanished: %s", gone->start_error.text);
    else if (gone->exit.known && gone->exit.out_of_memory)
        service_note_error(instance, "it ran out of memory, of which resources.memory gives it no more%s%s", colon,
                           line);
    else if (!gone->exit.known)
        service_note_error(instance, "it vanished%s%s", colon, line);
    else if (gone->exit.signal)
        service_note_error(instance, "killed by %s%s%s",
                           signal_name(gone->exit.signal) ? signal_name(gone->exit.signal) : "a signal", colon, line);
    else
        service_note_error(instance, "exit %d%s%s%s", gone->exit.code, runtime_exit_hint(&gone->exit), colon, line);
}

static int grade_of(enum runtime_grade grade)
{
    switch (grade) {
    case RUNTIME_GRADE_EXIT:
        return GRADE_EXIT;
    case RUNTIME_GRADE_ABSENT:
        return GRADE_ABSENT;
    case RUNTIME_GRADE_VERIFIED:
        return GRADE_VERIFIED;
    }
    return GRADE_ABSENT;
}

void service_note_gone(struct service_instance *instance, const struct runtime_gone *gone)
{
    note_signals(instance, gone);
    if (instance->is_trouble)
        strbuf_clear(&instance->error);
    if (gone->exit.known) {
        instance->exit_code = gone->exit.signal ? -1 : gone->exit.code;
        instance->exit_signal = gone->exit.signal ? gone->exit.signal : -1;
    }
    instance->grade = grade_of(gone->grade);
    if (!instance->stop_asked)
        note_why(instance, gone);
}
