// A worker that is killed and comes back finds its tasks again: their containers go on, or have ended meanwhile, and
// count, in their first attempt. What was stopped meanwhile is ended.
//
// Leases are long here: a worker that was lost, because the machine is slow, may not take its tasks up again.
#include "tests/support/test.h"

#include "tests/support/containers.h"
#include "tests/support/process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_MS 90000
// A task ends when somebody has made a file in its container: one that runs again, behind the test's back, never ends.
// The first of several ends at once.
#define SPEC                                                                                                    \
    "{'name':'%s','services':[{'name':'store','image':'" ENGINE_IMAGE "','command':['nasty','tree'],'ports':[{" \
    "'name':'main'}],'env':{'PORT':'${PORT}'},'ready':{'tcp':'main'},'stop':{'grace':'300ms'}}],"               \
    "'stages':[{'name':'main','image':'" ENGINE_IMAGE "','retries':{'max':0},'tasks':%s,'command':['sh','-c',"  \
    "'read -r item; echo begun; while [ ! -e /tmp/go ] && [ $CURFEW_TASK$item != 02 ]; do sleep 0.1; done; "    \
    "wget -qO- http://store:$CURFEW_SERVICE_STORE_PORT/ >/dev/null && echo ended && echo $item >>$CURFEW_OUTPUT']}]}"

static struct engine *engine;
static struct system *curfew;

struct running {
    int tasks;
    char id[SYSTEM_ID_SIZE];
    char service[CONTAINER_ID_SIZE], task[CONTAINER_ID_SIZE];
};

static int count(const char *text, const char *word)
{
    int found = 0;
    for (const char *at = text; (at = strstr(at, word)); at += strlen(word))
        found++;
    return found;
}

static bool has_begun(void *context)
{
    const struct running *job = context;
    AUTO_FREE char *log = system_stream(curfew, "/v1/jobs/%s/logs", job->id);
    return count(log, "begun") == job->tasks;
}

// Returns when one of its tasks is left, which waits.
static void start_job(struct running *job, const char *name, const char *items)
{
    job->tasks = 1 + count(items, ",");
    system_submit(curfew, job->id, SPEC, name, items);
    containers_wait_one(engine, job->id, "store", job->service);
    assert_true(wait_until(has_begun, job, WAIT_MS));
    containers_wait_one(engine, job->id, NULL, job->task);
}

static void come_back(void)
{
    system_restart(curfew, SYSTEM_WORKER, 0);
    system_wait_ready(curfew, 1);
}

static void let_end(const struct running *job)
{
    free(engine_docker_ok(engine, "exec", job->task, "touch", "/tmp/go", NULL));
}

static void expect_same(const struct running *job)
{
    char id[CONTAINER_ID_SIZE];
    containers_wait_one(engine, job->id, NULL, id);
    assert_string_equal(id, job->task);
    containers_wait_one(engine, job->id, "store", id);
    assert_string_equal(id, job->service);
}

// One run of each task counted, with its whole log.
static void expect_success(const struct running *job)
{
    json_object_put(system_wait_closed_as(curfew, job->id, "succeeded", WAIT_MS));
    AUTO_JSON_OBJECT struct json_object *task =
        system_get(curfew, "/v1/jobs/%s/tasks/main/%d", job->id, job->tasks - 1);
    assert_int_equal(json_number_at(task, "/attempt"), 1);
    AUTO_FREE char *results = system_stream(curfew, "/v1/jobs/%s/results", job->id);
    assert_int_equal(count(results, "\"output\":"), job->tasks);
    AUTO_FREE char *log = system_stream(curfew, "/v1/jobs/%s/logs", job->id);
    assert_int_equal(count(log, "begun"), job->tasks);
    assert_int_equal(count(log, "ended"), job->tasks);
    assert_int_equal(system_leftovers(curfew, job->id), 0);
    assert_int_equal(containers_left(engine, job->id), 0);
}

static void test_goes_on(void **state)
{
    struct running job;
    UNUSED(state);
    start_job(&job, "goes-on", "[7]");
    for (int life = 0; life < 2; life++) { // what was adopted is adopted again
        system_kill(curfew, SYSTEM_WORKER, 0);
        come_back();
        expect_same(&job);
    }
    let_end(&job);
    expect_success(&job);
}

static bool has_ended(void *context)
{
    const struct running *job = context;
    AUTO_FREE char *tasks = containers_running(engine, job->id, NULL);
    return !*tasks;
}

static void test_ends_meanwhile(void **state)
{
    struct running job;
    UNUSED(state);
    start_job(&job, "meanwhile", "[7]");
    system_kill(curfew, SYSTEM_WORKER, 0);
    let_end(&job);
    assert_true(wait_until(has_ended, &job, WAIT_MS));
    come_back();
    expect_success(&job);
}

// Of a slice of two the one that had ended runs again: what it achieved was in the memory of the worker.
static void test_one_of_several_goes_on(void **state)
{
    struct running job;
    UNUSED(state);
    start_job(&job, "several", "[2,2]");
    system_kill(curfew, SYSTEM_WORKER, 0);
    come_back();
    expect_same(&job);
    let_end(&job);
    expect_success(&job);
}

static void test_stopped_meanwhile(void **state)
{
    struct running job;
    UNUSED(state);
    start_job(&job, "stopped", "[7]");
    system_kill(curfew, SYSTEM_WORKER, 0);
    system_stop(curfew, job.id);
    come_back();
    json_object_put(system_wait_closed_as(curfew, job.id, "stopped", WAIT_MS));
    assert_int_equal(system_leftovers(curfew, job.id), 0);
    assert_int_equal(containers_left(engine, job.id), 0);
}

static int set_up(void **state)
{
    UNUSED(state);
    engine = containers_engine_start();
    curfew = system_start(&(struct system_plan){.engine = engine, .patient = true});
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
        cmocka_unit_test(test_goes_on),
        cmocka_unit_test(test_ends_meanwhile),
        cmocka_unit_test(test_one_of_several_goes_on),
        cmocka_unit_test(test_stopped_meanwhile),
    };
    return cmocka_run_group_tests_name("adoption_tasks", tests, set_up, tear_down);
}
