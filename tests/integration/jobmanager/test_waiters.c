// GET /v1/jobs/{id}?wait=...: answered when it is so, or when the time is over.
#include "services/common/base/clock.h"
#include "tests/support/contract.h"
#include "tests/support/db_test.h"
#include "tests/support/fake_worker.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

static int setup(void **state)
{
    db_test_start(state);
    *state = manager_start(pg_database_new(test_pg), manager_patient);
    return 0;
}

static int teardown(void **state)
{
    manager_free(*state);
    return db_test_stop(state);
}

struct wait {
    struct http_client *client;
    char path[128];
    pthread_t thread;
    int status;
    struct json_object *job;
    int64_t answered_ms;
};

static void *wait_main(void *context)
{
    struct wait *wait = context;
    wait->status = client_call(wait->client, "GET", wait->path, NULL, 0, NULL, &wait->job);
    wait->answered_ms = clock_boot_ms();
    return NULL;
}

static void wait_begin(struct wait *wait, struct manager *manager, const char *id, const char *query)
{
    *wait = (struct wait){.client = manager_client(manager)};
    snprintf(wait->path, sizeof(wait->path), "/v1/jobs/%s?%s", id, query);
    pthread_create(&wait->thread, NULL, wait_main, wait);
}

static void wait_end(struct wait *wait)
{
    pthread_join(wait->thread, NULL);
    http_client_free(wait->client);
}

#define SERVED \
    "{\"name\":\"served\",\"command\":[\"true\"],\"services\":[{\"name\":\"cache\",\"command\":[\"sleep\",\"1\"]}]}"

static void many_wait_for_one_job(void **state)
{
    struct manager *manager = *state;
    struct fake_worker worker = {0};
    struct wait outcome[5], closed[5];
    fake_worker_init(&worker, manager, "w1");
    AUTO_FREE char *id = manager_submit(manager, SERVED);
    for (int i = 0; i < 5; i++) {
        wait_begin(&outcome[i], manager, id, "wait=outcome&timeout=60s");
        wait_begin(&closed[i], manager, id, "wait=closed&timeout=60s");
    }
    assert_true(fake_worker_until(&worker, manager, id, "succeeded", "clean", 60000));
    int64_t closed_ms = clock_boot_ms();
    for (int i = 0; i < 5; i++) {
        wait_end(&outcome[i]);
        wait_end(&closed[i]);
        assert_int_equal(outcome[i].status, 200);
        assert_string_equal(json_text_at(outcome[i].job, "/outcome"), "succeeded");
        assert_int_equal(closed[i].status, 200);
        assert_string_equal(json_text_at(closed[i].job, "/cleanup"), "clean");
        assert_true(closed[i].answered_ms - closed_ms < MANAGER_POLL_MS / 2);
        json_object_put(outcome[i].job);
        json_object_put(closed[i].job);
    }
    fake_worker_release(&worker);
}

static void the_time_ends_the_wait(void **state)
{
    struct manager *manager = *state;
    struct wait wait;
    AUTO_FREE char *id = manager_submit(manager, SERVED);
    int64_t begin_ms = clock_boot_ms();
    wait_begin(&wait, manager, id, "wait=outcome&timeout=300ms");
    wait_end(&wait);
    assert_int_equal(wait.status, 200);
    assert_true(wait.answered_ms - begin_ms >= 300);
    assert_string_equal(json_text_at(wait.job, "/state"), "queued");
    assert_null(json_at(wait.job, "/outcome"));
    json_object_put(wait.job);
}

static void an_etag_saves_the_body(void **state)
{
    struct manager *manager = *state;
    AUTO_HTTP_RESPONSE struct http_response first = HTTP_RESPONSE_INIT, second = HTTP_RESPONSE_INIT;
    AUTO_FREE char *id = manager_submit(manager, SERVED);
    struct http_client *client = manager_client(manager);
    struct err err;
    char path[64];
    snprintf(path, sizeof(path), "/v1/jobs/%s", id);
    assert_ok(http_get(client, path, &first, &err), err);
    assert_string_not_equal(first.etag, "");
    struct http_header header = {"If-None-Match", first.etag};
    struct http_call call = {.method = "GET", .path = path, .headers = &header, .header_count = 1};
    assert_ok(contract_call(client, &call, &second, &err), err);
    assert_int_equal(second.status, 304);
    assert_int_equal(second.body.length, 0);
    http_client_free(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_wait_for_one_job),
        cmocka_unit_test(the_time_ends_the_wait),
        cmocka_unit_test(an_etag_saves_the_body),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
