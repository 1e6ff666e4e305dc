// Two replicas over one database: what happens at one wakes those who wait at the other.
#include "services/common/base/clock.h"
#include "tests/support/db_test.h"
#include "tests/support/fake_worker.h"
#include "tests/support/process.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define WAIT_MS 60000

struct replicas {
    struct manager *a, *b;
};

static int setup(void **state)
{
    static struct replicas replicas;
    db_test_start(state);
    const char *database = pg_database_new(test_pg);
    replicas.a = manager_start(database, manager_patient);
    replicas.b = manager_start(database, manager_patient);
    *state = &replicas;
    return 0;
}

static int teardown(void **state)
{
    struct replicas *replicas = *state;
    manager_free(replicas->a);
    manager_free(replicas->b);
    return db_test_stop(state);
}

struct waiting {
    struct fake_worker worker;
    struct http_client *client;
    char path[128];
    int status;
    struct json_object *reply;
    int64_t answered_ms;
};

static void *poll_main(void *context)
{
    struct waiting *waiting = context;
    waiting->status = fake_worker_poll(&waiting->worker, MANAGER_POLL_MS, 1, &waiting->reply);
    waiting->answered_ms = clock_boot_ms();
    return NULL;
}

static void *wait_main(void *context)
{
    struct waiting *waiting = context;
    waiting->status = client_call(waiting->client, "GET", waiting->path, NULL, 0, NULL, &waiting->reply);
    waiting->answered_ms = clock_boot_ms();
    return NULL;
}

struct metric {
    struct http_client *client;
    const char *line;
};

static bool metric_is(void *context)
{
    struct metric *metric = context;
    AUTO_HTTP_RESPONSE struct http_response response = HTTP_RESPONSE_INIT;
    return http_get(metric->client, "/metrics", &response, NULL) == 0 &&
           strstr(strbuf_text(&response.body), metric->line);
}

static void metric_wait(struct manager *manager, const char *line)
{
    struct metric metric = {manager_client(manager), line};
    assert_true(wait_until(metric_is, &metric, WAIT_MS));
    http_client_free(metric.client);
}

static void a_poll_is_woken_by_the_other_replica(void **state)
{
    struct replicas *replicas = *state;
    struct waiting waiting = {0};
    int64_t best_ms = MANAGER_POLL_MS;
    fake_worker_init(&waiting.worker, replicas->b, "w1");
    for (int i = 0; i < 5; i++) {
        pthread_t thread;
        pthread_create(&thread, NULL, poll_main, &waiting);
        metric_wait(replicas->b, "\ncurfew_parked_polls 1\n");
        int64_t begin_ms = clock_boot_ms();
        free(manager_submit(replicas->a, "{\"name\":\"one\",\"command\":[\"true\"]}"));
        pthread_join(thread, NULL);
        assert_int_equal(waiting.status, 200);
        assert_int_equal(json_length_at(waiting.reply, "/slices"), 1);
        best_ms = MIN(best_ms, waiting.answered_ms - begin_ms);
        fake_worker_obey(&waiting.worker, waiting.reply);
        json_object_put(waiting.reply);
    }
    assert_in_range(best_ms, 0, MANAGER_POLL_MS / 20); // the best of five: the machine may be busy
    fake_worker_release(&waiting.worker);
}

static void who_waits_for_a_job_is_woken_by_the_other_replica(void **state)
{
    struct replicas *replicas = *state;
    struct fake_worker worker = {0};
    struct waiting waiting = {.client = manager_client(replicas->a)};
    pthread_t thread;
    fake_worker_init(&worker, replicas->b, "w2");
    AUTO_FREE char *id = manager_submit(replicas->a, "{\"name\":\"one\",\"command\":[\"true\"]}");
    snprintf(waiting.path, sizeof(waiting.path), "/v1/jobs/%s?wait=closed&timeout=60s", id);
    pthread_create(&thread, NULL, wait_main, &waiting);
    metric_wait(replicas->a, "\ncurfew_watches 1\n");
    assert_true(fake_worker_until(&worker, replicas->b, id, "succeeded", "none", WAIT_MS));
    int64_t closed_ms = clock_boot_ms();
    pthread_join(thread, NULL);
    assert_int_equal(waiting.status, 200);
    assert_string_equal(json_text_at(waiting.reply, "/outcome"), "succeeded");
    assert_true(waiting.answered_ms - closed_ms < MANAGER_POLL_MS / 2);
    json_object_put(waiting.reply);
    http_client_free(waiting.client);
    fake_worker_release(&worker);
}

static void a_stop_at_one_reaches_a_worker_at_the_other(void **state)
{
    struct replicas *replicas = *state;
    struct waiting waiting = {.worker.holds_tasks = true};
    char path[96];
    pthread_t thread;
    fake_worker_init(&waiting.worker, replicas->b, "w3");
    AUTO_FREE char *id = manager_submit(replicas->a, "{\"name\":\"one\",\"command\":[\"true\"]}");
    fake_worker_step(&waiting.worker, 20000, 1);
    pthread_create(&thread, NULL, poll_main, &waiting);
    metric_wait(replicas->b, "\ncurfew_parked_polls 1\n");
    snprintf(path, sizeof(path), "/v1/jobs/%s/stop", id);
    int64_t begin_ms = clock_boot_ms();
    assert_int_equal(manager_call(replicas->a, "POST", path, NULL, NULL), 200);
    pthread_join(thread, NULL);
    assert_in_range(waiting.answered_ms - begin_ms, 0, MANAGER_POLL_MS / 2);
    assert_int_equal(json_length_at(waiting.reply, "/cancel"), 1);
    waiting.worker.holds_tasks = false;
    fake_worker_obey(&waiting.worker, waiting.reply);
    json_object_put(waiting.reply);
    assert_true(manager_wait_job(replicas->a, id, "stopped", "none", 60000));
    fake_worker_release(&waiting.worker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_poll_is_woken_by_the_other_replica),
        cmocka_unit_test(who_waits_for_a_job_is_woken_by_the_other_replica),
        cmocka_unit_test(a_stop_at_one_reaches_a_worker_at_the_other),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
