// What has to hold between the fields of one service or stage, and between a job's times.
#include "services/common/base/parse.h"
#include "services/common/model/job_spec_fields.h"
#include "services/common/model/port_reference.h"

#include <string.h>

static void check_secrets(const struct field *object, const struct run_spec *run)
{
    struct field secrets = field_member(object, "secrets");
    for (size_t i = 0; i < run->env.count; i++) {
        for (size_t j = 0; j < run->secrets.count; j++) {
            if (strcmp(run->env.items[i].name, run->secrets.items[j]) != 0)
                continue;
            field_fault(&secrets, FAULT_CONFLICT, "'%s' is set by env too", run->secrets.items[j]);
        }
    }
}

static void check_run(const struct field *object, const struct run_spec *run, bool needs_command)
{
    if (needs_command && !field_has(object, "command"))
        field_fault_at(object, "command", FAULT_REQUIRED, "is required");
    if (run_spec_in_container(run) && !field_has(object, "image"))
        field_fault_at(object, "image", FAULT_REQUIRED, "is required with runtime %s", run->runtime);
    check_secrets(object, run);
}

// Every place in `text` that looks like a reference to a port has to be one.
static void check_references(const struct field *field, const char *text, const struct service_spec *service)
{
    const char *names[SPEC_PORTS_MAX];
    for (size_t i = 0; i < service->port_count; i++)
        names[i] = service->ports[i].name;
    struct port_reference reference;
    for (; port_reference_find(text, &reference); text = reference.end) {
        if (port_reference_resolve(&reference, names, service->port_count) < 0)
            field_fault(field, FAULT_REFERENCE, "${%.*s} names no port of this service",
                        (int)MIN(reference.name_length, (size_t)80), reference.name);
    }
}

static void check_command_references(const struct field *object, const char *member, const struct service_spec *service)
{
    struct field command = field_member(object, member);
    for (size_t i = 0; i < field_count(&command); i++) {
        struct field argument = field_item(&command, i);
        if (field_is_text(&argument))
            check_references(&argument, json_object_get_string(argument.value), service);
    }
}

static void check_env_references(const struct field *object, const struct service_spec *service)
{
    struct field env = field_member(object, "env");
    for (size_t i = 0; i < service->run.env.count; i++) {
        struct field variable = field_member(&env, service->run.env.items[i].name);
        check_references(&variable, service->run.env.items[i].value, service);
    }
}

static bool has_port(const struct service_spec *service, const char *name)
{
    for (size_t i = 0; i < service->port_count; i++) {
        if (service->ports[i].name && strcmp(service->ports[i].name, name) == 0)
            return true;
    }
    return false;
}

static void check_ports(const struct field *object, const struct service_spec *service)
{
    struct field ports = field_member(object, "ports");
    for (size_t i = 0; i < service->port_count; i++) {
        const struct port_spec *port = &service->ports[i];
        struct field item = field_item(&ports, i);
        for (size_t j = 0; port->name && j < i; j++) {
            if (service->ports[j].name && strcmp(service->ports[j].name, port->name) == 0)
                field_fault_at(&item, "name", FAULT_DUPLICATE, "there is another port '%s'", port->name);
        }
    }
}

static void check_ready_port(const struct field *object, struct service_spec *service)
{
    struct ready_spec *ready = &service->ready;
    struct field member = field_member(object, "ready");
    const char *name = ready->kind == READY_TCP ? "tcp" : "port";
    if (ready->kind == READY_HTTP && !field_has(&member, "port") && service->port_count == 1)
        ready->port = service->ports[0].name;
    else if (ready->kind == READY_HTTP && !field_has(&member, "port"))
        field_fault_at(&member, "port", FAULT_REQUIRED, "is required unless the service has exactly one port");
    else if (ready->port && !has_port(service, ready->port))
        field_fault_at(&member, name, FAULT_REFERENCE, "this service has no port '%s'", ready->port);
}

void finish_service(struct spec_reader *reader, const struct field *object, void *target)
{
    UNUSED(reader);
    struct service_spec *service = target;
    struct field ready = field_member(object, "ready");
    check_run(object, &service->run, !run_spec_in_container(&service->run));
    check_ports(object, service);
    check_command_references(object, "command", service);
    check_command_references(&ready, "exec", service);
    check_env_references(object, service);
    check_ready_port(object, service);
}

// A fault at `name` when it is longer than `bound_name`.
static void check_not_longer(const struct field *object, const char *name, int64_t ms, const char *bound_name,
                             int64_t bound_ms)
{
    char bound[PARSE_DURATION_TEXT_SIZE];
    duration_format(bound_ms, bound);
    if (ms > bound_ms)
        field_fault_at(object, name, FAULT_CONFLICT, "must not be longer than %s, which is %s", bound_name, bound);
}

void finish_ready(struct spec_reader *reader, const struct field *object, void *target)
{
    UNUSED(reader);
    const struct ready_spec *ready = target;
    int kinds =
        field_has(object, "tcp") + field_has(object, "http") + field_has(object, "exec") + field_has(object, "log");
    if (kinds == 0)
        field_fault(object, FAULT_REQUIRED, "needs one of tcp, http, exec and log");
    if (kinds > 1)
        field_fault(object, FAULT_CONFLICT, "has to have only one of tcp, http, exec and log");
    if (field_has(object, "port") && !field_has(object, "http"))
        field_fault_at(object, "port", FAULT_CONFLICT, "goes with http only");
    check_not_longer(object, "interval", ready->interval_ms, "deadline", ready->deadline_ms);
    check_not_longer(object, "timeout", ready->timeout_ms, "deadline", ready->deadline_ms);
}

static void check_pull(const struct field *object)
{
    static const char *const senseless[] = {"command", "runtime", "image", "env", "secrets", "resources", "where"};
    for (size_t i = 0; i < ARRAY_LEN(senseless); i++) {
        if (field_has(object, senseless[i]))
            field_fault_at(object, senseless[i], FAULT_CONFLICT, "does not go with mode pull: outside workers run it");
    }
}

void finish_stage_work(struct spec_reader *reader, const struct field *object, void *target)
{
    UNUSED(reader);
    const struct stage_spec *stage = target;
    struct field retries = field_member(object, "retries");
    if (stage->mode == STAGE_PULL)
        check_pull(object);
    else
        check_run(object, &stage->run, true);
    check_not_longer(&retries, "backoff", stage->retries.backoff_ms, "backoff_max", stage->retries.backoff_max_ms);
}

void finish_stage(struct spec_reader *reader, const struct field *object, void *target)
{
    finish_stage_work(reader, object, target);
}

static void check_lifetime(const struct job_spec *spec, const struct field *root)
{
    struct field autostop = field_member(root, "autostop");
    if (!spec->service_count)
        return;
    check_not_longer(root, "timeout", spec->timeout_ms, "max_lifetime", spec->max_lifetime_ms);
    check_not_longer(&autostop, "linger", spec->autostop.linger_ms, "max_lifetime", spec->max_lifetime_ms);
    check_not_longer(&autostop, "keep_on_failure", spec->autostop.keep_on_failure_ms, "max_lifetime",
                     spec->max_lifetime_ms);
}

static void check_stage_times(const struct job_spec *spec, const struct field *root)
{
    struct field stages = field_member(root, "stages");
    for (size_t i = 0; spec->timeout_ms && i < spec->stage_count; i++) {
        struct field stage = field_item(&stages, i);
        check_not_longer(&stage, "timeout", spec->stages[i].timeout_ms, "the job's timeout", spec->timeout_ms);
    }
}

void check_job(const struct job_spec *spec, const struct field *root, bool stage_at_top)
{
    check_lifetime(spec, root);
    if (!stage_at_top)
        check_stage_times(spec, root);
    check_graph(spec, root, stage_at_top);
}
