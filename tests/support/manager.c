#include "tests/support/manager.h"

#include "services/common/base/fd.h"
#include "services/common/base/strbuf.h"
#include "tests/support/contract.h"
#include "tests/support/die.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define START_MS 60000
#define ARGUMENTS_MAX 48

struct manager {
    struct process *process;
    struct http_client *client;
    char *directory; // holds the port file
    char *conninfo;
    const char *arguments[ARGUMENTS_MAX];
    char listen[64], port_file[256], url[64];
};

const char *const manager_patient[] = {"--worker-lease=10m", "--worker-fence=5m", "--worker-poll=30s", NULL};

static bool port_known(void *context)
{
    struct manager *manager = context;
    AUTO_FREE char *text = NULL;
    size_t length;
    if (!process_is_running(manager->process))
        die("the manager ended:\n%s", process_stderr(manager->process));
    if (file_read(manager->port_file, 32, &text, &length, NULL) < 0)
        return false;
    char url[sizeof(manager->url)];
    snprintf(url, sizeof(url), "http://127.0.0.1:%d", atoi(text));
    // A manager that starts again has the same port, and other threads may be reading it.
    if (strcmp(url, manager->url) != 0)
        memcpy(manager->url, url, sizeof(url));
    return true;
}

static void launch(struct manager *manager)
{
    manager->process = process_start(manager->arguments, NULL);
    if (!wait_until(port_known, manager, START_MS))
        die("the manager did not start:\n%s", process_stderr(manager->process));
}

struct http_client *manager_client(const struct manager *manager)
{
    struct http_client_settings settings = {.base_url = manager->url, .timeout_ms = 60000};
    struct http_client *client;
    struct err err;
    if (http_client_new(&settings, &client, &err) < 0)
        die("no client: %s", err.text);
    return client;
}

struct manager *manager_start(const char *conninfo, const char *const extra[])
{
    struct manager *manager = calloc(1, sizeof(*manager));
    const char *program = program_path("curfew-jobmanager");
    if (!manager || !program)
        die("there is no curfew-jobmanager");
    manager->directory = temp_dir_new();
    manager->conninfo = strdup(conninfo);
    snprintf(manager->listen, sizeof(manager->listen), "127.0.0.1:0");
    snprintf(manager->port_file, sizeof(manager->port_file), "%s/port", manager->directory);
    const char *const arguments[] = {strdup(program), "serve",       "--database-url",   manager->conninfo, "--listen",
                                     manager->listen, "--port-file", manager->port_file, "--log-level",     "debug"};
    size_t count = ARRAY_LEN(arguments);
    memcpy(manager->arguments, arguments, sizeof(arguments));
    for (; extra && *extra; extra++)
        manager->arguments[count++] = *extra;
    launch(manager);
    manager->client = manager_client(manager);
    return manager;
}

void manager_restart(struct manager *manager)
{
    snprintf(manager->listen, sizeof(manager->listen), "127.0.0.1:%s", strrchr(manager->url, ':') + 1);
    process_free(manager->process);
    remove(manager->port_file);
    launch(manager);
}

// One that still runs has to end well: leaks and the like show here.
static void end(struct manager *manager)
{
    if (!process_is_running(manager->process))
        return;
    process_signal(manager->process, SIGTERM);
    int status = process_wait(manager->process, START_MS);
    if (status != 0)
        die("the manager ended with %d:\n%s", status, process_stderr(manager->process));
}

void manager_free(struct manager *manager)
{
    if (!manager)
        return;
    http_client_free(manager->client);
    end(manager);
    process_free(manager->process);
    temp_dir_free(manager->directory);
    free(manager->conninfo);
    free((char *)manager->arguments[0]);
    free(manager);
}

const char *manager_url(const struct manager *manager)
{
    return manager->url;
}

const char *manager_log(struct manager *manager)
{
    return process_stderr(manager->process);
}

int manager_pid(const struct manager *manager)
{
    return (int)process_pid(manager->process);
}

void manager_kill(struct manager *manager)
{
    process_signal(manager->process, SIGKILL);
    process_wait(manager->process, START_MS);
}

void manager_terminate(struct manager *manager)
{
    process_signal(manager->process, SIGTERM);
}

int manager_wait(struct manager *manager, int64_t timeout_ms)
{
    return process_wait(manager->process, timeout_ms);
}

// ---- calls

void cleanup_json_object(struct json_object **object)
{
    json_object_put(*object);
}

int client_call(struct http_client *client, const char *method, const char *path, const struct http_header *headers,
                size_t header_count, const char *body, struct json_object **out)
{
    AUTO_HTTP_RESPONSE struct http_response response = HTTP_RESPONSE_INIT;
    struct http_call call = {.method = method,
                             .path = path,
                             .headers = headers,
                             .header_count = header_count,
                             .body = body,
                             .body_length = body ? strlen(body) : 0};
    if (out)
        *out = NULL;
    if (contract_call(client, &call, &response, NULL) < 0)
        return 0;
    if (out)
        *out = json_tokener_parse(strbuf_text(&response.body));
    return response.status;
}

int manager_call(struct manager *manager, const char *method, const char *path, const char *body,
                 struct json_object **out)
{
    return client_call(manager->client, method, path, NULL, 0, body, out);
}

struct json_object *json_at(struct json_object *json, const char *pointer)
{
    struct json_object *found = NULL;
    return json_pointer_get(json, pointer, &found) == 0 ? found : NULL;
}

const char *json_text_at(struct json_object *json, const char *pointer)
{
    struct json_object *found = json_at(json, pointer);
    return json_object_is_type(found, json_type_string) ? json_object_get_string(found) : "";
}

int64_t json_number_at(struct json_object *json, const char *pointer)
{
    struct json_object *found = json_at(json, pointer);
    return json_object_is_type(found, json_type_int) ? json_object_get_int64(found) : 0;
}

size_t json_length_at(struct json_object *json, const char *pointer)
{
    struct json_object *found = *pointer ? json_at(json, pointer) : json;
    return json_object_is_type(found, json_type_array) ? json_object_array_length(found) : 0;
}

// ---- jobs

char *manager_submit(struct manager *manager, const char *spec)
{
    AUTO_JSON_OBJECT struct json_object *reply = NULL;
    int status = manager_call(manager, "POST", "/v1/jobs", spec, &reply);
    if (status != 201)
        die("submit: %d %s", status, reply ? json_object_to_json_string(reply) : "");
    return strdup(json_text_at(reply, "/id"));
}

struct wanted_job {
    struct manager *manager;
    char path[64];
    const char *state, *cleanup;
};

static bool job_is_so(void *context)
{
    struct wanted_job *wanted = context;
    AUTO_JSON_OBJECT struct json_object *job = NULL;
    if (manager_call(wanted->manager, "GET", wanted->path, NULL, &job) != 200)
        return false;
    return (!wanted->state || strcmp(json_text_at(job, "/state"), wanted->state) == 0) &&
           (!wanted->cleanup || strcmp(json_text_at(job, "/cleanup"), wanted->cleanup) == 0);
}

bool manager_wait_job(struct manager *manager, const char *id, const char *state, const char *cleanup,
                      int64_t timeout_ms)
{
    struct wanted_job wanted = {.manager = manager, .state = state, .cleanup = cleanup};
    snprintf(wanted.path, sizeof(wanted.path), "/v1/jobs/%s", id);
    return wait_until(job_is_so, &wanted, timeout_ms);
}
