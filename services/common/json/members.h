// The keys of the objects that are open at one place of a text, to find duplicates: a stack with the innermost object
// on top.
//
// Keys are kept as places in the text, 16 bytes each. An object is checked when it ends, by sorting on (hash, decoded
// key): no choice of keys makes that slower than n log n comparisons.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_member {
    uint64_t hash;
    const char *key; // its opening quote
};
struct json_members {
    struct json_member *list; // NULL while `inline_list` is enough
    size_t count;
    size_t capacity;
    struct json_member inline_list[32];
};

void json_members_init(struct json_members *members);
void json_members_release(struct json_members *members);
bool json_members_push(struct json_members *members, const char *key); // false: no memory
// The key among those from number `first` on that stands twice (the later place), or NULL. Reorders them.
const char *json_members_duplicate(struct json_members *members, size_t first);
void json_members_pop(struct json_members *members, size_t first);
