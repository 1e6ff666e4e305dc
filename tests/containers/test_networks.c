// The network of a job whose containers are started by two workers at once: they agree on one, whatever was there
// already, and it goes with the job.
#include "tests/support/test.h"

#include "services/common/engine/create.h"
#include "services/common/http/client.h"
#include "services/common/model/engine_labels.h"
#include "tests/support/containers.h"
#include "tests/support/process.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_MS 90000
#define WORKERS 2
#define JOBS 3
#define SLOTS 2 // of each worker
#define NETWORKS 3
// Its tasks fill both workers, each of them in its first attempt or not at all, and end when somebody has made a file.
#define SPEC                                                                                                  \
    "{'name':'net','image':'" ENGINE_IMAGE "','retries':{'max':0},'tasks':{'count':4},'command':['sh','-c','" \
    "while [ ! -e /tmp/go ]; do sleep 0.1; done'],'timeout':'5m'}"

static struct engine *engine;
static struct system *curfew;

// As engines do for two that ask at the same moment.
static void make_network(struct http_client *client, const char *job)
{
    AUTO_HTTP_RESPONSE struct http_response response = HTTP_RESPONSE_INIT;
    char name[ENGINE_NAME_SIZE], body[1024];
    struct err err;
    engine_network_name(system_deployment(curfew), job, name);
    int length = snprintf(body, sizeof body,
                          "{\"Name\":\"%.300s\",\"CheckDuplicate\":false,\"Driver\":\"bridge\",\"Labels\":{"
                          "\"" ENGINE_LABEL_DEPLOYMENT "\":\"%.60s\",\"" ENGINE_LABEL_JOB "\":\"%s\"}}",
                          name, system_deployment(curfew), job);
    assert_ok(http_post(client, "/networks/create", body, (size_t)length, &response, &err), err);
    assert_int_equal(response.status, 201);
}

static void make_networks(const char *job)
{
    char url[128];
    struct http_client *client;
    struct err err;
    snprintf(url, sizeof url, "unix:%s", engine_socket(engine));
    const struct http_client_settings settings = {.base_url = url};
    assert_ok(http_client_new(&settings, &client, &err), err);
    for (int i = 0; i < NETWORKS; i++)
        make_network(client, job);
    http_client_free(client);
}

static bool all_run(void *context)
{
    char label[128];
    snprintf(label, sizeof label, ENGINE_LABEL_JOB "=%s", (const char *)context);
    return engine_count(engine, label).running == WORKERS * SLOTS;
}

static void let_go(const char *job)
{
    AUTO_FREE char *tasks = containers_running(engine, job, NULL);
    char *rest = tasks;
    for (char *id; (id = strsep(&rest, "\n")) && *id;)
        free(engine_docker_ok(engine, "exec", id, "touch", "/tmp/go", NULL));
}

static void expect_one_network(const char *job)
{
    char label[128];
    snprintf(label, sizeof label, ENGINE_LABEL_JOB "=%s", job);
    if (!wait_until(all_run, (void *)(uintptr_t)job, WAIT_MS))
        system_explain(curfew, job);
    assert_int_equal(engine_count(engine, label).networks, 1);
}

static void finish(const char *job)
{
    let_go(job);
    json_object_put(system_wait_closed_as(curfew, job, "succeeded", WAIT_MS));
    assert_int_equal(system_leftovers(curfew, job), 0);
}

static void test_they_find_several(void **state)
{
    char id[SYSTEM_ID_SIZE];
    UNUSED(state);
    for (int i = 0; i < WORKERS; i++)
        system_signal(curfew, SYSTEM_WORKER, i, SIGSTOP);
    system_submit(curfew, id, SPEC);
    make_networks(id);
    for (int i = 0; i < WORKERS; i++)
        system_signal(curfew, SYSTEM_WORKER, i, SIGCONT);
    expect_one_network(id);
    finish(id);
    assert_int_equal(containers_left(engine, id), 0);
}

static void test_they_ask_at_once(void **state)
{
    char id[SYSTEM_ID_SIZE];
    UNUSED(state);
    for (int i = 0; i < JOBS; i++) {
        system_submit(curfew, id, SPEC);
        expect_one_network(id);
        finish(id);
        assert_int_equal(containers_left(engine, id), 0);
    }
}

// Whoever else is in there is not touched, and keeps it; with him it goes.
static void test_a_stranger_joins(void **state)
{
    char id[SYSTEM_ID_SIZE], network[ENGINE_NAME_SIZE], label[128];
    UNUSED(state);
    system_submit(curfew, id, SPEC);
    expect_one_network(id);
    engine_network_name(system_deployment(curfew), id, network);
    free(engine_docker_ok(engine, "run", "-d", "--init", "--name=stranger", "--net", network, ENGINE_IMAGE, "sleep",
                          "600", NULL));
    finish(id);
    snprintf(label, sizeof label, ENGINE_LABEL_JOB "=%s", id);
    assert_int_equal(engine_count(engine, label).networks, 1);
    AUTO_FREE char *address = engine_docker_ok(
        engine, "inspect", "--format={{.State.Running}} {{len .NetworkSettings.Networks}}", "stranger", NULL);
    assert_string_equal(address, "true 1\n");
    free(engine_docker_ok(engine, "rm", "-f", "stranger", NULL));
    assert_int_equal(engine_wait_none(engine, label, CONTAINERS_SWEEP_MS), 0);
}

static int set_up(void **state)
{
    UNUSED(state);
    engine = containers_engine_start();
    curfew = system_start(&(struct system_plan){.engine = engine, .workers = WORKERS, .slots = SLOTS});
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
        cmocka_unit_test(test_they_find_several),
        cmocka_unit_test(test_they_ask_at_once),
        cmocka_unit_test(test_a_stranger_joins),
    };
    return cmocka_run_group_tests_name("networks", tests, set_up, tear_down);
}
