#include "services/common/store/hot_cache.h"

#include <stdlib.h>

struct hot_cache_entry {
    struct hot_key key;
    void *value;
    size_t bytes;
    struct hot_cache_entry *next;          // in its bucket
    struct hot_cache_entry *newer, *older; // by last use
};

static struct hot_cache_entry **bucket_of(struct hot_cache *cache, struct hot_key key)
{
    uint64_t hash = (uint64_t)key.a * 0x9e3779b97f4a7c15u;
    hash = (hash ^ (uint64_t)key.b) * 0x9e3779b97f4a7c15u;
    hash = (hash ^ (hash >> 29) ^ (uint64_t)key.c) * 0x9e3779b97f4a7c15u;
    return &cache->buckets[(hash >> 40) % HOT_CACHE_BUCKETS];
}

static bool same_key(struct hot_key left, struct hot_key right)
{
    return left.a == right.a && left.b == right.b && left.c == right.c;
}

static void unlink_use(struct hot_cache *cache, struct hot_cache_entry *entry)
{
    *(entry->newer ? &entry->newer->older : &cache->newest) = entry->older;
    *(entry->older ? &entry->older->newer : &cache->oldest) = entry->newer;
}

static void link_newest(struct hot_cache *cache, struct hot_cache_entry *entry)
{
    entry->newer = NULL;
    entry->older = cache->newest;
    *(cache->newest ? &cache->newest->newer : &cache->oldest) = entry;
    cache->newest = entry;
}

static void remove_entry(struct hot_cache *cache, struct hot_cache_entry *entry)
{
    struct hot_cache_entry **place = bucket_of(cache, entry->key);
    while (*place != entry)
        place = &(*place)->next;
    *place = entry->next;
    unlink_use(cache, entry);
    cache->bytes -= entry->bytes;
    free(entry->value);
    free(entry);
}

void hot_cache_release(struct hot_cache *cache)
{
    while (cache->oldest)
        remove_entry(cache, cache->oldest);
}

void *hot_cache_find(struct hot_cache *cache, struct hot_key key, hot_cache_test test, const void *context)
{
    for (struct hot_cache_entry *entry = *bucket_of(cache, key); entry; entry = entry->next) {
        if (!same_key(entry->key, key) || (test && !test(entry->value, context)))
            continue;
        unlink_use(cache, entry);
        link_newest(cache, entry);
        return entry->value;
    }
    return NULL;
}

void hot_cache_put(struct hot_cache *cache, struct hot_key key, void *value, size_t bytes)
{
    struct hot_cache_entry *entry = value ? calloc(1, sizeof *entry) : NULL;
    bytes += sizeof *entry;
    if (!entry || bytes > cache->bytes_max) {
        free(entry);
        free(value);
        return;
    }
    while (cache->bytes + bytes > cache->bytes_max)
        remove_entry(cache, cache->oldest);
    struct hot_cache_entry **bucket = bucket_of(cache, key);
    *entry = (struct hot_cache_entry){.key = key, .value = value, .bytes = bytes, .next = *bucket};
    *bucket = entry;
    link_newest(cache, entry);
    cache->bytes += bytes;
}

void hot_cache_drop(struct hot_cache *cache, struct hot_key key)
{
    struct hot_cache_entry *entry = *bucket_of(cache, key);
    while (entry) {
        struct hot_cache_entry *next = entry->next;
        if (same_key(entry->key, key))
            remove_entry(cache, entry);
        entry = next;
    }
}
