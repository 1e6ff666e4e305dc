#include "services/common/store/hot_runs.h"

#include "services/common/store/hot_cache.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define BYTES_MAX ((size_t)8 << 20)

struct hot_runs {
    pthread_mutex_t mutex;
    struct hot_cache cache; // of struct hot_run, each a block with its texts
};

int hot_runs_new(struct hot_runs **out, struct err *err)
{
    struct hot_runs *runs = calloc(1, sizeof *runs);
    if (!runs)
        return err_set(err, ERR_NO_MEMORY, "no memory to remember what stages run");
    pthread_mutex_init(&runs->mutex, NULL);
    runs->cache.bytes_max = BYTES_MAX;
    *out = runs;
    return 0;
}

void hot_runs_free(struct hot_runs *runs)
{
    if (!runs)
        return;
    hot_cache_release(&runs->cache);
    pthread_mutex_destroy(&runs->mutex);
    free(runs);
}

static struct hot_key key_of(int64_t job, int stage)
{
    return (struct hot_key){job, stage, 0};
}

static size_t text_bytes(const char *text)
{
    return text ? strlen(text) + 1 : 0;
}

static size_t bytes_of(const struct hot_run *run)
{
    return sizeof *run + text_bytes(run->name) + text_bytes(run->run) + text_bytes(run->bundle) +
           text_bytes(run->traceparent);
}

static const char *put_text(char **end, const char *text)
{
    if (!text)
        return NULL;
    size_t bytes = strlen(text) + 1;
    const char *copy = memcpy(*end, text, bytes);
    *end += bytes;
    return copy;
}

// Into a block of bytes_of() bytes.
static void copy_to(struct hot_run *block, const struct hot_run *run)
{
    char *end = (char *)(block + 1);
    *block = *run;
    block->name = put_text(&end, run->name);
    block->run = put_text(&end, run->run);
    block->bundle = put_text(&end, run->bundle);
    block->traceparent = put_text(&end, run->traceparent);
}

void hot_runs_remember(struct hot_runs *runs, int64_t job, int stage, const struct hot_run *run)
{
    size_t bytes = bytes_of(run);
    struct hot_run *kept = malloc(bytes);
    if (!kept)
        return;
    copy_to(kept, run);
    pthread_mutex_lock(&runs->mutex);
    hot_cache_put(&runs->cache, key_of(job, stage), kept, bytes);
    pthread_mutex_unlock(&runs->mutex);
}

const struct hot_run *hot_runs_recall(struct hot_runs *runs, int64_t job, int stage, struct arena *arena)
{
    pthread_mutex_lock(&runs->mutex);
    const struct hot_run *kept = hot_cache_find(&runs->cache, key_of(job, stage), NULL, NULL);
    struct hot_run *copy = kept ? arena_alloc(arena, bytes_of(kept)) : NULL;
    if (copy)
        copy_to(copy, kept);
    pthread_mutex_unlock(&runs->mutex);
    return copy;
}
