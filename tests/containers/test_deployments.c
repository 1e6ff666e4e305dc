// Two deployments at one engine, and others' containers beside them: neither ever touches what is not its own.
#include "tests/support/test.h"

#include "services/common/model/engine_labels.h"
#include "tests/support/containers.h"
#include "tests/support/process.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_MS 90000
#define SPEC                                                                                                      \
    "{'name':'same','services':[{'name':'store','image':'" ENGINE_IMAGE "','command':['nasty','tree'],'ports':[{" \
    "'name':'main'}],'env':{'PORT':'${PORT}'},'ready':{'tcp':'main'},'stop':{'grace':'300ms'}}],"                 \
    "'image':'" ENGINE_IMAGE "','command':['sleep','600']}"

enum { FIRST, SECOND, SYSTEMS };

static struct engine *engine;
static struct system *systems[SYSTEMS];
static char deployments[SYSTEMS][64];
static char jobs[SYSTEMS][SYSTEM_ID_SIZE];
static char services[SYSTEMS][CONTAINER_ID_SIZE], tasks[SYSTEMS][CONTAINER_ID_SIZE];

// ---- what is nobody's

static const char *const stranger_filter = "--filter=label=stranger=1";
static char *strangers; // ids of all of them

static char *list_strangers(void)
{
    char *text = NULL;
    AUTO_FREE char *containers = engine_docker_ok(engine, "ps", "-q", "--no-trunc", stranger_filter, NULL);
    AUTO_FREE char *networks = engine_docker_ok(engine, "network", "ls", "-q", "--no-trunc", stranger_filter, NULL);
    AUTO_FREE char *volumes = engine_docker_ok(engine, "volume", "ls", "-q", stranger_filter, NULL);
    assert_true(asprintf(&text, "%s%s%s", containers, networks, volumes) > 0);
    return text;
}

// Without our labels, and with labels that look like ours: of another deployment, of this one's jobs.
static void make_strangers(void)
{
    char job[128];
    snprintf(job, sizeof job, "--label=" ENGINE_LABEL_JOB "=%s", jobs[FIRST]);
    free(engine_docker_ok(engine, "run", "-d", "--init", "--label=stranger=1", ENGINE_IMAGE, "sleep", "6000", NULL));
    free(engine_docker_ok(engine, "run", "-d", "--init", "--label=stranger=1", "--name=curfew-cache",
                          "--label=" ENGINE_LABEL_DEPLOYMENT "=another", job, ENGINE_IMAGE, "sleep", "6000", NULL));
    free(engine_docker_ok(engine, "run", "-d", "--init", "--label=stranger=1", job, ENGINE_IMAGE, "sleep", "6000",
                          NULL));
    free(engine_docker_ok(engine, "network", "create", "--label=stranger=1", job, "curfew-other", NULL));
    free(engine_docker_ok(engine, "volume", "create", "--label=stranger=1", job, "curfew-volume", NULL));
    strangers = list_strangers();
}

static void expect_strangers(void)
{
    AUTO_FREE char *now = list_strangers();
    assert_string_equal(now, strangers);
}

// ---- what is somebody's

static void start_job(int number)
{
    system_submit(systems[number], jobs[number], SPEC);
    containers_wait_one(engine, jobs[number], "store", services[number]);
    containers_wait_one(engine, jobs[number], NULL, tasks[number]);
}

static void expect_untouched(int number)
{
    char now[CONTAINER_ID_SIZE];
    containers_wait_one(engine, jobs[number], "store", now);
    assert_string_equal(now, services[number]);
    containers_wait_one(engine, jobs[number], NULL, now);
    assert_string_equal(now, tasks[number]);
    expect_strangers();
}

static int left_of(int number)
{
    char label[128];
    snprintf(label, sizeof label, ENGINE_LABEL_DEPLOYMENT "=%s", deployments[number]);
    return engine_wait_none(engine, label, CONTAINERS_SWEEP_MS);
}

static void test_a_stop_is_for_one(void **state)
{
    UNUSED(state);
    system_stop(systems[FIRST], jobs[FIRST]);
    json_object_put(system_wait_closed(systems[FIRST], jobs[FIRST], WAIT_MS));
    assert_int_equal(left_of(FIRST), 0);
    assert_int_equal(system_leftovers(systems[FIRST], jobs[FIRST]), 0);
    expect_untouched(SECOND);
}

// The reaper of the first ends what its lost worker had; that of the second sees it too.
static void test_a_lost_worker_is_ones_own(void **state)
{
    UNUSED(state);
    start_job(FIRST);
    system_kill(systems[FIRST], SYSTEM_WORKER, 0);
    system_stop(systems[FIRST], jobs[FIRST]);
    json_object_put(system_wait_closed(systems[FIRST], jobs[FIRST], WAIT_MS));
    assert_int_equal(left_of(FIRST), 0);
    expect_untouched(SECOND);
    system_restart(systems[FIRST], SYSTEM_WORKER, 0);
    system_wait_ready(systems[FIRST], 1);
    expect_untouched(SECOND);
}

// What no row wants goes, but only what is this deployment's.
static void test_orphans_are_ones_own(void **state)
{
    char label[128];
    UNUSED(state);
    snprintf(label, sizeof label, "--label=" ENGINE_LABEL_DEPLOYMENT "=%s", deployments[FIRST]);
    system_signal(systems[FIRST], SYSTEM_REAPER, 0, SIGSTOP); // it may not go between its create and its start
    free(engine_docker_ok(engine, "run", "-d", "--init", label, "--label=" ENGINE_LABEL_JOB "=j0cnv6bv2mqe4m",
                          "--label=" ENGINE_LABEL_IDENTITY "=j0cnv6bv2mqe4m/store/1", ENGINE_IMAGE, "sleep", "6000",
                          NULL));
    system_signal(systems[FIRST], SYSTEM_REAPER, 0, SIGCONT);
    assert_int_equal(left_of(FIRST), 0);
    expect_untouched(SECOND);
}

static void test_what_is_left_ends_as_well(void **state)
{
    UNUSED(state);
    expect_untouched(SECOND);
    system_stop(systems[SECOND], jobs[SECOND]);
    json_object_put(system_wait_closed(systems[SECOND], jobs[SECOND], WAIT_MS));
    assert_int_equal(left_of(SECOND), 0);
    expect_strangers();
}

static int set_up(void **state)
{
    UNUSED(state);
    engine = containers_engine_start();
    for (int i = 0; i < SYSTEMS; i++) {
        systems[i] = system_start(&(struct system_plan){.engine = engine});
        snprintf(deployments[i], sizeof deployments[i], "%s", system_deployment(systems[i]));
    }
    for (int i = 0; i < SYSTEMS; i++)
        start_job(i);
    make_strangers();
    return 0;
}

static int tear_down(void **state)
{
    UNUSED(state);
    int wrong = 0;
    for (int i = 0; i < SYSTEMS; i++) {
        wrong += system_violations(systems[i]);
        system_free(systems[i]);
    }
    engine_stop(engine);
    free(strangers);
    return wrong;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_stop_is_for_one),
        cmocka_unit_test(test_a_lost_worker_is_ones_own),
        cmocka_unit_test(test_orphans_are_ones_own),
        cmocka_unit_test(test_what_is_left_ends_as_well),
    };
    return cmocka_run_group_tests_name("deployments", tests, set_up, tear_down);
}
