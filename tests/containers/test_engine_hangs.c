// An engine that answers and does nothing, since its containerd hangs: what runs is as well as before, and what should
// end is being killed and never called stuck.
#include "services/common/base/clock.h"

#include "tests/support/containers.h"
#include "tests/support/manager.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define WAIT_MS 60000
#define LONG_MS 5000 // more than a check that fails, the grace, and all patience after the kill take together
#define LOOK_MS 20
#define SPEC                                                                                               \
    "{'name':'hangs','services':[{'name':'cache','image':'" ENGINE_IMAGE "','command':['sleep','3600'],"   \
    "'ready':{'exec':['true'],'interval':'200ms','timeout':'1s','failures':1},'stop':{'grace':'500ms'}}]," \
    "'stages':[{'name':'main','tasks':[1],'timeout':'5m',"                                                 \
    "'command':['sh','-c','while [ ! -e $1 ]; do sleep 0.1; done','wait','%s']}]}"

static struct engine *engine;
static struct system *curfew;

static void start(char job[SYSTEM_ID_SIZE], const char *file)
{
    system_submit(curfew, job, SPEC, file);
    system_expect(curfew, job, "/services/0/state", "ready", WAIT_MS);
}

static bool is_over(const char *state)
{
    return strcmp(state, "ready") != 0 && strcmp(state, "stopping") != 0 && strcmp(state, "killing") != 0;
}

// For so long the service is in no worse state than this one, in which it is said to wait for the engine.
static void expect_waiting(const char *job, const char *state)
{
    int64_t until_ms = clock_boot_ms() + LONG_MS, last_ms = until_ms + WAIT_MS;
    bool said = false, over = false;
    for (int64_t now_ms = 0; !over && now_ms < (said ? until_ms : last_ms); now_ms = clock_boot_ms()) {
        poll(NULL, 0, LOOK_MS);
        AUTO_JSON_OBJECT struct json_object *why = system_get(curfew, "/v1/jobs/%s/services/cache/why", job);
        const char *reached = json_text_at(why, "/evidence/state");
        said |= strcmp(reached, state) == 0 && strstr(json_text_at(why, "/message"), "container engine");
        over = is_over(reached);
    }
    if (!said || over)
        system_explain(curfew, job);
    assert_true(said && !over);
}

static void expect_end(const char *job, const char *outcome)
{
    AUTO_JSON_OBJECT struct json_object *shown = system_wait_closed_as(curfew, job, outcome, WAIT_MS);
    int64_t failed = system_sql(curfew,
                                "SELECT count(*) FROM event WHERE job = %lld AND kind IN ('service.unhealthy', "
                                "'service.stuck', 'service.failed')",
                                (long long)system_job_number(job));
    int64_t starts = system_sql(curfew, "SELECT count(*) FROM instance WHERE job = %lld AND error IS NULL",
                                (long long)system_job_number(job));
    if (failed > 0 || starts != 1)
        system_explain(curfew, job);
    assert_int_equal(failed, 0);
    assert_int_equal(starts, 1);
    assert_string_equal(json_text_at(shown, "/cleanup"), "clean");
    assert_int_equal(containers_left(engine, job), 0);
    assert_int_equal(system_leftovers(curfew, job), 0);
}

static void test_checks_that_cannot_be_made(void **state)
{
    char job[SYSTEM_ID_SIZE];
    const char *file = temp_path(state, "go");
    start(job, file);
    engine_freeze(engine, ENGINE_CONTAINERD);
    expect_waiting(job, "ready");
    engine_thaw(engine, ENGINE_CONTAINERD);
    assert_int_equal(close(creat(file, 0644)), 0);
    expect_end(job, "succeeded");
}

static void test_a_kill_that_is_not_carried_out(void **state)
{
    char job[SYSTEM_ID_SIZE];
    start(job, temp_path(state, "never"));
    engine_freeze(engine, ENGINE_CONTAINERD);
    system_stop(curfew, job);
    expect_waiting(job, "killing");
    engine_thaw(engine, ENGINE_CONTAINERD);
    expect_end(job, "stopped");
}

static int set_up(void **state)
{
    static const char *const settings[] = {"--stuck-after=2s", NULL};
    UNUSED(state);
    engine = containers_engine_start();
    curfew = system_start(&(struct system_plan){.engine = engine, .worker_settings = settings, .patient = true});
    return 0;
}

static int tear_down(void **state)
{
    UNUSED(state);
    return containers_end(curfew, engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_checks_that_cannot_be_made, temp_dir_setup, temp_dir_teardown),
        cmocka_unit_test_setup_teardown(test_a_kill_that_is_not_carried_out, temp_dir_setup, temp_dir_teardown),
    };
    return cmocka_run_group_tests_name("engine hangs", tests, set_up, tear_down);
}
