#include "services/jobmanager/pool.h"

#include "services/common/base/cleanup.h"
#include "services/common/db/db.h"
#include "services/common/store/embedded.h"

#include <pthread.h>

struct pool_thread {
    struct pool *pool;
    pthread_t thread;
    struct db *db;
};

struct pool {
    pthread_mutex_t mutex; // guards the queue
    pthread_cond_t filled;
    struct pool_task *first, *last;
    size_t queued, queue_max;
    bool stopping;
    struct pool_thread *threads;
    int started;
};

static bool add(struct pool *pool, struct pool_task *task, bool may_refuse)
{
    task->next = NULL;
    pthread_mutex_lock(&pool->mutex);
    bool full = may_refuse && pool->queued >= pool->queue_max;
    if (!full) {
        *(pool->last ? &pool->last->next : &pool->first) = task;
        pool->last = task;
        pool->queued++;
        pthread_cond_signal(&pool->filled);
    }
    pthread_mutex_unlock(&pool->mutex);
    return !full;
}

int pool_add(struct pool *pool, struct pool_task *task, struct err *err)
{
    if (add(pool, task, true))
        return 0;
    return err_set(err, ERR_UNAVAILABLE, "too many requests are waiting for the database");
}

void pool_add_admitted(struct pool *pool, struct pool_task *task)
{
    add(pool, task, false);
}

int64_t pool_queued(struct pool *pool)
{
    pthread_mutex_lock(&pool->mutex);
    size_t queued = pool->queued;
    pthread_mutex_unlock(&pool->mutex);
    return (int64_t)queued;
}

static struct pool_task *take(struct pool *pool)
{
    pthread_mutex_lock(&pool->mutex);
    while (!pool->first && !pool->stopping)
        pthread_cond_wait(&pool->filled, &pool->mutex);
    struct pool_task *task = pool->first;
    if (task) {
        pool->first = task->next;
        pool->queued--;
    }
    if (!pool->first)
        pool->last = NULL;
    pthread_mutex_unlock(&pool->mutex);
    return task;
}

static void *pool_main(void *context)
{
    struct pool_thread *thread = context;
    struct pool_task *task;
    while ((task = take(thread->pool)))
        task->run(task, thread->db);
    return NULL;
}

static int thread_start(struct pool_thread *thread, struct pool *pool, const struct pool_settings *settings,
                        struct err *err)
{
    struct db_options options = {.application_name = "curfew-jobmanager",
                                 .statements = store_statements,
                                 .statement_count = STATEMENT_COUNT,
                                 .statement_timeout_ms = settings->statement_timeout_ms,
                                 .network_timeout_ms = settings->network_timeout_ms};
    AUTO_DB struct db *db = NULL;
    if (db_open(settings->database_url, &options, &db, err) < 0)
        return -1;
    *thread = (struct pool_thread){.pool = pool, .db = db};
    int failed = pthread_create(&thread->thread, NULL, pool_main, thread);
    if (failed)
        return err_errno(err, ERR_UNAVAILABLE, failed, "cannot start a pool thread");
    TAKE_PTR(db);
    return 0;
}

int pool_start(const struct pool_settings *settings, struct pool **out, struct err *err)
{
    struct pool *pool = calloc(1, sizeof(*pool));
    if (!pool)
        return err_set(err, ERR_NO_MEMORY, "no memory for the pool");
    pool->queue_max = settings->queue_max;
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->filled, NULL);
    pool->threads = calloc((size_t)settings->threads, sizeof(*pool->threads));
    int outcome = pool->threads ? 0 : err_set(err, ERR_NO_MEMORY, "no memory for the pool");
    while (outcome == 0 && pool->started < settings->threads) {
        outcome = thread_start(&pool->threads[pool->started], pool, settings, err);
        pool->started += outcome == 0;
    }
    if (outcome < 0) {
        pool_stop(pool);
        return -1;
    }
    *out = pool;
    return 0;
}

void pool_stop(struct pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->mutex);
    pool->stopping = true;
    pthread_cond_broadcast(&pool->filled);
    pthread_mutex_unlock(&pool->mutex);
    for (int i = 0; i < pool->started; i++) {
        pthread_join(pool->threads[i].thread, NULL);
        db_close(pool->threads[i].db);
    }
    free(pool->threads);
    pthread_cond_destroy(&pool->filled);
    pthread_mutex_destroy(&pool->mutex);
    free(pool);
}
