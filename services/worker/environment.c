#include "services/worker/environment.h"

#include "services/common/base/fd.h"
#include "services/common/base/strbuf.h"

#include <ctype.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECRET_BYTES_MAX ((size_t)64 << 10)
#define NAME_SIZE 256
#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

struct environment {
    char **items; // "NAME=value", with a NULL behind them
    size_t count, capacity;
    bool failed; // memory ran out
};

static void free_item(char *item)
{
    explicit_bzero(item, strlen(item));
    free(item);
}

void environment_free(struct environment *environment)
{
    if (!environment)
        return;
    for (size_t i = 0; i < environment->count; i++)
        free_item(environment->items[i]);
    free(environment->items);
    free(environment);
}

int environment_new(bool inherits, struct environment **out, struct err *err)
{
    const char *path = getenv("PATH"), *lang = getenv("LANG");
    struct environment *environment = calloc(1, sizeof *environment);
    if (!environment)
        return err_set(err, ERR_NO_MEMORY, "no memory for an environment");
    if (inherits) {
        environment_set(environment, "PATH", path && *path ? path : DEFAULT_PATH);
        environment_set(environment, "LANG", lang && *lang ? lang : "C.UTF-8");
    }
    *out = environment;
    return 0;
}

static char **find(struct environment *environment, const char *name)
{
    size_t length = strlen(name);
    for (size_t i = 0; i < environment->count; i++) {
        if (strncmp(environment->items[i], name, length) == 0 && environment->items[i][length] == '=')
            return &environment->items[i];
    }
    return NULL;
}

static bool reserve(struct environment *environment)
{
    if (environment->count + 1 < environment->capacity)
        return true;
    size_t capacity = environment->capacity ? environment->capacity * 2 : 32;
    char **grown = realloc(environment->items, capacity * sizeof *grown);
    if (!grown)
        return false;
    environment->items = grown;
    environment->capacity = capacity;
    return true;
}

void environment_set(struct environment *environment, const char *name, const char *value)
{
    char *item = NULL;
    char **place = find(environment, name);
    if (asprintf(&item, "%s=%s", name, value) < 0 || (!place && !reserve(environment))) {
        environment->failed = true;
        return;
    }
    if (place)
        free_item(*place);
    else
        place = &environment->items[environment->count++];
    *place = item;
    environment->items[environment->count] = NULL;
}

void environment_set_i64(struct environment *environment, const char *name, int64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)value);
    environment_set(environment, name, text);
}

static bool has_variable(const struct text_pairs *variables, const char *name)
{
    for (size_t i = 0; i < variables->count; i++) {
        if (strcmp(variables->items[i].name, name) == 0)
            return true;
    }
    return false;
}

void environment_set_directory(struct environment *environment, const struct run_spec *run, const char *directory)
{
    static const char *const names[] = {"HOME", "TMPDIR"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (!has_variable(&run->env, names[i]))
            environment_set(environment, names[i], directory);
    }
}

// ---- services

// "CURFEW_SERVICE_<NAME><suffix>" or, with a port, "..._PORT_<PORT>"; upper case, '_' for what no variable may have.
static void service_variable(const char *service, const char *suffix, const char *port, char out[static NAME_SIZE])
{
    snprintf(out, NAME_SIZE, "CURFEW_SERVICE_%s%s%s", service, suffix, port);
    for (char *at = out; *at; at++)
        *at = isalnum((unsigned char)*at) ? (char)toupper((unsigned char)*at) : '_';
}

static void add_service(struct environment *environment, const struct service_address *service)
{
    char name[NAME_SIZE], address[NAME_SIZE];
    const char *host = service->host ? service->host : "";
    service_variable(service->name, "_HOST", "", name);
    environment_set(environment, name, host);
    for (size_t i = 0; i < service->port_count; i++) {
        service_variable(service->name, "_PORT_", service->ports[i].name, name);
        environment_set_i64(environment, name, service->ports[i].number);
    }
    if (service->port_count == 0)
        return;
    service_variable(service->name, "_PORT", "", name);
    environment_set_i64(environment, name, service->ports[0].number);
    service_variable(service->name, "_ADDR", "", name);
    snprintf(address, sizeof address, strchr(host, ':') ? "[%s]:%d" : "%s:%d", host, service->ports[0].number);
    environment_set(environment, name, address);
}

void environment_add_services(struct environment *environment, const struct service_address *services, size_t count)
{
    for (size_t i = 0; i < count; i++)
        add_service(environment, &services[i]);
}

// ---- the spec

void environment_add_variables(struct environment *environment, const struct text_pairs *variables)
{
    for (size_t i = 0; i < variables->count; i++)
        environment_set(environment, variables->items[i].name, variables->items[i].value);
}

static int read_secret(const char *name, const char *directory, char **out, struct err *err)
{
    char path[PATH_MAX];
    size_t length = 0;
    struct err cause;
    if (!directory)
        return err_set(err, ERR_NOT_FOUND, "secret '%.80s': this worker has no directory of secrets", name);
    if (strchr(name, '/') || snprintf(path, sizeof path, "%s/%s", directory, name) >= (int)sizeof path)
        return err_set(err, ERR_INVALID, "secret '%.80s': no such name can be", name);
    if (file_read(path, SECRET_BYTES_MAX, out, &length, &cause) < 0)
        return err_set(err, cause.code == ERR_NO_MEMORY ? ERR_NO_MEMORY : ERR_NOT_FOUND,
                       "secret '%.80s' is not on this worker, or cannot be read", name);
    if (length > 0 && (*out)[length - 1] == '\n')
        (*out)[--length] = '\0';
    if (strlen(*out) != length)
        return err_set(err, ERR_INVALID, "secret '%.80s' has a NUL byte in it", name);
    return 0;
}

int environment_add_secrets(struct environment *environment, const struct text_list *names,
                            const char *secrets_directory, struct err *err)
{
    for (size_t i = 0; i < names->count; i++) {
        char *value = NULL;
        int outcome = read_secret(names->items[i], secrets_directory, &value, err);
        if (outcome == 0)
            environment_set(environment, names->items[i], value);
        if (value)
            free_item(value);
        if (outcome < 0)
            return -1;
    }
    return 0;
}

int environment_list(struct environment *environment, const char *const **out, struct err *err)
{
    if (environment->failed)
        return err_set(err, ERR_NO_MEMORY, "no memory for an environment");
    *out = (const char *const *)environment->items;
    return 0;
}
