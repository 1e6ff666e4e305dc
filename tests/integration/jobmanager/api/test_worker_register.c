// POST /v1/workers: what a worker may say of itself.
#include "tests/support/db_test.h"
#include "tests/support/manager.h"

#include <stdio.h>
#include <string.h>

#define LONGEST "a123456789b123456789c123456789d123456789e123456789f123456789g12"

static int setup(void **state)
{
    db_test_start(state);
    *state = manager_start(pg_database_new(test_pg), NULL);
    return 0;
}

static int teardown(void **state)
{
    manager_free(*state);
    return db_test_stop(state);
}

// Registers a worker of this name for this queue; the status.
static int register_for(struct manager *manager, int number, const char *queue, struct json_object **reply)
{
    char body[512];
    snprintf(body, sizeof(body),
             "{\"name\":\"w%d\",\"host\":\"h\",\"boot\":\"b\",\"runtimes\":[\"process\"],\"slots\":1,"
             "\"queues\":[\"default\",\"%s\"]}",
             number, queue);
    return manager_call(manager, "POST", "/v1/workers", body, reply);
}

static int poll_for(struct manager *manager, struct json_object *registered, const char *queue)
{
    char path[64], body[256];
    snprintf(path, sizeof(path), "/v1/workers/%lld/poll", (long long)json_number_at(registered, "/worker"));
    snprintf(body, sizeof(body), "{\"incarnation\":%lld,\"wait_ms\":0,\"want\":{\"%s\":1}}",
             (long long)json_number_at(registered, "/incarnation"), queue);
    return manager_call(manager, "POST", path, body, NULL);
}

// One rule for the names of queues: what is taken at the registration is taken by a poll, and nothing else.
static void queues_are_called_as_polls_call_them(void **state)
{
    static const struct {
        const char *queue;
        int status;
        const char *code;
    } cases[] = {
        {"gpu", 201, ""},
        {"a-9-", 201, ""},
        {LONGEST, 201, ""},
        {LONGEST "3", 400, "range"},
        {"", 400, "format"},
        {"9a", 400, "format"},
        {"-a", 400, "format"},
        {"Gpu", 400, "format"},
        {"a b", 400, "format"},
        {"a/b", 400, "format"},
        {"caf\xc3\xa9", 400, "format"},
        {"a\\n", 400, "format"},
    };
    AUTO_JSON_OBJECT struct json_object *poller = NULL;
    assert_int_equal(register_for(*state, 1000, "other", &poller), 201);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_JSON_OBJECT struct json_object *reply = NULL;
        int status = register_for(*state, (int)i, cases[i].queue, &reply);
        int polled = poll_for(*state, poller, cases[i].queue);
        if (status != cases[i].status || polled != (status == 201 ? 200 : 400) ||
            strcmp(json_text_at(reply, "/errors/0/code"), cases[i].code) != 0 ||
            (status == 400 && strcmp(json_text_at(reply, "/errors/0/pointer"), "/queues/1") != 0))
            fail_msg("'%s': %d, polled %d: %s", cases[i].queue, status, polled, json_object_to_json_string(reply));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(queues_are_called_as_polls_call_them),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
