// Unpacks a bundle (a tar archive, compressed with zstd) into a directory, and refuses what has no place in one:
// absolute paths and "..", entries through or symbolic links to the outside, devices, set-user-id bits, and too much of
// anything.
#pragma once

#include "services/common/base/err.h"

#include <stdint.h>

struct bundle_size {
    int64_t entries, bytes; // unpacked
};
#define BUNDLE_ENTRIES_MAX 20000
#define BUNDLE_BYTES_MAX ((int64_t)512 << 20)
#define BUNDLE_DEPTH_MAX 64 // components of a path

// For a child process (background.h): changes the working directory and the locale, and leaves what it has unpacked so
// far when it fails. `directory` exists and is empty; `archive` is absolute. ERR_INVALID: the archive is broken or has
// an entry that is refused; ERR_TOO_LARGE; ERR_IO.
int bundle_unpack(const char *archive, const char *directory, struct bundle_size *out, struct err *err) WARN_UNUSED;
