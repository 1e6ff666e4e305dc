// What managers carry over HTTP, everything on this machine: PostgreSQL with fsync, the managers, the load.
//
//   scenarios [--runs=N] [--only=NAME,NAME] [--json=DIRECTORY] [--list]
//
// Each run of a scenario has a fresh database and fresh managers; printed are the median of the runs, and the lowest
// and highest. Every task must have been done exactly once, or the run is worth nothing and ends with an error.
#include "tests/bench/scenarios/scenarios.h"
#include "services/common/base/cleanup.h"
#include "services/common/base/clock.h"
#include "services/common/base/macros.h"
#include "services/common/db/db.h"
#include "tests/bench/scenarios/measures.h"
#include "tests/support/die.h"
#include "tests/support/pg.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct scenario {
    const char *name;
    void (*run)(struct pg *pg);
    int runs_max; // long ones
    const char *what;
} scenarios[] = {
    {"slices", scenario_slices, 50, "tasks claimed and reported in slices of 100"},
    {"singles", scenario_singles, 50, "one task per claim"},
    {"jobs", scenario_jobs, 50, "jobs of one task, submitted one by one, to closed"},
    {"latency", scenario_latency, 50, "from a submit to its task at a worker that waits"},
    {"idle", scenario_idle, 50, "1,000 workers that wait"},
    {"managers", scenario_managers, 50, "two managers on one database against one"},
    {"soak", scenario_soak, 1, "two managers and 100 jobs for 10 minutes, without a deadlock"},
    {"tasks", scenario_tasks, 50, "jobs of 10,000 to 10,000,000 tasks"},
    {"open", scenario_open, 50, "1 to 10,000 open jobs"},
    {"finished", scenario_finished, 3, "a claim beside 10,000,000 finished tasks and 100,000 finished jobs"},
    {"snapshot", scenario_snapshot, 1, "a snapshot that is held for 60 s"},
    {"widths", scenario_widths, 3, "the chart: over the width of slices"},
    {"workers", scenario_workers, 3, "the chart: over the number of workers"},
};

struct options {
    int runs;
    const char *only, *directory;
};

struct conditions {
    char postgres[32], load[64], at[CLOCK_TEXT_SIZE];
    long cores;
};

static void look_around(struct pg *pg, struct conditions *out)
{
    AUTO_DB struct db *db = NULL;
    AUTO_RESULT struct result version = RESULT_INIT;
    struct err err;
    if (db_open(pg_admin(pg), NULL, &db, &err) < 0 ||
        db_sql(db, "SHOW server_version", NULL, RESULT_TEXT, &version, &err) < 0)
        die("bench: %s", err.text);
    sscanf(result_text(&version, 0, 0), "%31s", out->postgres);
    out->cores = sysconf(_SC_NPROCESSORS_ONLN);
    double load[3] = {0};
    getloadavg(load, 3);
    snprintf(out->load, sizeof out->load, "%.2f", load[0]);
    clock_format(clock_wall_us(), out->at);
}

static void write_json(const struct options *options, const struct scenario *scenario, const struct conditions *of,
                       int runs)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s.json", options->directory, scenario->name);
    AUTO_FILE FILE *file = fopen(path, "w");
    if (!file)
        die("bench: %s cannot be written", path);
    fprintf(file,
            "{\"scenario\": \"%s\", \"what\": \"%s\", \"runs\": %d,\n \"conditions\": {\"cores\": %ld, \"load\": %s, "
            "\"postgres\": \"%s\", \"fsync\": true, \"synchronous_commit\": true, \"at\": \"%s\"},\n \"measures\": ",
            scenario->name, scenario->what, runs, of->cores, of->load, of->postgres, of->at);
    measures_write(file);
    fputs("}\n", file);
}

static void run(const struct options *options, const struct scenario *scenario, struct pg *pg)
{
    struct conditions conditions;
    look_around(pg, &conditions);
    int runs = MIN(options->runs, scenario->runs_max);
    measures_clear();
    printf("%s: %s (%d runs; %ld cores, load %s before)\n", scenario->name, scenario->what, runs, conditions.cores,
           conditions.load);
    for (int i = 0; i < runs; i++)
        scenario->run(pg);
    measures_print();
    if (options->directory)
        write_json(options, scenario, &conditions, runs);
}

// Whether NAME stands in a list NAME,NAME; an empty list has all.
static bool is_chosen(const char *list, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = list; at && *at;) {
        const char *end = strchrnul(at, ',');
        if ((size_t)(end - at) == length && memcmp(at, name, length) == 0)
            return true;
        at = *end ? end + 1 : end;
    }
    return !list || !*list;
}

static void list(void)
{
    for (size_t i = 0; i < ARRAY_LEN(scenarios); i++)
        printf("%-10s %s\n", scenarios[i].name, scenarios[i].what);
}

int main(int argc, char **argv)
{
    struct options options = {.runs = 5};
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--runs=", 7) == 0)
            options.runs = atoi(argv[i] + 7);
        else if (strncmp(argv[i], "--only=", 7) == 0)
            options.only = argv[i] + 7;
        else if (strncmp(argv[i], "--json=", 7) == 0)
            options.directory = argv[i] + 7;
        else if (strcmp(argv[i], "--list") == 0)
            return list(), 0;
        else
            die("bench: there is no argument %s", argv[i]);
    }
    if (options.runs < 1 || options.runs > 50)
        die("bench: --runs is 1 to 50");
    AUTO_PG struct pg *pg = pg_start(PG_FSYNC);
    printf("  %-52s %11s %11s %11s\n", "", "median", "lowest", "highest");
    for (size_t i = 0; i < ARRAY_LEN(scenarios); i++)
        if (is_chosen(options.only, scenarios[i].name))
            run(&options, &scenarios[i], pg);
    return 0;
}
