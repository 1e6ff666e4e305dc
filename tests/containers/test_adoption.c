// Whatever is killed, a service in a container goes on for the job that needs it: the same container, under the same
// epoch, and the job succeeds. What becomes of the tasks of a worker that is killed is in test_adoption_tasks.c.
#include "tests/support/test.h"

#include "services/common/base/clock.h"
#include "services/common/model/engine_labels.h"
#include "tests/support/containers.h"
#include "tests/support/process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_MS 90000
// The task ends when somebody has made a file in its container. With a service that is tried again this test would not
// see that one was lost.
#define SPEC                                                                                                          \
    "{'name':'%s','services':[{'name':'store','image':'" ENGINE_IMAGE "','command':['nasty','tree'],'ports':[{"       \
    "'name':'main'}],'env':{'PORT':'${PORT}'},'ready':{'tcp':'main'},'stop':{'grace':'300ms'}}],"                     \
    "'stages':[{'name':'main','image':'" ENGINE_IMAGE "','retries':{'max':%d,'backoff':'10ms'},'command':['sh','-c'," \
    "'while [ ! -e /tmp/go ]; do sleep 0.1; done; wget -qO- http://store:$CURFEW_SERVICE_STORE_PORT/']}]}"

static struct engine *engine;
static struct system *curfew;
static char *bystander; // its id: no container of ours

struct running {
    char id[SYSTEM_ID_SIZE];
    char service[CONTAINER_ID_SIZE], task[CONTAINER_ID_SIZE];
};

static void start_job(struct running *job, const char *name, int retries)
{
    system_submit(curfew, job->id, SPEC, name, retries);
    containers_wait_one(engine, job->id, "store", job->service);
    containers_wait_one(engine, job->id, NULL, job->task);
}

static void expect_service(const struct running *job)
{
    char now[CONTAINER_ID_SIZE];
    containers_wait_one(engine, job->id, "store", now);
    assert_string_equal(now, job->service);
}

// Lets the task that runs now end; there may be a new one meanwhile.
static bool released(void *context)
{
    const struct running *job = context;
    AUTO_JSON_OBJECT struct json_object *shown = system_get(curfew, "/v1/jobs/%s", job->id);
    if (*json_text_at(shown, "/outcome"))
        return true;
    AUTO_FREE char *tasks = containers_running(engine, job->id, NULL);
    char *rest = tasks;
    for (char *id; (id = strsep(&rest, "\n")) && *id;)
        free(engine_docker(engine, "exec", id, "touch", "/tmp/go", NULL));
    return false;
}

static void finish_job(struct running *job)
{
    expect_service(job);
    if (!wait_until(released, job, WAIT_MS))
        system_explain(curfew, job->id);
    json_object_put(system_wait_closed_as(curfew, job->id, "succeeded", WAIT_MS));
    assert_int_equal(system_leftovers(curfew, job->id), 0);
    assert_int_equal(containers_left(engine, job->id), 0);
    AUTO_JSON_OBJECT struct json_object *cleanup = system_get(curfew, "/v1/jobs/%s/cleanup", job->id);
    assert_int_equal(json_length_at(cleanup, "/certificates"), 1); // there was no second start
    assert_int_equal(json_number_at(cleanup, "/certificates/0/epoch"), 1);
    assert_false(json_object_get_boolean(json_at(cleanup, "/certificates/0/failed")));
    AUTO_FREE char *others = engine_docker_ok(engine, "ps", "-q", "--no-trunc", "--filter=name=bystander", NULL);
    assert_string_equal(others, bystander);
}

static int64_t attempts(const struct running *job)
{
    AUTO_JSON_OBJECT struct json_object *task = system_get(curfew, "/v1/jobs/%s/tasks/main/0", job->id);
    return json_number_at(task, "/attempt");
}

// ---- programs

// A job that is stopped while its worker is away: the reaper ends what is at the engine.
static void test_stop_without_the_worker(void **state)
{
    struct running job;
    UNUSED(state);
    start_job(&job, "alone", 0);
    system_kill(curfew, SYSTEM_WORKER, 0);
    system_stop(curfew, job.id);
    AUTO_JSON_OBJECT struct json_object *shown = system_wait_closed_as(curfew, job.id, "stopped", WAIT_MS);
    assert_string_equal(json_text_at(shown, "/cleanup"), "clean");
    assert_int_equal(containers_left(engine, job.id), 0);
    assert_int_equal(system_leftovers(curfew, job.id), 0);
    system_restart(curfew, SYSTEM_WORKER, 0);
    system_wait_ready(curfew, 1);
}

static void kill_with_the_same_task(enum system_part part, const char *name)
{
    struct running job;
    char task[CONTAINER_ID_SIZE];
    start_job(&job, name, 0);
    system_kill(curfew, part, 0);
    system_restart(curfew, part, 0);
    system_wait_ready(curfew, 1);
    containers_wait_one(engine, job.id, NULL, task);
    assert_string_equal(task, job.task);
    finish_job(&job);
    assert_int_equal(attempts(&job), 1);
}

static void test_killed_manager(void **state)
{
    UNUSED(state);
    kill_with_the_same_task(SYSTEM_MANAGER, "manager");
}

static void test_killed_reaper(void **state)
{
    UNUSED(state);
    kill_with_the_same_task(SYSTEM_REAPER, "reaper");
}

// ---- the engine

static void test_killed_dockerd(void **state)
{
    struct running job;
    UNUSED(state);
    start_job(&job, "dockerd", 3);
    assert_true(engine_kill(engine, ENGINE_DOCKERD));
    engine_restart(engine);
    finish_job(&job);
}

static void test_dockerd_killed_with_its_worker(void **state)
{
    struct running job;
    UNUSED(state);
    start_job(&job, "both", 3);
    system_kill(curfew, SYSTEM_WORKER, 0);
    assert_true(engine_kill(engine, ENGINE_DOCKERD));
    system_restart(curfew, SYSTEM_WORKER, 0);
    engine_restart(engine);
    finish_job(&job);
}

static bool outlived_its_lease(void *context)
{
    const int64_t *killed_at_ms = context;
    return system_sql(curfew, "SELECT (extract(epoch FROM lease_until) * 1000)::bigint FROM curfew.worker") >
           *killed_at_ms + SYSTEM_LEASE_MS + 2000;
}

// Its next lives keep the lease, and touch nothing, until the engine is back and they can look.
static void test_worker_restarted_while_its_engine_is_away_for_long(void **state)
{
    struct running job;
    UNUSED(state);
    start_job(&job, "away", 3);
    assert_true(engine_kill(engine, ENGINE_DOCKERD));
    int64_t killed_at_ms = clock_wall_us() / 1000;
    for (int i = 0; i < 2; i++) {
        system_kill(curfew, SYSTEM_WORKER, 0);
        system_restart(curfew, SYSTEM_WORKER, 0);
        assert_true(wait_until(outlived_its_lease, &killed_at_ms, WAIT_MS));
        killed_at_ms = clock_wall_us() / 1000;
    }
    engine_restart(engine);
    finish_job(&job);
    assert_int_equal(attempts(&job), 1);
}

// It comes back by itself, after ten seconds.
static void test_killed_containerd(void **state)
{
    struct running job;
    UNUSED(state);
    start_job(&job, "containerd", 3);
    assert_true(engine_kill(engine, ENGINE_CONTAINERD));
    finish_job(&job);
}

// What is started before containerd is back gets its input all the same, in its first attempt.
static void test_started_without_containerd(void **state)
{
    char id[SYSTEM_ID_SIZE];
    UNUSED(state);
    assert_true(engine_kill(engine, ENGINE_CONTAINERD));
    system_submit(curfew, id,
                  "{'name':'deaf','stages':[{'name':'main','image':'" ENGINE_IMAGE
                  "','retries':{'max':0},'tasks':[7],'command':['sh','-c','cat >$CURFEW_OUTPUT']}]}");
    json_object_put(system_wait_closed_as(curfew, id, "succeeded", WAIT_MS));
    assert_int_equal(containers_left(engine, id), 0);
}

// ---- the whole

static int set_up(void **state)
{
    UNUSED(state);
    engine = containers_engine_start();
    curfew = system_start(&(struct system_plan){.engine = engine});
    bystander = engine_docker_ok(engine, "run", "-d", "--init", "--name=bystander",
                                 "--label=" ENGINE_LABEL_DEPLOYMENT "=another", ENGINE_IMAGE, "sleep", "6000", NULL);
    return 0;
}

static int tear_down(void **state)
{
    UNUSED(state);
    free(bystander);
    return containers_end(curfew, engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stop_without_the_worker),
        cmocka_unit_test(test_killed_manager),
        cmocka_unit_test(test_killed_reaper),
        cmocka_unit_test(test_killed_dockerd),
        cmocka_unit_test(test_dockerd_killed_with_its_worker),
        cmocka_unit_test(test_worker_restarted_while_its_engine_is_away_for_long),
        cmocka_unit_test(test_killed_containerd),
        cmocka_unit_test(test_started_without_containerd),
    };
    return cmocka_run_group_tests_name("adoption", tests, set_up, tear_down);
}
