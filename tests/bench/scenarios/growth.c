// How the cost of a task depends on what else is in the database.
#include "services/common/base/clock.h"
#include "tests/bench/scenarios/costs.h"
#include "tests/bench/scenarios/crew.h"
#include "tests/bench/scenarios/fill.h"
#include "tests/bench/scenarios/latencies.h"
#include "tests/bench/scenarios/measures.h"
#include "tests/bench/scenarios/scenarios.h"
#include "tests/bench/scenarios/submit.h"
#include "tests/bench/scenarios/world.h"

#include <stdio.h>

#define LIMIT_MS 120000
#define FINISHED_JOBS 100000
#define FINISHED_EACH 100
#define LOOK_MS 5000
#define OPEN_TASKS 100000000

// ---- a job of so many tasks

// Of each size as many jobs as have ALL_TASKS together: what a manager meets once weighs the same in all of them.
#define ALL_TASKS 10000000
#define SIZES 4

static double rate_of_jobs(struct pg *pg, int64_t size, const char *name)
{
    AUTO_WORLD struct world world = {0};
    struct crew crew;
    int jobs = (int)(ALL_TASKS / size);
    world_open(&world, pg, 1);
    crew_open(&crew, &world, 16, 100, size);
    submit_counted(&world, jobs, size);
    world_settle(&world);
    crew.todo = size * jobs;
    struct costs costs = costs_begin(&world);
    double rate = (double)crew.todo / crew_run(&crew, &world, LIMIT_MS);
    note_at(name, "tasks/s", (double)size, rate);
    costs_note(&costs, name, crew.done);
    world_assert_done(&world, jobs, crew.ledger.tasks);
    crew_close(&crew);
    return rate;
}

// Small jobs begin and end more often. That is a price of each job and no growth, so it is noted by itself.
void scenario_tasks(struct pg *pg)
{
    static const int64_t sizes[SIZES] = {10000, 100000, 1000000, 10000000};
    double rates[SIZES];
    for (size_t i = 0; i < SIZES; i++) {
        char name[64];
        snprintf(name, sizeof name, "jobs of %lld tasks, slices of 100", (long long)sizes[i]);
        rates[i] = rate_of_jobs(pg, sizes[i], name);
    }
    note("10,000,000 tasks against 10,000", "", rates[3] / rates[0]);
    note("10,000,000 tasks against 1,000,000", "", rates[3] / rates[2]);
    note("a job of 10,000 tasks: its beginning and end", "ms", (1 / rates[0] - 1 / rates[3]) * (double)sizes[0] * 1e3);
}

// ---- so many open jobs that share the workers

#define OPEN_COUNTS 5

static void look_at_open(struct world *world, int jobs, const char *when, char name[static 64])
{
    struct crew crew;
    crew_open(&crew, world, 16, 100, OPEN_TASKS);
    struct costs costs = costs_begin(world);
    double seconds = crew_run(&crew, world, LOOK_MS);
    snprintf(name, 64, "%d open jobs, slices of 100, %s", jobs, when);
    note_at(name, "tasks/s", jobs, (double)crew.done / seconds);
    costs_note(&costs, name, crew.done);
    crew_close(&crew);
}

// Workers come and go until each job has had its first task claimed, which is written once.
static void begin_all(struct world *world)
{
    while (world_sql(world, "SELECT count(*) FROM job WHERE started_at IS NULL") > 0) {
        struct crew crew;
        crew_open(&crew, world, 16, 100, OPEN_TASKS);
        crew_run(&crew, world, LOOK_MS);
        crew_close(&crew);
    }
}

static void compare_open(const char *when, char names[static OPEN_COUNTS][64])
{
    char name[64];
    snprintf(name, sizeof name, "10,000 open jobs against 1, %s", when);
    note(name, "", noted(names[OPEN_COUNTS - 1]) / noted(names[0]));
    snprintf(name, sizeof name, "10,000 open jobs against 1, %s: time run", when);
    note(name, "", costs_noted_us(names[OPEN_COUNTS - 1]) / costs_noted_us(names[0]));
}

void scenario_open(struct pg *pg)
{
    static const int counts[OPEN_COUNTS] = {1, 10, 100, 1000, 10000};
    static const char *const beginning = "beginning", *const begun = "all begun";
    char first[OPEN_COUNTS][64], later[OPEN_COUNTS][64];
    for (size_t i = 0; i < OPEN_COUNTS; i++) {
        AUTO_WORLD struct world world = {0};
        world_open(&world, pg, 1);
        submit_counted(&world, counts[i], OPEN_TASKS / counts[i]);
        world_settle(&world);
        look_at_open(&world, counts[i], beginning, first[i]);
        begin_all(&world);
        look_at_open(&world, counts[i], begun, later[i]);
    }
    compare_open(beginning, first);
    compare_open(begun, later);
}

// ---- finished jobs beside

static struct latencies turns;

static void next(struct load_connection *connection)
{
    crew_send(load_context(connection->load), connection);
}

static void answer(struct load_connection *connection, int status, const char *body, size_t length)
{
    (void)length;
    latencies_add(&turns, clock_boot_us() - connection->began_us);
    crew_answer(load_context(connection->load), connection, status, body);
}

// One worker that reports a task and claims the next: how long a turn takes.
static void turn_of_one(struct world *world, const char *name)
{
    struct crew crew;
    crew_open(&crew, world, 1, 1, 1000000);
    submit_counted(world, 1, 1000000);
    struct costs costs = costs_begin(world);
    struct load *load = load_new(world->ports, 1, 1, next, answer, &crew);
    load_wake(load_connection_at(load, 0));
    load_run(load, LOOK_MS);
    load_free(load);
    note(name, "ms", latencies_at_ms(&turns, 0.5));
    costs_note(&costs, name, crew.done);
    latencies_release(&turns);
    crew_close(&crew);
}

static void beside(struct pg *pg, bool filled)
{
    AUTO_WORLD struct world world = {0};
    char name[2][96];
    const char *what = filled ? "10,000,000 finished tasks" : "empty";
    world_open(&world, pg, 1);
    if (filled)
        fill_finished(&world, FINISHED_JOBS, FINISHED_EACH);
    world_settle(&world);
    snprintf(name[0], sizeof name[0], "report and claim of one worker, %s, p50", what);
    turn_of_one(&world, name[0]);
    struct crew crew;
    crew_open(&crew, &world, 64, 1, 100000000);
    submit_counted(&world, 1, 100000000);
    struct costs costs = costs_begin(&world);
    double seconds = crew_run(&crew, &world, LOOK_MS);
    snprintf(name[1], sizeof name[1], "one task per claim, 64 workers, %s", what);
    note(name[1], "tasks/s", (double)crew.done / seconds);
    costs_note(&costs, name[1], crew.done);
    crew_close(&crew);
}

void scenario_finished(struct pg *pg)
{
    static const char *const turn[] = {"report and claim of one worker, empty, p50",
                                       "report and claim of one worker, 10,000,000 finished tasks, p50"};
    static const char *const tasks[] = {"one task per claim, 64 workers, empty",
                                        "one task per claim, 64 workers, 10,000,000 finished tasks"};
    beside(pg, false);
    beside(pg, true);
    note("a claim beside 10,000,000 finished tasks against empty", "", noted(turn[1]) / noted(turn[0]));
    note("the same: time run", "", costs_noted_us(turn[1]) / costs_noted_us(turn[0]));
    note("tasks/s beside 10,000,000 finished tasks against empty", "", noted(tasks[1]) / noted(tasks[0]));
    note("the same 64 workers: time run", "", costs_noted_us(tasks[1]) / costs_noted_us(tasks[0]));
}
