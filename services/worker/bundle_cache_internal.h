// What bundle_cache.c (the list, the disk) and bundle_fetch.c (how one gets there) share.
#pragma once

#include "services/common/base/loop.h"
#include "services/common/base/sha256.h"
#include "services/common/http/client_async.h"
#include "services/worker/background.h"
#include "services/worker/bundle_cache.h"

#include <limits.h>

struct bundle_wait {
    struct bundle_entry *entry;
    bundle_fn done;
    void *context;
    struct bundle_wait *next;
};

struct bundle_entry {
    struct bundle bundle;
    struct bundle_cache *cache;
    char hash[SHA256_HEX_SIZE];
    char *files;
    bool complete;
    unsigned holds; // copies that are being made of it
    struct bundle_wait *waits;
    struct bundle_entry *previous, *next;

    // while it is being fetched
    struct http_async_call *call;
    struct sha256 *sum;
    int fetched_fd;
    int64_t fetched_bytes;
    struct err write_error;
    bool write_failed;
    unsigned attempts;
    struct loop_timer *retry;
    struct background *unpacking;
};

struct bundle_cache {
    struct loop *loop;
    struct http_async *http;
    struct trash *trash;
    char *directory;
    int64_t bytes_max, bytes;
    struct bundle_entry *first, *last; // the least recently used first
};

// Begins to fetch; bundle_entry_complete() and bundle_entry_end() follow.
int bundle_fetch_start(struct bundle_entry *entry, struct err *err) WARN_UNUSED;
void bundle_fetch_cancel(struct bundle_entry *entry); // any time; calls nothing back

void bundle_entry_complete(struct bundle_entry *entry, const struct bundle_size *size);
// Tells all who wait; with an error the entry is gone afterwards.
void bundle_entry_end(struct bundle_entry *entry, const struct err *error);

// <directory>/size
int bundle_size_write(const char *directory, const struct bundle_size *size, struct err *err) WARN_UNUSED;
int bundle_size_read(const char *directory, struct bundle_size *out, struct err *err) WARN_UNUSED;
