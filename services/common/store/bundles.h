// Bundles: the files that commands use, kept by their hash until no job refers to them any more.
#pragma once

#include "services/common/base/err.h"
#include "services/common/db/result.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct db;

enum bundle_outcome { BUNDLE_CREATED, BUNDLE_EXISTS };

// `hash` is 64 lower-case hexadecimal digits everywhere; that it is the content's, the caller has verified.
// Returns an enum bundle_outcome; an existing one counts as used now, so that it stays for the job that comes next.
int bundles_put(struct db *db, const char *hash, const void *content, size_t length, struct err *err) WARN_UNUSED;
// Whether it is there; when it is, it counts as used now. ERR_NOT_FOUND when not.
int bundles_touch(struct db *db, const char *hash, struct err *err) WARN_UNUSED;

// Reads a piece of it, of at most `most` bytes from `from` on; `most` 0: looks how large it is. ERR_NOT_FOUND when it
// is not there.
struct bundle_piece {
    size_t from, most;
    // what was read
    size_t total; // bytes of the bundle
    const void *content;
    size_t length;       // 0: there is nothing behind `from`
    struct result owner; // of the content; released by the caller
};
int bundles_read(struct db *db, const char *hash, struct bundle_piece *piece, struct err *err) WARN_UNUSED;
