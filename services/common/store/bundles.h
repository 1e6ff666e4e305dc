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
// *content points into *owner, which the caller releases. ERR_NOT_FOUND when it is not there.
int bundles_get(struct db *db, const char *hash, struct result *owner, const void **content, size_t *length,
                struct err *err) WARN_UNUSED;
