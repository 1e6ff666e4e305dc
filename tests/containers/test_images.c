// Images and names that are trouble: what becomes of the job, what it says, and that nothing is left.
#include "services/common/base/fd.h"
#include "tests/support/containers.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define WAIT_MS 90000
#define MEBIBYTE (INT64_C(1) << 20)
#define NO_IMAGE "localhost:1/nobody/nothing:1"
#define IMAGE "'image':'" ENGINE_IMAGE "'"
#define SERVICE(name, image, command, more)                                                     \
    "{'name':'" name "','image':'" image "','command':[" command "],'ports':[{'name':'main'}]," \
    "'env':{'PORT':'${PORT}'},'stop':{'grace':'300ms'}," more "}"
#define TCP "'ready':{'tcp':'main'}"

static struct engine *engine;
static struct system *curfew;
static char deployment[64];
static char *registry_directory;

static struct json_object *closed(const char *id, const char *outcome)
{
    struct json_object *job = system_wait_closed_as(curfew, id, outcome, WAIT_MS);
    assert_int_equal(system_leftovers(curfew, id), 0);
    assert_int_equal(containers_left(engine, id), 0);
    return job;
}

static void expect_part(struct json_object *json, const char *pointer, const char *part)
{
    if (!strstr(json_text_at(json, pointer), part))
        fail_msg("%s does not say '%s': %s", pointer, part, json_object_to_json_string(json));
}

static void expect_task_error(const char *id, const char *part)
{
    AUTO_JSON_OBJECT struct json_object *task = system_get(curfew, "/v1/jobs/%s/tasks/main/0", id);
    expect_part(task, "/error/error", part);
}

// ---- images

static void test_missing_image_of_a_service(void **state)
{
    char id[SYSTEM_ID_SIZE];
    UNUSED(state);
    system_submit(curfew, id,
                  "{'name':'missing','services':[" SERVICE("store", NO_IMAGE, "'true'", TCP) "],"
                                                                                             "'command':['true']}");
    AUTO_JSON_OBJECT struct json_object *job = closed(id, "failed");
    assert_string_equal(json_text_at(job, "/reason/code"), "service_failed");
    AUTO_JSON_OBJECT struct json_object *services = system_get(curfew, "/v1/jobs/%s/services", id);
    expect_part(services, "/services/0/error", NO_IMAGE);
    assert_non_null(strstr(system_log(curfew, SYSTEM_WORKER, 0), NO_IMAGE));
}

static void test_missing_image_of_a_task(void **state)
{
    char id[SYSTEM_ID_SIZE];
    UNUSED(state);
    system_submit(curfew, id,
                  "{'name':'missing','image':'" NO_IMAGE "','retries':{'max':1,'backoff':'10ms'},'command':['true']}");
    AUTO_JSON_OBJECT struct json_object *job = closed(id, "failed");
    assert_string_equal(json_text_at(job, "/reason/code"), "task_failed");
    expect_task_error(id, NO_IMAGE);
}

// A registry of our own. At loopback addresses an engine asks for no TLS.
static struct process *start_registry(int port)
{
    static char config[128];
    char text[512];
    struct err err;
    snprintf(config, sizeof config, "%s/config.yml", registry_directory);
    snprintf(text, sizeof text,
             "version: 0.1\nlog: {level: warn}\nstorage: {filesystem: {rootdirectory: %s/data}}\n"
             "http: {addr: '127.0.0.1:%d'}\n",
             registry_directory, port);
    assert_ok(file_replace(config, text, strlen(text), 0600, &err), err);
    return process_start((const char *const[]){"docker-registry", "serve", config, NULL}, NULL);
}

static bool is_pushed(void *context)
{
    char *said = engine_docker(engine, "push", context, NULL); // until the registry listens
    free(said);
    return said != NULL;
}

static void test_an_image_is_pulled(void **state)
{
    char id[SYSTEM_ID_SIZE], image[64];
    int port = free_port();
    UNUSED(state);
    registry_directory = temp_dir_new();
    AUTO_PROCESS struct process *registry = start_registry(port);
    snprintf(image, sizeof image, "127.0.0.1:%d/pulled:1", port);
    free(engine_docker_ok(engine, "tag", ENGINE_IMAGE, image, NULL));
    assert_true(wait_until(is_pushed, image, WAIT_MS));
    free(engine_docker_ok(engine, "rmi", image, NULL));
    system_submit(curfew, id,
                  "{'name':'pulled','services':[{'name':'store','image':'%s','command':['nasty','well-behaved'],"
                  "'ports':[{'name':'main'}],'env':{'PORT':'${PORT}'}," TCP "}],'image':'%s','command':['true']}",
                  image, image);
    json_object_put(closed(id, "succeeded"));
    assert_non_null(strstr(system_log(curfew, SYSTEM_WORKER, 0), "pulling an image"));
    free(engine_docker_ok(engine, "rmi", image, NULL)); // it was there
    assert_true(process_is_running(registry));
    temp_dir_free(registry_directory);
}

// Somebody listens where the registry should be, and says nothing.
static void test_a_pull_that_does_not_end(void **state)
{
    char id[SYSTEM_ID_SIZE];
    int port = free_port(), listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    UNUSED(state);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 16), 0);
    system_submit(curfew, id,
                  "{'name':'silent','services':[{'name':'store','image':'127.0.0.1:%d/silent:1','command':['true']}],"
                  "'command':['true']}",
                  port);
    AUTO_JSON_OBJECT struct json_object *job = closed(id, "failed");
    assert_string_equal(json_text_at(job, "/reason/code"), "service_failed");
    expect_part(job, "/reason/message", "took longer than image-timeout, 15 s");
    close(listener);
}

static void test_no_such_command(void **state)
{
    char service[SYSTEM_ID_SIZE], task[SYSTEM_ID_SIZE];
    UNUSED(state);
    system_submit(curfew, service,
                  "{'name':'command','services':[" SERVICE("store", ENGINE_IMAGE, "'no-such-program'",
                                                           TCP) "],'command':['true']}");
    system_submit(curfew, task, "{'name':'command'," IMAGE ",'retries':{'max':0},'command':['no-such-program']}");
    AUTO_JSON_OBJECT struct json_object *first = closed(service, "failed"), *second = closed(task, "failed");
    AUTO_JSON_OBJECT struct json_object *services = system_get(curfew, "/v1/jobs/%s/services", service);
    assert_string_equal(json_text_at(first, "/reason/code"), "service_failed");
    expect_part(services, "/services/0/error", "no-such-program");
    assert_string_equal(json_text_at(second, "/reason/code"), "task_failed");
    expect_task_error(task, "no-such-program");
}

// Whether a service is ready is said by the job, not by its image.
static void test_healthcheck_that_never_passes(void **state)
{
    char id[SYSTEM_ID_SIZE];
    UNUSED(state);
    system_submit(curfew, id,
                  "{'name':'unhealthy','services':[" SERVICE("store", ENGINE_IMAGE_UNHEALTHY, "'nasty','well-behaved'",
                                                             TCP) "],"
                                                                  "'image':'" ENGINE_IMAGE_UNHEALTHY
                                                                  "','command':['sleep','2']}");
    AUTO_JSON_OBJECT struct json_object *job = closed(id, "succeeded");
    assert_int_equal(json_number_at(job, "/services/0/epoch"), 1);
}

static void test_writes_a_lot(void **state)
{
    char id[SYSTEM_ID_SIZE];
    UNUSED(state);
    int64_t before = system_resident_bytes(system_pid(curfew, SYSTEM_WORKER, 0));
    system_submit(curfew, id,
                  "{'name':'chatty','services':[" SERVICE("chatty", ENGINE_IMAGE, "'nasty','writes-1gb','100000000'",
                                                          "'ready':{'log':'^ready$'}") "],'command':['true']}");
    json_object_put(closed(id, "succeeded"));
    int64_t grown = system_resident_bytes(system_pid(curfew, SYSTEM_WORKER, 0)) - before;
    int64_t kept = system_sql(curfew, "SELECT coalesce(sum(length(content)), 0) FROM log WHERE job = %lld",
                              (long long)system_job_number(id));
    print_message("worker +%lld KiB, log %lld KiB\n", (long long)grown / 1024, (long long)kept / 1024);
    assert_true(grown < 48 * MEBIBYTE);
    assert_in_range(kept, 1024, 16 * MEBIBYTE);
}

// ---- names and ports that others have

// `store` is started when `first`, which the test makes ready, is: in between its name is taken.
static void test_name_taken_by_a_stranger(void **state)
{
    char id[SYSTEM_ID_SIZE], first[CONTAINER_ID_SIZE], name[160], label[64];
    UNUSED(state);
    system_submit(curfew, id,
                  "{'name':'taken','services':[{'name':'first'," IMAGE ",'command':['sleep','600'],'ready':{'exec':["
                  "'test','-e','/tmp/go']},'stop':{'grace':'300ms'}},{'name':'store','depends_on':['first']," IMAGE
                  ",'command':['sleep','600'],'stop':{'grace':'300ms'}}],'command':['true']}");
    containers_wait_one(engine, id, "first", first);
    snprintf(name, sizeof name, "--name=curfew-%s-%s.store.1", deployment, id);
    snprintf(label, sizeof label, "--label=stranger=%s", id);
    free(engine_docker_ok(engine, "run", "-d", "--init", label, name, ENGINE_IMAGE, "sleep", "600", NULL));
    free(engine_docker_ok(engine, "exec", first, "touch", "/tmp/go", NULL));
    AUTO_JSON_OBJECT struct json_object *job = closed(id, "failed");
    assert_string_equal(json_text_at(job, "/reason/code"), "service_failed");
    AUTO_JSON_OBJECT struct json_object *services = system_get(curfew, "/v1/jobs/%s/services", id);
    AUTO_FREE char *text = strdup(json_object_to_json_string(services));
    assert_non_null(strstr(text, name + strlen("--name=")));
    // The stranger's container runs.
    char *stranger = engine_docker_ok(engine, "ps", "-q", "--filter", label + strlen("--"), NULL);
    assert_int_not_equal(strlen(stranger), 0);
    stranger[strcspn(stranger, "\n")] = '\0';
    free(engine_docker_ok(engine, "rm", "-f", stranger, NULL));
    free(stranger);
}

#define TAKEN 8

// Of those that the engine gives out in turn.
static int next_port(void)
{
    free(engine_docker_ok(engine, "run", "-d", "--init", "--name=port", "-p=" ENGINE_ADDRESS "::80", ENGINE_IMAGE,
                          "sleep", "600", NULL));
    char *text AUTO_FREE = engine_docker_ok(engine, "port", "port", "80/tcp", NULL);
    free(engine_docker_ok(engine, "rm", "-f", "port", NULL));
    return atoi(strrchr(text, ':') + 1) + 1;
}

// The first ports that the engine would publish are listened on by somebody else.
static void test_ports_taken(void **state)
{
    char id[SYSTEM_ID_SIZE];
    int listeners[TAKEN];
    UNUSED(state);
    int next = next_port();
    for (int i = 0; i < TAKEN; i++) {
        struct sockaddr_in address = {
            .sin_family = AF_INET, .sin_port = htons((uint16_t)(next + i)), .sin_addr.s_addr = htonl(INADDR_ANY)};
        listeners[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(listeners[i], (struct sockaddr *)&address, sizeof address), 0);
        assert_int_equal(listen(listeners[i], 1), 0);
    }
    system_submit(curfew, id,
                  "{'name':'ports','services':[" SERVICE(
                      "store", ENGINE_IMAGE, "'nasty','well-behaved'",
                      TCP) "],"
                           "'command':['sh','-c','curl -s http://$CURFEW_SERVICE_STORE_ADDR/ | grep -q ok']}");
    json_object_put(closed(id, "succeeded"));
    for (int i = 0; i < TAKEN; i++)
        close(listeners[i]);
}

// Two jobs whose services listen on the same port of their own containers.
static void test_the_same_port_twice(void **state)
{
    char ids[2][SYSTEM_ID_SIZE];
    UNUSED(state);
    for (int i = 0; i < 2; i++)
        system_submit(curfew, ids[i],
                      "{'name':'same','services':[{'name':'store'," IMAGE ",'command':['nasty','well-behaved'],"
                      "'ports':[{'name':'main','container':8080}],'env':{'PORT':'8080'}," TCP "}]," IMAGE
                      ",'command':['sh','-c','wget -qO- http://store:8080/ && sleep 1']}");
    for (int i = 0; i < 2; i++)
        json_object_put(closed(ids[i], "succeeded"));
}

// ---- what the engine gives

static bool volumes_are(void *context)
{
    return engine_count(engine, NULL).volumes == *(const int *)context;
}

// An image that wants a volume gets one without a name or label, which goes with its container.
static void test_anonymous_volumes(void **state)
{
    char id[SYSTEM_ID_SIZE];
    UNUSED(state);
    free(engine_docker_ok(engine, "create", "--name=volume", ENGINE_IMAGE, "true", NULL));
    free(engine_docker_ok(engine, "commit", "--change=VOLUME /data", "volume", "curfew-test:volume", NULL));
    free(engine_docker_ok(engine, "rm", "-v", "volume", NULL));
    int before = engine_count(engine, NULL).volumes;
    system_submit(curfew, id,
                  "{'name':'volume','services':[{'name':'store','image':'curfew-test:volume','command':['nasty',"
                  "'well-behaved'],'ports':[{'name':'main'}],'env':{'PORT':'${PORT}'}," TCP "}],"
                  "'image':'curfew-test:volume','command':['sh','-c','echo x >/data/x && sleep 600']}");
    int during = before + 2;
    assert_true(wait_until(volumes_are, &during, WAIT_MS)); // they are there
    system_stop(curfew, id);
    json_object_put(closed(id, "stopped"));
    assert_true(wait_until(volumes_are, &before, WAIT_MS));
}

#define NETWORKS_MAX 64

// Every network takes one of the engine's address ranges: about thirty, where nobody has given it more.
static void test_no_addresses_left(void **state)
{
    char id[SYSTEM_ID_SIZE], name[24];
    int count = 0;
    bool made = true;
    UNUSED(state);
    while (made && count < NETWORKS_MAX) {
        snprintf(name, sizeof name, "filler-%d", count);
        char *said = engine_docker(engine, "network", "create", "--label=filler=1", name, NULL);
        made = said != NULL;
        count += made;
        free(said);
    }
    assert_in_range(count, 1, NETWORKS_MAX - 1);
    system_submit(curfew, id,
                  "{'name':'full','services':[" SERVICE("store", ENGINE_IMAGE, "'true'", TCP) "],"
                                                                                              "'command':['true']}");
    AUTO_JSON_OBJECT struct json_object *job = closed(id, "failed");
    expect_part(job, "/reason/message", "no addresses left for another network");
    expect_part(job, "/reason/message", "docker network prune");
    free(engine_docker_ok(engine, "network", "prune", "--force", "--filter=label=filler=1", NULL));
}

// ---- the whole

static int set_up(void **state)
{
    UNUSED(state);
    engine = containers_engine_start();
    static const char *const settings[] = {"--image-timeout=15s", NULL};
    curfew = system_start(
        &(struct system_plan){.engine = engine, .slots = 20, .patient = true, .worker_settings = settings});
    snprintf(deployment, sizeof deployment, "%s", system_deployment(curfew));
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
        cmocka_unit_test(test_missing_image_of_a_service),
        cmocka_unit_test(test_missing_image_of_a_task),
        cmocka_unit_test(test_an_image_is_pulled),
        cmocka_unit_test(test_a_pull_that_does_not_end),
        cmocka_unit_test(test_no_such_command),
        cmocka_unit_test(test_healthcheck_that_never_passes),
        cmocka_unit_test(test_writes_a_lot),
        cmocka_unit_test(test_name_taken_by_a_stranger),
        cmocka_unit_test(test_ports_taken),
        cmocka_unit_test(test_the_same_port_twice),
        cmocka_unit_test(test_anonymous_volumes),
        cmocka_unit_test(test_no_addresses_left),
    };
    return cmocka_run_group_tests_name("images", tests, set_up, tear_down);
}
