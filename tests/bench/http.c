// What a manager carries over HTTP, everything on this machine: PostgreSQL with fsync, the manager, the load.
//
//   http [--runs=N] [--json]
//
// Each scenario has a fresh database and manager per run; printed are the median of the runs, and the lowest and
// highest. Every task must have been done exactly once, or the run is worth nothing and ends with an error.
#include "services/common/base/cleanup.h"
#include "services/common/base/clock.h"
#include "services/common/base/strbuf.h"
#include "tests/support/die.h"
#include "tests/support/load.h"
#include "tests/support/manager.h"
#include "tests/support/pg.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RUNS_MAX 51
#define WORKERS_MAX 1024
#define RUN_LIMIT_MS 120000

struct result {
    const char *name, *unit;
    double values[RUNS_MAX];
    int count;
};

static struct result results[32];
static size_t result_count;

static void note(const char *name, const char *unit, double value)
{
    struct result *result = NULL;
    for (size_t i = 0; i < result_count; i++)
        if (strcmp(results[i].name, name) == 0)
            result = &results[i];
    if (!result) {
        result = &results[result_count++];
        *result = (struct result){.name = name, .unit = unit};
    }
    if (result->count < RUNS_MAX)
        result->values[result->count++] = value;
}

// ---- pretended workers

struct bench {
    struct manager *manager;
    int64_t width; // tasks that each poll asks for
    int64_t todo;  // tasks that are still to be done
    int64_t done;
    int64_t workers[WORKERS_MAX];
    char slices[WORKERS_MAX][8192]; // what the next report says, JSON; "" for none
    int64_t carried[WORKERS_MAX];   // tasks in it
    struct latencies latencies;
    int64_t submitted, submit_limit;
    int submitters; // connections from this index on are workers
    int64_t began_us;
};

static int port_of(struct manager *manager)
{
    return atoi(strrchr(manager_url(manager), ':') + 1);
}

static void register_workers(struct bench *bench, int count, const char *runtime)
{
    for (int i = 0; i < count; i++) {
        AUTO_JSON_OBJECT struct json_object *answer = NULL;
        char body[256];
        snprintf(body, sizeof body,
                 "{\"name\":\"bench-%d\",\"host\":\"h\",\"boot\":\"b\",\"runtimes\":[\"%s\"],\"slots\":1,\"queues\":["
                 "\"default\"],"
                 "\"labels\":{}}",
                 i, runtime);
        if (manager_call(bench->manager, "POST", "/v1/workers", body, &answer) != 201)
            die("bench: worker %d is not registered", i);
        bench->workers[i] = json_number_at(answer, "/worker");
    }
}

// Goes through the slices of a reply: the fields stand in the order in which the manager writes them.
static void take_slices(struct bench *bench, int worker, const char *body)
{
    char *report = bench->slices[worker];
    size_t used = 0, room = sizeof bench->slices[worker];
    report[0] = '\0';
    bench->carried[worker] = 0;
    for (const char *at = body; (at = strstr(at, "{\"slice\":\""));) {
        const char *end = strchr(at + strlen("{\"slice\":\""), ',');
        const char *token = strstr(at, "\"token\":"), *count = strstr(at, "\"count\":");
        if (!end || !token || !count)
            die("bench: an unexpected slice: %.200s", at);
        used += (size_t)snprintf(report + used, room - used, "%s%.*s,\"token\":%lld,\"succeeded\":\"all\"}",
                                 used ? "," : "", (int)(end - at), at, atoll(token + strlen("\"token\":")));
        bench->carried[worker] += atoll(count + strlen("\"count\":"));
        at = count;
    }
    if (used >= room)
        die("bench: too many slices in a reply");
}

static void send_work(struct load_connection *connection)
{
    struct bench *bench = load_context(connection->load);
    int worker = connection->index - bench->submitters;
    char path[64], body[16384], poll[128];
    int64_t want = bench->width;
    bool last = bench->done + bench->carried[worker] >= bench->todo;
    snprintf(poll, sizeof poll, "\"wait_ms\":%d,\"want\":{\"default\":%lld}", last ? 0 : 1000, (long long)want);
    int length;
    if (bench->slices[worker][0]) {
        snprintf(path, sizeof path, "/v1/workers/%lld/report", (long long)bench->workers[worker]);
        length = snprintf(body, sizeof body, "{\"incarnation\":1,\"slices\":[%s],\"poll\":{%s}}", bench->slices[worker],
                          poll);
    } else {
        snprintf(path, sizeof path, "/v1/workers/%lld/poll", (long long)bench->workers[worker]);
        length = snprintf(body, sizeof body, "{\"incarnation\":1,%s}", poll);
    }
    load_send(connection, "POST", path, body, (size_t)length);
}

static void on_work(struct load_connection *connection, int status, const char *body, size_t length)
{
    (void)length;
    struct bench *bench = load_context(connection->load);
    int worker = connection->index - bench->submitters;
    if (status != 200 || (bench->slices[worker][0] && !strstr(body, "\"stale\":[]")))
        die("bench: worker %d: status %d: %.300s", worker, status, body);
    bench->done += bench->carried[worker];
    if (bench->done >= bench->todo) {
        load_stop(connection->load);
        return;
    }
    take_slices(bench, worker, body);
}

// ---- scenarios

static struct manager *start(struct pg *pg, struct bench *bench)
{
    *bench = (struct bench){0};
    bench->manager = manager_start(pg_database_new(pg), NULL);
    return bench->manager;
}

static void check_job(struct bench *bench, const char *job, int64_t tasks)
{
    AUTO_JSON_OBJECT struct json_object *shown = NULL;
    char path[128];
    snprintf(path, sizeof path, "/v1/jobs/%s", job);
    manager_call(bench->manager, "GET", path, NULL, &shown);
    if (json_number_at(shown, "/stages/0/succeeded") != tasks ||
        strcmp(json_text_at(shown, "/state"), "succeeded") != 0)
        die("bench: job %s is not right: %s", job, shown ? json_object_to_json_string(shown) : "no answer");
}

static double memory_mib(int pid)
{
    char path[64], line[256];
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    AUTO_FILE FILE *file = fopen(path, "r");
    long kib = 0;
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "VmRSS: %ld", &kib) == 1)
            break;
    return (double)kib / 1024;
}

static void drain(struct pg *pg, const char *name, int workers, int64_t width, int64_t tasks)
{
    static struct bench bench;
    char spec[256];
    AUTO_MANAGER struct manager *manager = start(pg, &bench);
    bench.width = width;
    bench.todo = tasks;
    register_workers(&bench, workers, "pull");
    snprintf(spec, sizeof spec,
             "{\"name\":\"bench\",\"stages\":[{\"name\":\"main\",\"mode\":\"pull\",\"tasks\":{\"count\":%lld}}]}",
             (long long)tasks);
    AUTO_FREE char *job = manager_submit(manager, spec);
    struct load *load = load_new(port_of(manager), workers, send_work, on_work, &bench);
    int64_t began_us = clock_boot_us();
    for (int i = 0; i < workers; i++)
        load_wake(load_connection_at(load, i));
    load_run(load, RUN_LIMIT_MS);
    double seconds = (double)(clock_boot_us() - began_us) / 1e6;
    load_free(load);
    if (bench.done < tasks)
        die("bench: %s: %lld of %lld tasks in %.0f s", name, (long long)bench.done, (long long)tasks, seconds);
    check_job(&bench, job, tasks);
    note(name, "tasks/s", (double)tasks / seconds);
    if (width > 1)
        note("manager memory after it", "MiB", memory_mib(manager_pid(manager)));
}

static void listed_items(struct strbuf *spec, int64_t tasks)
{
    strbuf_add_text(spec, "{\"name\":\"bench\",\"stages\":[{\"name\":\"main\",\"mode\":\"pull\",\"tasks\":[");
    for (int64_t i = 0; i < tasks; i++)
        strbuf_add_format(spec, "%s{\"item\":\"%021lld\"}", i > 0 ? "," : "", (long long)i); // 32 bytes each
    strbuf_add_text(spec, "]}]}");
}

// As drain(), with items of 32 bytes: jobs of 100,000 listed tasks.
static void drain_items(struct pg *pg, const char *name, int workers, int64_t width, int jobs)
{
    static struct bench bench;
    const int64_t each = 100000;
    AUTO_STRBUF struct strbuf spec = STRBUF_INIT;
    AUTO_MANAGER struct manager *manager = start(pg, &bench);
    bench.width = width;
    bench.todo = each * jobs;
    register_workers(&bench, workers, "pull");
    listed_items(&spec, each);
    for (int i = 0; i < jobs; i++)
        free(manager_submit(manager, strbuf_text(&spec)));
    struct load *load = load_new(port_of(manager), workers, send_work, on_work, &bench);
    int64_t began_us = clock_boot_us();
    for (int i = 0; i < workers; i++)
        load_wake(load_connection_at(load, i));
    load_run(load, RUN_LIMIT_MS);
    double seconds = (double)(clock_boot_us() - began_us) / 1e6;
    load_free(load);
    if (bench.done < bench.todo)
        die("bench: %s: %lld of %lld tasks", name, (long long)bench.done, (long long)bench.todo);
    note(name, "tasks/s", (double)bench.todo / seconds);
}

// ---- jobs of one task

#define SMALL_JOB                                                                                \
    "{\"name\":\"small\",\"stages\":[{\"name\":\"main\",\"mode\":\"pull\",\"tasks\":[{\"item\":" \
    "\"000000000000000000001\"}]}]}"

static void send_submit_or_work(struct load_connection *connection)
{
    struct bench *bench = load_context(connection->load);
    if (connection->index >= bench->submitters)
        send_work(connection);
    else if (bench->submitted < bench->submit_limit) {
        bench->submitted++;
        load_send(connection, "POST", "/v1/jobs", SMALL_JOB, strlen(SMALL_JOB));
    }
}

static void on_submit_or_work(struct load_connection *connection, int status, const char *body, size_t length)
{
    struct bench *bench = load_context(connection->load);
    if (connection->index >= bench->submitters)
        on_work(connection, status, body, length);
    else if (status != 201)
        die("bench: submit: status %d: %.200s", status, body);
    else
        latencies_add(&bench->latencies, clock_boot_us() - connection->began_us);
}

static void small_jobs(struct pg *pg, int submitters, int workers, int64_t jobs)
{
    static struct bench bench;
    AUTO_MANAGER struct manager *manager = start(pg, &bench);
    bench.width = 16;
    bench.todo = bench.submit_limit = jobs;
    bench.submitters = submitters;
    register_workers(&bench, workers, "pull");
    struct load *load =
        load_new(port_of(manager), submitters + workers, send_submit_or_work, on_submit_or_work, &bench);
    int64_t began_us = clock_boot_us();
    for (int i = submitters + workers; i-- > 0;)
        load_wake(load_connection_at(load, i));
    load_run(load, RUN_LIMIT_MS);
    double seconds = (double)(clock_boot_us() - began_us) / 1e6;
    load_free(load);
    if (bench.done < jobs)
        die("bench: small jobs: %lld of %lld done", (long long)bench.done, (long long)jobs);
    note("jobs of one task, 64 connections, to closed", "jobs/s", (double)jobs / seconds);
    note("submit under that load, p50", "ms", (double)latencies_at(&bench.latencies, 0.5) / 1000);
    note("submit under that load, p99", "ms", (double)latencies_at(&bench.latencies, 0.99) / 1000);
    latencies_free(&bench.latencies);
}

// ---- an idle system: from the submit that is sent to the task that arrives at a worker which waits

static void on_latency(struct load_connection *connection, int status, const char *body, size_t length)
{
    struct bench *bench = load_context(connection->load);
    if (connection->index == 0) {
        if (status != 201)
            die("bench: submit: status %d: %.200s", status, body);
        return;
    }
    bool granted = strstr(body, "{\"slice\":") != NULL;
    if (granted)
        latencies_add(&bench->latencies, clock_boot_us() - bench->began_us);
    on_work(connection, status, body, length);
}

// The submitter sends when the worker has been waiting for a little: its poll is parked then.
static void idle_latency(struct pg *pg, int rounds)
{
    static struct bench bench;
    AUTO_MANAGER struct manager *manager = start(pg, &bench);
    bench.width = 1;
    bench.submitters = 1;
    bench.submit_limit = bench.todo = INT64_MAX;
    register_workers(&bench, 1, "pull");
    struct load *load = load_new(port_of(manager), 2, send_submit_or_work, on_latency, &bench);
    struct load_connection *submitter = load_connection_at(load, 0);
    bench.submit_limit = 0; // only the rounds below submit
    load_wake(load_connection_at(load, 1));
    for (int i = 0; i < rounds; i++) {
        load_run(load, 20);
        bench.began_us = clock_boot_us();
        load_send(submitter, "POST", "/v1/jobs", SMALL_JOB, strlen(SMALL_JOB));
        size_t before = bench.latencies.count;
        while (bench.latencies.count == before)
            load_run(load, 5);
    }
    load_free(load);
    note("submit to task at an idle worker, p50", "ms", (double)latencies_at(&bench.latencies, 0.5) / 1000);
    note("submit to task at an idle worker, p99", "ms", (double)latencies_at(&bench.latencies, 0.99) / 1000);
    latencies_free(&bench.latencies);
}

static void idle_polls(struct pg *pg, int workers)
{
    static struct bench bench;
    AUTO_MANAGER struct manager *manager = start(pg, &bench);
    bench.width = 1;
    bench.todo = INT64_MAX;
    register_workers(&bench, workers, "pull");
    struct load *load = load_new(port_of(manager), workers, send_work, on_work, &bench);
    for (int i = 0; i < workers; i++)
        load_wake(load_connection_at(load, i));
    load_run(load, 5000);
    note("manager memory, 1,000 waiting polls", "MiB", memory_mib(manager_pid(manager)));
    load_free(load);
}

static void million(struct pg *pg)
{
    static struct bench bench;
    AUTO_MANAGER struct manager *manager = start(pg, &bench);
    int64_t began_us = clock_boot_us();
    free(manager_submit(
        manager,
        "{\"name\":\"bench\",\"stages\":[{\"name\":\"main\",\"mode\":\"pull\",\"tasks\":{\"count\":1000000}}]}"));
    note("submit of 1,000,000 tasks (count)", "ms", (double)(clock_boot_us() - began_us) / 1000);
}

// ---- printing

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void print_results(bool json, int runs)
{
    if (json)
        printf("{\"runs\":%d,\"results\":[", runs);
    else
        printf("%-50s %12s %12s %12s\n", "", "median", "lowest", "highest");
    for (size_t i = 0; i < result_count; i++) {
        struct result *result = &results[i];
        qsort(result->values, (size_t)result->count, sizeof *result->values, by_value);
        double median = result->values[result->count / 2], low = result->values[0],
               high = result->values[result->count - 1];
        if (json)
            printf("%s{\"name\":\"%s\",\"unit\":\"%s\",\"median\":%.3f,\"lowest\":%.3f,\"highest\":%.3f}", i ? "," : "",
                   result->name, result->unit, median, low, high);
        else
            printf("%-50s %12.*f %12.*f %12.*f %s\n", result->name, median < 100 ? 2 : 0, median, median < 100 ? 2 : 0,
                   low, median < 100 ? 2 : 0, high, result->unit);
    }
    printf(json ? "]}\n" : "");
}

int main(int argc, char **argv)
{
    int runs = 3;
    bool json = false;
    for (int i = 1; i < argc; i++) {
        json |= strcmp(argv[i], "--json") == 0;
        if (strncmp(argv[i], "--runs=", 7) == 0)
            runs = atoi(argv[i] + 7);
    }
    if (runs < 1 || runs > RUNS_MAX)
        die("bench: --runs is 1 to %d", RUNS_MAX);
    AUTO_PG struct pg *pg = pg_start(PG_FSYNC);
    for (int i = 0; i < runs; i++) {
        drain(pg, "claim and report, slices of 100, 16 workers", 16, 100, 2000000);
        drain_items(pg, "the same, items of 32 bytes", 16, 100, 10);
        drain(pg, "one task per claim, 64 workers", 64, 1, 100000);
        small_jobs(pg, 64, 16, 30000);
        idle_latency(pg, 200);
        million(pg);
        idle_polls(pg, 1000);
    }
    print_results(json, runs);
    return 0;
}
