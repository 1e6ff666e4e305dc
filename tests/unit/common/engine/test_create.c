#include "services/common/engine/create.h"

#include "services/common/base/cleanup.h"
#include "tests/support/manager.h"
#include "tests/support/test.h"

#include <json-c/json.h>
#include <string.h>

static const char *const argv[] = {"redis-server", "--port", "6379", NULL};
static const char *const env[] = {"A=1", "B=\"x\"", NULL};
static const struct engine_create_port ports[] = {{"main", 6379}, {"admin", 80}};

static struct engine_create a_service(void)
{
    return (struct engine_create){
        .image = "redis:7",
        .argv = argv,
        .env = env,
        .directory = "/var/lib/curfew/work/x",
        .deployment = "d1",
        .job = "j1",
        .identity = "j1/cache/2",
        .worker = "w",
        .owner = "o",
        .service = "cache",
        .epoch = "2",
        .network = "net",
        .alias = "cache",
        .publish_address = "127.0.0.1",
        .ports = ports,
        .port_count = 2,
        .stop_signal = "SIGINT",
        .stop_grace_ms = 1500,
    };
}

static struct json_object *body_of(const struct engine_create *create)
{
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    engine_create_write(create, &text);
    struct json_object *body = json_tokener_parse(strbuf_text(&text));
    assert_non_null(body);
    return body;
}

static void a_service_may_do_little(void **state)
{
    UNUSED(state);
    struct engine_create create = a_service();
    AUTO_JSON_OBJECT struct json_object *body = body_of(&create);
    assert_string_equal(json_text_at(body, "/Image"), "redis:7");
    assert_string_equal(json_text_at(body, "/Entrypoint/2"), "6379");
    assert_int_equal(json_length_at(body, "/Cmd"), 0);
    assert_string_equal(json_text_at(body, "/Env/1"), "B=\"x\"");
    assert_string_equal(json_text_at(body, "/WorkingDir"), create.directory);
    assert_false(json_object_get_boolean(json_at(body, "/OpenStdin")));
    assert_string_equal(json_text_at(body, "/Healthcheck/Test/0"), "NONE");
    assert_string_equal(json_text_at(body, "/HostConfig/CapDrop/0"), "ALL");
    assert_string_equal(json_text_at(body, "/HostConfig/SecurityOpt/0"), "no-new-privileges");
    assert_string_equal(json_text_at(body, "/HostConfig/RestartPolicy/Name"), "no");
    assert_true(json_object_get_boolean(json_at(body, "/HostConfig/Init")));
    assert_false(json_object_get_boolean(json_at(body, "/HostConfig/AutoRemove")));
    assert_null(json_at(body, "/HostConfig/Memory"));
    assert_int_equal(json_number_at(body, "/HostConfig/PidsLimit"), 4096);
    assert_string_equal(json_text_at(body, "/StopSignal"), "SIGINT");
    assert_int_equal(json_number_at(body, "/StopTimeout"), 2);
}

static void it_is_found_and_reached(void **state)
{
    UNUSED(state);
    struct engine_create create = a_service();
    AUTO_JSON_OBJECT struct json_object *body = body_of(&create);
    struct json_object *labels = json_at(body, "/Labels");
    const char *const expected[][2] = {
        {"io.curfew.deployment", "d1"},
        {"io.curfew.job", "j1"},
        {"io.curfew.identity", "j1/cache/2"},
        {"io.curfew.worker", "w"},
        {"io.curfew.owner", "o"},
        {"io.curfew.service", "cache"},
        {"io.curfew.epoch", "2"},
        {"io.curfew.ports", "main=6379,admin=80"},
    };
    assert_int_equal(json_object_object_length(labels), ARRAY_LEN(expected));
    for (size_t i = 0; i < ARRAY_LEN(expected); i++)
        assert_string_equal(json_object_get_string(json_object_object_get(labels, expected[i][0])), expected[i][1]);
    assert_string_equal(json_text_at(body, "/HostConfig/NetworkMode"), "net");
    assert_string_equal(json_text_at(body, "/NetworkingConfig/EndpointsConfig/net/Aliases/0"), "cache");
    assert_non_null(json_at(body, "/ExposedPorts/80~1tcp"));
    assert_string_equal(json_text_at(body, "/HostConfig/PortBindings/6379~1tcp/0/HostIp"), "127.0.0.1");
    assert_string_equal(json_text_at(body, "/HostConfig/PortBindings/6379~1tcp/0/HostPort"), "");
}

static void a_task_has_limits_and_input(void **state)
{
    static const char *const nothing[] = {NULL};
    UNUSED(state);
    struct engine_create create = a_service();
    create.service = create.epoch = NULL;
    create.output = "/w/1.output";
    create.argv = nothing;
    create.has_stdin = true;
    create.port_count = 0;
    create.memory_bytes = 64 << 20;
    create.cpu_millis = 250;
    create.processes = 7;
    create.open_files = 99;
    AUTO_JSON_OBJECT struct json_object *body = body_of(&create);
    assert_null(json_at(body, "/Entrypoint")); // the image's own
    assert_true(json_object_get_boolean(json_at(body, "/StdinOnce")));
    assert_null(json_object_object_get(json_at(body, "/Labels"), "io.curfew.service"));
    assert_null(json_object_object_get(json_at(body, "/Labels"), "io.curfew.ports"));
    assert_string_equal(json_object_get_string(json_object_object_get(json_at(body, "/Labels"), "io.curfew.output")),
                        create.output);
    assert_int_equal(json_number_at(body, "/HostConfig/Memory"), 64 << 20);
    assert_int_equal(json_number_at(body, "/HostConfig/MemorySwap"), 64 << 20);
    assert_int_equal(json_number_at(body, "/HostConfig/NanoCpus"), 250000000);
    assert_int_equal(json_number_at(body, "/HostConfig/PidsLimit"), 7);
    assert_int_equal(json_number_at(body, "/HostConfig/Ulimits/0/Hard"), 99);
}

static void networks_and_names(void **state)
{
    char name[ENGINE_NAME_SIZE];
    UNUSED(state);
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    engine_network_name("d1", "j1", name);
    assert_string_equal(name, "curfew-d1-j1");
    engine_network_write(name, "d1", "j1", &text);
    AUTO_JSON_OBJECT struct json_object *body = json_tokener_parse(strbuf_text(&text));
    assert_string_equal(json_text_at(body, "/Name"), name);
    assert_string_equal(json_object_get_string(json_object_object_get(json_at(body, "/Labels"), "io.curfew.job")),
                        "j1");
    engine_container_name("d1", "j1/cache-2/3", name);
    assert_string_equal(name, "curfew-d1-j1.cache-2.3");
    engine_container_name("d1", "j1/cache/2/3", name); // a task's is never a service's
    assert_string_equal(name, "curfew-d1-j1.cache.2.3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_service_may_do_little),
        cmocka_unit_test(it_is_found_and_reached),
        cmocka_unit_test(a_task_has_limits_and_input),
        cmocka_unit_test(networks_and_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
