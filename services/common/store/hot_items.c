// Items: looked up in the lane's memory first, because they never change.
#include "services/common/store/hot_items.h"
#include "services/common/base/macros.h"
#include "services/common/store/hot_batch.h"

#include <stdlib.h>

// Chunks are found by the block of tasks in which they begin. They have fewer tasks than a block, so that the one which
// holds a task begins in its block or in the one before.
#define BLOCK_TASKS 1024

static struct hot_key chunk_key(int64_t job, int stage, int64_t block)
{
    return (struct hot_key){job, stage, block};
}

static bool chunk_has_task(const void *value, const void *context)
{
    const struct hot_chunk *chunk = value;
    const int64_t *task = context;
    return chunk->first <= *task && *task < chunk->first + chunk->count;
}

struct hot_chunk *hot_chunk_find(struct hot *hot, int64_t job, int stage, int64_t task)
{
    int64_t block = task / BLOCK_TASKS;
    struct hot_chunk *chunk = hot_cache_find(&hot->items, chunk_key(job, stage, block), chunk_has_task, &task);
    if (!chunk && block > 0)
        chunk = hot_cache_find(&hot->items, chunk_key(job, stage, block - 1), chunk_has_task, &task);
    return chunk;
}

void hot_chunk_remember(struct hot *hot, int64_t job, int stage, const struct hot_chunk *chunk)
{
    if (hot_chunk_find(hot, job, stage, chunk->first))
        return;
    size_t bytes = sizeof *chunk + chunk->length + 1;
    struct hot_chunk *kept = malloc(bytes);
    if (!kept)
        return;
    char *text = (char *)(kept + 1);
    *kept = *chunk;
    kept->lines = memcpy(text, chunk->lines, chunk->length);
    text[chunk->length] = '\0';
    hot_cache_put(&hot->items, chunk_key(job, stage, chunk->first / BLOCK_TASKS), kept, bytes);
}

const char *hot_chunk_line(struct hot_chunk *chunk, int64_t task)
{
    const char *end = chunk->lines + chunk->length;
    if (task < chunk->first + chunk->passed)
        chunk->passed = 0;
    const char *line = chunk->lines + (chunk->passed ? chunk->passed_bytes : 0);
    for (int64_t i = chunk->first + chunk->passed; i < task; i++) {
        line = memchr(line, '\n', (size_t)(end - line));
        if (!line)
            return end;
        line++;
    }
    chunk->passed = MAX(task - chunk->first, (int64_t)0);
    chunk->passed_bytes = (size_t)(line - chunk->lines);
    return line;
}
