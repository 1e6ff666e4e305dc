// PostgreSQL is gone for half a minute under load. Meanwhile every call is answered, with 503 and Retry-After or, where
// no database is needed, as always; afterwards the same manager goes on within seconds, and nothing that it had
// acknowledged is lost.
#include "services/common/base/clock.h"
#include "tests/support/contract.h"
#include "tests/support/db_test.h"
#include "tests/support/fake_worker.h"
#include "tests/support/process.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OUTAGE_MS 30000
#define RECOVERY_MS 5000
#define ANSWER_MS 15000 // queue-wait is 10 s
#define SUBMITTERS 4
#define WORKERS 2
#define BEFORE 100 // jobs before the outage

static struct {
    struct manager *manager;
    _Atomic bool over;
    _Atomic int64_t acknowledged, refused, unanswered, without_retry_after, odd, slowest_ms;
    _Atomic int64_t lives, deaths; // answers of /livez
} load;

static void note_slowest(int64_t took_ms)
{
    int64_t slowest_ms = atomic_load(&load.slowest_ms);
    while (took_ms > slowest_ms && !atomic_compare_exchange_weak(&load.slowest_ms, &slowest_ms, took_ms))
        ;
}

static void pace(void)
{
    usleep(10000);
}

// True when it was acknowledged.
static bool submit(struct http_client *client, const char *key)
{
    static const char spec[] = "{\"name\":\"load\",\"command\":[\"true\"]}";
    AUTO_HTTP_RESPONSE struct http_response response = HTTP_RESPONSE_INIT;
    struct http_header header = {"Idempotency-Key", key};
    struct http_call call = {.method = "POST",
                             .path = "/v1/jobs",
                             .headers = &header,
                             .header_count = 1,
                             .body = spec,
                             .body_length = sizeof(spec) - 1};
    int64_t begin_ms = clock_boot_ms();
    bool answered = contract_call(client, &call, &response, NULL) == 0;
    note_slowest(clock_boot_ms() - begin_ms);
    if (!answered) {
        atomic_fetch_add(&load.unanswered, 1);
        return false;
    }
    if (response.status == 503) {
        atomic_fetch_add(&load.refused, 1);
        atomic_fetch_add(&load.without_retry_after, response.retry_after_ms < 0);
    } else if (response.status != 201 && response.status != 200) {
        atomic_fetch_add(&load.odd, 1);
    }
    return response.status == 201 || response.status == 200;
}

static void *submit_main(void *context)
{
    struct http_client *client = manager_client(load.manager);
    for (int number = 0; !atomic_load(&load.over); number++) {
        char key[64];
        snprintf(key, sizeof(key), "%d-%d", *(int *)context, number);
        while (!submit(client, key)) // what was refused or is not known is asked for again, under its key
            pace();
        atomic_fetch_add(&load.acknowledged, 1);
        pace();
    }
    http_client_free(client);
    return NULL;
}

static void *work_main(void *context)
{
    struct fake_worker *worker = context;
    while (!atomic_load(&load.over)) {
        fake_worker_step(worker, 100, 100);
        pace();
    }
    return NULL;
}

static void *live_main(void *context)
{
    struct http_client *client = manager_client(load.manager);
    UNUSED(context);
    while (!atomic_load(&load.over)) {
        bool lives = client_call(client, "GET", "/livez", NULL, 0, NULL, NULL) == 200;
        atomic_fetch_add(lives ? &load.lives : &load.deaths, 1);
        pace();
    }
    http_client_free(client);
    return NULL;
}

static bool acknowledged(void *context)
{
    return atomic_load(&load.acknowledged) >= *(int64_t *)context;
}

static bool is_down(void *context)
{
    UNUSED(context);
    return manager_call(load.manager, "GET", "/readyz", NULL, NULL) == 503;
}

static bool time_is_over(void *context)
{
    return clock_boot_ms() >= *(int64_t *)context;
}

// The outage; returns how long the first acknowledgement after it took.
static int64_t go_away_and_come_back(void)
{
    int64_t end_ms = clock_boot_ms() + OUTAGE_MS;
    pg_kill(test_pg);
    assert_true(wait_until(is_down, NULL, 60000));
    assert_true(wait_until(time_is_over, &end_ms, 2 * OUTAGE_MS));
    assert_true(atomic_load(&load.refused) > 0);
    pg_restart(test_pg);
    int64_t back_ms = clock_boot_ms(), next = atomic_load(&load.acknowledged) + SUBMITTERS;
    assert_true(wait_until(acknowledged, &next, 60000));
    return clock_boot_ms() - back_ms;
}

static bool all_closed(void *context)
{
    return db_test_i64(context, "SELECT count(*) FROM curfew.job WHERE closed_at IS NULL") == 0;
}

static void finish(struct db *db, struct fake_worker workers[static WORKERS])
{
    for (int64_t end_ms = clock_boot_ms() + 60000; !all_closed(db) && clock_boot_ms() < end_ms;)
        for (int i = 0; i < WORKERS; i++)
            fake_worker_step(&workers[i], 100, 100);
    assert_true(all_closed(db));
}

static void postgres_is_gone_for_half_a_minute(void **state)
{
    UNUSED(state);
    static struct fake_worker workers[WORKERS];
    static int numbers[SUBMITTERS];
    pthread_t threads[SUBMITTERS + WORKERS + 1];
    size_t count = 0;
    const char *database = pg_database_new(test_pg);
    // The workers are the same ones after it: no lease ends meanwhile.
    const char *const settings[] = {"--worker-lease", "5m", NULL};
    load.manager = manager_start(database, settings);
    for (int i = 0; i < WORKERS; i++) {
        char name[16];
        snprintf(name, sizeof(name), "w%d", i);
        fake_worker_init(&workers[i], load.manager, name);
        workers[i].holds_nothing = true;
        pthread_create(&threads[count++], NULL, work_main, &workers[i]);
    }
    for (int i = 0; i < SUBMITTERS; i++) {
        numbers[i] = i;
        pthread_create(&threads[count++], NULL, submit_main, &numbers[i]);
    }
    pthread_create(&threads[count++], NULL, live_main, NULL);
    int64_t before = BEFORE;
    assert_true(wait_until(acknowledged, &before, 60000));
    int64_t recovery_ms = go_away_and_come_back();
    atomic_store(&load.over, true);
    for (size_t i = 0; i < count; i++)
        pthread_join(threads[i], NULL);

    AUTO_DB struct db *db = db_test_open(database, NULL, 0);
    finish(db, workers);
    printf("acknowledged %lld, refused %lld, recovered in %lld ms, slowest answer %lld ms\n",
           (long long)load.acknowledged, (long long)load.refused, (long long)recovery_ms, (long long)load.slowest_ms);
    assert_int_equal(db_test_i64(db, "SELECT count(*) FROM curfew.job"), atomic_load(&load.acknowledged));
    assert_int_equal(db_test_i64(db, "SELECT count(*) FROM curfew.job WHERE outcome <> 0"), 0);
    assert_int_equal(db_test_i64(db, "SELECT count(*) FROM curfew.violations(NULL)"), 0);
    assert_int_equal(load.unanswered, 0);
    assert_int_equal(load.odd, 0);
    assert_int_equal(load.without_retry_after, 0);
    assert_int_equal(load.deaths, 0);
    assert_true(load.lives > 0);
    assert_true(recovery_ms <= RECOVERY_MS);
    assert_true(load.slowest_ms <= ANSWER_MS);
    for (int i = 0; i < WORKERS; i++)
        fake_worker_release(&workers[i]);
    manager_free(load.manager); // it has never ended, and ends well
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(postgres_is_gone_for_half_a_minute)};
    return cmocka_run_group_tests(tests, db_test_start, db_test_stop);
}
