// Jobs of one task that are submitted one by one: how many a second, and how long each takes.
#include "services/common/base/clock.h"
#include "tests/bench/scenarios/crew.h"
#include "tests/bench/scenarios/latencies.h"
#include "tests/bench/scenarios/measures.h"
#include "tests/bench/scenarios/scenarios.h"
#include "tests/bench/scenarios/submit.h"
#include "tests/bench/scenarios/world.h"
#include "tests/support/die.h"

#include <stdlib.h>
#include <string.h>

#define LIMIT_MS 120000
#define CONNECTIONS 64
#define WORKERS 16
#define WIDTH 16
#define JOBS 25000
#define ARRIVAL_US 20000
#define ARRIVALS 400
#define JOBS_BEFORE 2000 // so that the arrivals come to a system in use, not to empty tables and unplanned statements

struct submitters {
    struct crew crew; // its connections come after the submitters'
    int64_t submitted, limit;
    int64_t *due_us;  // open loop: when each job was meant to be submitted
    int64_t *waiting; // open loop: connections that are free
    int free_count;
    struct latencies latencies;
};

static void submit_next(struct submitters *submitters, struct load_connection *connection)
{
    char job[SMALL_JOB_SIZE];
    int length = small_job(job, submitters->submitted++);
    load_send(connection, "POST", "/v1/jobs", job, (size_t)length);
}

static void assert_created(int status, const char *body)
{
    if (status != 201)
        die("bench: submit: status %d: %.200s", status, body);
}

// ---- closed loop

static void next(struct load_connection *connection)
{
    struct submitters *submitters = load_context(connection->load);
    if (connection->index >= submitters->crew.first)
        crew_send(&submitters->crew, connection);
    else if (submitters->submitted < submitters->limit)
        submit_next(submitters, connection);
}

static void answer(struct load_connection *connection, int status, const char *body, size_t length)
{
    (void)length;
    struct submitters *submitters = load_context(connection->load);
    if (connection->index >= submitters->crew.first) {
        crew_answer(&submitters->crew, connection, status, body);
        return;
    }
    assert_created(status, body);
    latencies_add(&submitters->latencies, clock_boot_us() - connection->began_us);
}

// So many jobs, until they are closed; how many seconds that took.
static double go_through(struct world *world, int64_t jobs, struct latencies *latencies)
{
    struct submitters submitters = {.limit = jobs};
    crew_open(&submitters.crew, world, WORKERS, WIDTH, 1);
    submitters.crew.first = CONNECTIONS;
    submitters.crew.todo = jobs;
    struct load *load = load_new(world->ports, 1, CONNECTIONS + WORKERS, next, answer, &submitters);
    int64_t began_us = clock_boot_us();
    for (int i = CONNECTIONS + WORKERS; i-- > 0;)
        load_wake(load_connection_at(load, i));
    load_run(load, LIMIT_MS);
    double seconds = (double)(clock_boot_us() - began_us) / 1e6;
    load_free(load);
    world_assert_done(world, jobs, submitters.crew.ledger.tasks);
    crew_close(&submitters.crew);
    *latencies = submitters.latencies;
    return seconds;
}

void scenario_jobs(struct pg *pg)
{
    AUTO_WORLD struct world world = {0};
    struct latencies latencies;
    world_open(&world, pg, 1);
    note("jobs of one task, 64 connections, to closed", "jobs/s", JOBS / go_through(&world, JOBS, &latencies));
    latencies_note(&latencies, "submit under that load");
    latencies_release(&latencies);
}

// ---- open loop: jobs arrive at fixed moments at a system that idles between them, with workers that wait

static void next_open(struct load_connection *connection)
{
    struct submitters *submitters = load_context(connection->load);
    if (connection->index >= submitters->crew.first)
        crew_send(&submitters->crew, connection);
    else
        submitters->waiting[submitters->free_count++] = connection->index;
}

static void answer_open(struct load_connection *connection, int status, const char *body, size_t length)
{
    (void)length;
    struct submitters *submitters = load_context(connection->load);
    if (connection->index < submitters->crew.first) {
        assert_created(status, body);
        return;
    }
    int64_t number = small_job_number(body);
    if (number >= 0)
        latencies_add(&submitters->latencies, clock_boot_us() - submitters->due_us[number]);
    crew_answer(&submitters->crew, connection, status, body);
}

static void arrive(struct load *load, int64_t due_us)
{
    struct submitters *submitters = load_context(load);
    if (submitters->submitted == submitters->limit)
        return;
    if (submitters->free_count == 0)
        die("bench: all %d connections wait for submissions", CONNECTIONS);
    submitters->due_us[submitters->submitted] = due_us;
    submit_next(submitters, load_connection_at(load, (int)submitters->waiting[--submitters->free_count]));
}

void scenario_latency(struct pg *pg)
{
    AUTO_WORLD struct world world = {0};
    int64_t due_us[ARRIVALS], waiting[CONNECTIONS];
    struct submitters submitters = {.limit = ARRIVALS, .due_us = due_us, .waiting = waiting};
    world_open(&world, pg, 1);
    go_through(&world, JOBS_BEFORE, &submitters.latencies);
    latencies_release(&submitters.latencies);
    crew_open(&submitters.crew, &world, 4, 1, 1);
    submitters.crew.first = CONNECTIONS;
    submitters.crew.todo = ARRIVALS;
    struct load *load = load_new(world.ports, 1, CONNECTIONS + 4, next_open, answer_open, &submitters);
    for (int i = 0; i < CONNECTIONS + 4; i++)
        load_wake(load_connection_at(load, i));
    load_run(load, 500); // until all polls wait
    load_every(load, ARRIVAL_US, arrive);
    load_run(load, LIMIT_MS);
    load_free(load);
    world_assert_done(&world, JOBS_BEFORE + ARRIVALS, JOBS_BEFORE + submitters.crew.ledger.tasks);
    latencies_note(&submitters.latencies, "submit to first task at an idle worker");
    latencies_release(&submitters.latencies);
    crew_close(&submitters.crew);
}
