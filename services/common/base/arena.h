// Many small allocations with one owner and one end: what a request read, what an operation found.
//
// Nothing is freed alone; arena_free() frees all. Not thread-safe; may move between threads.
#pragma once

#include "services/common/base/cleanup.h"
#include "services/common/base/macros.h"

#include <stddef.h>

struct arena;

// `first_bytes` is the room of the first block; later blocks grow. NULL when memory runs out.
struct arena *arena_new(size_t first_bytes) WARN_UNUSED;
void arena_free(struct arena *arena); // takes NULL
DEFINE_CLEANUP(struct arena *, arena_free);
#define AUTO_ARENA CLEANUP(cleanup_arena_free)

// Aligned for every type, not zeroed. NULL when memory runs out.
void *arena_alloc(struct arena *arena, size_t bytes) WARN_UNUSED;
void *arena_alloc_zero(struct arena *arena, size_t count, size_t size) WARN_UNUSED; // zeroed; checks the product
// A copy of `length` bytes and a NUL behind them.
char *arena_copy(struct arena *arena, const void *bytes, size_t length) WARN_UNUSED;
// Makes room for `count + 1` elements of `size` bytes: returns `items`, or a copy of it with twice the capacity.
void *arena_grow(struct arena *arena, void *items, size_t count, size_t *capacity, size_t size) WARN_UNUSED;
