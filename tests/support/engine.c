#include "tests/support/engine.h"

#include "services/common/base/fd.h"
#include "tests/support/die.h"
#include "tests/support/engine_images.h"
#include "tests/support/own_network.h"
#include "tests/support/process.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define START_MS 60000
#define CALL_MS 60000
#define ARGUMENTS_MAX 32
#define LOG_TAIL_BYTES 3000
#define DOCKER "/usr/bin/docker" // Debian's
#define DOCKERD "/usr/sbin/dockerd"

struct engine {
    char directory[32];
    char cgroup[32]; // a path, with a slash
    char host[64];
    char config[64]; // "DOCKER_CONFIG=...": no settings of whoever runs the tests
    char texts[8][64];
    const char *argv[ARGUMENTS_MAX];
    struct engine_guard guard;
    char *log;
};

// ---- a network of our own

static void enter_network(void)
{
    static bool entered;
    if (entered)
        return;
    if (own_network_enter() < 0)
        die("no network namespace: %s", strerror(errno));
    entered = true;
}

// ---- its life

static const char *file_of(struct engine *engine, int number, const char *option, const char *name)
{
    snprintf(engine->texts[number], sizeof engine->texts[number], "%s%s/%s", option, engine->directory, name);
    return engine->texts[number];
}

static void plan(struct engine *engine, const struct engine_options *options)
{
    static const char *const fixed[] = {"--exec-opt=native.cgroupdriver=cgroupfs", "--log-level=warn",
                                        "--max-concurrent-downloads=1"};
    size_t count = 0;
    engine->argv[count++] = DOCKERD;
    engine->argv[count++] = file_of(engine, 0, "--data-root=", "data");
    engine->argv[count++] = file_of(engine, 1, "--exec-root=", "exec");
    engine->argv[count++] = file_of(engine, 2, "--pidfile=", "pid");
    engine->argv[count++] = file_of(engine, 3, "--host=unix://", "sock");
    snprintf(engine->texts[4], sizeof engine->texts[4], "--cgroup-parent=%s", engine->cgroup);
    engine->argv[count++] = engine->texts[4];
    for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
        engine->argv[count++] = fixed[i];
    for (const char *const *more = options->arguments; more && *more && count < ARGUMENTS_MAX - 1; more++)
        engine->argv[count++] = *more;
}

static void make_directory(struct engine *engine)
{
    snprintf(engine->directory, sizeof engine->directory, "/tmp/cfe-XXXXXX");
    if (!mkdtemp(engine->directory) || chmod(engine->directory, 0755) < 0)
        die("mkdtemp: %s", strerror(errno));
    snprintf(engine->cgroup, sizeof engine->cgroup, "/curfew-engine-%s", strrchr(engine->directory, '-') + 1);
    if (mkdir(file_of(engine, 5, "", "data"), 0711) < 0 || mkdir(file_of(engine, 6, "", "client"), 0755) < 0)
        die("mkdir: %s", strerror(errno));
    snprintf(engine->host, sizeof engine->host, "unix://%s/sock", engine->directory);
    snprintf(engine->config, sizeof engine->config, "DOCKER_CONFIG=%s/client", engine->directory);
}

struct engine *engine_start(const struct engine_options *options)
{
    static const struct engine_options defaults = {0};
    options = options ? options : &defaults;
    if (geteuid() != 0)
        die("no engine: it needs root");
    if (access(DOCKERD, X_OK) < 0 || access(DOCKER, X_OK) < 0)
        die("no engine: docker.io is not installed");
    struct engine *engine = calloc(1, sizeof *engine);
    if (!engine)
        die("out of memory");
    enter_network();
    make_directory(engine);
    plan(engine, options);
    engine->guard = engine_guard_start(&(struct engine_guard_plan){
        .directory = engine->directory,
        .cgroup = engine->cgroup + 1,
        .data = engine->texts[5],
        .argv = engine->argv,
        .memory_below = options->on_disk ? NULL : engine->texts[5],
    });
    engine_restart(engine);
    if (!options->no_images)
        engine_images_make(engine);
    return engine;
}

const char *engine_log(struct engine *engine)
{
    char path[PATH_MAX];
    size_t length = 0;
    free(engine->log);
    engine->log = NULL;
    snprintf(path, sizeof path, "%s/log", engine->directory);
    if (file_read(path, 64 << 20, &engine->log, &length, NULL) < 0)
        engine->log = NULL;
    return engine->log ? engine->log : "";
}

// What messages show of it.
static const char *log_tail(struct engine *engine)
{
    const char *text = engine_log(engine);
    size_t length = strlen(text);
    return text + (length > LOG_TAIL_BYTES ? length - LOG_TAIL_BYTES : 0);
}

static void keep_log(struct engine *engine)
{
    const char *directory = getenv("CURFEW_TEST_LOGS");
    char path[PATH_MAX];
    if (!directory)
        return;
    snprintf(path, sizeof path, "%s/dockerd.log", directory);
    FILE *file = fopen(path, "ae");
    if (!file)
        die("cannot write %s", path);
    fputs(engine_log(engine), file);
    fclose(file);
}

void engine_stop(struct engine *engine)
{
    if (!engine)
        return;
    keep_log(engine);
    engine_guard_finish(&engine->guard);
    free(engine->log);
    free(engine);
}

const char *engine_host(const struct engine *engine)
{
    return engine->host;
}

const char *engine_socket(const struct engine *engine)
{
    return engine->host + strlen("unix://");
}

static bool answers(void *context)
{
    char *text AUTO_FREE = engine_docker(context, "version", "--format={{.Server.Version}}", NULL);
    return text != NULL;
}

void engine_wait(struct engine *engine)
{
    if (!wait_until(answers, engine, START_MS))
        die("the engine does not answer: %s", log_tail(engine));
}

bool engine_kill(struct engine *engine, enum engine_part part)
{
    return engine_guard_kill(&engine->guard, part);
}

void engine_launch(struct engine *engine)
{
    engine_guard_launch(&engine->guard);
}

void engine_restart(struct engine *engine)
{
    engine_launch(engine);
    engine_wait(engine);
}

void engine_freeze(struct engine *engine, enum engine_part part)
{
    engine_guard_freeze(&engine->guard, part);
}

void engine_thaw(struct engine *engine, enum engine_part part)
{
    engine_guard_thaw(&engine->guard, part);
}

// ---- its client

struct arguments {
    const char *argv[ARGUMENTS_MAX];
};

static void collect(struct engine *engine, struct arguments *arguments, const char *first, va_list more)
{
    size_t count = 0;
    arguments->argv[count++] = DOCKER;
    arguments->argv[count++] = "-H";
    arguments->argv[count++] = engine->host;
    for (const char *at = first; at; at = va_arg(more, const char *)) {
        if (count + 1 >= ARGUMENTS_MAX)
            die("too many arguments");
        arguments->argv[count++] = at;
    }
    arguments->argv[count] = NULL;
}

static struct process *start_client(struct engine *engine, const struct arguments *arguments)
{
    const char *const environment[] = {engine->config, NULL};
    return process_start(arguments->argv, &(struct process_options){.environment = environment});
}

static char *copy(const char *text)
{
    char *copied = strdup(text);
    if (!copied)
        die("out of memory");
    return copied;
}

static char *run(struct engine *engine, const struct arguments *arguments, bool must)
{
    struct process *process AUTO_PROCESS = start_client(engine, arguments);
    int status = process_wait(process, CALL_MS);
    if (status == 0)
        return copy(process_stdout(process));
    if (must)
        die("docker %s ended with %d: %s\n%s", arguments->argv[3], status, process_stderr(process), log_tail(engine));
    return NULL;
}

char *engine_docker(struct engine *engine, const char *argument, ...)
{
    struct arguments arguments = {0};
    va_list more;
    va_start(more, argument);
    collect(engine, &arguments, argument, more);
    va_end(more);
    return run(engine, &arguments, false);
}

char *engine_docker_ok(struct engine *engine, const char *argument, ...)
{
    struct arguments arguments = {0};
    va_list more;
    va_start(more, argument);
    collect(engine, &arguments, argument, more);
    va_end(more);
    return run(engine, &arguments, true);
}

char *engine_docker_refusal(struct engine *engine, const char *argument, ...)
{
    struct arguments arguments = {0};
    va_list more;
    va_start(more, argument);
    collect(engine, &arguments, argument, more);
    va_end(more);
    struct process *process AUTO_PROCESS = start_client(engine, &arguments);
    return process_wait(process, CALL_MS) == 0 ? NULL : copy(process_stderr(process));
}

// ---- the oracle

static int count_lines(const char *text)
{
    int lines = 0;
    for (; *text; text++)
        lines += *text == '\n';
    return lines;
}

struct engine_census engine_count(struct engine *engine, const char *label)
{
    char filter[256];
    snprintf(filter, sizeof filter, label ? "--filter=label=%s" : "--filter=name=", label ? label : "");
    char *all AUTO_FREE = engine_docker_ok(engine, "ps", "-aq", filter, NULL);
    char *running AUTO_FREE = engine_docker_ok(engine, "ps", "-q", filter, NULL);
    char *networks AUTO_FREE = engine_docker_ok(engine, "network", "ls", "-q", "--filter=type=custom", filter, NULL);
    char *volumes AUTO_FREE = engine_docker_ok(engine, "volume", "ls", "-q", filter, NULL);
    return (struct engine_census){
        .containers = count_lines(all),
        .running = count_lines(running),
        .networks = count_lines(networks),
        .volumes = count_lines(volumes),
    };
}

int engine_objects(struct engine *engine, const char *label)
{
    struct engine_census census = engine_count(engine, label);
    return census.containers + census.networks + census.volumes;
}

struct wanted_none {
    struct engine *engine;
    const char *label;
};

static bool there_is_none(void *context)
{
    struct wanted_none *wanted = context;
    return engine_objects(wanted->engine, wanted->label) == 0;
}

int engine_wait_none(struct engine *engine, const char *label, int64_t timeout_ms)
{
    wait_until(there_is_none, &(struct wanted_none){engine, label}, timeout_ms);
    return engine_objects(engine, label);
}

void engine_print(struct engine *engine)
{
    char *containers AUTO_FREE =
        engine_docker(engine, "ps", "-a", "--format=container {{.Names}} {{.Image}} {{.Status}} {{.Labels}}", NULL);
    char *networks AUTO_FREE =
        engine_docker(engine, "network", "ls", "--filter=type=custom", "--format=network {{.Name}} {{.Labels}}", NULL);
    char *volumes AUTO_FREE = engine_docker(engine, "volume", "ls", "--format=volume {{.Name}} {{.Labels}}", NULL);
    fprintf(stderr, "%s%s%s", containers ? containers : "the engine does not answer\n", networks ? networks : "",
            volumes ? volumes : "");
}
