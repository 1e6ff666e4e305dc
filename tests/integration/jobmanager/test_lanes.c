// What a lane has committed is there, whatever happens to the reply: submissions by key across kill -9, and a database
// that goes away and comes back.
#include "services/common/base/clock.h"
#include "tests/support/contract.h"
#include "tests/support/db_test.h"
#include "tests/support/fake_worker.h"
#include "tests/support/process.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define SUBMITS 50
#define THREADS 5

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

// ---- the same key is the same job

static int submit_keyed(struct http_client *client, int number, char id[32])
{
    char key[32], body[128];
    AUTO_JSON_OBJECT struct json_object *reply = NULL;
    snprintf(key, sizeof(key), "key-%d", number);
    snprintf(body, sizeof(body), "{\"name\":\"keyed\",\"command\":[\"echo\",\"%d\"]}", number);
    struct http_header header = {"Idempotency-Key", key};
    int status = client_call(client, "POST", "/v1/jobs", &header, 1, body, &reply);
    if (status == 200 || status == 201)
        snprintf(id, 32, "%s", json_text_at(reply, "/id"));
    return status;
}

static void the_same_key_is_the_same_job(void **state)
{
    struct http_client *client = manager_client(*state);
    AUTO_JSON_OBJECT struct json_object *problem = NULL;
    struct http_header header = {"Idempotency-Key", "key-1000"};
    char first[32], second[32];
    assert_int_equal(submit_keyed(client, 1000, first), 201);
    assert_int_equal(submit_keyed(client, 1000, second), 200);
    assert_string_equal(first, second);
    assert_int_equal(
        client_call(client, "POST", "/v1/jobs", &header, 1, "{\"name\":\"other\",\"command\":[\"true\"]}", &problem),
        409);
    assert_string_equal(json_text_at(problem, "/code"), "conflict");
    http_client_free(client);
}

struct submitter {
    struct manager *manager;
    int first;
    char ids[SUBMITS / THREADS][32];
    _Atomic int *answered;
    pthread_t thread;
};

// Repeats each until it is answered, as a client does that loses its connection.
static void *submit_main(void *context)
{
    struct submitter *submitter = context;
    const struct timespec pause = {.tv_nsec = 5000000};
    struct http_client *client = manager_client(submitter->manager);
    for (int i = 0; i < SUBMITS / THREADS; i++) {
        for (int status = 0; status != 200 && status != 201;) {
            status = submit_keyed(client, submitter->first + i, submitter->ids[i]);
            if (status == 0 || status == 503)
                nanosleep(&pause, NULL);
        }
        (*submitter->answered)++;
    }
    http_client_free(client);
    return NULL;
}

struct progress {
    _Atomic int *answered;
    int wanted;
};

static bool has_answered(void *context)
{
    struct progress *progress = context;
    return *progress->answered >= progress->wanted;
}

static void kills_between_commit_and_reply_make_no_second_job(void **state)
{
    struct manager *manager = *state;
    static struct submitter submitters[THREADS];
    _Atomic int answered = 0;
    for (int i = 0; i < THREADS; i++) {
        submitters[i] = (struct submitter){.manager = manager, .first = i * SUBMITS / THREADS, .answered = &answered};
        pthread_create(&submitters[i].thread, NULL, submit_main, &submitters[i]);
    }
    for (int kill = 1; kill <= 8; kill++) {
        struct progress progress = {&answered, kill * SUBMITS / 9};
        assert_true(wait_until(has_answered, &progress, 60000));
        manager_kill(manager);
        manager_restart(manager);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(submitters[i].thread, NULL);
    AUTO_DB struct db *db = db_test_open(database, NULL, 0);
    assert_int_equal(db_test_i64(db, "SELECT count(*) FROM job WHERE idempotency_key ~ '^key-[0-9]{1,2}$'"), SUBMITS);
    struct http_client *client = manager_client(manager);
    for (int i = 0; i < SUBMITS; i++) {
        char again[32];
        assert_int_equal(submit_keyed(client, i, again), 200);
        assert_string_equal(again, submitters[i / (SUBMITS / THREADS)].ids[i % (SUBMITS / THREADS)]);
    }
    http_client_free(client);
}

// ---- the database goes away

static bool submits_again(void *context)
{
    return manager_call(context, "POST", "/v1/jobs", "{\"name\":\"back\",\"command\":[\"true\"]}", NULL) == 201;
}

static bool is_ready(void *context)
{
    return manager_call(context, "GET", "/readyz", NULL, NULL) == 200;
}

static void assert_unavailable(struct manager *manager, const char *method, const char *path, const char *body)
{
    struct http_client *client = manager_client(manager);
    AUTO_HTTP_RESPONSE struct http_response response = HTTP_RESPONSE_INIT;
    struct http_call call = {.method = method, .path = path, .body = body, .body_length = body ? strlen(body) : 0};
    struct err err;
    assert_ok(contract_call(client, &call, &response, &err), err);
    if (response.status != 503 || response.retry_after_ms <= 0)
        fail_msg("%s %s: %d %s", method, path, response.status, strbuf_text(&response.body));
    http_client_free(client);
}

static void a_database_that_restarts_is_a_503_and_then_forgotten(void **state)
{
    struct manager *manager = *state;
    struct fake_worker worker = {0};
    char poll[64];
    fake_worker_init(&worker, manager, "survivor");
    snprintf(poll, sizeof(poll), "{\"incarnation\":%d,\"want\":{\"default\":1}}", worker.incarnation);
    pg_kill(test_pg);
    assert_unavailable(manager, "POST", "/v1/jobs", "{\"name\":\"lost\",\"command\":[\"true\"]}");
    assert_unavailable(manager, "POST", worker.poll_path, poll);
    assert_unavailable(manager, "GET", "/v1/jobs", NULL);
    assert_unavailable(manager, "GET", "/v1/jobs/j0000000000001?wait=closed", NULL);
    assert_unavailable(manager, "GET", "/readyz", NULL);
    assert_int_equal(manager_call(manager, "GET", "/livez", NULL, NULL), 200);
    assert_int_equal(manager_call(manager, "GET", "/metrics", NULL, NULL), 200);
    pg_restart(test_pg);
    assert_true(wait_until(submits_again, manager, 60000));
    assert_true(wait_until(is_ready, manager, 60000));
    AUTO_FREE char *id = manager_submit(manager, "{\"name\":\"after\",\"command\":[\"true\"]}");
    assert_true(fake_worker_until(&worker, manager, id, "succeeded", "none", 60000));
    fake_worker_release(&worker);
}

// Within two seconds each, of which a busy machine makes more; long before it has given up the calls that it has sent.
static void a_database_that_hangs_is_not_ready_soon(void **state)
{
    struct manager *manager = *state;
    assert_true(wait_until(is_ready, manager, 20000));
    int64_t began_ms = clock_boot_ms();
    pg_freeze(test_pg);
    for (int i = 0; i < 3; i++)
        assert_unavailable(manager, "GET", "/readyz", NULL);
    int64_t took_ms = clock_boot_ms() - began_ms;
    pg_thaw(test_pg);
    assert_in_range(took_ms, 0, 20000);
    assert_true(wait_until(is_ready, manager, 20000));
}

struct flood {
    struct http_client *client;
    pthread_t thread;
    int status;
    int64_t took_ms;
};

static void *flood_main(void *context)
{
    struct flood *flood = context;
    int64_t begin_ms = clock_boot_ms();
    flood->status =
        client_call(flood->client, "POST", "/v1/jobs", NULL, 0, "{\"name\":\"flood\",\"command\":[\"true\"]}", NULL);
    flood->took_ms = clock_boot_ms() - begin_ms;
    return NULL;
}

// While one transaction hangs, two requests queue and the others are refused at once.
static void assert_overload(struct manager *small)
{
    struct flood floods[8];
    int at_once = 0;
    for (size_t i = 0; i < ARRAY_LEN(floods); i++) {
        floods[i].client = manager_client(small);
        pthread_create(&floods[i].thread, NULL, flood_main, &floods[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(floods); i++) {
        pthread_join(floods[i].thread, NULL);
        http_client_free(floods[i].client);
        assert_int_equal(floods[i].status, 503);
        at_once += floods[i].took_ms < 8000; // those that queue wait for ten seconds
    }
    assert_in_range(at_once, 3, ARRAY_LEN(floods));
}

static void a_database_that_hangs_holds_nobody_for_ever(void **state)
{
    UNUSED(state);
    const char *const few[] = {"--queue-limit", "2", NULL};
    AUTO_MANAGER struct manager *small = manager_start(database, few);
    assert_true(wait_until(submits_again, small, 60000)); // its lane has its connection
    pg_freeze(test_pg);
    int64_t begin_ms = clock_boot_ms();
    assert_overload(small);
    assert_in_range(clock_boot_ms() - begin_ms, 0, 60000); // 15 s: workers fence themselves after 20
    assert_int_equal(manager_call(small, "GET", "/livez", NULL, NULL), 200);
    pg_thaw(test_pg);
    assert_true(wait_until(submits_again, small, 60000));
}

struct beat {
    struct fake_worker worker;
    pthread_t thread;
    int status;
    _Atomic bool is_answered;
};

static void *beat_main(void *context)
{
    struct beat *beat = context;
    beat->status = fake_worker_poll(&beat->worker, 0, 0, NULL);
    atomic_store(&beat->is_answered, true);
    return NULL;
}

static bool is_answered(void *context)
{
    return atomic_load(&((struct beat *)context)->is_answered);
}

static _Atomic int refused;

static void *refusal_main(void *context)
{
    flood_main(context);
    atomic_fetch_add(&refused, ((struct flood *)context)->status == 503);
    return NULL;
}

static bool some_are_refused(void *context)
{
    UNUSED(context);
    return atomic_load(&refused) > 0;
}

// Submissions fill their part of the queue: a worker's call waits in its own until the database is back.
static void workers_are_heard_when_submissions_are_too_many(void **state)
{
    UNUSED(state);
    const char *const few[] = {"--queue-limit", "2", NULL};
    AUTO_MANAGER struct manager *small = manager_start(database, few);
    struct flood floods[8];
    struct beat beat = {.status = 0};
    assert_true(wait_until(submits_again, small, 60000));
    fake_worker_init(&beat.worker, small, "heard");
    pg_freeze(test_pg);
    for (size_t i = 0; i < ARRAY_LEN(floods); i++) {
        floods[i].client = manager_client(small);
        pthread_create(&floods[i].thread, NULL, refusal_main, &floods[i]);
    }
    bool is_full = wait_until(some_are_refused, NULL, 9000);
    pthread_create(&beat.thread, NULL, beat_main, &beat);
    bool is_refused = wait_until(is_answered, &beat, 1000);
    pg_thaw(test_pg);
    pthread_join(beat.thread, NULL);
    for (size_t i = 0; i < ARRAY_LEN(floods); i++) {
        pthread_join(floods[i].thread, NULL);
        http_client_free(floods[i].client);
    }
    fake_worker_release(&beat.worker);
    assert_true(is_full);
    assert_false(is_refused);
    assert_int_equal(beat.status, 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_key_is_the_same_job),
        cmocka_unit_test(kills_between_commit_and_reply_make_no_second_job),
        cmocka_unit_test(a_database_that_restarts_is_a_503_and_then_forgotten),
        cmocka_unit_test(a_database_that_hangs_is_not_ready_soon),
        cmocka_unit_test(a_database_that_hangs_holds_nobody_for_ever),
        cmocka_unit_test(workers_are_heard_when_submissions_are_too_many),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
