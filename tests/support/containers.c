#include "tests/support/containers.h"

#include "services/common/model/engine_labels.h"
#include "tests/support/die.h"
#include "tests/support/process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_MS 60000

static const char *const outlive[] = {"--live-restore", NULL};

struct engine *containers_engine_start(void)
{
    return engine_start(&(struct engine_options){.arguments = outlive});
}

struct engine *containers_engine_start_on_disk(void)
{
    return engine_start(&(struct engine_options){.arguments = outlive, .on_disk = true});
}

int containers_end(struct system *system, struct engine *engine)
{
    int wrong = system_violations(system);
    system_free(system);
    engine_stop(engine);
    return wrong;
}

static char *list(struct engine *engine, const char *job, const char *service)
{
    char of_job[128], of_service[128];
    snprintf(of_job, sizeof of_job, "--filter=label=" ENGINE_LABEL_JOB "=%s", job);
    snprintf(of_service, sizeof of_service, "--filter=label=" ENGINE_LABEL_SERVICE "=%s", service);
    return engine_docker(engine, "ps", "-q", "--no-trunc", of_job, of_service, NULL);
}

// Those of all the job, without those of services.
static char *list_tasks(struct engine *engine, const char *job)
{
    char of_job[128], *left = NULL;
    snprintf(of_job, sizeof of_job, "--filter=label=" ENGINE_LABEL_JOB "=%s", job);
    char *all AUTO_FREE = engine_docker(engine, "ps", "--no-trunc", of_job,
                                        "--format={{.ID}} {{.Label \"" ENGINE_LABEL_SERVICE "\"}}", NULL);
    if (!all)
        return NULL;
    left = calloc(1, strlen(all) + 1);
    if (!left)
        die("out of memory");
    char *rest = all, *end = left;
    for (char *line; (line = strsep(&rest, "\n")) && *line;) {
        char *space = strchr(line, ' ');
        if (space && space[1] == '\0')
            end += sprintf(end, "%.*s\n", (int)(space - line), line);
    }
    return left;
}

// NULL when the engine does not answer.
static char *try_running(struct engine *engine, const char *job, const char *service)
{
    return service && *service ? list(engine, job, service) : list_tasks(engine, job);
}

char *containers_running(struct engine *engine, const char *job, const char *service)
{
    char *text = try_running(engine, job, service);
    if (!text)
        die("the engine does not answer: %s", engine_log(engine));
    return text;
}

struct wanted_one {
    struct engine *engine;
    const char *job, *service;
    char *id;
};

static bool is_one(void *context)
{
    struct wanted_one *wanted = context;
    char *text AUTO_FREE = try_running(wanted->engine, wanted->job, wanted->service);
    const char *end = text ? strchr(text, '\n') : NULL;
    if (!end || end[1] != '\0')
        return false;
    snprintf(wanted->id, CONTAINER_ID_SIZE, "%.*s", (int)(end - text), text);
    return true;
}

void containers_wait_one(struct engine *engine, const char *job, const char *service, char id[CONTAINER_ID_SIZE])
{
    struct wanted_one wanted = {engine, job, service, id};
    if (wait_until(is_one, &wanted, WAIT_MS))
        return;
    engine_print(engine);
    die("not one container of job %s, service '%s' runs", job, service ? service : "");
}

int containers_left(struct engine *engine, const char *job)
{
    char label[128];
    snprintf(label, sizeof label, ENGINE_LABEL_JOB "=%s", job);
    struct engine_census census = engine_count(engine, label);
    int left = census.containers;
    if (left > 0)
        fprintf(stderr, "job %s is closed, and %d containers of it are left:\n", job, left);
    int objects = engine_wait_none(engine, label, CONTAINERS_SWEEP_MS);
    if (objects > 0)
        fprintf(stderr, "job %s: %d objects are left after %d ms:\n", job, objects, CONTAINERS_SWEEP_MS);
    if (left > 0 || objects > 0)
        engine_print(engine);
    return left + objects;
}
