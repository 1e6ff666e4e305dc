// Bundles of jobs on this machine: each fetched once from the manager, held against its hash, unpacked by a child
// process, and kept while there is room.
//
// Owns <directory>: a complete bundle is <directory>/<hash>/ with `files/` and `size`, put there by one rename.
// Bounded: the least recently used ones go. What was there before the machine was started again is not trusted (nothing
// here is synced).
#pragma once

#include "services/common/base/err.h"
#include "services/worker/bundle_unpack.h"

#include <stdbool.h>
#include <stdint.h>

#define BUNDLE_PACKED_MAX ((int64_t)64 << 20)
#define BUNDLE_CACHE_BYTES ((int64_t)1 << 30)

struct bundle_cache;
struct bundle_wait;
struct http_async;
struct loop;
struct trash;

struct bundle {
    const char *files; // path of the directory that holds them: read only
    struct bundle_size size;
};

// `http` may be NULL: then only what is cached can be had. `trash` is where evicted ones go.
int bundle_cache_new(struct loop *loop, struct http_async *http, struct trash *trash, const char *directory,
                     int64_t bytes_max, struct bundle_cache **out, struct err *err) WARN_UNUSED;
void bundle_cache_free(struct bundle_cache *cache); // calls nothing back; takes NULL

// `bundle` is held until bundle_drop(); NULL on failure, and then `err` says why: ERR_NOT_FOUND (the manager has no
// such bundle), ERR_INVALID or ERR_TOO_LARGE (it is refused), ERR_UNAVAILABLE (no manager answered for a while),
// ERR_IO.
typedef void (*bundle_fn)(void *context, struct bundle *bundle, const struct err *err);

// `name` is "sha256:<64 digits>". 1: *bundle is the bundle, held; nothing is called. 0: `done` will be called once, not
// from within, unless *wait is cancelled.
int bundle_cache_get(struct bundle_cache *cache, const char *name, bundle_fn done, void *context,
                     struct bundle **bundle, struct bundle_wait **wait, struct err *err) WARN_UNUSED;
void bundle_wait_cancel(struct bundle_wait *wait); // takes NULL
void bundle_drop(struct bundle *bundle);           // takes NULL
