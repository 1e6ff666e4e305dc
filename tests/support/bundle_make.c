#include "tests/support/bundle_make.h"

#include "services/common/base/macros.h"
#include "tests/support/die.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdlib.h>
#include <string.h>

struct bundle_maker {
    struct archive *archive;
};

static void must(struct bundle_maker *maker, int outcome)
{
    if (outcome < ARCHIVE_OK)
        die("cannot write a bundle: %s", archive_error_string(maker->archive));
}

struct bundle_maker *bundle_maker_new(const char *path)
{
    struct bundle_maker *maker = malloc(sizeof *maker);
    maker->archive = archive_write_new();
    must(maker, archive_write_add_filter_zstd(maker->archive));
    must(maker, archive_write_set_format_pax_restricted(maker->archive));
    must(maker, archive_write_open_filename(maker->archive, path));
    return maker;
}

static struct archive_entry *entry_new(const char *name, unsigned type, mode_t mode)
{
    struct archive_entry *entry = archive_entry_new();
    archive_entry_set_pathname(entry, name);
    archive_entry_set_filetype(entry, type);
    archive_entry_set_perm(entry, mode);
    archive_entry_set_mtime(entry, 1000000000, 0);
    return entry;
}

static void add_entry(struct bundle_maker *maker, struct archive_entry *entry)
{
    must(maker, archive_write_header(maker->archive, entry));
    archive_entry_free(entry);
}

void bundle_add_file(struct bundle_maker *maker, const char *name, mode_t mode, const void *content, size_t length)
{
    struct archive_entry *entry = entry_new(name, AE_IFREG, mode);
    archive_entry_set_size(entry, (la_int64_t)length);
    add_entry(maker, entry);
    if (archive_write_data(maker->archive, content, length) != (ssize_t)length)
        die("cannot write a bundle");
}

void bundle_add_text(struct bundle_maker *maker, const char *name, const char *text)
{
    bundle_add_file(maker, name, 0644, text, strlen(text));
}

void bundle_add_zeros(struct bundle_maker *maker, const char *name, int64_t length)
{
    static const char zeros[1 << 20];
    struct archive_entry *entry = entry_new(name, AE_IFREG, 0644);
    archive_entry_set_size(entry, length);
    add_entry(maker, entry);
    for (int64_t left = length; left > 0; left -= (int64_t)sizeof zeros) {
        size_t piece = (size_t)MIN(left, (int64_t)sizeof zeros);
        if (archive_write_data(maker->archive, zeros, piece) != (ssize_t)piece)
            die("cannot write a bundle");
    }
}

void bundle_add_directory(struct bundle_maker *maker, const char *name)
{
    add_entry(maker, entry_new(name, AE_IFDIR, 0755));
}

void bundle_add_link(struct bundle_maker *maker, const char *name, const char *to)
{
    struct archive_entry *entry = entry_new(name, AE_IFLNK, 0777);
    archive_entry_set_symlink(entry, to);
    add_entry(maker, entry);
}

void bundle_add_hard_link(struct bundle_maker *maker, const char *name, const char *to)
{
    struct archive_entry *entry = entry_new(name, AE_IFREG, 0644);
    archive_entry_set_hardlink(entry, to);
    add_entry(maker, entry);
}

void bundle_add_device(struct bundle_maker *maker, const char *name)
{
    struct archive_entry *entry = entry_new(name, AE_IFCHR, 0666);
    archive_entry_set_rdev(entry, 0x103);
    add_entry(maker, entry);
}

void bundle_maker_close(struct bundle_maker *maker)
{
    must(maker, archive_write_close(maker->archive));
    archive_write_free(maker->archive);
    free(maker);
}
