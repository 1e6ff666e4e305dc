// The same load without and with a snapshot that somebody holds: a backup, a report, a forgotten session.
#include "services/common/db/db.h"
#include "tests/bench/scenarios/crew.h"
#include "tests/bench/scenarios/measures.h"
#include "tests/bench/scenarios/scenarios.h"
#include "tests/bench/scenarios/submit.h"
#include "tests/bench/scenarios/world.h"
#include "tests/support/die.h"

#include <stdio.h>

#define HOLD_MS 60000
#define TASKS 100000000

static struct db *hold(const struct world *world)
{
    const struct db_options options = {.application_name = "holds a snapshot", .idle_in_transaction_timeout_ms = -1};
    struct db *db;
    struct err err;
    if (db_open(world->conninfo, &options, &db, &err) < 0 ||
        db_sql(db, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM job", NULL, RESULT_TEXT, NULL, &err) <
            0)
        die("bench: no snapshot: %s", err.text);
    return db;
}

static double rate(struct pg *pg, bool held, int workers, int64_t width)
{
    AUTO_WORLD struct world world = {0};
    struct crew crew;
    world_open(&world, pg, 1);
    crew_open(&crew, &world, workers, width, TASKS);
    submit_counted(&world, 1, TASKS);
    struct db *db = held ? hold(&world) : NULL;
    double seconds = crew_run(&crew, &world, HOLD_MS);
    double tasks = (double)crew.done;
    db_close(db);
    crew_close(&crew);
    return tasks / seconds;
}

static void compare(struct pg *pg, const char *what, int workers, int64_t width)
{
    char name[96];
    double free = rate(pg, false, workers, width), held = rate(pg, true, workers, width);
    snprintf(name, sizeof name, "%s, for 60 s", what);
    note(name, "tasks/s", free);
    snprintf(name, sizeof name, "%s, for 60 s, a snapshot is held", what);
    note(name, "tasks/s", held);
    snprintf(name, sizeof name, "%s, held against free", what);
    note(name, "", held / free);
}

void scenario_snapshot(struct pg *pg)
{
    compare(pg, "slices of 100", 16, 100);
}
