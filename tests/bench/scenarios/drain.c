// Tasks that are claimed and reported, as fast as it goes: over widths of slices, numbers of workers and of managers.
#include "tests/bench/scenarios/costs.h"
#include "tests/bench/scenarios/crew.h"
#include "tests/bench/scenarios/measures.h"
#include "tests/bench/scenarios/scenarios.h"
#include "tests/bench/scenarios/submit.h"
#include "tests/bench/scenarios/world.h"

#include "services/common/base/macros.h"

#include <stdio.h>

#define LIMIT_MS 120000
#define CURVE_MS 3000
#define ITEM_JOB 100000
#define SOAK_MS 600000
#define SOAK_JOBS 100
#define SOAK_TASKS 10000000 // of each job: more than can be done

struct shape {
    int managers, workers, jobs;
    int64_t width, tasks; // of each job
    bool items;
};

// All of the jobs' tasks. Notes how many a second and what they cost; returns the former.
static double drain(struct pg *pg, const char *name, const struct shape *shape)
{
    AUTO_WORLD struct world world = {0};
    struct crew crew;
    world_open(&world, pg, shape->managers);
    crew_open(&crew, &world, shape->workers, shape->width, shape->tasks);
    (shape->items ? submit_items : submit_counted)(&world, shape->jobs, shape->tasks);
    crew.todo = shape->tasks * shape->jobs;
    struct costs costs = costs_begin(&world);
    double seconds = crew_run(&crew, &world, LIMIT_MS), rate = (double)crew.done / seconds;
    note(name, "tasks/s", rate);
    costs_note(&costs, name, crew.done);
    world_assert_done(&world, shape->jobs, crew.ledger.tasks);
    crew_close(&crew);
    return rate;
}

void scenario_slices(struct pg *pg)
{
    drain(pg, "slices of 100, items of 32 bytes, 16 workers",
          &(struct shape){.managers = 1, .workers = 16, .width = 100, .jobs = 15, .tasks = ITEM_JOB, .items = true});
    drain(pg, "slices of 100, no items, 16 workers",
          &(struct shape){.managers = 1, .workers = 16, .width = 100, .jobs = 1, .tasks = 2000000});
}

void scenario_singles(struct pg *pg)
{
    drain(pg, "one task per claim, 64 workers",
          &(struct shape){.managers = 1, .workers = 64, .width = 1, .jobs = 1, .tasks = 60000, .items = true});
}

// A point of a curve: for a while, of more tasks than can be done.
static double rate_for(struct pg *pg, int workers, int64_t width)
{
    AUTO_WORLD struct world world = {0};
    struct crew crew;
    world_open(&world, pg, 1);
    crew_open(&crew, &world, workers, width, 100000000);
    submit_counted(&world, 1, 100000000);
    double seconds = crew_run(&crew, &world, CURVE_MS);
    double rate = (double)crew.done / seconds;
    crew_close(&crew);
    return rate;
}

void scenario_widths(struct pg *pg)
{
    static const int64_t widths[] = {1, 3, 10, 30, 100, 300, 1000};
    for (size_t i = 0; i < ARRAY_LEN(widths); i++) {
        char name[64];
        snprintf(name, sizeof name, "16 workers, slices of %lld", (long long)widths[i]);
        note_at(name, "tasks/s", (double)widths[i], rate_for(pg, 16, widths[i]));
    }
}

void scenario_workers(struct pg *pg)
{
    static const int workers[] = {1, 4, 16, 64, 256};
    static const int64_t widths[] = {1, 100};
    for (size_t w = 0; w < ARRAY_LEN(widths); w++)
        for (size_t i = 0; i < ARRAY_LEN(workers); i++) {
            char name[64];
            snprintf(name, sizeof name, "slices of %lld, %d workers", (long long)widths[w], workers[i]);
            note_at(name, "tasks/s", workers[i], rate_for(pg, workers[i], widths[w]));
        }
}

static void managers(struct pg *pg, const char *what, struct shape shape)
{
    char name[2][64];
    double rates[2];
    for (int count = 1; count <= 2; count++) {
        snprintf(name[count - 1], sizeof name[0], "%s, managers: %d", what, count);
        shape.managers = count;
        rates[count - 1] = drain(pg, name[count - 1], &shape);
    }
    char ratio[96];
    snprintf(ratio, sizeof ratio, "%s, two managers against one", what);
    note(ratio, "", rates[1] / rates[0]);
}

// Deadlocks end the program: world_close() looks. Long enough that the first half second, in which lanes meet the job
// and its workers, weighs little: two managers have it twice.
void scenario_managers(struct pg *pg)
{
    managers(pg, "slices of 100", (struct shape){.workers = 16, .width = 100, .jobs = 1, .tasks = 6000000});
    managers(pg, "slices of 100, 64 workers, 8 jobs",
             (struct shape){.workers = 64, .width = 100, .jobs = 8, .tasks = 1000000});
    managers(pg, "one task per claim", (struct shape){.workers = 64, .width = 1, .jobs = 1, .tasks = 60000});
}

// Many jobs at once, so that transactions of both managers change several of the same jobs.
void scenario_soak(struct pg *pg)
{
    AUTO_WORLD struct world world = {0};
    struct crew crew;
    world_open(&world, pg, 2);
    crew_open(&crew, &world, 64, 30, SOAK_TASKS);
    submit_counted(&world, SOAK_JOBS, SOAK_TASKS);
    static const char rolled_back[] = "SELECT xact_rollback FROM pg_stat_database WHERE datname = current_database()";
    int64_t before = world_sql(&world, rolled_back);
    double seconds = crew_run(&crew, &world, SOAK_MS);
    note("two managers for 10 minutes", "tasks/s", (double)crew.done / seconds);
    note("transactions that were rolled back", "", (double)(world_sql(&world, rolled_back) - before));
    crew_close(&crew);
}
