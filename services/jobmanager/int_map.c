#include "services/jobmanager/int_map.h"

#include <stdlib.h>

#define BUCKETS_FIRST 64

static size_t bucket_of(const struct int_map *map, int64_t key)
{
    uint64_t hash = (uint64_t)key * UINT64_C(0x9e3779b97f4a7c15);
    return (size_t)(hash >> 32) & (map->bucket_count - 1);
}

void int_map_release(struct int_map *map)
{
    free(map->buckets);
    *map = (struct int_map){0};
}

struct int_node *int_map_find(const struct int_map *map, int64_t key)
{
    if (!map->count)
        return NULL;
    struct int_node *node = map->buckets[bucket_of(map, key)];
    while (node && node->key != key)
        node = node->next;
    return node;
}

static void insert(struct int_map *map, struct int_node *node)
{
    struct int_node **bucket = &map->buckets[bucket_of(map, node->key)];
    node->next = *bucket;
    *bucket = node;
}

static int grow(struct int_map *map, struct err *err)
{
    struct int_map bigger = {.bucket_count = map->bucket_count ? map->bucket_count * 2 : BUCKETS_FIRST,
                             .count = map->count};
    bigger.buckets = calloc(bigger.bucket_count, sizeof(struct int_node *));
    if (!bigger.buckets)
        return err_set(err, ERR_NO_MEMORY, "no memory for a table of %zu", bigger.bucket_count);
    for (size_t i = 0; i < map->bucket_count; i++)
        while (map->buckets[i]) {
            struct int_node *node = map->buckets[i];
            map->buckets[i] = node->next;
            insert(&bigger, node);
        }
    free(map->buckets);
    *map = bigger;
    return 0;
}

int int_map_add(struct int_map *map, struct int_node *node, struct err *err)
{
    if (map->count == map->bucket_count && grow(map, err) < 0)
        return -1;
    insert(map, node);
    map->count++;
    return 0;
}

void int_map_remove(struct int_map *map, struct int_node *node)
{
    struct int_node **at = &map->buckets[bucket_of(map, node->key)];
    while (*at != node)
        at = &(*at)->next;
    *at = node->next;
    map->count--;
}

struct int_node *int_map_next(const struct int_map *map, const struct int_node *node)
{
    if (node && node->next)
        return node->next;
    size_t i = node ? bucket_of(map, node->key) + 1 : 0;
    while (i < map->bucket_count && !map->buckets[i])
        i++;
    return i < map->bucket_count ? map->buckets[i] : NULL;
}
