// A hash table from int64_t keys to structs that embed a node. Intrusive: the table owns nothing. Not thread-safe.
#pragma once

#include "services/common/base/err.h"

#include <stddef.h>
#include <stdint.h>

struct int_node {
    struct int_node *next;
    int64_t key;
};

struct int_map {
    struct int_node **buckets;
    size_t bucket_count; // a power of two
    size_t count;
};

void int_map_release(struct int_map *map);
struct int_node *int_map_find(const struct int_map *map, int64_t key); // NULL: none; with equal keys, the newest
// Adds a node whose key is set. ERR_NO_MEMORY.
int int_map_add(struct int_map *map, struct int_node *node, struct err *err) WARN_UNUSED;
void int_map_remove(struct int_map *map, struct int_node *node);
// Walks all nodes: the first one for NULL; NULL after the last. The table must not change meanwhile.
struct int_node *int_map_next(const struct int_map *map, const struct int_node *node);
