// A lane's memory of rows that never change: found by three numbers, bounded in bytes, the longest unused goes first.
//
// Values are blocks of malloc() that the cache owns. Not thread-safe.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HOT_CACHE_BUCKETS 4096

struct hot_key {
    int64_t a, b, c;
};

struct hot_cache_entry;
struct hot_cache {
    struct hot_cache_entry *buckets[HOT_CACHE_BUCKETS];
    struct hot_cache_entry *newest, *oldest;
    size_t bytes, bytes_max;
};

typedef bool (*hot_cache_test)(const void *value, const void *context);

void hot_cache_release(struct hot_cache *cache); // empties it
// The value under this key for which the test (may be NULL) holds, or NULL. Valid until the next put or drop.
void *hot_cache_find(struct hot_cache *cache, struct hot_key key, hot_cache_test test, const void *context);
// Takes `value`, of `bytes` bytes; frees it when it has no room. Several values may have one key.
void hot_cache_put(struct hot_cache *cache, struct hot_key key, void *value, size_t bytes);
void hot_cache_drop(struct hot_cache *cache, struct hot_key key); // all values of the key
