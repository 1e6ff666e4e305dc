// Bundles over HTTP: held against their name, stored once, handed out as they came.
#include "services/common/base/id.h"
#include "services/common/base/sha256.h"
#include "tests/support/contract.h"
#include "tests/support/db_test.h"
#include "tests/support/manager.h"
#include "tests/support/raw_http.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LARGE ((size_t)8 << 20)

static int setup(void **state)
{
    static const char *const settings[] = {"--bundle-limit", "8Mi", "--submit-limit", "64Ki", NULL};
    db_test_start(state);
    *state = manager_start(pg_database_new(test_pg), settings);
    return 0;
}

static int teardown(void **state)
{
    manager_free(*state);
    return db_test_stop(state);
}

static int transfer(struct http_client *client, const char *method, const char *hash, const void *bytes, size_t length,
                    struct http_response *response)
{
    char path[128];
    snprintf(path, sizeof(path), "/v1/bundles/%s", hash);
    struct http_call call = {.method = method,
                             .path = path,
                             .content_type = bytes ? "application/zstd" : NULL,
                             .body = bytes,
                             .body_length = length};
    struct err err;
    assert_ok(contract_call(client, &call, response, &err), err);
    return response->status;
}

static void what_was_put_is_got(void **state)
{
    struct http_client *client = manager_client(*state);
    AUTO_HTTP_RESPONSE struct http_response response = HTTP_RESPONSE_INIT;
    AUTO_FREE char *bytes = malloc(LARGE);
    char hash[SHA256_HEX_SIZE];
    struct err err;
    assert_ok(random_bytes(bytes, 4096, &err), err);
    for (size_t i = 4096; i < LARGE; i++)
        bytes[i] = (char)(bytes[i - 4096] + 1);
    assert_ok(sha256_hex(bytes, LARGE, hash, &err), err);
    assert_int_equal(transfer(client, "HEAD", hash, NULL, 0, &response), 404);
    assert_int_equal(transfer(client, "GET", hash, NULL, 0, &response), 404);
    assert_int_equal(transfer(client, "PUT", hash, bytes, LARGE, &response), 201);
    assert_int_equal(transfer(client, "PUT", hash, bytes, LARGE, &response), 200);
    assert_int_equal(transfer(client, "HEAD", hash, NULL, 0, &response), 200);
    assert_int_equal(transfer(client, "GET", hash, NULL, 0, &response), 200);
    assert_int_equal(response.body.length, LARGE);
    assert_memory_equal(response.body.data, bytes, LARGE);
    http_client_free(client);
}

// Bytes of memory that the manager has.
static size_t manager_memory(struct manager *manager)
{
    char path[64];
    size_t total, resident = 0;
    snprintf(path, sizeof(path), "/proc/%d/statm", manager_pid(manager));
    AUTO_FILE FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%zu %zu", &total, &resident), 2);
    return resident * (size_t)sysconf(_SC_PAGESIZE);
}

// Many workers that want a large bundle at once, and do not read it: the manager holds a piece for each.
static void slow_readers_cost_little_memory(void **state)
{
    enum { READERS = 12 };
    struct http_client *client = manager_client(*state);
    AUTO_HTTP_RESPONSE struct http_response response = HTTP_RESPONSE_INIT;
    AUTO_FREE char *bytes = malloc(LARGE);
    char hash[SHA256_HEX_SIZE], request[256];
    int readers[READERS];
    struct err err;
    memset(bytes, 'x', LARGE);
    assert_ok(sha256_hex(bytes, LARGE, hash, &err), err);
    assert_int_equal(transfer(client, "PUT", hash, bytes, LARGE, &response), 201);
    snprintf(request, sizeof(request), "GET /v1/bundles/%s HTTP/1.1\r\nHost: localhost\r\n\r\n", hash);
    size_t before = manager_memory(*state);
    for (int i = 0; i < READERS; i++) {
        AUTO_STRBUF struct strbuf out = STRBUF_INIT;
        readers[i] = raw_connect((uint16_t)atoi(strrchr(manager_url(*state), ':') + 1));
        raw_send_text(readers[i], request);
        assert_true(raw_read_until(readers[i], &out, "\r\n\r\n", 60000));
        assert_int_equal(raw_status(strbuf_text(&out)), 200);
    }
    assert_true(manager_memory(*state) < before + READERS * LARGE / 2);
    for (int i = 0; i < READERS; i++)
        close(readers[i]);
    http_client_free(client);
}

static void another_content_is_refused(void **state)
{
    struct http_client *client = manager_client(*state);
    AUTO_HTTP_RESPONSE struct http_response response = HTTP_RESPONSE_INIT;
    char hash[SHA256_HEX_SIZE];
    struct err err;
    assert_ok(sha256_hex("other", 5, hash, &err), err);
    assert_int_equal(transfer(client, "PUT", hash, "content", 7, &response), 400);
    assert_non_null(strstr(strbuf_text(&response.body), "SHA-256"));
    assert_int_equal(transfer(client, "HEAD", hash, NULL, 0, &response), 404);
    assert_int_equal(transfer(client, "PUT", "abc", "content", 7, &response), 404);
    http_client_free(client);
}

static void assert_too_large(const struct http_response *response, const char *setting)
{
    assert_int_equal(response->status, 413);
    assert_non_null(strstr(strbuf_text(&response->body), setting));
}

static void the_limits_of_the_settings_are_held(void **state)
{
    struct http_client *client = manager_client(*state);
    AUTO_HTTP_RESPONSE struct http_response response = HTTP_RESPONSE_INIT;
    AUTO_FREE char *bytes = malloc(LARGE + 1);
    char hash[SHA256_HEX_SIZE];
    struct err err;
    memset(bytes, ' ', LARGE + 1);
    assert_ok(sha256_hex(bytes, LARGE + 1, hash, &err), err);
    transfer(client, "PUT", hash, bytes, LARGE + 1, &response);
    assert_too_large(&response, "bundle-limit is 8388608");
    struct http_call submit = {.method = "POST", .path = "/v1/jobs", .body = bytes, .body_length = 65537};
    assert_ok(contract_call(client, &submit, &response, &err), err);
    assert_too_large(&response, "submit-limit is 65536");
    http_client_free(client);
}

static void a_job_wants_its_bundle_to_be_there(void **state)
{
    struct http_client *client = manager_client(*state);
    AUTO_HTTP_RESPONSE struct http_response response = HTTP_RESPONSE_INIT;
    char hash[SHA256_HEX_SIZE], spec[256];
    struct err err;
    assert_ok(sha256_hex("files", 5, hash, &err), err);
    snprintf(spec, sizeof(spec), "{\"name\":\"packed\",\"command\":[\"true\"],\"bundle\":\"sha256:%s\"}", hash);
    assert_int_equal(manager_call(*state, "POST", "/v1/jobs", spec, NULL), 404);
    assert_int_equal(transfer(client, "PUT", hash, "files", 5, &response), 201);
    assert_int_equal(manager_call(*state, "POST", "/v1/jobs", spec, NULL), 201);
    AUTO_JSON_OBJECT struct json_object *jobs = NULL;
    assert_int_equal(manager_call(*state, "GET", "/v1/jobs?name=packed", NULL, &jobs), 200);
    snprintf(spec, sizeof(spec), "sha256:%s", hash);
    assert_string_equal(json_text_at(jobs, "/jobs/0/bundle"), spec); // by the name that its spec has for it
    http_client_free(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_is_got),
        cmocka_unit_test(slow_readers_cost_little_memory),
        cmocka_unit_test(another_content_is_refused),
        cmocka_unit_test(the_limits_of_the_settings_are_held),
        cmocka_unit_test(a_job_wants_its_bundle_to_be_there),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
