#include "services/reaper/rounds.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct rounds {
    round_fn round;
    void *context;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t stop;
    bool stopping;
};

// True when the thread shall end.
static bool rest(struct rounds *rounds, int64_t rest_ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += rest_ms % 1000 * 1000000;
    until.tv_sec += rest_ms / 1000 + until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&rounds->mutex);
    int outcome = 0;
    while (!rounds->stopping && outcome == 0)
        outcome = pthread_cond_timedwait(&rounds->stop, &rounds->mutex, &until);
    bool stopping = rounds->stopping;
    pthread_mutex_unlock(&rounds->mutex);
    return stopping;
}

static void *run(void *context)
{
    struct rounds *rounds = context;
    while (!rest(rounds, rounds->round(rounds->context)))
        ;
    return NULL;
}

static void release(struct rounds *rounds)
{
    pthread_cond_destroy(&rounds->stop);
    pthread_mutex_destroy(&rounds->mutex);
    free(rounds);
}

int rounds_start(round_fn round, void *context, struct rounds **out, struct err *err)
{
    pthread_condattr_t attributes;
    struct rounds *rounds = calloc(1, sizeof *rounds);
    if (!rounds)
        return err_set(err, ERR_NO_MEMORY, "no memory for a thread");
    rounds->round = round;
    rounds->context = context;
    pthread_mutex_init(&rounds->mutex, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&rounds->stop, &attributes);
    pthread_condattr_destroy(&attributes);
    int number = pthread_create(&rounds->thread, NULL, run, rounds);
    if (number != 0) {
        release(rounds);
        return err_set(err, ERR_UNAVAILABLE, "no thread: %s", strerror(number));
    }
    *out = rounds;
    return 0;
}

void rounds_stop(struct rounds *rounds)
{
    if (!rounds)
        return;
    pthread_mutex_lock(&rounds->mutex);
    rounds->stopping = true;
    pthread_cond_signal(&rounds->stop);
    pthread_mutex_unlock(&rounds->mutex);
    pthread_join(rounds->thread, NULL);
    release(rounds);
}
