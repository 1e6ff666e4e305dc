// Why the result stays inside: a symbolic link may only begin with as many ".." as it is deep, and have none further
// on; libarchive creates nothing below a symbolic link, so a link is as deep as its path says; a hard link leads to a
// regular file that was unpacked before. So each link, followed from where it is, ends in the directory, by induction
// over the links on its way.
#include "services/worker/bundle_unpack.h"

#include "services/common/base/cleanup.h"
#include "services/worker/archive.h"

#include <errno.h>
#include <locale.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_BLOCK_BYTES ((size_t)64 << 10)

struct unpacking {
    struct archive *source, *target;
    struct bundle_size size;
    int64_t written; // bytes, as they came
};

static int refuse(struct archive_entry *entry, const char *why, struct err *err)
{
    return err_set(err, ERR_INVALID, "bundle: '%.120s' %s", archive_entry_pathname(entry), why);
}

static bool component_is(const char *component, size_t length, const char *text)
{
    return length == strlen(text) && memcmp(component, text, length) == 0;
}

// What a path consists of: ".." at its beginning, then names. -1 when a ".." comes later.
static int count_components(const char *path, int *parents, int *names)
{
    *parents = *names = 0;
    while (*path) {
        size_t length = strcspn(path, "/");
        if (component_is(path, length, "..") && *names > 0)
            return -1;
        if (component_is(path, length, ".."))
            ++*parents;
        else if (length > 0 && !component_is(path, length, "."))
            ++*names;
        path += length;
        path += *path == '/';
    }
    return 0;
}

static bool is_inside(const char *path, int *depth)
{
    int parents;
    return path[0] != '/' && count_components(path, &parents, depth) == 0 && parents == 0;
}

static int check_link(struct archive_entry *entry, int depth, struct err *err)
{
    const char *to = archive_entry_symlink(entry);
    int parents, names;
    if (!to || to[0] == '\0' || to[0] == '/')
        return refuse(entry, "is a symbolic link that leaves the bundle", err);
    if (count_components(to, &parents, &names) < 0)
        return refuse(entry, "is a symbolic link with '..' behind a name", err);
    return parents < depth ? 0 : refuse(entry, "is a symbolic link that leaves the bundle", err);
}

static int check_hard_link(struct archive_entry *entry, struct err *err)
{
    const char *to = archive_entry_hardlink(entry);
    struct stat status;
    int depth;
    if (!is_inside(to, &depth) || lstat(to, &status) < 0 || !S_ISREG(status.st_mode))
        return refuse(entry, "is a hard link to something that is no file of the bundle", err);
    return 0;
}

static int check_kind(struct archive_entry *entry, int depth, struct err *err)
{
    if (archive_entry_mode(entry) & (S_ISUID | S_ISGID))
        return refuse(entry, "has a set-user-id or set-group-id bit", err);
    if (archive_entry_hardlink(entry))
        return check_hard_link(entry, err);
    switch (archive_entry_filetype(entry)) {
    case AE_IFREG:
    case AE_IFDIR:
        return 0;
    case AE_IFLNK:
        return check_link(entry, depth, err);
    default:
        return refuse(entry, "is no file, directory or symbolic link", err);
    }
}

static int check_entry(struct unpacking *unpacking, struct archive_entry *entry, struct err *err)
{
    const char *path = archive_entry_pathname(entry);
    int depth;
    if (!path || path[0] == '\0')
        return err_set(err, ERR_INVALID, "bundle: entry %lld has no name", (long long)unpacking->size.entries);
    if (!is_inside(path, &depth))
        return refuse(entry, "leaves the bundle", err);
    if (depth > BUNDLE_DEPTH_MAX)
        return refuse(entry, "is too deep", err);
    if (++unpacking->size.entries > BUNDLE_ENTRIES_MAX)
        return err_set(err, ERR_TOO_LARGE, "bundle: more than %d entries", BUNDLE_ENTRIES_MAX);
    unpacking->size.bytes += archive_entry_size(entry);
    if (archive_entry_size(entry) > BUNDLE_BYTES_MAX || unpacking->size.bytes > BUNDLE_BYTES_MAX)
        return err_set(err, ERR_TOO_LARGE, "bundle: more than %lld bytes unpacked", (long long)BUNDLE_BYTES_MAX);
    return check_kind(entry, depth, err);
}

static int fail_read(struct unpacking *unpacking, struct err *err)
{
    const char *text = archive_error_string(unpacking->source);
    return err_set(err, ERR_INVALID, "bundle: %s", text ? text : "cannot be read");
}

static int fail_write(struct unpacking *unpacking, struct err *err)
{
    const char *text = archive_error_string(unpacking->target);
    return err_set(err, ERR_IO, "unpack a bundle: %s", text ? text : "cannot be written");
}

static int copy_content(struct unpacking *unpacking, struct err *err)
{
    for (;;) {
        const void *block;
        size_t length;
        la_int64_t offset;
        int outcome = archive_read_data_block(unpacking->source, &block, &length, &offset);
        if (outcome == ARCHIVE_EOF)
            return 0;
        if (outcome < ARCHIVE_OK)
            return fail_read(unpacking, err);
        unpacking->written += (int64_t)length;
        if (unpacking->written > BUNDLE_BYTES_MAX)
            return err_set(err, ERR_TOO_LARGE, "bundle: more than %lld bytes unpacked", (long long)BUNDLE_BYTES_MAX);
        if (archive_write_data_block(unpacking->target, block, length, offset) < ARCHIVE_OK)
            return fail_write(unpacking, err);
    }
}

// Whoever copies it must be able to read it, whatever the archive says.
static void open_permissions(struct archive_entry *entry)
{
    mode_t mode = archive_entry_perm(entry) & 0777;
    archive_entry_set_perm(entry, mode | (archive_entry_filetype(entry) == AE_IFDIR ? 0700 : 0600));
}

static int unpack_entry(struct unpacking *unpacking, struct archive_entry *entry, struct err *err)
{
    if (check_entry(unpacking, entry, err) < 0)
        return -1;
    open_permissions(entry);
    if (archive_write_header(unpacking->target, entry) < ARCHIVE_OK)
        return fail_write(unpacking, err);
    if (archive_entry_size(entry) > 0 && copy_content(unpacking, err) < 0)
        return -1;
    return archive_write_finish_entry(unpacking->target) < ARCHIVE_OK ? fail_write(unpacking, err) : 0;
}

static int unpack_all(struct unpacking *unpacking, struct err *err)
{
    for (;;) {
        struct archive_entry *entry;
        int outcome = archive_read_next_header(unpacking->source, &entry);
        if (outcome == ARCHIVE_EOF)
            break;
        if (outcome < ARCHIVE_WARN)
            return fail_read(unpacking, err);
        if (unpack_entry(unpacking, entry, err) < 0)
            return -1;
    }
    // Permissions and times of directories are set last.
    return archive_write_close(unpacking->target) < ARCHIVE_OK ? fail_write(unpacking, err) : 0;
}

int bundle_unpack(const char *archive, const char *directory, struct bundle_size *out, struct err *err)
{
    const int flags = ARCHIVE_EXTRACT_TIME | ARCHIVE_EXTRACT_SECURE_SYMLINKS | ARCHIVE_EXTRACT_SECURE_NODOTDOT |
                      ARCHIVE_EXTRACT_SECURE_NOABSOLUTEPATHS;
    AUTO_ARCHIVE_READER struct archive *source = archive_read_new();
    AUTO_ARCHIVE_WRITER struct archive *target = archive_write_disk_new();
    struct unpacking unpacking = {.source = source, .target = target};
    setlocale(LC_CTYPE, "C.UTF-8"); // names that are not ASCII
    if (!source || !target)
        return err_set(err, ERR_NO_MEMORY, "no memory to unpack a bundle");
    if (chdir(directory) < 0)
        return err_errno(err, ERR_IO, errno, "enter '%s'", directory);
    archive_read_support_filter_zstd(source);
    archive_read_support_format_tar(source);
    archive_write_disk_set_options(target, flags);
    if (archive_read_open_filename(source, archive, READ_BLOCK_BYTES) < ARCHIVE_OK)
        return fail_read(&unpacking, err);
    if (unpack_all(&unpacking, err) < 0)
        return -1;
    *out = unpacking.size;
    return 0;
}
