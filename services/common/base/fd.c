// File descriptors: whole reads and writes, flags, small files.
#include "services/common/base/fd.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/strbuf.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_CHUNK_BYTES 4096

int fd_set_nonblocking(int fd, struct err *err)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return err_errno(err, ERR_IO, errno, "make descriptor %d non-blocking", fd);
    return 0;
}

int fd_write_all(int fd, const void *bytes, size_t length, struct err *err)
{
    const char *at = bytes;
    size_t left = length;
    while (left > 0) {
        ssize_t written = write(fd, at, left);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return err_errno(err, ERR_IO, errno, "write %zu bytes to descriptor %d", left, fd);
        at += written;
        left -= (size_t)written;
    }
    return 0;
}

// Appends what one read() gives. 1 when there was something, 0 at end of file.
static int read_some(int fd, struct strbuf *buf, struct err *err)
{
    strbuf_reserve(buf, READ_CHUNK_BYTES);
    if (strbuf_ok(buf, err) < 0)
        return -1;
    ssize_t got = 0;
    do {
        got = read(fd, buf->data + buf->length, buf->capacity - buf->length - 1);
    } while (got < 0 && errno == EINTR);
    if (got < 0)
        return err_errno(err, ERR_IO, errno, "read descriptor %d", fd);
    buf->length += (size_t)got;
    buf->data[buf->length] = '\0';
    return got > 0;
}

int fd_read_all(int fd, size_t limit, char **out, size_t *length, struct err *err)
{
    AUTO_STRBUF struct strbuf buf = STRBUF_INIT;
    int outcome = 1;
    while (outcome > 0 && buf.length <= limit)
        outcome = read_some(fd, &buf, err);
    if (outcome < 0)
        return -1;
    if (buf.length > limit)
        return err_set(err, ERR_TOO_LARGE, "content is larger than %zu bytes", limit);
    size_t total = buf.length;
    if (strbuf_take(&buf, out, err) < 0)
        return -1;
    *length = total;
    return 0;
}

int file_read(const char *path, size_t limit, char **out, size_t *length, struct err *err)
{
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, errno, "open '%s'", path);
    if (fd_read_all(fd, limit, out, length, err) < 0)
        return err_prefix(err, "read '%s'", path);
    return 0;
}

// Syncs the directory that holds `path`, so that a rename in it survives a power cut.
static int sync_directory_of(const char *path, struct err *err)
{
    char directory[PATH_MAX];
    const char *slash = strrchr(path, '/');
    int length = slash ? (int)(slash - path) : 0;
    if (!slash)
        snprintf(directory, sizeof directory, ".");
    else
        snprintf(directory, sizeof directory, "%.*s", MAX(length, 1), path);
    AUTO_CLOSE int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) < 0)
        return err_errno(err, ERR_IO, errno, "sync directory '%s'", directory);
    return 0;
}

static int fill_file(int fd, const void *bytes, size_t length, mode_t mode, struct err *err)
{
    if (fd_write_all(fd, bytes, length, err) < 0)
        return -1;
    if (fchmod(fd, mode) < 0 || fsync(fd) < 0)
        return err_errno(err, ERR_IO, errno, "set mode and sync");
    return 0;
}

int file_replace(const char *path, const void *bytes, size_t length, mode_t mode, struct err *err)
{
    char temporary[PATH_MAX];
    int wanted = snprintf(temporary, sizeof temporary, "%s.XXXXXX", path);
    if (wanted < 0 || (size_t)wanted >= sizeof temporary)
        return err_set(err, ERR_INVALID, "path is longer than %zu bytes", sizeof temporary - 1);
    AUTO_CLOSE int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0)
        return err_errno(err, ERR_IO, errno, "create a file beside '%s'", path);
    if (fill_file(fd, bytes, length, mode, err) < 0) {
        unlink(temporary);
        return err_prefix(err, "write '%s'", temporary);
    }
    if (rename(temporary, path) < 0) {
        int errnum = errno;
        unlink(temporary);
        return err_errno(err, ERR_IO, errnum, "rename '%s' to '%s'", temporary, path);
    }
    return sync_directory_of(path, err);
}
