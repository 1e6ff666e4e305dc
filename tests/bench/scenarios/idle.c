// What workers cost that wait for tasks which do not come.
#include "services/common/base/clock.h"
#include "tests/bench/scenarios/crew.h"
#include "tests/bench/scenarios/measures.h"
#include "tests/bench/scenarios/scenarios.h"
#include "tests/bench/scenarios/world.h"

#define WORKERS 1000
#define START_MS 6000
#define LOOK_MS 15000
#define WAIT_MS 5000 // as workers do

static void next(struct load_connection *connection)
{
    crew_send(load_context(connection->load), connection);
}

static void answer(struct load_connection *connection, int status, const char *body, size_t length)
{
    (void)length;
    crew_answer(load_context(connection->load), connection, status, body);
}

void scenario_idle(struct pg *pg)
{
    AUTO_WORLD struct world world = {0};
    struct crew crew;
    world_open(&world, pg, 1);
    crew_open(&crew, &world, WORKERS, 1, 1);
    crew.wait_ms = WAIT_MS;
    struct load *load = load_new(world.ports, 1, WORKERS, next, answer, &crew);
    // The polls of a fleet do not come all at once.
    for (int i = 0; i < WORKERS; i++) {
        load_wake(load_connection_at(load, i));
        load_run(load, START_MS / WORKERS);
    }
    load_run(load, WAIT_MS + 1000); // each has been answered once: what a connection needs is there
    double manager = world_manager_seconds(&world), postgres = world_postgres_seconds(&world);
    int64_t began_us = clock_boot_us();
    load_run(load, LOOK_MS);
    double seconds = (double)(clock_boot_us() - began_us) / 1e6;
    note("1,000 waiting polls: manager, memory", "MiB", world_manager_mib(&world));
    note("1,000 waiting polls: manager, part of a core", "%",
         (world_manager_seconds(&world) - manager) / seconds * 100);
    note("1,000 waiting polls: PostgreSQL, part of a core", "%",
         (world_postgres_seconds(&world) - postgres) / seconds * 100);
    load_free(load);
    crew_close(&crew);
}
