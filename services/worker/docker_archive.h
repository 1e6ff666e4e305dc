// Files on their way into a container and out of it, as tar archives.
#pragma once

#include "services/common/base/err.h"

#include <stddef.h>

// What is packed: everything below `directory`, under its own absolute path, for whoever the container runs as to read
// and write; and an empty file `output` (NULL: none), which may be written too. Absolute paths.
struct docker_packing {
    const char *directory, *output;
    const char *archive; // the file that is made
};

// Blocks: for a child process (background.h takes it as it is, with a struct docker_packing).
int docker_archive_pack(const void *packing, struct err *err);
// Writes the first regular file of an archive in memory to `path`, which must not exist. ERR_NOT_FOUND: it has none.
int docker_archive_take_file(const char *archive, size_t length, const char *path, struct err *err) WARN_UNUSED;
