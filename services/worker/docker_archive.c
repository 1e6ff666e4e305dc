#include "services/worker/docker_archive.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/fd.h"
#include "services/worker/archive.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

static int failed(struct archive *archive, const char *what, struct err *err)
{
    const char *text = archive_error_string(archive);
    return err_set(err, archive_errno(archive) == ENOMEM ? ERR_NO_MEMORY : ERR_IO, "%s: %s", what,
                   text ? text : "failed");
}

// ---- in

static int copy_content(struct archive *disk, struct archive *out, struct err *err)
{
    const void *block;
    size_t length;
    la_int64_t offset;
    int outcome;
    while ((outcome = archive_read_data_block(disk, &block, &length, &offset)) == ARCHIVE_OK)
        if (archive_write_data(out, block, length) < 0)
            return failed(out, "packing", err);
    return outcome == ARCHIVE_EOF ? 0 : failed(disk, "packing", err);
}

// Nobody of this machine means anything in there.
static void give_to_everybody(struct archive_entry *entry)
{
    mode_t mode = archive_entry_perm(entry);
    bool directory = archive_entry_filetype(entry) == AE_IFDIR;
    archive_entry_set_uid(entry, 0);
    archive_entry_set_gid(entry, 0);
    archive_entry_set_uname(entry, NULL);
    archive_entry_set_gname(entry, NULL);
    if (archive_entry_filetype(entry) != AE_IFLNK)
        archive_entry_set_perm(entry, directory || (mode & 0111) ? 0777 : 0666);
}

static int pack_entry(struct archive *disk, struct archive_entry *entry, struct archive *out, struct err *err)
{
    give_to_everybody(entry);
    archive_entry_copy_pathname(entry, archive_entry_pathname(entry) + 1); // relative to /
    int outcome = archive_write_header(out, entry);
    if (outcome < ARCHIVE_WARN)
        return failed(out, "packing", err);
    return archive_entry_filetype(entry) == AE_IFREG ? copy_content(disk, out, err) : 0;
}

static int pack_tree(const char *directory, struct archive *out, struct err *err)
{
    AUTO_ARCHIVE_READER struct archive *disk = archive_read_disk_new();
    AUTO_ARCHIVE_ENTRY struct archive_entry *entry = archive_entry_new();
    int outcome;
    if (!disk || !entry)
        return err_set(err, ERR_NO_MEMORY, "packing: no memory");
    archive_read_disk_set_symlink_physical(disk);
    archive_read_disk_set_behavior(disk,
                                   ARCHIVE_READDISK_NO_ACL | ARCHIVE_READDISK_NO_XATTR | ARCHIVE_READDISK_NO_FFLAGS);
    if (archive_read_disk_open(disk, directory) != ARCHIVE_OK)
        return failed(disk, "packing", err);
    while ((outcome = archive_read_next_header2(disk, entry)) >= ARCHIVE_WARN && outcome != ARCHIVE_EOF) {
        archive_read_disk_descend(disk);
        if (pack_entry(disk, entry, out, err) < 0)
            return -1;
        archive_entry_clear(entry);
    }
    return outcome == ARCHIVE_EOF ? 0 : failed(disk, "packing", err);
}

static int pack_empty_file(const char *path, struct archive *out, struct err *err)
{
    AUTO_ARCHIVE_ENTRY struct archive_entry *entry = archive_entry_new();
    if (!entry)
        return err_set(err, ERR_NO_MEMORY, "packing: no memory");
    archive_entry_copy_pathname(entry, path + 1);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_size(entry, 0);
    give_to_everybody(entry);
    return archive_write_header(out, entry) < ARCHIVE_WARN ? failed(out, "packing", err) : 0;
}

int docker_archive_pack(const void *argument, struct err *err)
{
    const struct docker_packing *packing = argument;
    AUTO_ARCHIVE_WRITER struct archive *out = archive_write_new();
    if (!out)
        return err_set(err, ERR_NO_MEMORY, "packing: no memory");
    if (archive_write_set_format_pax_restricted(out) != ARCHIVE_OK ||
        archive_write_open_filename(out, packing->archive) != ARCHIVE_OK)
        return failed(out, "packing", err);
    if (pack_tree(packing->directory, out, err) < 0 ||
        (packing->output && pack_empty_file(packing->output, out, err) < 0))
        return -1;
    return archive_write_close(out) == ARCHIVE_OK ? 0 : failed(out, "packing", err);
}

// ---- out

static int write_content(struct archive *archive, int fd, struct err *err)
{
    char block[4096];
    la_ssize_t length;
    while ((length = archive_read_data(archive, block, sizeof block)) > 0)
        if (fd_write_all(fd, block, (size_t)length, err) < 0)
            return -1;
    return length == 0 ? 0 : failed(archive, "unpacking", err);
}

static int take_content(struct archive *archive, const char *path, struct err *err)
{
    AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_errno(err, ERR_IO, errno, "cannot write what a container has put out");
    return write_content(archive, fd, err);
}

int docker_archive_take_file(const char *text, size_t length, const char *path, struct err *err)
{
    AUTO_ARCHIVE_READER struct archive *archive = archive_read_new();
    struct archive_entry *entry = NULL;
    int outcome;
    if (!archive)
        return err_set(err, ERR_NO_MEMORY, "unpacking: no memory");
    archive_read_support_format_tar(archive);
    if (archive_read_open_memory(archive, text, length) != ARCHIVE_OK)
        return failed(archive, "unpacking", err);
    while ((outcome = archive_read_next_header(archive, &entry)) >= ARCHIVE_WARN && outcome != ARCHIVE_EOF)
        if (archive_entry_filetype(entry) == AE_IFREG)
            return take_content(archive, path, err);
    return outcome == ARCHIVE_EOF ? err_set(err, ERR_NOT_FOUND, "there is no such file")
                                  : failed(archive, "unpacking", err);
}
