// The worker's calls over HTTP: heartbeat, leases, long-polls, reports.
#include "services/common/base/clock.h"
#include "tests/support/db_test.h"
#include "tests/support/fake_worker.h"
#include "tests/support/process.h"
#include "tests/support/raw_http.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WAIT_MS 60000

#define ONE_TASK "{\"name\":\"one\",\"command\":[\"true\"]}"

static int setup(void **state)
{
    *state = manager_start(pg_database_new(test_pg), manager_patient);
    return 0;
}

static int teardown(void **state)
{
    manager_free(*state);
    return 0;
}

static void a_job_goes_through(void **state)
{
    struct manager *manager = *state;
    struct fake_worker worker = {0};
    AUTO_JSON_OBJECT struct json_object *reply = NULL;
    fake_worker_init(&worker, manager, "w1");
    AUTO_FREE char *id =
        manager_submit(manager, "{\"name\":\"many\",\"command\":[\"true\"],\"tasks\":[1,{\"a\":2},\"x\"]}");
    assert_int_equal(fake_worker_poll(&worker, 0, 2, &reply), 200);
    assert_int_equal(json_length_at(reply, "/slices"), 1);
    assert_int_equal(json_number_at(reply, "/slices/0/count"), 2);
    assert_int_equal(json_number_at(reply, "/slices/0/attempt"), 1);
    assert_string_equal(json_text_at(reply, "/slices/0/job"), id);
    assert_string_equal(json_text_at(reply, "/slices/0/stage"), "main");
    assert_int_equal(json_number_at(reply, "/slices/0/items/0"), 1);
    assert_int_equal(json_number_at(reply, "/slices/0/items/1/a"), 2);
    assert_string_equal(json_text_at(reply, "/slices/0/run/command/0"), "true");
    assert_true(json_number_at(reply, "/lease_ms") > 20000);
    fake_worker_obey(&worker, reply);
    assert_true(fake_worker_until(&worker, manager, id, "succeeded", "none", WAIT_MS));
    assert_int_equal(worker.tasks, 3);
    fake_worker_release(&worker);
}

static void services_start_before_and_stop_after(void **state)
{
    struct manager *manager = *state;
    struct fake_worker worker = {.holds_services = true};
    AUTO_JSON_OBJECT struct json_object *reply = NULL, *job = NULL, *cleanup = NULL;
    char path[96];
    fake_worker_init(&worker, manager, "w2");
    AUTO_FREE char *id =
        manager_submit(manager, "{\"name\":\"served\",\"command\":[\"true\"],\"services\":[{\"name\":\"cache\","
                                "\"command\":[\"sleep\",\"1\"],\"ports\":[{\"name\":\"main\"}]}]}");
    assert_int_equal(fake_worker_poll(&worker, 20000, 5, &reply), 200);
    assert_int_equal(json_length_at(reply, "/start"), 1);
    assert_int_equal(json_length_at(reply, "/slices"), 0);
    assert_string_equal(json_text_at(reply, "/start/0/service"), "cache");
    assert_non_null(strstr(json_text_at(reply, "/start/0/object"), id));
    fake_worker_obey(&worker, reply);
    snprintf(path, sizeof(path), "/v1/jobs/%s", id);
    assert_int_equal(manager_call(manager, "GET", path, NULL, &job), 200);
    assert_string_equal(json_text_at(job, "/state"), "starting");
    worker.holds_services = false;
    char ready[256];
    snprintf(ready, sizeof(ready),
             "\"instances\":[{\"job\":\"%s\",\"service\":\"cache\",\"epoch\":1,\"state\":\"ready\"}]", id);
    assert_int_equal(fake_worker_report(&worker, ready, NULL), 200);
    assert_true(fake_worker_until(&worker, manager, id, "succeeded", "clean", WAIT_MS));
    assert_int_equal(worker.tasks, 1);
    snprintf(path, sizeof(path), "/v1/jobs/%s/cleanup", id);
    assert_int_equal(manager_call(manager, "GET", path, NULL, &cleanup), 200);
    assert_string_equal(json_text_at(cleanup, "/cleanup"), "clean");
    assert_int_equal(json_length_at(cleanup, "/certificates"), 1);
    fake_worker_release(&worker);
}

// ---- long-polls

struct waiting {
    struct fake_worker worker;
    int wait_ms;
    _Atomic bool done;
    _Atomic int64_t answered_ms;
    int status;
    struct json_object *reply;
};

static void *wait_main(void *context)
{
    struct waiting *waiting = context;
    waiting->status = fake_worker_poll(&waiting->worker, waiting->wait_ms, 1, &waiting->reply);
    waiting->answered_ms = clock_boot_ms();
    waiting->done = true;
    return NULL;
}

struct parked_count {
    struct manager *manager;
    int count;
};

static int64_t metric(struct manager *manager, const char *name)
{
    AUTO_HTTP_RESPONSE struct http_response response = HTTP_RESPONSE_INIT;
    struct http_client *client = manager_client(manager);
    char line[64];
    snprintf(line, sizeof(line), "\n%s ", name);
    const char *found = http_get(client, "/metrics", &response, NULL) == 0 ? strbuf_text(&response.body) : "";
    http_client_free(client);
    found = strstr(found, line);
    return found ? strtoll(found + strlen(line), NULL, 10) : -1;
}

static bool polls_are_parked(void *context)
{
    const struct parked_count *wanted = context;
    return metric(wanted->manager, "curfew_parked_polls") == wanted->count;
}

static void wait_until_parked(struct manager *manager, int count)
{
    struct parked_count wanted = {manager, count};
    assert_true(wait_until(polls_are_parked, &wanted, WAIT_MS));
}

static void a_parked_poll_is_woken_at_once(void **state)
{
    struct manager *manager = *state;
    struct waiting waiting = {.wait_ms = MANAGER_POLL_MS};
    int64_t best_ms = MANAGER_POLL_MS;
    fake_worker_init(&waiting.worker, manager, "w3");
    for (int i = 0; i < 5; i++) {
        pthread_t thread;
        waiting.done = false;
        pthread_create(&thread, NULL, wait_main, &waiting);
        wait_until_parked(manager, 1);
        int64_t submitted_ms = clock_boot_ms();
        AUTO_FREE char *id = manager_submit(manager, ONE_TASK);
        pthread_join(thread, NULL);
        assert_int_equal(waiting.status, 200);
        assert_int_equal(json_length_at(waiting.reply, "/slices"), 1);
        assert_string_equal(json_text_at(waiting.reply, "/slices/0/job"), id);
        best_ms = MIN(best_ms, waiting.answered_ms - submitted_ms);
        fake_worker_obey(&waiting.worker, waiting.reply);
        json_object_put(waiting.reply);
    }
    assert_in_range(best_ms, 0, MANAGER_POLL_MS / 3); // the best of five: the machine may be busy
    fake_worker_release(&waiting.worker);
}

// It is told of a drain at once.
static void end_poll(const struct fake_worker *worker, struct manager *manager)
{
    char path[64];
    snprintf(path, sizeof(path), "/v1/workers/%lld/drain", (long long)worker->id);
    assert_int_equal(manager_call(manager, "POST", path, NULL, NULL), 200);
}

// What waits is served in the transaction of the submission, and nobody else has to look.
static void a_submission_and_a_waiting_poll_share_a_transaction(void **state)
{
    UNUSED(state);
    // Each lane learns by itself what jobs ask for; no lease has to be renewed meanwhile.
    static const char *const one_lane[] = {"--lanes=1", "--worker-lease=10m", "--worker-fence=5m", "--worker-poll=30s",
                                           NULL};
    struct manager *manager = manager_start(pg_database_new(test_pg), one_lane);
    static struct waiting waiting[2];
    pthread_t threads[2];
    fake_worker_init(&waiting[0].worker, manager, "shares");
    fake_worker_init(&waiting[1].worker, manager, "waits");
    AUTO_FREE char *first = manager_submit(manager, ONE_TASK); // the lane learns it
    assert_true(fake_worker_until(&waiting[0].worker, manager, first, "succeeded", "none", 60000));
    for (int i = 0; i < 2; i++) {
        waiting[i].wait_ms = MANAGER_POLL_MS;
        pthread_create(&threads[i], NULL, wait_main, &waiting[i]);
        wait_until_parked(manager, i + 1);
    }
    int64_t transactions = metric(manager, "curfew_lane_transactions_total");
    int64_t operations = metric(manager, "curfew_lane_operations_total");
    AUTO_FREE char *second = manager_submit(manager, ONE_TASK);
    pthread_join(threads[0], NULL);
    assert_string_equal(json_text_at(waiting[0].reply, "/slices/0/job"), second);
    assert_int_equal(metric(manager, "curfew_lane_transactions_total"), transactions + 1);
    assert_int_equal(metric(manager, "curfew_lane_operations_total"), operations + 2);
    assert_int_equal(metric(manager, "curfew_parked_polls"), 1);
    fake_worker_obey(&waiting[0].worker, waiting[0].reply);
    end_poll(&waiting[1].worker, manager);
    pthread_join(threads[1], NULL);
    for (int i = 0; i < 2; i++) {
        json_object_put(waiting[i].reply);
        fake_worker_release(&waiting[i].worker);
    }
    manager_free(manager);
}

static void an_empty_poll_waits_and_ends(void **state)
{
    struct manager *manager = *state;
    struct fake_worker worker = {0};
    AUTO_JSON_OBJECT struct json_object *reply = NULL;
    fake_worker_init(&worker, manager, "w4");
    int64_t begin_ms = clock_boot_ms();
    assert_int_equal(fake_worker_poll(&worker, 300, 1, &reply), 200);
    assert_true(clock_boot_ms() - begin_ms >= 270); // a tenth earlier at most: polls_due_ms()
    assert_int_equal(json_length_at(reply, "/slices"), 0);
    assert_true(json_number_at(reply, "/lease_ms") > 20000);
    fake_worker_release(&worker);
}

enum { COUNT = 20 };

static bool one_is_done(void *context)
{
    struct waiting *waiting = context;
    for (int i = 0; i < COUNT; i++)
        if (waiting[i].done)
            return true;
    return false;
}

static void just_one_of_many_is_woken(void **state)
{
    struct manager *manager = *state;
    static struct waiting waiting[COUNT];
    pthread_t threads[COUNT];
    for (int i = 0; i < COUNT; i++) {
        char name[16];
        snprintf(name, sizeof(name), "herd%d", i);
        waiting[i] = (struct waiting){.wait_ms = MANAGER_POLL_MS};
        fake_worker_init(&waiting[i].worker, manager, name);
        pthread_create(&threads[i], NULL, wait_main, &waiting[i]);
    }
    wait_until_parked(manager, COUNT);
    AUTO_FREE char *id = manager_submit(manager, ONE_TASK);
    assert_true(wait_until(one_is_done, waiting, WAIT_MS));
    wait_until_parked(manager, COUNT - 1);
    for (int i = 0; i < COUNT; i++) // the others have waited long enough
        if (!waiting[i].done)
            end_poll(&waiting[i].worker, manager);
    int given = 0;
    for (int i = 0; i < COUNT; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(waiting[i].status, 200);
        given += (int)json_length_at(waiting[i].reply, "/slices");
        fake_worker_obey(&waiting[i].worker, waiting[i].reply);
        json_object_put(waiting[i].reply);
        fake_worker_release(&waiting[i].worker);
    }
    assert_int_equal(given, 1);
    assert_true(manager_wait_job(manager, id, "succeeded", "none", WAIT_MS));
}

static void a_newer_poll_ends_the_older(void **state)
{
    struct manager *manager = *state;
    struct waiting older = {.wait_ms = MANAGER_POLL_MS};
    AUTO_JSON_OBJECT struct json_object *reply = NULL;
    pthread_t thread;
    fake_worker_init(&older.worker, manager, "w5");
    struct fake_worker newer = older.worker;
    newer.client = manager_client(manager);
    int64_t begin_ms = clock_boot_ms();
    pthread_create(&thread, NULL, wait_main, &older);
    wait_until_parked(manager, 1);
    assert_int_equal(fake_worker_poll(&newer, 2000, 1, &reply), 200);
    pthread_join(thread, NULL);
    assert_int_equal(older.status, 200);
    assert_in_range(older.answered_ms - begin_ms, 0, MANAGER_POLL_MS / 2);
    json_object_put(older.reply);
    fake_worker_release(&newer);
    fake_worker_release(&older.worker);
}

// ---- fencing

static void stale_reports_change_nothing(void **state)
{
    struct manager *manager = *state;
    struct fake_worker worker = {.holds_tasks = true};
    AUTO_JSON_OBJECT struct json_object *reply = NULL, *first = NULL, *second = NULL, *third = NULL;
    char members[512];
    fake_worker_init(&worker, manager, "w6");
    AUTO_FREE char *id = manager_submit(manager, ONE_TASK);
    assert_int_equal(fake_worker_poll(&worker, 20000, 1, &reply), 200);
    snprintf(members, sizeof(members), "\"slices\":[{\"slice\":\"%s\",\"token\":%lld,\"succeeded\":\"all\"}]",
             json_text_at(reply, "/slices/0/slice"), (long long)json_number_at(reply, "/slices/0/token"));
    assert_int_equal(fake_worker_report(&worker, members, &first), 200);
    assert_int_equal(json_length_at(first, "/stale"), 0);
    assert_int_equal(fake_worker_report(&worker, members, &second), 409);
    assert_string_equal(json_text_at(second, "/code"), "stale");
    assert_string_equal(json_text_at(second, "/stale/0"), json_text_at(reply, "/slices/0/slice"));
    strcat(members, ",\"poll\":{\"wait_ms\":0,\"want\":{\"default\":1}}");
    assert_int_equal(fake_worker_report(&worker, members, &third), 200);
    assert_int_equal(json_length_at(third, "/stale"), 1);
    assert_non_null(json_at(third, "/slices"));
    assert_true(manager_wait_job(manager, id, "succeeded", "none", WAIT_MS));
    fake_worker_release(&worker);
}

static void an_old_incarnation_is_told(void **state)
{
    struct manager *manager = *state;
    struct fake_worker worker = {0}, next = {0};
    AUTO_JSON_OBJECT struct json_object *poll = NULL, *report = NULL;
    fake_worker_init(&worker, manager, "w7");
    next.id = worker.id;
    next.incarnation = worker.incarnation;
    fake_worker_init(&next, manager, "w7");
    assert_int_equal(next.id, worker.id);
    assert_int_equal(next.incarnation, worker.incarnation + 1);
    assert_int_equal(fake_worker_poll(&worker, 0, 1, &poll), 409);
    assert_string_equal(json_text_at(poll, "/code"), "stale_incarnation");
    assert_int_equal(fake_worker_report(&worker, "", &report), 409);
    worker.id = 999999;
    strcpy(worker.poll_path, "/v1/workers/999999/poll");
    assert_int_equal(fake_worker_poll(&worker, 0, 1, NULL), 404);
    strcpy(worker.poll_path, "/v1/workers/x/poll");
    assert_int_equal(fake_worker_poll(&worker, 0, 1, NULL), 404);
    fake_worker_release(&worker);
    fake_worker_release(&next);
}

static void a_lost_reply_gives_the_tasks_back(void **state)
{
    struct manager *manager = *state;
    struct fake_worker worker = {.holds_tasks = true};
    AUTO_JSON_OBJECT struct json_object *lost = NULL, *again = NULL;
    fake_worker_init(&worker, manager, "w8");
    AUTO_FREE char *id = manager_submit(manager, ONE_TASK);
    assert_int_equal(fake_worker_poll(&worker, 20000, 1, &lost), 200);
    assert_int_equal(json_length_at(lost, "/slices"), 1);
    char body[128];
    snprintf(body, sizeof(body), "{\"incarnation\":%d,\"held\":[],\"want\":{\"default\":1},\"wait_ms\":2000}",
             worker.incarnation);
    assert_int_equal(client_call(worker.client, "POST", worker.poll_path, NULL, 0, body, &again), 200);
    assert_int_equal(json_length_at(again, "/slices"), 1);
    worker.holds_tasks = false;
    fake_worker_obey(&worker, again);
    assert_true(manager_wait_job(manager, id, "succeeded", "none", WAIT_MS));
    fake_worker_release(&worker);
}

// A worker that dies while it waits: what comes then is not given to it, though the watchdog has not noticed yet.
static void a_client_that_has_gone_is_given_nothing(void **state)
{
    struct manager *manager = *state;
    struct fake_worker dies = {0}, lives = {0};
    fake_worker_init(&dies, manager, "w9");
    fake_worker_init(&lives, manager, "w10");
    for (int i = 0; i < 5; i++) {
        AUTO_JSON_OBJECT struct json_object *reply = NULL;
        int client = raw_connect((uint16_t)atoi(strrchr(manager_url(manager), ':') + 1));
        char body[128], request[512];
        snprintf(body, sizeof(body), "{\"incarnation\":%d,\"wait_ms\":30000,\"want\":{\"default\":1}}",
                 dies.incarnation);
        snprintf(
            request, sizeof(request),
            "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
            dies.poll_path, strlen(body), body);
        raw_send_text(client, request);
        wait_until_parked(manager, 1);
        close(client);
        AUTO_FREE char *id = manager_submit(manager, ONE_TASK);
        assert_int_equal(fake_worker_poll(&lives, 20000, 1, &reply), 200);
        assert_int_equal(json_length_at(reply, "/slices"), 1);
        assert_int_equal(json_number_at(reply, "/slices/0/attempt"), 1);
        fake_worker_obey(&lives, reply);
        assert_true(manager_wait_job(manager, id, "succeeded", "none", WAIT_MS));
    }
    fake_worker_release(&dies);
    fake_worker_release(&lives);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_job_goes_through, setup, teardown),
        cmocka_unit_test_setup_teardown(services_start_before_and_stop_after, setup, teardown),
        cmocka_unit_test_setup_teardown(a_parked_poll_is_woken_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_submission_and_a_waiting_poll_share_a_transaction, setup, teardown),
        cmocka_unit_test_setup_teardown(an_empty_poll_waits_and_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(just_one_of_many_is_woken, setup, teardown),
        cmocka_unit_test_setup_teardown(a_newer_poll_ends_the_older, setup, teardown),
        cmocka_unit_test_setup_teardown(stale_reports_change_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(an_old_incarnation_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(a_lost_reply_gives_the_tasks_back, setup, teardown),
        cmocka_unit_test_setup_teardown(a_client_that_has_gone_is_given_nothing, setup, teardown),
    };
    return cmocka_run_group_tests(tests, db_test_start, db_test_stop);
}
