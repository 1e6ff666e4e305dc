#include "services/common/base/macros.h"
#include "services/jobmanager/pool.h"
#include "tests/support/process.h"
#include "tests/support/test.h"

#include <string.h>

#include <pthread.h>
#include <stdatomic.h>

#define COUNT 100

// The tasks here use no database, so that none has to be there.
#define NOWHERE "host=/nonexistent connect_timeout=1"

struct gate {
    pthread_mutex_t mutex;
    _Atomic int ran;
};
static struct gate gate = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static void run(struct pool_task *task, struct db *db)
{
    UNUSED(task);
    assert_non_null(db);
    pthread_mutex_lock(&gate.mutex);
    gate.ran++;
    pthread_mutex_unlock(&gate.mutex);
}

static bool all_ran(void *wanted)
{
    return gate.ran == *(int *)wanted;
}

static void every_task_runs_once(void **state)
{
    UNUSED(state);
    static struct pool_task tasks[COUNT];
    struct pool_settings settings = {.database_url = NOWHERE, .threads = 3, .queue_max = 1000};
    struct pool *pool;
    struct err err;
    int wanted = COUNT;
    gate.ran = 0;
    assert_ok(pool_start(&settings, &pool, &err), err);
    for (int i = 0; i < COUNT; i++) {
        tasks[i].run = run;
        assert_ok(pool_add(pool, &tasks[i], &err), err);
    }
    assert_true(wait_until(all_ran, &wanted, 60000));
    assert_int_equal(pool_queued(pool), 0);
    pool_stop(pool);
}

static bool one_is_taken(void *context)
{
    return pool_queued(context) == 0;
}

static void above_the_limit_it_refuses(void **state)
{
    UNUSED(state);
    static struct pool_task tasks[5];
    struct pool_settings settings = {.database_url = NOWHERE, .threads = 1, .queue_max = 2};
    struct pool *pool;
    struct err err;
    gate.ran = 0;
    for (int i = 0; i < 5; i++)
        tasks[i].run = run;
    assert_ok(pool_start(&settings, &pool, &err), err);
    pthread_mutex_lock(&gate.mutex);
    assert_ok(pool_add(pool, &tasks[0], &err), err);
    assert_true(wait_until(one_is_taken, pool, 60000));
    assert_ok(pool_add(pool, &tasks[1], &err), err);
    assert_ok(pool_add(pool, &tasks[2], &err), err);
    assert_error(pool_add(pool, &tasks[3], &err), err, ERR_UNAVAILABLE, "too many");
    pool_add_admitted(pool, &tasks[4]);
    pthread_mutex_unlock(&gate.mutex);
    pool_stop(pool); // runs what is queued
    assert_int_equal(gate.ran, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_task_runs_once),
        cmocka_unit_test(above_the_limit_it_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
