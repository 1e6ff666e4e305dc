#include "services/common/json/members.h"
#include "services/common/base/macros.h"
#include "services/common/json/string_token.h"

#include <stdlib.h>
#include <string.h>

void json_members_init(struct json_members *members)
{
    members->list = NULL;
    members->count = 0;
    members->capacity = ARRAY_LEN(members->inline_list);
}

void json_members_release(struct json_members *members)
{
    free(members->list);
    json_members_init(members);
}

static struct json_member *list_of(struct json_members *members)
{
    return members->list ? members->list : members->inline_list;
}

static bool grow(struct json_members *members)
{
    size_t capacity = members->capacity * 2;
    struct json_member *list = reallocarray(members->list, capacity, sizeof *list);
    if (!list)
        return false;
    if (!members->list)
        memcpy(list, members->inline_list, sizeof members->inline_list);
    members->list = list;
    members->capacity = capacity;
    return true;
}

bool json_members_push(struct json_members *members, const char *key)
{
    if (members->count == members->capacity && !grow(members))
        return false;
    list_of(members)[members->count++] = (struct json_member){.hash = json_string_hash(key), .key = key};
    return true;
}

static int compare(const void *a, const void *b)
{
    const struct json_member *left = a, *right = b;
    if (left->hash != right->hash)
        return left->hash < right->hash ? -1 : 1;
    return json_string_compare(left->key, right->key);
}

const char *json_members_duplicate(struct json_members *members, size_t first)
{
    struct json_member *list = list_of(members) + first;
    size_t count = members->count - first;
    if (count > 1)
        qsort(list, count, sizeof *list, compare);
    for (size_t i = 1; i < count; i++) {
        if (compare(&list[i - 1], &list[i]) == 0)
            return MAX(list[i - 1].key, list[i].key);
    }
    return NULL;
}

void json_members_pop(struct json_members *members, size_t first)
{
    members->count = first;
}
