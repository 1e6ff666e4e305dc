// Pretended workers: outside workers of queue `default` that claim tasks and report them succeeded at once, each over
// one connection and in one round trip per claim.
#pragma once

#include "services/common/base/strbuf.h"
#include "tests/bench/scenarios/ledger.h"
#include "tests/bench/scenarios/load.h"

#include <stdbool.h>
#include <stdint.h>

struct world;

struct crew_worker {
    int64_t id;
    struct strbuf slices; // what the next report says: JSON; empty for none
    int64_t carried;      // tasks in it
};

struct crew {
    int count, first; // the workers are the connections from `first` on
    int64_t width;    // tasks that each poll asks for
    int64_t per_job;  // tasks of each job
    int wait_ms;      // how long a poll waits
    int64_t todo;     // the load ends when so many are done; 0: when its time is over
    int64_t given, done;
    struct ledger ledger;
    struct crew_worker *workers;
};

// Registers the workers, in turn at the world's managers.
void crew_open(struct crew *crew, struct world *world, int count, int64_t width, int64_t per_job);
void crew_close(struct crew *crew);

// The connection's next request: what was claimed last is reported, and more asked for.
void crew_send(struct crew *crew, struct load_connection *connection);
// Its answer; the load is stopped when all is done.
void crew_answer(struct crew *crew, struct load_connection *connection, int status, const char *body);

// Only these workers, closed loop, until `todo` is done or ms have passed. Returns the seconds that it took.
double crew_run(struct crew *crew, struct world *world, int64_t ms);
