#include "services/common/base/clock.h"
#include "services/common/base/macros.h"
#include "services/jobmanager/condition.h"
#include "tests/support/test.h"

static void a_wait_ends_by_itself(void **state)
{
    UNUSED(state);
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t condition;
    condition_init(&condition);
    pthread_mutex_lock(&mutex);
    int64_t until_ms = clock_boot_ms() + 30;
    for (int64_t left_ms; (left_ms = until_ms - clock_boot_ms()) > 0;)
        condition_wait(&condition, &mutex, left_ms);
    condition_wait(&condition, &mutex, 0);
    int64_t until_us = clock_boot_us() + 1200;
    for (int64_t left_us; (left_us = until_us - clock_boot_us()) > 0;)
        condition_wait_us(&condition, &mutex, left_us);
    pthread_mutex_unlock(&mutex);
    pthread_cond_destroy(&condition);
}

struct shared {
    pthread_mutex_t mutex;
    pthread_cond_t condition;
    bool said;
};

static void *say(void *context)
{
    struct shared *shared = context;
    pthread_mutex_lock(&shared->mutex);
    shared->said = true;
    pthread_cond_signal(&shared->condition);
    pthread_mutex_unlock(&shared->mutex);
    return NULL;
}

static void a_signal_ends_it(void **state)
{
    UNUSED(state);
    struct shared shared = {.mutex = PTHREAD_MUTEX_INITIALIZER};
    pthread_t thread;
    condition_init(&shared.condition);
    int64_t begin_ms = clock_boot_ms();
    pthread_mutex_lock(&shared.mutex);
    pthread_create(&thread, NULL, say, &shared);
    while (!shared.said)
        condition_wait(&shared.condition, &shared.mutex, 60000);
    pthread_mutex_unlock(&shared.mutex);
    assert_true(clock_boot_ms() - begin_ms < 30000);
    pthread_join(thread, NULL);
    pthread_cond_destroy(&shared.condition);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wait_ends_by_itself),
        cmocka_unit_test(a_signal_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
