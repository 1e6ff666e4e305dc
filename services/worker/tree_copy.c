#include "services/worker/tree_copy.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH_MAX 100 // two descriptors each
#define CHUNK_BYTES ((size_t)64 << 10)

static void cleanup_dir(DIR **dir)
{
    if (*dir)
        closedir(*dir);
}

static int fail(const char *verb, const char *name, struct err *err)
{
    return err_errno(err, ERR_IO, errno, "%s '%.120s'", verb, name);
}

static int copy_by_hand(int from, int to, const char *name, struct err *err)
{
    char chunk[CHUNK_BYTES];
    ssize_t length;
    while ((length = read(from, chunk, sizeof chunk)) > 0) {
        if (fd_write_all(to, chunk, (size_t)length, err) < 0)
            return err_prefix(err, "copy '%.120s'", name);
    }
    return length < 0 ? fail("read", name, err) : 0;
}

// Shares the blocks where the file system can.
static int copy_content(int from, int to, int64_t size, const char *name, struct err *err)
{
    while (size > 0) {
        ssize_t length = copy_file_range(from, NULL, to, NULL, (size_t)size, 0);
        if (length <= 0)
            return copy_by_hand(from, to, name, err);
        size -= length;
    }
    return 0;
}

static int copy_file(int from, int to, const char *name, const struct stat *status, struct err *err)
{
    const struct timespec times[2] = {status->st_atim, status->st_mtim};
    AUTO_CLOSE int source = openat(from, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (source < 0)
        return fail("open", name, err);
    AUTO_CLOSE int target = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (target < 0)
        return fail("create", name, err);
    if (copy_content(source, target, status->st_size, name, err) < 0)
        return -1;
    if (fchmod(target, status->st_mode & 0777) < 0 || futimens(target, times) < 0)
        return fail("set permissions of", name, err);
    return 0;
}

static int copy_link(int from, int to, const char *name, struct err *err)
{
    char text[PATH_MAX];
    ssize_t length = readlinkat(from, name, text, sizeof text - 1);
    if (length < 0)
        return fail("read link", name, err);
    text[length] = '\0';
    return symlinkat(text, to, name) < 0 ? fail("create link", name, err) : 0;
}

static int copy_entries(int from, int to, unsigned depth, struct err *err);

static int copy_directory(int from, int to, const char *name, const struct stat *status, unsigned depth,
                          struct err *err)
{
    const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    if (depth == DEPTH_MAX)
        return err_set(err, ERR_UNSUPPORTED, "'%.120s' is too deep to be copied", name);
    if (mkdirat(to, name, 0700) < 0)
        return fail("make directory", name, err);
    AUTO_CLOSE int source = openat(from, name, flags);
    AUTO_CLOSE int target = openat(to, name, flags);
    if (source < 0 || target < 0)
        return fail("open directory", name, err);
    if (copy_entries(source, target, depth + 1, err) < 0)
        return -1;
    return fchmod(target, status->st_mode & 0777) < 0 ? fail("set permissions of", name, err) : 0;
}

static int copy_entry(int from, int to, const char *name, unsigned depth, struct err *err)
{
    struct stat status;
    if (fstatat(from, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return fail("look at", name, err);
    if (S_ISREG(status.st_mode))
        return copy_file(from, to, name, &status, err);
    if (S_ISDIR(status.st_mode))
        return copy_directory(from, to, name, &status, depth, err);
    if (S_ISLNK(status.st_mode))
        return copy_link(from, to, name, err);
    return err_set(err, ERR_UNSUPPORTED, "'%.120s' is no file, directory or symbolic link", name);
}

static int copy_entries(int from, int to, unsigned depth, struct err *err)
{
    AUTO_CLOSE int own = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (own < 0)
        return fail("open directory", ".", err);
    CLEANUP(cleanup_dir) DIR *dir = fdopendir(own);
    if (!dir)
        return fail("list directory", ".", err);
    TAKE_FD(own);
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (!entry)
            return errno ? fail("list directory", ".", err) : 0;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (copy_entry(from, to, entry->d_name, depth, err) < 0)
            return -1;
    }
}

int tree_copy(const char *from, const char *to, struct err *err)
{
    const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    AUTO_CLOSE int source = open(from, flags);
    if (source < 0)
        return fail("open directory", from, err);
    AUTO_CLOSE int target = open(to, flags);
    if (target < 0)
        return fail("open directory", to, err);
    return copy_entries(source, target, 0, err);
}
