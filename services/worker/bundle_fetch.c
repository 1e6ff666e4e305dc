// How a bundle gets into the cache: download to a file while hashing, unpack in a child process into a temporary
// directory, rename. A manager that does not answer is asked again for a while.
#include "services/worker/bundle_cache_internal.h"

#include "services/common/base/backoff.h"
#include "services/common/base/cleanup.h"
#include "services/common/base/clock.h"
#include "services/common/base/fd.h"
#include "services/worker/trash.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ATTEMPTS_MAX 6
#define RETRY_BASE_MS 250
#define RETRY_MAX_MS 8000
#define CALL_TIMEOUT_MS 120000
#define IDLE_TIMEOUT_MS 20000

struct unpack_paths {
    char archive[PATH_MAX], target[PATH_MAX], files[PATH_MAX], final[PATH_MAX];
};

static void make_paths(const struct bundle_entry *entry, struct unpack_paths *out)
{
    const char *directory = entry->cache->directory;
    snprintf(out->archive, sizeof out->archive, "%s/%s.tar.zst", directory, entry->hash);
    snprintf(out->target, sizeof out->target, "%s/%s.new", directory, entry->hash);
    snprintf(out->files, sizeof out->files, "%s/%s.new/files", directory, entry->hash);
    snprintf(out->final, sizeof out->final, "%s/%s", directory, entry->hash);
}

static void remove_temporary(struct bundle_entry *entry)
{
    struct unpack_paths paths;
    make_paths(entry, &paths);
    unlink(paths.archive);
    trash_add(entry->cache->trash, paths.target, NULL);
}

void bundle_fetch_cancel(struct bundle_entry *entry)
{
    bool busy = entry->call || entry->unpacking;
    http_async_cancel(TAKE_PTR(entry->call));
    background_cancel(TAKE_PTR(entry->unpacking));
    sha256_free(TAKE_PTR(entry->sum));
    cleanup_close(&entry->fetched_fd);
    entry->fetched_fd = -1;
    if (busy)
        remove_temporary(entry);
}

static void fail(struct bundle_entry *entry, const struct err *error)
{
    struct err err = *error;
    err_prefix(&err, "bundle sha256:%.12s", entry->hash);
    remove_temporary(entry);
    bundle_entry_end(entry, &err);
}

// ---- unpacking

static int unpack(const void *argument, struct err *err)
{
    const struct unpack_paths *paths = argument;
    struct bundle_size size;
    if (tree_remove(paths->target, err) < 0 || dir_make(paths->files, 0755, err) < 0 ||
        bundle_unpack(paths->archive, paths->files, &size, err) < 0 || bundle_size_write(paths->target, &size, err) < 0)
        return -1;
    unlink(paths->archive);
    if (rename(paths->target, paths->final) < 0)
        return err_errno(err, ERR_IO, errno, "rename '%s'", paths->target);
    return 0;
}

static void on_unpacked(void *context, const struct err *error)
{
    struct bundle_entry *entry = context;
    struct unpack_paths paths;
    struct bundle_size size;
    struct err err;
    entry->unpacking = NULL;
    make_paths(entry, &paths);
    if (error) {
        fail(entry, error);
    } else if (bundle_size_read(paths.final, &size, &err) < 0) {
        fail(entry, &err);
    } else {
        bundle_entry_complete(entry, &size);
        bundle_entry_end(entry, NULL);
    }
}

// ---- the download

static void on_retry(void *context);

static int schedule_retry(struct bundle_entry *entry, struct err *err)
{
    if (!entry->retry && loop_timer_add(entry->cache->loop, on_retry, entry, &entry->retry, err) < 0)
        return -1;
    loop_timer_arm(entry->retry, clock_boot_ms() + backoff_delay_ms(RETRY_BASE_MS, RETRY_MAX_MS, entry->attempts));
    return 0;
}

static bool may_pass(enum err_code code)
{
    return code == ERR_UNAVAILABLE || code == ERR_TIMEOUT || code == ERR_LIMIT;
}

// An attempt has failed: another one, or the end.
static void again_or_fail(struct bundle_entry *entry, struct err *err)
{
    remove_temporary(entry);
    if (may_pass(err->code)) {
        err->code = ERR_UNAVAILABLE;
        if (entry->waits && entry->attempts < ATTEMPTS_MAX && schedule_retry(entry, err) == 0)
            return;
    }
    fail(entry, err);
}

static void on_retry(void *context)
{
    struct bundle_entry *entry = context;
    struct err err;
    if (bundle_fetch_start(entry, &err) < 0)
        again_or_fail(entry, &err);
}

static int note_write_error(struct bundle_entry *entry)
{
    entry->write_failed = true;
    return -1;
}

static int on_body(void *context, const char *bytes, size_t length)
{
    struct bundle_entry *entry = context;
    entry->fetched_bytes += (int64_t)length;
    if (entry->fetched_bytes > BUNDLE_PACKED_MAX) {
        err_set(&entry->write_error, ERR_TOO_LARGE, "more than %lld bytes", (long long)BUNDLE_PACKED_MAX);
        return note_write_error(entry);
    }
    if (fd_write_all(entry->fetched_fd, bytes, length, &entry->write_error) < 0 ||
        sha256_update(entry->sum, bytes, length, &entry->write_error) < 0)
        return note_write_error(entry);
    return 0;
}

static int check_response(struct bundle_entry *entry, const struct http_response *response, const struct err *error,
                          struct err *err)
{
    char hash[SHA256_HEX_SIZE];
    if (!response) {
        *err = entry->write_failed ? entry->write_error : *error;
        return -1;
    }
    if (response->status == 404)
        return err_set(err, ERR_NOT_FOUND, "the manager does not have it");
    if (response->status == 429 || response->status >= 500)
        return err_set(err, ERR_UNAVAILABLE, "the manager answered %d", response->status);
    if (response->status != 200)
        return err_set(err, ERR_IO, "the manager answered %d", response->status);
    sha256_finish(TAKE_PTR(entry->sum), hash);
    if (strcmp(hash, entry->hash) != 0)
        return err_set(err, ERR_UNAVAILABLE, "what came has the hash %.12s", hash);
    return 0;
}

static void on_response(void *context, struct http_response *response, const struct err *error)
{
    struct bundle_entry *entry = context;
    struct unpack_paths paths;
    struct err err;
    entry->call = NULL;
    int result = check_response(entry, response, error, &err);
    sha256_free(TAKE_PTR(entry->sum));
    cleanup_close(&entry->fetched_fd);
    entry->fetched_fd = -1;
    make_paths(entry, &paths);
    if (result == 0)
        result = background_start(entry->cache->loop, unpack, &paths, on_unpacked, entry, &entry->unpacking, &err);
    if (result < 0)
        again_or_fail(entry, &err);
}

static int open_target(struct bundle_entry *entry, struct err *err)
{
    struct unpack_paths paths;
    make_paths(entry, &paths);
    entry->fetched_bytes = 0;
    entry->write_failed = false;
    entry->fetched_fd = open(paths.archive, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (entry->fetched_fd < 0)
        return err_errno(err, ERR_IO, errno, "create '%s'", paths.archive);
    return sha256_new(&entry->sum, err);
}

static int start_call(struct bundle_entry *entry, struct err *err)
{
    char path[128];
    snprintf(path, sizeof path, "/v1/bundles/%s", entry->hash);
    struct http_call call = {
        .method = "GET",
        .path = path,
        .timeout_ms = CALL_TIMEOUT_MS,
        .idle_timeout_ms = IDLE_TIMEOUT_MS,
        .on_body = on_body,
        .on_body_context = entry,
    };
    return http_async_start(entry->cache->http, &call, on_response, entry, &entry->call, err);
}

int bundle_fetch_start(struct bundle_entry *entry, struct err *err)
{
    entry->attempts++;
    if (open_target(entry, err) == 0 && start_call(entry, err) == 0)
        return 0;
    sha256_free(TAKE_PTR(entry->sum));
    cleanup_close(&entry->fetched_fd);
    entry->fetched_fd = -1;
    return -1;
}
