// What is wrong with a request is said with a code, a pointer and a request id, and nothing is stored.
#include "services/common/base/strbuf.h"
#include "tests/support/contract.h"
#include "tests/support/db_test.h"
#include "tests/support/manager.h"
#include "tests/support/wrong_specs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *database;

static int setup(void **state)
{
    db_test_start(state);
    database = pg_database_new(test_pg);
    *state = manager_start(database, NULL);
    return 0;
}

static int teardown(void **state)
{
    manager_free(*state);
    return db_test_stop(state);
}

static bool has_fault(struct json_object *problem, const char *pointer, const char *code)
{
    for (size_t i = 0; i < json_length_at(problem, "/errors"); i++) {
        struct json_object *fault = json_object_array_get_idx(json_at(problem, "/errors"), i);
        if (strcmp(json_text_at(fault, "/pointer"), pointer) == 0 && strcmp(json_text_at(fault, "/code"), code) == 0)
            return true;
    }
    return false;
}

static void check_list(struct manager *manager, const struct wrong *list, size_t count, const char *from,
                       const char *to)
{
    for (size_t i = 0; i < count; i++) {
        AUTO_STRBUF struct strbuf text = STRBUF_INIT;
        AUTO_JSON_OBJECT struct json_object *problem = NULL;
        for (const char *at = list[i].text; *at; at++)
            strbuf_add_char(&text, *at == *from ? *to : *at);
        int status = manager_call(manager, "POST", "/v1/jobs", strbuf_text(&text), &problem);
        if (status != 400 || !has_fault(problem, list[i].pointer, fault_code_name(list[i].code)))
            fail_msg("%s: %d %s", list[i].text, status, json_object_to_json_string(problem));
        assert_string_not_equal(json_text_at(problem, "/request_id"), "");
        assert_int_equal(json_number_at(problem, "/status"), 400);
    }
}

static void wrong_specs_are_refused_and_not_stored(void **state)
{
    struct manager *manager = *state;
    check_list(manager, in_the_job, ARRAY_LEN(in_the_job), "'", "\"");
    check_list(manager, in_a_stage, ARRAY_LEN(in_a_stage), "'", "\"");
    check_list(manager, in_a_service, ARRAY_LEN(in_a_service), "'", "\"");
    check_list(manager, not_json, ARRAY_LEN(not_json), "'", "\"");
    assert_true(ARRAY_LEN(in_the_job) + ARRAY_LEN(in_a_stage) + ARRAY_LEN(in_a_service) + ARRAY_LEN(not_json) >= 60);
    AUTO_DB struct db *db = db_test_open(database, NULL, 0);
    assert_int_equal(
        db_test_i64(db, "SELECT (SELECT count(*) FROM job) + (SELECT count(*) FROM stage) + (SELECT count(*) FROM "
                        "slice) + (SELECT count(*) FROM item)"),
        0);
}

static const struct {
    const char *method, *path, *body;
    int status;
    const char *code;
} calls[] = {
    {"GET", "/v1/nothing", NULL, 404, NULL},
    {"PUT", "/v1/jobs", "{}", 405, NULL},
    {"GET", "/v1/jobs/j1", NULL, 404, "not_found"},
    {"GET", "/v1/jobs/x0000000000000", NULL, 404, "not_found"},
    {"GET", "/v1/jobs/j0000000000001", NULL, 404, "not_found"},
    {"GET", "/v1/jobs/j0000000000001?wait=closed&timeout=1s", NULL, 404, "not_found"},
    {"GET", "/v1/jobs/j0000000000001?wait=soon", NULL, 400, "invalid"},
    {"GET", "/v1/jobs/j0000000000001?timeout=1s", NULL, 400, "invalid"},
    {"GET", "/v1/jobs/j0000000000001?wait=closed&timeout=1h", NULL, 400, "invalid"},
    {"GET", "/v1/jobs/j0000000000001?wait=closed&timeout=5", NULL, 400, "invalid"},
    {"GET", "/v1/jobs/j0000000000001?verbose=1", NULL, 400, "invalid"},
    {"GET", "/v1/jobs?limit=0", NULL, 400, "invalid"},
    {"GET", "/v1/jobs?limit=501", NULL, 400, "invalid"},
    {"GET", "/v1/jobs?limit=x", NULL, 400, "invalid"},
    {"GET", "/v1/jobs?state=gone", NULL, 400, "invalid"},
    {"GET", "/v1/jobs?since=yesterday", NULL, 400, "invalid"},
    {"GET", "/v1/jobs?since=2026-02-30T00:00:00Z", NULL, 400, "invalid"},
    {"GET", "/v1/jobs?since=2026-01-31T12:00:00", NULL, 400, "invalid"},
    {"GET", "/v1/jobs?cursor=nonsense", NULL, 400, "invalid"},
    {"GET", "/v1/jobs?order=up", NULL, 400, "invalid"},
    {"GET", "/v1/jobs/j0000000000001/tasks", NULL, 404, "not_found"},
    {"GET", "/v1/jobs/j0000000000001/tasks?state=lost", NULL, 400, "invalid"},
    {"GET", "/v1/jobs/j0000000000001/tasks?single=maybe", NULL, 400, "invalid"},
    {"GET", "/v1/jobs/j0000000000001/tasks/main/0", NULL, 404, "not_found"},
    {"GET", "/v1/jobs/j0000000000001/tasks/main/-1", NULL, 404, "not_found"},
    {"GET", "/v1/jobs/j0000000000001/services", NULL, 404, "not_found"},
    {"GET", "/v1/jobs/j0000000000001/results", NULL, 404, "not_found"},
    {"GET", "/v1/jobs/j0000000000001/logs", NULL, 404, "not_found"},
    {"GET", "/v1/jobs/j0000000000001/logs?format=xml", NULL, 400, "invalid"},
    {"GET", "/v1/jobs/j0000000000001/logs?offset=-1", NULL, 400, "invalid"},
    {"GET", "/v1/jobs/j0000000000001/events", NULL, 404, "not_found"},
    {"GET", "/v1/jobs/j0000000000001/cleanup", NULL, 404, "not_found"},
    {"GET", "/v1/jobs/j0000000000001/why", NULL, 404, "not_found"},
    {"GET", "/v1/jobs/j0000000000001/spec", NULL, 404, "not_found"},
    {"POST", "/v1/jobs/j0000000000001/stop", NULL, 404, "not_found"},
    {"POST", "/v1/jobs/j0000000000001/stop", "{\"now\":true}", 400, "invalid"},
    {"POST", "/v1/jobs/j0000000000001/stop", "{", 400, "invalid"},
    {"POST", "/v1/jobs/j0000000000001/pause", NULL, 404, "not_found"},
    {"POST", "/v1/jobs/j0000000000001/resume", NULL, 404, "not_found"},
    {"POST", "/v1/jobs/j0000000000001/retry", NULL, 404, "not_found"},
    {"POST", "/v1/jobs/j0000000000001/extend", "{\"for\":\"1h\"}", 404, "not_found"},
    {"POST", "/v1/jobs/j0000000000001/extend", "{\"for\":3600}", 400, "invalid"},
    {"POST", "/v1/jobs/j0000000000001/extend", "{\"for\":\"soon\"}", 400, "invalid"},
    {"POST", "/v1/jobs/j0000000000001/extend", NULL, 400, "invalid"},
    {"DELETE", "/v1/jobs/j0000000000001", NULL, 404, "not_found"},
    {"DELETE", "/v1/jobs/j0000000000001?force=1", NULL, 400, "invalid"},
    {"GET", "/v1/bundles/abc", NULL, 404, "not_found"},
    {"GET", "/v1/workers/0", NULL, 404, "not_found"},
    {"GET", "/v1/workers/1", NULL, 404, "not_found"},
    {"POST", "/v1/workers/1/drain", NULL, 404, "not_found"},
    {"POST", "/v1/workers", "{\"name\":\"w\"}", 400, "invalid"},
    {"POST", "/v1/workers",
     "{\"name\":\"\",\"host\":\"h\",\"boot\":\"b\",\"runtimes\":[\"process\"],\"slots\":1,\"queues\":[]}", 400,
     "invalid"},
    {"GET", "/v1/services?limit=1000", NULL, 400, "invalid"},
    {"GET", "/v1/leaks?all=1", NULL, 400, "invalid"},
};

static void wrong_calls_have_their_status(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
        AUTO_JSON_OBJECT struct json_object *problem = NULL;
        int status = manager_call(*state, calls[i].method, calls[i].path, calls[i].body, &problem);
        if (status != calls[i].status || (calls[i].code && strcmp(json_text_at(problem, "/code"), calls[i].code) != 0))
            fail_msg("%s %s: %d %s", calls[i].method, calls[i].path, status, json_object_to_json_string(problem));
    }
}

static void the_request_id_is_ours_or_the_callers(void **state)
{
    struct http_client *client = manager_client(*state);
    struct http_header header = {"X-Request-Id", "trace-7"};
    AUTO_JSON_OBJECT struct json_object *problem = NULL;
    assert_int_equal(client_call(client, "GET", "/v1/jobs/j1", &header, 1, NULL, &problem), 404);
    assert_string_equal(json_text_at(problem, "/request_id"), "trace-7");
    http_client_free(client);
}

static void the_log_has_the_ids(void **state)
{
    static const char *const extra[] = {"--log-format", "json", NULL};
    UNUSED(state);
    AUTO_MANAGER struct manager *manager = manager_start(database, extra);
    struct http_client *client = manager_client(manager);
    struct http_header header = {"X-Request-Id", "my-request.7"};
    char path[64], job[64];
    AUTO_FREE char *id = manager_submit(manager, "{\"name\":\"logged\",\"command\":[\"true\"]}");
    snprintf(path, sizeof(path), "/v1/jobs/%s/stop", id);
    assert_int_equal(client_call(client, "POST", path, &header, 1, NULL, NULL), 200);
    http_client_free(client);
    manager_terminate(manager);
    assert_int_equal(manager_wait(manager, 20000), 0);
    const char *line = strstr(manager_log(manager), "\"event\":\"call\"");
    assert_non_null(line);
    snprintf(job, sizeof(job), "\"request_id\":\"my-request.7\",\"job\":\"%s\"}\n", id);
    assert_non_null(strstr(line, job));
}

static int get_tagged(struct http_client *client, const char *path, const char *known, char tag[static 96])
{
    AUTO_HTTP_RESPONSE struct http_response response = HTTP_RESPONSE_INIT;
    struct http_header header = {"If-None-Match", known};
    struct http_call call = {.method = "GET", .path = path, .headers = &header, .header_count = known ? 1 : 0};
    if (contract_call(client, &call, &response, NULL) < 0)
        return 0;
    snprintf(tag, 96, "%s", response.etag);
    if (response.status == 304)
        assert_int_equal(response.body.length, 0);
    return response.status;
}

static void what_is_known_is_not_sent_again(void **state)
{
    struct manager *manager = *state;
    struct http_client *client = manager_client(manager);
    AUTO_FREE char *id = manager_submit(manager, "{\"name\":\"tagged\",\"command\":[\"true\"]}");
    static const char *const paths[] = {"/v1/jobs/%s",
                                        "/v1/jobs/%s/spec",
                                        "/v1/jobs/%s/tasks",
                                        "/v1/jobs/%s/tasks/main/0",
                                        "/v1/jobs/%s/services",
                                        "/v1/jobs/%s/cleanup",
                                        "/v1/jobs/%s/why",
                                        "/v1/services",
                                        "/v1/leaks",
                                        "/v1/workers",
                                        "/v1/tokens",
                                        "/v1/version",
                                        "/openapi.json",
                                        "/",
                                        "/v1/jobs?limit=5"};
    char path[96], first[96], second[96];
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        const char *place = strstr(paths[i], "%s");
        snprintf(path, sizeof(path), "%.*s%s%s", (int)(place ? place - paths[i] : (long)strlen(paths[i])), paths[i],
                 place ? id : "", place ? place + 2 : "");
        assert_int_equal(get_tagged(client, path, NULL, first), 200);
        assert_string_not_equal(first, "");
        assert_int_equal(get_tagged(client, path, first, second), 304);
        assert_string_equal(first, second);
        assert_int_equal(get_tagged(client, path, "\"another\"", second), 200);
    }
    free(manager_submit(manager, "{\"name\":\"tagged\",\"command\":[\"true\"]}"));
    assert_int_equal(get_tagged(client, path, first, second), 200);
    http_client_free(client);
}

static void keys_are_checked(void **state)
{
    struct http_client *client = manager_client(*state);
    char large[300];
    memset(large, 'k', sizeof(large));
    large[256] = '\0';
    const char *const keys[] = {"a b", large, "caf\xc3\xa9"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        struct http_header header = {"Idempotency-Key", keys[i]};
        assert_int_equal(
            client_call(client, "POST", "/v1/jobs", &header, 1, "{\"name\":\"j\",\"command\":[\"true\"]}", NULL), 400);
    }
    http_client_free(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_specs_are_refused_and_not_stored), cmocka_unit_test(wrong_calls_have_their_status),
        cmocka_unit_test(the_request_id_is_ours_or_the_callers),  cmocka_unit_test(the_log_has_the_ids),
        cmocka_unit_test(what_is_known_is_not_sent_again),        cmocka_unit_test(keys_are_checked),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
