#include "services/worker/bundle_cache.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/clock.h"
#include "services/common/base/fd.h"
#include "services/worker/bundle_cache_internal.h"
#include "services/worker/trash.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SIZE_TEXT_BYTES 64

static void free_entry(struct bundle_entry *entry)
{
    bundle_fetch_cancel(entry);
    loop_timer_remove(entry->retry);
    free(entry->files);
    free(entry);
}

// ---- the list, the least recently used first

static void unlink_entry(struct bundle_entry *entry)
{
    struct bundle_cache *cache = entry->cache;
    *(entry->previous ? &entry->previous->next : &cache->first) = entry->next;
    *(entry->next ? &entry->next->previous : &cache->last) = entry->previous;
    entry->previous = entry->next = NULL;
}

static void link_last(struct bundle_entry *entry)
{
    struct bundle_cache *cache = entry->cache;
    entry->previous = cache->last;
    *(cache->last ? &cache->last->next : &cache->first) = entry;
    cache->last = entry;
}

static struct bundle_entry *find(struct bundle_cache *cache, const char *hash)
{
    for (struct bundle_entry *entry = cache->first; entry; entry = entry->next) {
        if (strcmp(entry->hash, hash) == 0)
            return entry;
    }
    return NULL;
}

static struct bundle_entry *add_entry(struct bundle_cache *cache, const char *hash)
{
    struct bundle_entry *entry = calloc(1, sizeof *entry);
    if (!entry)
        return NULL;
    entry->cache = cache;
    entry->fetched_fd = -1;
    snprintf(entry->hash, sizeof entry->hash, "%s", hash);
    if (asprintf(&entry->files, "%s/%s/files", cache->directory, hash) < 0) {
        free(entry);
        return NULL;
    }
    link_last(entry);
    return entry;
}

static void drop_entry(struct bundle_entry *entry)
{
    unlink_entry(entry);
    free_entry(entry);
}

// ---- what is on disk

int bundle_size_write(const char *directory, const struct bundle_size *size, struct err *err)
{
    char path[PATH_MAX], text[SIZE_TEXT_BYTES];
    snprintf(path, sizeof path, "%s/size", directory);
    int length = snprintf(text, sizeof text, "%lld %lld\n", (long long)size->entries, (long long)size->bytes);
    AUTO_FILE FILE *file = fopen(path, "we");
    if (!file || fwrite(text, (size_t)length, 1, file) != 1 || fflush(file) != 0)
        return err_errno(err, ERR_IO, errno, "write '%s'", path);
    return 0;
}

int bundle_size_read(const char *directory, struct bundle_size *out, struct err *err)
{
    char path[PATH_MAX];
    AUTO_FREE char *text = NULL;
    long long entries, bytes;
    size_t length;
    snprintf(path, sizeof path, "%s/size", directory);
    if (file_read(path, SIZE_TEXT_BYTES, &text, &length, err) < 0)
        return -1;
    if (sscanf(text, "%lld %lld", &entries, &bytes) != 2)
        return err_set(err, ERR_INVALID, "'%s' does not hold a size", path);
    *out = (struct bundle_size){.entries = entries, .bytes = bytes};
    return 0;
}

static bool is_hash(const char *text)
{
    return strlen(text) == SHA256_HEX_SIZE - 1 && strspn(text, "0123456789abcdef") == SHA256_HEX_SIZE - 1;
}

static void cleanup_dir(DIR **dir)
{
    if (*dir)
        closedir(*dir);
}

// Takes what is complete from an earlier life, throws the rest away.
static int load(struct bundle_cache *cache, struct err *err)
{
    CLEANUP(cleanup_dir) DIR *dir = opendir(cache->directory);
    if (!dir)
        return err_errno(err, ERR_IO, errno, "open directory '%s'", cache->directory);
    for (const struct dirent *item = readdir(dir); item; item = readdir(dir)) {
        char path[PATH_MAX];
        struct bundle_size size;
        if (item->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", cache->directory, item->d_name);
        struct bundle_entry *entry =
            is_hash(item->d_name) && bundle_size_read(path, &size, NULL) == 0 ? add_entry(cache, item->d_name) : NULL;
        if (entry)
            bundle_entry_complete(entry, &size);
        else if (trash_add(cache->trash, path, err) < 0)
            return -1;
    }
    return 0;
}

// A machine that was started again may have lost the content of files that have their names: the cache begins anew.
static int forget_after_reboot(struct bundle_cache *cache, struct err *err)
{
    AUTO_FREE char *now = NULL;
    AUTO_FREE char *before = NULL;
    char path[PATH_MAX];
    size_t length = 0, before_length;
    if (file_read("/proc/sys/kernel/random/boot_id", 256, &now, &length, err) < 0 ||
        dir_make(cache->directory, 0700, err) < 0)
        return -1;
    snprintf(path, sizeof path, "%s/.boot", cache->directory);
    if (file_read(path, 256, &before, &before_length, NULL) == 0 && strcmp(before, now) == 0)
        return 0;
    if (trash_add(cache->trash, cache->directory, err) < 0 || dir_make(cache->directory, 0700, err) < 0)
        return -1;
    return file_replace(path, now, length, 0600, err);
}

// ---- the whole

static void cleanup_cache(struct bundle_cache **cache)
{
    bundle_cache_free(*cache);
}

int bundle_cache_new(struct loop *loop, struct http_async *http, struct trash *trash, const char *directory,
                     int64_t bytes_max, struct bundle_cache **out, struct err *err)
{
    CLEANUP(cleanup_cache) struct bundle_cache *cache = calloc(1, sizeof *cache);
    if (!cache)
        return err_set(err, ERR_NO_MEMORY, "no memory for a cache of bundles");
    *cache = (struct bundle_cache){.loop = loop, .http = http, .trash = trash, .bytes_max = bytes_max};
    cache->directory = strdup(directory);
    if (!cache->directory)
        return err_set(err, ERR_NO_MEMORY, "no memory for a cache of bundles");
    if (strlen(directory) > PATH_MAX / 2)
        return err_set(err, ERR_INVALID, "the state directory's path is too long");
    if (forget_after_reboot(cache, err) < 0 || load(cache, err) < 0)
        return -1;
    *out = TAKE_PTR(cache);
    return 0;
}

void bundle_cache_free(struct bundle_cache *cache)
{
    if (!cache)
        return;
    while (cache->first) {
        while (cache->first->waits)
            bundle_wait_cancel(cache->first->waits);
        drop_entry(cache->first);
    }
    free(cache->directory);
    free(cache);
}

static void evict(struct bundle_cache *cache)
{
    struct bundle_entry *next;
    for (struct bundle_entry *entry = cache->first; entry && cache->bytes > cache->bytes_max; entry = next) {
        next = entry->next;
        if (!entry->complete || entry->holds > 0)
            continue;
        char path[PATH_MAX];
        snprintf(path, sizeof path, "%s/%s", cache->directory, entry->hash);
        cache->bytes -= entry->bundle.size.bytes;
        trash_add(cache->trash, path, NULL);
        drop_entry(entry);
    }
}

void bundle_entry_complete(struct bundle_entry *entry, const struct bundle_size *size)
{
    entry->bundle = (struct bundle){.files = entry->files, .size = *size};
    entry->complete = true;
    entry->cache->bytes += size->bytes;
}

static struct bundle *hold(struct bundle_entry *entry)
{
    entry->holds++;
    unlink_entry(entry);
    link_last(entry);
    return &entry->bundle;
}

void bundle_drop(struct bundle *bundle)
{
    if (!bundle)
        return;
    struct bundle_entry *entry = CONTAINER_OF(bundle, struct bundle_entry, bundle);
    entry->holds--;
    evict(entry->cache);
}

static struct bundle_wait *take_wait(struct bundle_entry *entry)
{
    struct bundle_wait *wait = entry->waits;
    entry->waits = wait->next;
    return wait;
}

void bundle_entry_end(struct bundle_entry *entry, const struct err *error)
{
    entry->holds++; // it stays while we look at it
    while (entry->waits) {
        struct bundle_wait *wait = take_wait(entry);
        bundle_fn done = wait->done;
        void *context = wait->context;
        free(wait);
        done(context, error ? NULL : hold(entry), error);
    }
    entry->holds--;
    if (error)
        drop_entry(entry);
    else
        evict(entry->cache);
}

static int add_wait(struct bundle_entry *entry, bundle_fn done, void *context, struct bundle_wait **out,
                    struct err *err)
{
    struct bundle_wait *wait = calloc(1, sizeof *wait);
    if (!wait)
        return err_set(err, ERR_NO_MEMORY, "no memory to wait for a bundle");
    *wait = (struct bundle_wait){.entry = entry, .done = done, .context = context};
    struct bundle_wait **end = &entry->waits;
    while (*end)
        end = &(*end)->next;
    *end = wait;
    *out = wait;
    return 0;
}

void bundle_wait_cancel(struct bundle_wait *wait)
{
    if (!wait)
        return;
    struct bundle_wait **at = &wait->entry->waits;
    while (*at != wait)
        at = &(*at)->next;
    *at = wait->next;
    free(wait);
}

// An entry that is about to be there: found, or made and being fetched.
static int find_or_fetch(struct bundle_cache *cache, const char *hash, struct bundle_entry **out, struct err *err)
{
    *out = find(cache, hash);
    if (*out)
        return 0;
    if (!cache->http)
        return err_set(err, ERR_UNAVAILABLE, "there is no manager to fetch bundle '%s' from", hash);
    struct bundle_entry *entry = add_entry(cache, hash);
    if (!entry)
        return err_set(err, ERR_NO_MEMORY, "no memory for a bundle");
    if (bundle_fetch_start(entry, err) < 0) {
        drop_entry(entry);
        return -1;
    }
    *out = entry;
    return 0;
}

int bundle_cache_get(struct bundle_cache *cache, const char *name, bundle_fn done, void *context,
                     struct bundle **bundle, struct bundle_wait **wait, struct err *err)
{
    static const char prefix[] = "sha256:";
    struct bundle_entry *entry;
    const char *hash = strncmp(name, prefix, sizeof prefix - 1) == 0 ? name + sizeof prefix - 1 : name;
    if (!is_hash(hash))
        return err_set(err, ERR_INVALID, "'%.80s' is no name of a bundle", name);
    if (find_or_fetch(cache, hash, &entry, err) < 0)
        return -1;
    if (!entry->complete)
        return add_wait(entry, done, context, wait, err);
    *bundle = hold(entry);
    return 1;
}
