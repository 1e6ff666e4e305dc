// What one run of a scenario happens in: a fresh database on the shared private PostgreSQL, its managers, and looks at
// it from outside.
//
// Whatever is not as it must be for the numbers to be worth something ends the program.
#pragma once

#include "services/common/base/cleanup.h"

#include <stdint.h>

struct pg;
struct manager;

#define MANAGERS_MAX 2

struct world {
    struct pg *pg;
    const char *conninfo;
    struct manager *managers[MANAGERS_MAX];
    int ports[MANAGERS_MAX];
    int manager_count;
};

void world_open(struct world *world, struct pg *pg, int managers);
// Asserts before it ends that the store's invariant holds and that there was no deadlock.
void world_close(struct world *world);
#define AUTO_WORLD CLEANUP(world_close)

// Nobody but us may hold a snapshot, here or in a neighbouring database: it would keep vacuum from its work.
void world_assert_no_snapshot(struct world *world);
// SQL whose first column of the first row is a number; several statements return the last one's.
int64_t world_sql(const struct world *world, const char *sql);
// As if the database had been idle for long: vacuumed, analyzed, written to disk. Scenarios that compare do it on both
// sides.
void world_settle(struct world *world);
// Exactly `jobs` jobs have succeeded, of `tasks` tasks in all, and none is left.
void world_assert_done(struct world *world, int64_t jobs, int64_t tasks);

double world_manager_mib(const struct world *world);      // resident, of the first
double world_manager_seconds(const struct world *world);  // CPU of all managers since their start
double world_postgres_seconds(const struct world *world); // CPU of all of PostgreSQL's processes since its start
