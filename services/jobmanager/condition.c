#include "services/jobmanager/condition.h"

#include <time.h>

void condition_init(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}

void condition_wait(pthread_cond_t *condition, pthread_mutex_t *mutex, int64_t delay_ms)
{
    if (delay_ms < 0)
        pthread_cond_wait(condition, mutex);
    else
        condition_wait_us(condition, mutex, delay_ms * 1000);
}

void condition_wait_us(pthread_cond_t *condition, pthread_mutex_t *mutex, int64_t delay_us)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += delay_us / 1000000;
    until.tv_nsec += delay_us % 1000000 * 1000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_cond_timedwait(condition, mutex, &until);
}
