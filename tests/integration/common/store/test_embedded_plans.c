// Every statement of the store can be prepared, and none of them scans a big table, however it is planned: a plan that
// is made once for all parameters is the one that production gets. What a lane runs goes by the condition of an index
// whatever the server believes of its tables.
#include "services/common/store/embedded.h"

#include "services/common/db/db.h"
#include "tests/support/pg.h"
#include "tests/support/store_db.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct db *db;

static const char *const big_tables[] = {"job",      "stage",   "slice",    "item",  "result", "task_error",
                                         "task_run", "service", "instance", "event", "log"};

// Finished jobs, as a year of work leaves them, and a few that go on.
static void fill(int jobs)
{
    store_sql(
        db,
        "INSERT INTO demand (queue, runtime, labels) VALUES ('default', '', '{}'); "
        "INSERT INTO job (id, name, labels, priority, spec, autostop_on, linger_ms, keep_on_failure_ms, timeout_ms, "
        "max_lifetime_ms, services, phase, outcome, cleanup, created_at, finished_at, closed_at, event_count) "
        "SELECT i, 'job' || i %% 100, '{}', 0, '{}', 15, 0, 0, 0, 0, 1, 1, CASE WHEN i %% 1000 > 0 THEN 0 END, 2, "
        "clock_timestamp() - i * interval '1 s', CASE WHEN i %% 1000 > 0 THEN clock_timestamp() END, "
        "CASE WHEN i %% 1000 > 0 THEN clock_timestamp() END, 4 FROM generate_series(1, %d) i; "
        "INSERT INTO stage (job, stage, name, demand, priority, after_mask, fail_job, retries_max, backoff_ms, "
        "backoff_max_ms, max_parallel, total, open, succeeded, released) "
        "SELECT id, 0, 'main', 1, 0, 0, true, 3, 1000, 1000, 0, 10, 0, 10, true FROM job; "
        "INSERT INTO slice (job, stage, first, count, state, demand, priority) "
        "SELECT id, 0, 0, 5, CASE WHEN outcome IS NULL THEN id / 1000 %% 4 ELSE 4 END, 1, 0 FROM job; "
        "INSERT INTO slice (job, stage, first, count, state, demand, priority) SELECT id, 0, 5, 5, 4, 1, 0 FROM job; "
        "INSERT INTO item SELECT id, 0, 0, 10, '' FROM job; "
        "INSERT INTO result SELECT id, 0, t, 0, '{}' FROM job, generate_series(0, 1) t; "
        "INSERT INTO task_run SELECT id, 1, 0, 0, 1, 1, 1, 1, 0, clock_timestamp(), clock_timestamp() FROM job; "
        "INSERT INTO task_error SELECT id, 0, 0, 1, 'x', 1, clock_timestamp() FROM job; "
        "INSERT INTO event SELECT id, s, clock_timestamp(), 'job.outcome', '{}' FROM job, generate_series(1, 4) s; "
        "INSERT INTO log SELECT id, 'a', 0, 0, clock_timestamp(), 'x' FROM job; "
        "INSERT INTO service SELECT id, 0, 'a', 1, '{}', 0, 0, 0, 0, 0, 0 FROM job; "
        "INSERT INTO instance (job, service, epoch, name, demand, state, not_before, created_at, worker) "
        "SELECT id, 0, 1, 'a', 1, CASE WHEN outcome IS NULL THEN id / 1000 %% 11 ELSE 11 END, created_at, created_at, "
        "id %% 50 "
        "FROM job; "
        "INSERT INTO worker (name, incarnation, state, host, boot, runtimes, queues, labels, slots, registered_at, "
        "lease_until) SELECT 'w' || i, 1, 0, 'h', 'b', '{process}', '{default}', '{}', 4, clock_timestamp(), "
        "clock_timestamp() FROM generate_series(1, 50) i",
        jobs);
}

// "(NULL, NULL)", as many as the prepared statement has parameters; "" when it has none.
static char *nulls_for(const char *name)
{
    return store_sql_text(db,
                          "SELECT coalesce('(' || string_agg('NULL', ', ') || ')', '') "
                          "FROM pg_prepared_statements p, unnest(p.parameter_types) WHERE p.name = 'x_%s'",
                          name);
}

static char *plan_of(const struct db_statement *statement)
{
    AUTO_STRBUF struct strbuf plan = STRBUF_INIT;
    AUTO_RESULT struct result rows = RESULT_INIT;
    struct err err = {0};
    char text[128];
    store_sql(db, "PREPARE x_%s AS %s", statement->name, statement->sql);
    AUTO_FREE char *nulls = nulls_for(statement->name);
    AUTO_FREE char *explain = NULL;
    if (asprintf(&explain, "EXPLAIN (COSTS OFF) EXECUTE x_%s %s", statement->name, nulls) < 0)
        abort();
    assert_ok(db_sql(db, explain, NULL, RESULT_TEXT, &rows, &err), err);
    for (int row = 0; row < result_rows(&rows); row++)
        strbuf_add_format(&plan, "%s\n", result_text(&rows, row, 0));
    snprintf(text, sizeof text, "DEALLOCATE x_%s", statement->name);
    store_sql(db, "%s", text);
    return strdup(strbuf_text(&plan));
}

static const char *scanned_table(const char *plan)
{
    static char scan[64];
    for (size_t i = 0; i < ARRAY_LEN(big_tables); i++) {
        snprintf(scan, sizeof scan, "Seq Scan on %s ", big_tables[i]);
        const char *at = strstr(plan, scan);
        scan[strlen(scan) - 1] = '\n';
        if (at || strstr(plan, scan))
            return big_tables[i];
    }
    return NULL;
}

static void test_no_statement_scans_a_big_table(void **state)
{
    (void)state;
    int bad = 0;
    fill(20000);
    store_sql(db, "ANALYZE");
    store_sql(db, "SET plan_cache_mode = force_generic_plan");
    for (int i = 0; i < STATEMENT_COUNT; i++) {
        if (i == STATEMENT_READ_VIOLATIONS) // an audit: it looks at everything
            continue;
        AUTO_FREE char *plan = plan_of(&store_statements[i]);
        const char *table = scanned_table(plan);
        if (table) {
            print_error("%s scans %s:\n%s\n", store_statements[i].name, table, plan);
            bad++;
        }
    }
    assert_int_equal(bad, 0);
}

// ---- what a lane runs

static bool is_of_lane(const char *name)
{
    static const char *const parts[] = {"hot_", "settle_", "worker_"};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (strncmp(name, parts[i], strlen(parts[i])) == 0)
            return true;
    return false;
}

// The first scan that reads more than an index says it has to.
static const char *wide_scan(char *plan)
{
    char *left = plan;
    for (char *line, *next = strsep(&left, "\n"); (line = next);) {
        next = strsep(&left, "\n");
        bool by_index = strstr(line, " using ") && (strstr(line, "Index Scan") || strstr(line, "Index Only Scan"));
        if (strstr(line, "Seq Scan") || strstr(line, "Bitmap") || (by_index && !(next && strstr(next, "Index Cond:"))))
            return line;
    }
    return NULL;
}

static void check_lane(const char *when)
{
    int bad = 0;
    for (int i = 0; i < STATEMENT_COUNT; i++) {
        if (!is_of_lane(store_statements[i].name))
            continue;
        AUTO_FREE char *plan = plan_of(&store_statements[i]);
        const char *line = wide_scan(plan);
        if (line) {
            print_error("%s, %s: %s\n", when, store_statements[i].name, line);
            bad++;
        }
    }
    assert_int_equal(bad, 0);
}

static void add_one_job(void)
{
    store_sql(
        db, "INSERT INTO job (id, name, labels, priority, spec, autostop_on, linger_ms, keep_on_failure_ms, "
            "timeout_ms, max_lifetime_ms, services, phase, cleanup, created_at) "
            "VALUES (100000, 'one', '{}', 0, '{}', 15, 0, 0, 0, 0, 0, 1, 0, clock_timestamp()); "
            "INSERT INTO stage (job, stage, name, demand, priority, after_mask, fail_job, retries_max, backoff_ms, "
            "backoff_max_ms, max_parallel, total, open, released) "
            "VALUES (100000, 0, 'main', 1, 0, 0, true, 3, 1000, 1000, 0, 1000, 1000, true); "
            "INSERT INTO slice (job, stage, first, count, state, demand, priority) VALUES (100000, 0, 0, 1, 1, 1, 0); "
            "INSERT INTO instance (job, service, epoch, name, demand, state, not_before, created_at) "
            "VALUES (100000, 0, 1, 'a', 1, 0, clock_timestamp(), clock_timestamp())");
}

// As claims and reports leave the table between two vacuums: many more pages than rows need.
static void grow_one_job(void)
{
    store_sql(db, "INSERT INTO slice (job, stage, first, count, state, demand, priority, rank) "
                  "SELECT 100000, 0, i, 1, 1, 1, 0, i FROM generate_series(1, 999) i");
    for (int i = 0; i < 20; i++)
        store_sql(db, "UPDATE slice SET rank = rank + 1");
}

static void test_a_lane_goes_by_conditions_of_an_index(void **state)
{
    struct err err = {0};
    db_close(db);
    db = store_db_new(*state);
    assert_ok(db_set_plans_by_index(db, &err), err);
    check_lane("never analyzed");
    store_sql(db, "ANALYZE");
    check_lane("analyzed while empty");
    add_one_job();
    store_sql(db, "VACUUM ANALYZE");
    check_lane("analyzed with one row");
    grow_one_job();
    check_lane("grown since then");
    store_sql(db, "ANALYZE");
    check_lane("many pages, few rows");
    store_sql(db, "DELETE FROM instance; DELETE FROM slice; DELETE FROM stage; DELETE FROM job");
    fill(2000);
    check_lane("filled since then");
    store_sql(db, "ANALYZE");
    check_lane("analyzed while full");
}

static void test_every_statement_is_prepared(void **state)
{
    (void)state;
    struct err err = {0};
    assert_ok(db_prepare_all(db, &err), err);
}

static int start(void **state)
{
    *state = pg_start(0);
    db = store_db_new(*state);
    return 0;
}

static int stop(void **state)
{
    db_close(db);
    pg_stop(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_statement_is_prepared),
        cmocka_unit_test(test_no_statement_scans_a_big_table),
        cmocka_unit_test(test_a_lane_goes_by_conditions_of_an_index),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
