#include "tests/bench/scenarios/costs.h"

#include "tests/bench/scenarios/measures.h"
#include "tests/bench/scenarios/world.h"

#include <stdio.h>

#define NAME_SIZE 96

struct costs costs_begin(const struct world *world)
{
    return (struct costs){
        .world = world,
        .managers = world_manager_seconds(world),
        .postgres = world_postgres_seconds(world),
        .wal = world_sql(world, "SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint"),
        .transactions = world_sql(world, "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"),
    };
}

static void note_part(const char *name, const char *part, const char *unit, double value)
{
    char full[NAME_SIZE];
    snprintf(full, sizeof full, "%s: %s", name, part);
    note(full, unit, value);
}

void costs_note(const struct costs *since, const char *name, int64_t tasks)
{
    struct costs now = costs_begin(since->world);
    double each = (double)tasks;
    note_part(name, "manager", "us/task", (now.managers - since->managers) * 1e6 / each);
    note_part(name, "PostgreSQL", "us/task", (now.postgres - since->postgres) * 1e6 / each);
    note_part(name, "WAL", "bytes/task", (double)(now.wal - since->wal) / each);
    note_part(name, "share a commit", "tasks", each / (double)(now.transactions - since->transactions));
}

static double noted_part(const char *name, const char *part)
{
    char full[NAME_SIZE];
    snprintf(full, sizeof full, "%s: %s", name, part);
    return noted(full);
}

double costs_noted_us(const char *name)
{
    return noted_part(name, "manager") + noted_part(name, "PostgreSQL");
}
