// What a service is started with: its command and its environment, in which its ports have got their numbers.
#include "services/common/base/cleanup.h"
#include "services/common/model/port_reference.h"
#include "services/worker/environment.h"
#include "services/worker/services_internal.h"

#include <stdio.h>
#include <stdlib.h>

#define PORT_VARIABLE_SIZE 80

void service_free_texts(char **texts)
{
    for (size_t i = 0; texts && texts[i]; i++)
        free(texts[i]);
    free(texts);
}

static int put_ports(const struct service_instance *instance, const char *text, char **out, struct err *err)
{
    const char *names[SPEC_PORTS_MAX];
    int numbers[SPEC_PORTS_MAX];
    AUTO_STRBUF struct strbuf replaced = STRBUF_INIT;
    for (size_t i = 0; i < instance->port_count; i++) {
        names[i] = instance->ports[i].name;
        numbers[i] = instance->ports[i].number;
    }
    if (port_references_replace(text, names, numbers, instance->port_count, &replaced, err) < 0)
        return -1;
    return strbuf_take(&replaced, out, err);
}

int service_make_argv(const struct service_instance *instance, const struct text_list *command, char ***out,
                      struct err *err)
{
    char **argv = calloc(command->count + 1, sizeof *argv);
    if (!argv)
        return err_set(err, ERR_NO_MEMORY, "no memory for a command");
    for (size_t i = 0; i < command->count; i++)
        if (put_ports(instance, command->items[i], &argv[i], err) < 0) {
            service_free_texts(argv);
            return -1;
        }
    *out = argv;
    return 0;
}

// PORT, and PORT_<NAME> for each.
static void add_ports(const struct service_instance *instance, struct environment *environment)
{
    for (size_t i = 0; i < instance->port_count; i++) {
        char name[PORT_VARIABLE_SIZE];
        int length = snprintf(name, sizeof name, "PORT_%s", instance->ports[i].name);
        for (int j = 0; j < length && j < (int)sizeof name; j++)
            name[j] = (char)(name[j] == '-' ? '_' : name[j] >= 'a' && name[j] <= 'z' ? name[j] - 'a' + 'A' : name[j]);
        environment_set_i64(environment, name, instance->ports[i].number);
        if (i == 0)
            environment_set_i64(environment, "PORT", instance->ports[i].number);
    }
}

static int add_variables(const struct service_instance *instance, struct environment *environment, struct err *err)
{
    const struct text_pairs *variables = &instance->order->run.run.env;
    for (size_t i = 0; i < variables->count; i++) {
        AUTO_FREE char *value = NULL;
        if (put_ports(instance, variables->items[i].value, &value, err) < 0)
            return -1;
        environment_set(environment, variables->items[i].name, value);
    }
    return environment_add_secrets(environment, &instance->order->run.run.secrets,
                                   instance->services->secrets_directory, err);
}

int service_make_environment(const struct service_instance *instance, struct environment *environment,
                             const char *const **out, struct err *err)
{
    const struct service_order *order = instance->order;
    environment_set(environment, "CURFEW_JOB", order->job);
    environment_set(environment, "CURFEW_SERVICE", order->service);
    environment_set_i64(environment, "CURFEW_EPOCH", order->epoch);
    environment_set_directory(environment, &order->run.run, instance->directory);
    environment_add_services(environment, order->services, order->service_count);
    add_ports(instance, environment);
    if (add_variables(instance, environment, err) < 0)
        return -1;
    return environment_list(environment, out, err);
}
