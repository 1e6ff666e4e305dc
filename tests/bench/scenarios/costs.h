// What the tasks of a run cost, whatever else the machine does: time that processes run, bytes of WAL, calls that share
// a transaction.
#pragma once

#include <stdint.h>

struct world;

struct costs {
    const struct world *world;
    double managers, postgres; // seconds of CPU, summed
    int64_t wal, transactions; // bytes; of the world's database
};

struct costs costs_begin(const struct world *world);
// What has been added since, for each of `tasks` tasks: notes four measures whose names begin with `name`.
void costs_note(const struct costs *since, const char *name, int64_t tasks);
// Managers and PostgreSQL together, microseconds a task, as the last costs_note() of this name has found them.
double costs_noted_us(const char *name);
