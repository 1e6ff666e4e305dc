#include "services/common/engine/reply.h"

#include "tests/support/test.h"

#include <string.h>

#define READ(function, text, ...) function(text, strlen(text), __VA_ARGS__)
#define LABELS                                                                                                    \
    "\"Labels\":{\"io.curfew.deployment\":\"d1\",\"io.curfew.job\":\"j1\",\"io.curfew.identity\":\"j1/cache/2\"," \
    "\"io.curfew.service\":\"cache\",\"io.curfew.worker\":\"w\",\"io.curfew.ports\":\"main=6379,admin=80\","      \
    "\"io.curfew.output\":\"/o\",\"other\":\"x\"}"

static void the_version_that_both_speak(void **state)
{
    static const struct {
        const char *newest, *oldest;
        int version;
    } cases[] = {
        {"1.40", "1.12", 40}, {"1.41", "1.12", 41}, {"1.44", "1.24", 44}, {"1.51", "1.24", 44}, {"1.60", "1.50", 50}};
    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[128];
        struct err err;
        int version = 0;
        snprintf(text, sizeof text, "{\"ApiVersion\":\"%s\",\"MinAPIVersion\":\"%s\",\"Os\":\"linux\"}",
                 cases[i].newest, cases[i].oldest);
        assert_ok(READ(engine_version_read, text, "here", &version, &err), err);
        assert_int_equal(version, cases[i].version);
    }
}

static void what_is_no_engine_is_said_to_be_none(void **state)
{
    struct err err;
    int version;
    UNUSED(state);
    assert_error(READ(engine_version_read, "{\"ApiVersion\":\"1.39\"}", "here", &version, &err), err, ERR_INVALID,
                 "the engine at here is too old: it has API 1.39, at least 1.40 is needed");
    assert_error(READ(engine_version_read, "{\"ApiVersion\":\"v2\"}", "here", &version, &err), err, ERR_INVALID,
                 "no container engine");
    assert_error(READ(engine_version_read, "<html>", "here", &version, &err), err, ERR_INVALID, "no container engine");
    assert_error(
        READ(engine_version_read, "{\"ApiVersion\":\"1.41\",\"MinAPIVersion\":\"1.52\"}", "here", &version, &err), err,
        ERR_INVALID, "the engine at here says that it has API 1.41 and takes 1.52 at least");
    assert_error(READ(engine_version_read, "{}", "here", &version, &err), err, ERR_INVALID, "no container engine");
}

static void ids(void **state)
{
    char id[ENGINE_ID_SIZE];
    struct err err;
    UNUSED(state);
    assert_ok(READ(engine_id_read, "{\"ID\":\"ABCD:EFGH\",\"Containers\":3}", id, &err), err);
    assert_string_equal(id, "ABCD:EFGH");
    assert_ok(READ(engine_created_read, "{\"Id\":\"0123\",\"Warnings\":[]}", id, &err), err);
    assert_string_equal(id, "0123");
    assert_error(READ(engine_created_read, "{\"Id\":\"\"}", id, &err), err, ERR_INVALID, "container engine");
}

static void lists(void **state)
{
    AUTO_ARENA struct arena *arena = arena_new(0);
    struct engine_container *containers;
    struct engine_network *networks;
    size_t count;
    struct err err;
    UNUSED(state);
    assert_ok(READ(engine_containers_read,
                   "[{\"Id\":\"a\",\"State\":\"running\"," LABELS ",\"Ports\":[{\"IP\":\"127.0.0.1\",\"PrivatePort\":"
                   "6379,\"PublicPort\":32768,\"Type\":\"tcp\"},{\"PrivatePort\":80,\"Type\":\"tcp\"}]},"
                   "{\"Id\":\"b\",\"State\":\"exited\",\"Labels\":null,\"Ports\":[]}]",
                   arena, &containers, &count, &err),
              err);
    assert_int_equal(count, 2);
    assert_string_equal(containers[0].identity, "j1/cache/2");
    assert_string_equal(containers[0].worker, "w");
    assert_string_equal(containers[0].output, "/o");
    assert_int_equal(engine_published_number(&containers[0], 6379), 32768);
    assert_int_equal(engine_published_number(&containers[0], 80), 0);
    assert_string_equal(containers[1].identity, "");
    assert_string_equal(containers[1].deployment, "");
    assert_ok(READ(engine_containers_read, "[]", arena, &containers, &count, &err), err);
    assert_int_equal(count, 0);
    assert_ok(READ(engine_networks_read, "[{\"Id\":\"n\",\"Created\":\"2026\",\"Labels\":{\"io.curfew.job\":\"j1\"}}]",
                   arena, &networks, &count, &err),
              err);
    assert_string_equal(networks[0].job, "j1");
    assert_string_equal(networks[0].created, "2026");
    assert_error(READ(engine_containers_read, "[{}]", arena, &containers, &count, &err), err, ERR_INVALID, "engine");
}

static void one_that_runs(void **state)
{
    AUTO_ARENA struct arena *arena = arena_new(0);
    struct engine_container container;
    struct err err;
    UNUSED(state);
    assert_ok(READ(engine_container_read,
                   "{\"Id\":\"a\",\"State\":{\"Status\":\"running\",\"ExitCode\":0},\"Config\":{\"StopSignal\":"
                   "\"SIGINT\",\"StopTimeout\":3," LABELS "},\"NetworkSettings\":{\"Ports\":{\"6379/tcp\":[{\"HostIp\":"
                   "\"127.0.0.1\",\"HostPort\":\"32768\"}],\"80/tcp\":null}}}",
                   arena, &container, &err),
              err);
    assert_true(container.running && !container.exited);
    assert_string_equal(container.stop_signal, "SIGINT");
    assert_int_equal(container.stop_grace_ms, 3000);
    assert_int_equal(engine_published_number(&container, 6379), 32768);
}

static void one_that_has_ended(void **state)
{
    AUTO_ARENA struct arena *arena = arena_new(0);
    struct engine_container container;
    struct err err;
    UNUSED(state);
    assert_ok(READ(engine_container_read,
                   "{\"Id\":\"a\",\"State\":{\"Status\":\"exited\",\"ExitCode\":137,\"OOMKilled\":true},\"Config\":{}}",
                   arena, &container, &err),
              err);
    assert_true(container.exited && !container.running && container.out_of_memory);
    assert_int_equal(container.exit_code, 137);
    assert_string_equal(container.stop_signal, "SIGTERM");
    assert_int_equal(container.stop_grace_ms, 10000);
    assert_ok(READ(engine_container_read, "{\"Id\":\"a\",\"State\":{\"Status\":\"created\"},\"Config\":{}}", arena,
                   &container, &err),
              err);
    assert_true(!container.exited && !container.running);
}

static void small_answers(void **state)
{
    char status[128], error[200], message[12];
    struct err err;
    struct engine_exec exec;
    UNUSED(state);
    assert_ok(READ(engine_exec_read, "{\"Running\":false,\"ExitCode\":3,\"Pid\":7}", &exec, &err), err);
    assert_true(exec.code == 3 && exec.began);
    assert_ok(READ(engine_exec_read, "{\"Running\":false,\"ExitCode\":126,\"Pid\":0}", &exec, &err), err);
    assert_true(exec.code == 126 && !exec.began);
    assert_ok(READ(engine_exec_read, "{\"Running\":true,\"ExitCode\":null}", &exec, &err), err);
    assert_true(exec.code == -1 && !exec.began);
    assert_ok(READ(engine_progress_read, "{\"status\":\"Downloading\",\"id\":\"abc\"}", status, error, &err), err);
    assert_string_equal(status, "Downloading abc");
    assert_string_equal(error, "");
    assert_ok(READ(engine_progress_read, "{\"errorDetail\":{},\"error\":\"no such host\"}", status, error, &err), err);
    assert_string_equal(error, "no such host");
    READ(engine_message_read, "{\"message\":\"no\\nmore\"}", message, sizeof message);
    assert_string_equal(message, "no");
    READ(engine_message_read, "plain text that is too long", message, sizeof message);
    assert_string_equal(message, "plain text ");
}

static void ports_of_a_label(void **state)
{
    struct engine_port ports[ENGINE_PORTS_MAX];
    UNUSED(state);
    assert_int_equal(engine_ports_parse("main=6379,admin=80", ports), 2);
    assert_string_equal(ports[1].name, "admin");
    assert_int_equal(ports[1].container, 80);
    assert_int_equal(engine_ports_parse("", ports), 0);
    assert_int_equal(engine_ports_parse("x,=3,a=0,b=7", ports), 1);
    assert_string_equal(ports[0].name, "b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_version_that_both_speak),
        cmocka_unit_test(what_is_no_engine_is_said_to_be_none),
        cmocka_unit_test(ids),
        cmocka_unit_test(lists),
        cmocka_unit_test(one_that_runs),
        cmocka_unit_test(one_that_has_ended),
        cmocka_unit_test(small_answers),
        cmocka_unit_test(ports_of_a_label),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
