#include "tests/bench/scenarios/world.h"

#include "services/common/db/db.h"
#include "tests/support/die.h"
#include "tests/support/manager.h"
#include "tests/support/pg.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void world_open(struct world *world, struct pg *pg, int managers)
{
    static const char *const quiet[] = {"--log-level", "warn", NULL};
    *world = (struct world){.pg = pg, .conninfo = pg_database_new(pg), .manager_count = managers};
    for (int i = 0; i < managers; i++) {
        world->managers[i] = manager_start(world->conninfo, quiet);
        world->ports[i] = atoi(strrchr(manager_url(world->managers[i]), ':') + 1);
    }
    world_assert_no_snapshot(world);
}

// What was left to vacuum and to write is not done beside the next measurement.
static void drop(const struct world *world)
{
    AUTO_DB struct db *db = NULL;
    struct err err;
    char sql[96], name[64];
    if (sscanf(strstr(world->conninfo, "dbname="), "dbname=%63s", name) != 1)
        die("bench: %s names no database", world->conninfo);
    snprintf(sql, sizeof sql, "DROP DATABASE %s WITH (FORCE)", name);
    if (db_open(pg_admin(world->pg), NULL, &db, &err) < 0 || db_sql(db, sql, NULL, RESULT_TEXT, NULL, &err) < 0)
        die("bench: %s: %s", sql, err.text);
}

void world_close(struct world *world)
{
    if (!world->manager_count)
        return;
    for (int i = 0; i < world->manager_count; i++)
        manager_free(world->managers[i]);
    world->manager_count = 0;
    int64_t violations = world_sql(world, "SELECT count(*) FROM violations(NULL)");
    if (violations != 0)
        die("bench: the invariant does not hold: %lld violations", (long long)violations);
    if (world_sql(world, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") != 0)
        die("bench: there were deadlocks");
    drop(world);
}

int64_t world_sql(const struct world *world, const char *sql)
{
    AUTO_DB struct db *db = NULL;
    AUTO_RESULT struct result result = RESULT_INIT;
    const struct db_options options = {.application_name = "curfew bench", .statement_timeout_ms = -1};
    struct err err;
    if (db_open(world->conninfo, &options, &db, &err) < 0 || db_sql(db, sql, NULL, RESULT_TEXT, &result, &err) < 0)
        die("bench: %s: %s", sql, err.text);
    return result_rows(&result) > 0 && result_columns(&result) > 0 ? atoll(result_text(&result, 0, 0)) : 0;
}

void world_assert_no_snapshot(struct world *world)
{
    int64_t held = world_sql(
        world, "SELECT (SELECT count(*) FROM pg_stat_activity"
               "         WHERE (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL) AND pid <> pg_backend_pid()"
               "           AND backend_type = 'client backend'"
               "           AND (datname <> current_database() OR application_name NOT LIKE 'curfew%'"
               "                OR xact_start < clock_timestamp() - interval '1 second'))"
               "     + (SELECT count(*) FROM pg_prepared_xacts)"
               "     + (SELECT count(*) FROM pg_replication_slots)");
    if (held != 0)
        die("bench: %lld foreign snapshots are open", (long long)held);
}

void world_settle(struct world *world)
{
    world_sql(world, "VACUUM (ANALYZE)");
    world_sql(world, "CHECKPOINT");
}

void world_assert_done(struct world *world, int64_t jobs, int64_t tasks)
{
    int64_t right = world_sql(world, "SELECT count(*) FROM job WHERE outcome = 0 AND closed_at IS NOT NULL");
    int64_t all = world_sql(world, "SELECT count(*) FROM job");
    int64_t succeeded = world_sql(world, "SELECT sum(succeeded)::bigint FROM stage");
    if (right != jobs || all != jobs || succeeded != tasks)
        die("bench: %lld of %lld jobs have succeeded, with %lld tasks; should be %lld with %lld", (long long)right,
            (long long)all, (long long)succeeded, (long long)jobs, (long long)tasks);
}

// ---- processes

double world_manager_mib(const struct world *world)
{
    char path[64], line[256];
    snprintf(path, sizeof path, "/proc/%d/status", manager_pid(world->managers[0]));
    AUTO_FILE FILE *file = fopen(path, "r");
    long kib = 0;
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "VmRSS: %ld", &kib) == 1)
            break;
    return (double)kib / 1024;
}

// False when there is no such process. `gone` is the time of children that have ended.
static bool process_times(int pid, int *parent, double *seconds, double *gone)
{
    char path[64];
    double user, system, gone_user, gone_system;
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    AUTO_FILE FILE *file = fopen(path, "r");
    if (!file || fscanf(file, "%*d (%*[^)]) %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lf %lf %lf %lf", parent, &user,
                        &system, &gone_user, &gone_system) != 5)
        return false;
    *seconds = (user + system) / (double)sysconf(_SC_CLK_TCK);
    *gone = (gone_user + gone_system) / (double)sysconf(_SC_CLK_TCK);
    return true;
}

double world_manager_seconds(const struct world *world)
{
    int parent;
    double sum = 0;
    for (int i = 0; i < world->manager_count; i++) {
        double seconds = 0, gone;
        process_times(manager_pid(world->managers[i]), &parent, &seconds, &gone);
        sum += seconds;
    }
    return sum;
}

double world_postgres_seconds(const struct world *world)
{
    DIR *processes = opendir("/proc");
    int postmaster = pg_pid(world->pg);
    double sum = 0;
    if (!processes)
        die("bench: no /proc");
    for (const struct dirent *entry; (entry = readdir(processes));) {
        int pid = atoi(entry->d_name), parent = 0;
        double seconds = 0, gone = 0;
        if (pid > 0 && process_times(pid, &parent, &seconds, &gone) && (pid == postmaster || parent == postmaster))
            sum += seconds + (pid == postmaster ? gone : 0);
    }
    closedir(processes);
    return sum;
}
