#include "services/common/base/arena.h"

#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define ALIGNMENT alignof(max_align_t)
#define BLOCK_MIN_BYTES ((size_t)256)
#define BLOCK_MAX_BYTES ((size_t)64 << 10) // growth stops here; a bigger allocation gets a block of its own

struct block {
    struct block *next;
    alignas(max_align_t) unsigned char bytes[];
};

struct arena {
    struct block *blocks; // the newest first
    unsigned char *at;    // free room of the newest block
    size_t left;
    size_t block_bytes; // of the next block
};

static bool block_add(struct arena *arena, size_t bytes)
{
    struct block *block = malloc(sizeof(*block) + bytes);
    if (!block)
        return false;
    block->next = arena->blocks;
    arena->blocks = block;
    arena->at = block->bytes;
    arena->left = bytes;
    return true;
}

struct arena *arena_new(size_t first_bytes)
{
    struct arena *arena = calloc(1, sizeof(*arena));
    if (!arena)
        return NULL;
    arena->block_bytes = MAX(first_bytes, BLOCK_MIN_BYTES);
    return arena;
}

void arena_free(struct arena *arena)
{
    if (!arena)
        return;
    while (arena->blocks) {
        struct block *block = arena->blocks;
        arena->blocks = block->next;
        free(block);
    }
    free(arena);
}

void *arena_alloc(struct arena *arena, size_t bytes)
{
    if (bytes > SIZE_MAX / 2)
        return NULL;
    bytes = (MAX(bytes, (size_t)1) + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
    if (bytes > arena->left) {
        if (!block_add(arena, MAX(bytes, arena->block_bytes)))
            return NULL;
        if (arena->block_bytes < BLOCK_MAX_BYTES)
            arena->block_bytes *= 2;
    }
    void *result = arena->at;
    arena->at += bytes;
    arena->left -= bytes;
    return result;
}

void *arena_alloc_zero(struct arena *arena, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        return NULL;
    void *result = arena_alloc(arena, bytes);
    return result ? memset(result, 0, bytes) : NULL;
}

char *arena_copy(struct arena *arena, const void *bytes, size_t length)
{
    char *copy = length < SIZE_MAX ? arena_alloc(arena, length + 1) : NULL;
    if (!copy)
        return NULL;
    if (length)
        memcpy(copy, bytes, length);
    copy[length] = '\0';
    return copy;
}

void *arena_grow(struct arena *arena, void *items, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return items;
    size_t more = *capacity ? *capacity * 2 : 8;
    size_t bytes;
    if (__builtin_mul_overflow(more, size, &bytes))
        return NULL;
    void *grown = arena_alloc(arena, bytes);
    if (!grown)
        return NULL;
    if (count)
        memcpy(grown, items, count * size);
    *capacity = more;
    return grown;
}
