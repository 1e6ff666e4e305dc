// Every statement of store/sql can be prepared, and the plans of those that lanes use find whatever has many rows by
// index.
#include "services/common/base/strbuf.h"
#include "services/common/db/db.h"
#include "services/common/store/embedded.h"
#include "tests/support/hot_lane.h"
#include "tests/support/store_db.h"
#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

static const char *const big_tables[] = {"slice", "stage", "job",    "item",       "instance", "service",
                                         "event", "log",   "result", "task_error", "task_run", "bundle"};

static void every_statement_can_be_prepared(void **state)
{
    UNUSED(state);
    struct err err = {0};
    assert_ok(db_prepare_all(lane.own, &err), err);
}

static void fill(void)
{
    for (int i = 0; i < 20; i++)
        hot_lane_submit(&lane,
                        "{'name': 'a', 'stages': [{'name': 'one', 'command': ['x'], 'tasks': {'count': 100000}}, "
                        "{'name': 'two', 'command': ['x'], 'after': ['one'], 'tasks': [1, 2]}]}");
    for (int i = 0; i < 200; i++)
        hot_lane_submit(&lane, "{'name': 'a', 'command': ['x'], 'services': [{'name': 's', 'command': ['y']}]}");
    store_sql(lane.db, "ANALYZE");
}

static char *explain(const char *statement, int parameters)
{
    struct err err = {0};
    AUTO_STRBUF struct strbuf sql = STRBUF_INIT;
    AUTO_STRBUF struct strbuf plan = STRBUF_INIT;
    AUTO_RESULT struct result rows = RESULT_INIT;
    char *text = NULL;
    strbuf_add_format(&sql, "EXPLAIN EXECUTE %s", statement);
    for (int i = 0; i < parameters; i++)
        strbuf_add_text(&sql, i ? ", NULL" : "(NULL");
    strbuf_add_text(&sql, parameters ? ")" : "");
    assert_ok(db_sql(lane.own, sql.data, NULL, RESULT_TEXT, &rows, &err), err);
    for (int row = 0; row < result_rows(&rows); row++)
        strbuf_add_format(&plan, "%s\n", result_text(&rows, row, 0));
    assert_ok(strbuf_take(&plan, &text, &err), err);
    return text;
}

static void check_plan(const char *statement, int parameters)
{
    AUTO_FREE char *plan = explain(statement, parameters);
    for (size_t i = 0; i < ARRAY_LEN(big_tables); i++) {
        char scan[64];
        snprintf(scan, sizeof scan, "Seq Scan on %s ", big_tables[i]);
        if (strstr(plan, scan))
            fail_msg("%s scans all of %s:\n%s", statement, big_tables[i], plan);
    }
    if (strstr(plan, "Hash Join") || strstr(plan, "Merge Join"))
        fail_msg("%s joins whole tables:\n%s", statement, plan);
}

static bool is_hot(const char *statement)
{
    return strncmp(statement, "hot_", 4) == 0 || strncmp(statement, "settle_", 7) == 0 ||
           strcmp(statement, "event_insert") == 0;
}

// Calls `check` for each statement that lanes use. Returns how many there are.
static int each_hot(void (*check)(const char *statement, int parameters))
{
    struct err err = {0};
    int checked = 0;
    AUTO_RESULT struct result statements = RESULT_INIT;
    assert_ok(db_prepare_all(lane.own, &err), err);
    assert_ok(db_sql(lane.own,
                     "SELECT name, coalesce(array_length(parameter_types, 1), 0)::text FROM pg_prepared_statements",
                     NULL, RESULT_TEXT, &statements, &err),
              err);
    for (int row = 0; row < result_rows(&statements); row++) {
        const char *name = result_text(&statements, row, 0);
        if (!is_hot(name))
            continue;
        check(name, atoi(result_text(&statements, row, 1)));
        checked++;
    }
    return checked;
}

static void no_statement_scans_a_big_table(void **state)
{
    UNUSED(state);
    fill();
    assert_true(each_hot(check_plan) > 50);
}

// Each index is entered with a condition.
static void check_early_plan(const char *statement, int parameters)
{
    AUTO_FREE char *plan = explain(statement, parameters);
    bool needs_condition = false;
    char *rest = NULL;
    AUTO_FREE char *lines = strdup(plan);
    assert_non_null(lines);
    for (const char *line = strtok_r(lines, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        if (needs_condition && !strstr(line, "Index Cond"))
            fail_msg("%s reads an index from end to end when it is planned for empty tables:\n%s", statement, plan);
        needs_condition = strstr(line, "Index Scan") || strstr(line, "Index Only Scan");
    }
}

// A lane that starts with a new database keeps the plans that it made for empty tables until they are analyzed.
static void plans_for_empty_tables_will_do(void **state)
{
    UNUSED(state);
    assert_true(each_hot(check_early_plan) > 50);
    AUTO_FREE char *cancels = explain("hot_cancels", 1);
    assert_non_null(strstr(cancels, "slice_cancel"));
}

// The head of a queue is read in the order of the index, without sorting the queue.
static void claims_do_not_sort(void **state)
{
    UNUSED(state);
    struct err err = {0};
    fill();
    assert_ok(db_prepare_all(lane.own, &err), err);
    AUTO_FREE char *plan = explain("hot_candidates", 5);
    assert_null(strstr(plan, "Sort"));
    assert_non_null(strstr(plan, "Index Scan using slice_ready"));
    AUTO_FREE char *ranks = explain("hot_ranks", 2);
    assert_null(strstr(ranks, "Sort"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        hot_test(every_statement_can_be_prepared),
        hot_test(no_statement_scans_a_big_table),
        hot_test(plans_for_empty_tables_will_do),
        hot_test(claims_do_not_sort),
    };
    return cmocka_run_group_tests(tests, hot_group_setup, hot_group_teardown);
}
