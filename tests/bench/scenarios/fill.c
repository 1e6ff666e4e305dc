#include "tests/bench/scenarios/fill.h"

#include "tests/bench/scenarios/crew.h"
#include "tests/bench/scenarios/submit.h"
#include "tests/bench/scenarios/world.h"

#include <stdio.h>
#include <string.h>

#define LIMIT_MS 10000

// Identifiers of jobs grow with time: the copies are older than the original.
static const char copy[] =
    "DO $$\n"
    "DECLARE\n"
    "    original bigint := (SELECT min(id) FROM job);\n"
    "    part record;\n"
    "BEGIN\n"
    "    FOR part IN\n"
    "        SELECT c.table_name, string_agg(quote_ident(c.column_name), ', ') AS names,\n"
    "               string_agg(CASE WHEN c.column_name = k.key THEN k.key || ' - n'\n"
    "                               ELSE quote_ident(c.column_name) END, ', ') AS contents,\n"
    "               k.key\n"
    "          FROM information_schema.columns c\n"
    "          JOIN pg_class t ON t.relname = c.table_name AND t.relkind = 'r'\n"
    "           AND t.relnamespace = current_schema()::regnamespace\n"
    "          JOIN LATERAL (SELECT k.column_name::text AS key FROM information_schema.columns k\n"
    "                         WHERE (k.table_schema, k.table_name) = (c.table_schema, c.table_name)\n"
    "                           AND k.column_name = CASE c.table_name WHEN 'job' THEN 'id' ELSE 'job' END) k\n"
    "            ON true\n"
    "         WHERE c.table_schema = current_schema()\n"
    "         GROUP BY c.table_name, k.key\n"
    "    LOOP\n"
    "        EXECUTE format('INSERT INTO %I (%s) SELECT %s FROM generate_series(1, %s) n, %I WHERE %s = %s',\n"
    "                       part.table_name, part.names, part.contents, @COPIES@, part.table_name,\n"
    "                       part.key, original);\n"
    "    END LOOP;\n"
    "END $$";

void fill_finished(struct world *world, int64_t jobs, int64_t tasks)
{
    struct crew crew;
    char sql[sizeof copy + 32];
    crew_open(&crew, world, 1, tasks, tasks);
    submit_items(world, 1, tasks);
    crew.todo = tasks;
    crew_run(&crew, world, LIMIT_MS);
    crew_close(&crew);
    const char *hole = strstr(copy, "@COPIES@");
    snprintf(sql, sizeof sql, "%.*s%lld%s", (int)(hole - copy), copy, (long long)jobs - 1, hole + strlen("@COPIES@"));
    world_sql(world, sql);
    world_assert_done(world, jobs, jobs * tasks);
}
