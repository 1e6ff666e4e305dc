// list and inspect. The looks themselves do not wait for anything, their answers come on the next turn of the loop.
#include "services/worker/runtime_process_internal.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/clock.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct process_later {
    struct process_runtime *runtime;
    struct process_later *next;
    struct loop_timer *timer;
    char identity[RUNTIME_IDENTITY_SIZE];
    runtime_list_fn list; // or
    runtime_inspect_fn inspect;
    void *context;
};

struct listing {
    struct runtime_found *items;
    size_t count, capacity;
};

static void later_free(struct process_later *later)
{
    loop_timer_remove(later->timer);
    free(later);
}

static void later_unlink(struct process_later *later)
{
    struct process_later **link = &later->runtime->laters;
    while (*link != later)
        link = &(*link)->next;
    *link = later->next;
}

void process_laters_free(struct process_runtime *runtime)
{
    while (runtime->laters) {
        struct process_later *later = runtime->laters;
        runtime->laters = later->next;
        later_free(later);
    }
}

// Two different looks: by marker, and by what the kernel says of the cgroup.
static int64_t count_instance(const struct process_runtime *runtime, const char *identity, const char *cgroup,
                              struct err *err)
{
    char marker[RUNTIME_IDENTITY_SIZE + 160];
    if (process_marker(runtime, identity, marker, err) < 0)
        return -1;
    int64_t by_marker = runtime_process_scan(marker, NULL, 0, err);
    return by_marker < 0 ? -1 : MAX(by_marker, process_cgroup_count(cgroup));
}

static int64_t look(const struct process_runtime *runtime, const char *identity, struct err *err)
{
    AUTO_FREE char *cgroup = process_cgroup_path(&runtime->cgroups, identity);
    if (!cgroup)
        return err_set(err, ERR_NO_MEMORY, "no memory to look for '%s'", identity);
    return count_instance(runtime, identity, cgroup, err);
}

static void listing_release(struct listing *listing)
{
    for (size_t i = 0; i < listing->count; i++) {
        free((char *)(uintptr_t)listing->items[i].identity);
        free((char *)(uintptr_t)listing->items[i].directory);
    }
    free(listing->items);
}

static struct runtime_found *listing_add(struct listing *listing)
{
    if (listing->count == listing->capacity) {
        size_t capacity = listing->capacity ? listing->capacity * 2 : 16;
        struct runtime_found *grown = realloc(listing->items, capacity * sizeof(*grown));
        if (!grown)
            return NULL;
        listing->items = grown;
        listing->capacity = capacity;
    }
    struct runtime_found *found = &listing->items[listing->count++];
    *found = (struct runtime_found){0};
    return found;
}

static int list_one(struct process_runtime *runtime, const char *name, struct listing *listing, struct err *err)
{
    char identity[RUNTIME_IDENTITY_SIZE];
    struct process_record record;
    process_identity_from_name(name, identity);
    if (!process_identity_valid(identity))
        return 0;
    AUTO_FREE char *path = process_record_path(runtime, identity);
    if (!path || process_record_read(path, &record, NULL) < 0)
        return 0; // removed meanwhile
    struct runtime_found *found = listing_add(listing);
    if (!found)
        return err_set(err, ERR_NO_MEMORY, "no memory for a list");
    found->identity = strdup(identity);
    found->directory = strdup(record.directory);
    found->live = process_instance_find(runtime, identity) != NULL;
    if (!found->identity || !found->directory)
        return err_set(err, ERR_NO_MEMORY, "no memory for a list");
    if (strcmp(record.boot_id, runtime->boot_id) != 0)
        return 0;
    found->remaining = count_instance(runtime, identity, record.cgroup, err);
    return found->remaining < 0 ? -1 : 0;
}

static int list_all(struct process_runtime *runtime, struct listing *listing, struct err *err)
{
    DIR *directory = opendir(runtime->records);
    if (!directory)
        return err_errno(err, ERR_IO, errno, "cannot list '%s'", runtime->records);
    int result = 0;
    for (struct dirent *entry; result == 0 && (entry = readdir(directory));)
        result = list_one(runtime, entry->d_name, listing, err);
    closedir(directory);
    return result;
}

static void answer_list(struct process_later *later)
{
    struct err err;
    CLEANUP(listing_release) struct listing listing = {0};
    if (list_all(later->runtime, &listing, &err) < 0)
        later->list(later->context, NULL, 0, &err);
    else
        later->list(later->context, listing.items, listing.count, NULL);
}

static void answer_inspect(struct process_later *later)
{
    struct err err;
    int64_t remaining = look(later->runtime, later->identity, &err);
    later->inspect(later->context, remaining, remaining < 0 ? &err : NULL);
}

static void on_later(void *context)
{
    struct process_later *later = context;
    later_unlink(later);
    if (later->list)
        answer_list(later);
    else
        answer_inspect(later);
    later_free(later);
}

static struct process_later *later_add(struct process_runtime *runtime, void *context, struct err *err)
{
    struct process_later *later = calloc(1, sizeof(*later));
    if (!later) {
        err_set(err, ERR_NO_MEMORY, "no memory for a request");
        return NULL;
    }
    later->runtime = runtime;
    later->context = context;
    if (loop_timer_add(runtime->loop, on_later, later, &later->timer, err) < 0) {
        free(later);
        return NULL;
    }
    later->next = runtime->laters;
    runtime->laters = later;
    loop_timer_arm(later->timer, clock_boot_ms());
    return later;
}

int process_runtime_list(struct runtime *base, runtime_list_fn function, void *context, struct err *err)
{
    struct process_later *later = later_add(process_runtime_of(base), context, err);
    if (!later)
        return -1;
    later->list = function;
    return 0;
}

int process_runtime_inspect(struct runtime *base, const char *identity, runtime_inspect_fn function, void *context,
                            struct err *err)
{
    if (!process_identity_valid(identity))
        return err_set(err, ERR_INVALID, "'%s' is no identity of an instance", identity);
    struct process_later *later = later_add(process_runtime_of(base), context, err);
    if (!later)
        return -1;
    later->inspect = function;
    snprintf(later->identity, sizeof(later->identity), "%s", identity);
    return 0;
}
