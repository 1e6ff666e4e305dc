// Directory trees of fd.h: making and removing them.
//
// What is removed was written by strangers' programs: directories without permissions, and nested deeper than there are
// descriptors. A directory below DEEPEST is moved up beside the tree's own top and removed in another round.
#include "services/common/base/fd.h"

#include "services/common/base/cleanup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEEPEST 32
#define ROUNDS_PER_DIRECTORY 3

struct removal {
    int top;        // descriptor of the tree's top directory
    unsigned moved; // directories that were moved up so far
};

static void cleanup_dir(DIR **dir)
{
    if (*dir)
        closedir(*dir);
}

// Opens a directory for emptying it, giving ourselves the permission when it is ours to give. -1 with errno.
static int open_directory(int parent, const char *name)
{
    const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    int fd = openat(parent, name, flags);
    if (fd < 0 && errno == EACCES && fchmodat(parent, name, S_IRWXU, AT_SYMLINK_NOFOLLOW) == 0)
        fd = openat(parent, name, flags);
    if (fd >= 0)
        (void)fchmod(fd, S_IRWXU);
    return fd;
}

static int empty_directory(struct removal *removal, int fd, unsigned depth);

// Moves parent/name up to the top of the tree, where another round finds it.
static int move_up(struct removal *removal, int parent, const char *name)
{
    char fresh[64];
    do {
        snprintf(fresh, sizeof fresh, ".removing-%u", removal->moved++);
    } while (faccessat(removal->top, fresh, F_OK, AT_SYMLINK_NOFOLLOW) == 0);
    int outcome = renameat(parent, name, removal->top, fresh);
    // A directory that gets another parent has its ".." rewritten, which needs write permission on itself.
    if (outcome < 0 && errno == EACCES && fchmodat(parent, name, S_IRWXU, AT_SYMLINK_NOFOLLOW) == 0)
        outcome = renameat(parent, name, removal->top, fresh);
    return outcome;
}

static int remove_directory(struct removal *removal, int parent, const char *name, unsigned depth)
{
    if (depth > DEEPEST)
        return move_up(removal, parent, name);
    AUTO_CLOSE int fd = open_directory(parent, name);
    if (fd < 0)
        return errno == ENOENT ? 0 : -1;
    if (empty_directory(removal, fd, depth) < 0)
        return -1;
    return unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno != ENOENT ? -1 : 0;
}

static int remove_entry(struct removal *removal, int parent, const char *name, unsigned depth)
{
    if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
        return 0;
    // Linux answers EISDIR for a directory, other systems' file servers EPERM.
    if (errno != EISDIR && errno != EPERM)
        return -1;
    int refusal = errno;
    int outcome = remove_directory(removal, parent, name, depth + 1);
    if (outcome < 0 && errno == ENOTDIR)
        errno = refusal;
    return outcome;
}

static bool is_dot_or_dot_dot(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

// Removes everything that one listing of the directory shows. The number of entries, -1 with errno.
static int remove_listed(struct removal *removal, int fd, unsigned depth)
{
    AUTO_CLOSE int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (own < 0)
        return -1;
    CLEANUP(cleanup_dir) DIR *dir = fdopendir(own);
    if (!dir)
        return -1;
    TAKE_FD(own);
    int count = 0;
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (!entry)
            return errno ? -1 : count;
        if (is_dot_or_dot_dot(entry->d_name))
            continue;
        if (remove_entry(removal, fd, entry->d_name, depth) < 0)
            return -1;
        count += count < INT_MAX;
    }
}

// Empties the directory, again while entries turn up that were not listed before. 0, -1 with errno.
static int empty_directory(struct removal *removal, int fd, unsigned depth)
{
    int count = 1;
    unsigned moved = 0;
    for (int round = 0; count > 0 && (round < ROUNDS_PER_DIRECTORY || moved != removal->moved); round++) {
        moved = removal->moved;
        count = remove_listed(removal, fd, depth);
    }
    return count < 0 ? -1 : 0;
}

int tree_remove(const char *path, struct err *err)
{
    if (unlink(path) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return err_errno(err, ERR_IO, errno, "remove '%s'", path);
    AUTO_CLOSE int top = open_directory(AT_FDCWD, path);
    if (top < 0)
        return err_errno(err, ERR_IO, errno, "open directory '%s'", path);
    struct removal removal = {.top = top};
    if (empty_directory(&removal, top, 0) < 0)
        return err_errno(err, ERR_IO, errno, "empty directory '%s'", path);
    if (rmdir(path) < 0 && errno != ENOENT)
        return err_errno(err, ERR_IO, errno, "remove directory '%s'", path);
    return 0;
}

static bool is_directory(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

int dir_make(const char *path, mode_t mode, struct err *err)
{
    char part[PATH_MAX];
    size_t length = strlen(path);
    if (length == 0 || length >= sizeof part)
        return err_set(err, ERR_INVALID, "make directory: path of %zu bytes", length);
    memcpy(part, path, length + 1);
    for (char *at = part + 1; at <= part + length; at++) {
        if (*at != '/' && *at != '\0')
            continue;
        char kept = *at;
        *at = '\0';
        if (mkdir(part, mode) < 0) {
            int errnum = errno;
            if (!is_directory(part))
                return err_errno(err, ERR_IO, errnum, "make directory '%s'", part);
        }
        *at = kept;
    }
    return 0;
}
