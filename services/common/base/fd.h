// File descriptors: whole reads and writes, flags, small files.
#pragma once

#include "services/common/base/err.h"

#include <stddef.h>
#include <sys/types.h>

int fd_set_nonblocking(int fd, struct err *err);
// Writes everything, through EINTR and short writes. For blocking descriptors.
int fd_write_all(int fd, const void *bytes, size_t length, struct err *err) WARN_UNUSED;
// Reads to end of file. Content is NUL-terminated, freed with free(). Over `limit` bytes: ERR_TOO_LARGE.
int fd_read_all(int fd, size_t limit, char **out, size_t *length, struct err *err) WARN_UNUSED;
// Opens path and reads it all.
int file_read(const char *path, size_t limit, char **out, size_t *length, struct err *err) WARN_UNUSED;
// Writes a temporary file beside `path`, syncs it and renames it over `path`: readers see the old or the new content.
int file_replace(const char *path, const void *bytes, size_t length, mode_t mode, struct err *err) WARN_UNUSED;
// Removes a directory tree without following symbolic links. A path that does not exist is success.
int tree_remove(const char *path, struct err *err) WARN_UNUSED;
// mkdir -p
int dir_make(const char *path, mode_t mode, struct err *err) WARN_UNUSED;
