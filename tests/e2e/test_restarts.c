// What is recorded survives restarts of everything, and 404 never means done: a job that is known stays known, one that
// is not is never taken for one that has ended. PostgreSQL goes away and comes back while jobs run.
#include "tests/support/test.h"

#include "tests/support/pg.h"
#include "tests/support/system_calls.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define WAIT_MS 90000
#define JOBS 6
#define SERVICE                                                                                  \
    "'services':[{'name':'store','command':['@nasty@','ignore-term'],'ports':[{'name':'main'}]," \
    "'env':{'PORT':'${PORT}'},'ready':{'tcp':'main'},'stop':{'grace':'200ms'},"                  \
    "'on_failure':{'restart':{'max':50,'backoff':'10ms'}}}]"

static struct system *curfew;

static void submit_load(char ids[JOBS][SYSTEM_ID_SIZE])
{
    for (int i = 0; i < JOBS; i++)
        system_submit(curfew, ids[i],
                      "{'name':'load'," SERVICE ",'tasks':{'count':40},'retries':{'max':20,'backoff':'10ms'},"
                      "'command':['sh','-c','sleep 0.05; echo $CURFEW_TASK > $CURFEW_OUTPUT']}");
}

static void check_load(char ids[JOBS][SYSTEM_ID_SIZE])
{
    for (int i = 0; i < JOBS; i++) {
        AUTO_JSON_OBJECT struct json_object *job = system_wait_closed_as(curfew, ids[i], "succeeded", WAIT_MS);
        assert_int_equal(system_leftovers(curfew, ids[i]), 0);
        assert_int_equal(json_number_at(job, "/stages/0/succeeded"), 40);
        assert_int_equal(system_sql(curfew, "SELECT count(DISTINCT task) FROM result WHERE job = %lld",
                                    (long long)system_job_number(ids[i])),
                         40);
    }
    assert_int_equal(system_violations(curfew), 0);
}

static void wait_half_done(const char *id)
{
    for (;;) {
        AUTO_JSON_OBJECT struct json_object *job = system_get(curfew, "/v1/jobs/%s", id);
        if (json_number_at(job, "/stages/0/succeeded") >= 4 || *json_text_at(job, "/outcome"))
            return;
    }
}

static void test_postgres_restarts(void **state)
{
    char ids[JOBS][SYSTEM_ID_SIZE];
    UNUSED(state);
    submit_load(ids);
    wait_half_done(ids[0]);
    pg_restart(system_pg(curfew));
    check_load(ids);
}

static void test_postgres_is_killed(void **state)
{
    char ids[JOBS][SYSTEM_ID_SIZE];
    UNUSED(state);
    submit_load(ids);
    wait_half_done(ids[0]);
    pg_kill(system_pg(curfew));
    pg_restart(system_pg(curfew));
    check_load(ids);
}

static void kill_everything(void)
{
    for (enum system_part part = 0; part < SYSTEM_PARTS; part++) {
        for (int i = 0; i < system_count(curfew, part); i++)
            system_signal(curfew, part, i, SIGKILL);
    }
    pg_kill(system_pg(curfew));
    pg_restart(system_pg(curfew));
    for (enum system_part part = 0; part < SYSTEM_PARTS; part++) {
        for (int i = 0; i < system_count(curfew, part); i++)
            system_restart(curfew, part, i);
    }
    system_wait_ready(curfew, system_count(curfew, SYSTEM_WORKER));
}

static void test_everything_is_killed(void **state)
{
    char ids[JOBS][SYSTEM_ID_SIZE];
    UNUSED(state);
    submit_load(ids);
    wait_half_done(ids[0]);
    kill_everything();
    check_load(ids);
}

static void test_records_survive(void **state)
{
    static const char *const parts[] = {"", "/cleanup", "/services", "/results", "/events", "/tasks", "/logs"};
    char id[SYSTEM_ID_SIZE];
    char *before[ARRAY_LEN(parts)];
    UNUSED(state);
    system_submit(curfew, id,
                  "{'name':'record'," SERVICE ",'tasks':{'count':3},'command':['sh','-c',"
                  "'echo said $CURFEW_TASK; echo $CURFEW_TASK > $CURFEW_OUTPUT']}");
    json_object_put(system_wait_closed_as(curfew, id, "succeeded", WAIT_MS));
    // The last logs may come after the end of the job.
    while (system_sql(curfew, "SELECT count(*) FROM log WHERE job = %lld", (long long)system_job_number(id)) < 3) {
    }
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        before[i] = system_stream(curfew, "/v1/jobs/%s%s", id, parts[i]);
    kill_everything();
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        AUTO_FREE char *after = system_stream(curfew, "/v1/jobs/%s%s", id, parts[i]);
        assert_string_equal(after, before[i]);
        free(before[i]);
    }
}

// Nobody knows this job: nothing that is asked about it succeeds.
static void test_not_found_is_not_done(void **state)
{
    static const char *const parts[] = {"",
                                        "?wait=outcome&timeout=100ms",
                                        "?wait=closed&timeout=100ms",
                                        "/cleanup",
                                        "/tasks",
                                        "/results",
                                        "/why",
                                        "/logs",
                                        "/events",
                                        "/services"};
    char path[128];
    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        snprintf(path, sizeof(path), "/v1/jobs/j0123456789abc%s", parts[i]);
        assert_int_equal(system_call(curfew, "GET", path, NULL, NULL), 404);
    }
    assert_int_equal(system_post(curfew, "/v1/jobs/j0123456789abc/stop"), 404);
}

static int set_up(void **state)
{
    UNUSED(state);
    curfew = system_start(&(struct system_plan){.managers = 2, .workers = 2, .reapers = 2});
    return 0;
}

static int tear_down(void **state)
{
    UNUSED(state);
    system_free(curfew);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_not_found_is_not_done), cmocka_unit_test(test_records_survive),
        cmocka_unit_test(test_postgres_restarts),     cmocka_unit_test(test_postgres_is_killed),
        cmocka_unit_test(test_everything_is_killed),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
