// Packs a job's directory: sorted, without owners and times, so that the same files always have the same hash.
#include "services/cli/job_file.h"

#include "services/common/base/cleanup.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES_MAX 20000
#define BUNDLE_BYTES_MAX (64 << 20)
#define CONTENT_BYTES_MAX (512LL << 20)
#define CHUNK 65536

struct pack {
    struct archive *archive;
    size_t root_length;
    int files;
    int64_t content_bytes;
};

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

static int archive_failed(struct pack *pack, const char *what, struct err *err)
{
    const char *text = archive_error_string(pack->archive);
    return err_set(err, ERR_IO, "bundle: %.120s: %.100s", what, text ? text : "failed");
}

static int write_content(struct pack *pack, const char *path, struct err *err)
{
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    char chunk[CHUNK];
    ssize_t got;
    if (fd < 0)
        return err_errno(err, ERR_IO, errno, "bundle: '%.180s'", path);
    while ((got = read(fd, chunk, sizeof chunk)) > 0)
        if (archive_write_data(pack->archive, chunk, (size_t)got) != got)
            return archive_failed(pack, path, err);
    return got < 0 ? err_errno(err, ERR_IO, errno, "bundle: '%.180s'", path) : 0;
}

static int check_limits(struct pack *pack, const struct stat *status, struct err *err)
{
    pack->content_bytes += status->st_size;
    if (++pack->files > FILES_MAX)
        return err_set(err, ERR_TOO_LARGE,
                       "bundle: the job file's directory has more than %d files; give the job one of its own",
                       FILES_MAX);
    if (pack->content_bytes > CONTENT_BYTES_MAX)
        return err_set(err, ERR_TOO_LARGE,
                       "bundle: the job file's directory has more than 512 MiB; give the job one of its own");
    return 0;
}

// Only whether somebody may execute a file is kept of its mode.
static int add_file(struct pack *pack, const FTSENT *found, struct err *err)
{
    if (check_limits(pack, found->fts_statp, err) < 0)
        return -1;
    struct archive_entry *entry = archive_entry_new();
    if (!entry)
        return err_set(err, ERR_NO_MEMORY, "no memory for a bundle");
    archive_entry_set_pathname(entry, found->fts_path + pack->root_length);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, found->fts_statp->st_mode & S_IXUSR ? 0755 : 0644);
    archive_entry_set_size(entry, found->fts_statp->st_size);
    int outcome = archive_write_header(pack->archive, entry) == ARCHIVE_OK
                      ? write_content(pack, found->fts_accpath, err)
                      : archive_failed(pack, found->fts_path, err);
    archive_entry_free(entry);
    return outcome;
}

// Hidden files (.git, editors' leavings) stay out; links and devices too.
static int add_tree(struct pack *pack, const char *directory, struct err *err)
{
    char *roots[] = {(char *)(uintptr_t)directory, NULL};
    FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, by_name);
    int outcome = tree ? 0 : err_errno(err, ERR_IO, errno, "bundle: '%.180s'", directory);
    pack->root_length = strcmp(directory, "/") == 0 ? 1 : strlen(directory) + 1;
    for (FTSENT *found; outcome == 0 && (found = fts_read(tree));) {
        bool hidden = found->fts_level > 0 && found->fts_name[0] == '.';
        if (hidden)
            fts_set(tree, found, FTS_SKIP);
        else if (found->fts_info == FTS_F)
            outcome = add_file(pack, found, err);
        else if (found->fts_info == FTS_DNR || found->fts_info == FTS_ERR || found->fts_info == FTS_NS)
            outcome = err_errno(err, ERR_IO, found->fts_errno, "bundle: '%.180s'", found->fts_path);
    }
    if (tree)
        fts_close(tree);
    return outcome;
}

static int hash_file(int fd, int64_t *length, char hash[static SHA256_HEX_SIZE], struct err *err)
{
    struct sha256 *sum = NULL;
    char chunk[CHUNK];
    ssize_t got;
    *length = 0;
    if (lseek(fd, 0, SEEK_SET) < 0 || sha256_new(&sum, err) < 0)
        return -1;
    while ((got = read(fd, chunk, sizeof chunk)) > 0) {
        *length += got;
        if (sha256_update(sum, chunk, (size_t)got, err) < 0) {
            sha256_free(sum);
            return -1;
        }
    }
    sha256_finish(sum, hash);
    if (got < 0 || lseek(fd, 0, SEEK_SET) < 0)
        return err_errno(err, ERR_IO, errno, "bundle");
    return *length <= BUNDLE_BYTES_MAX ? 0 : err_set(err, ERR_TOO_LARGE, "bundle: more than 64 MiB when compressed");
}

static int pack_into(struct pack *pack, const char *directory, int fd, struct err *err)
{
    // Names are bytes, not characters of some locale.
    if (archive_write_set_format_pax_restricted(pack->archive) != ARCHIVE_OK ||
        archive_write_set_options(pack->archive, "hdrcharset=BINARY") != ARCHIVE_OK ||
        archive_write_add_filter_zstd(pack->archive) < ARCHIVE_WARN ||
        archive_write_open_fd(pack->archive, fd) != ARCHIVE_OK)
        return archive_failed(pack, "start", err);
    if (add_tree(pack, directory, err) < 0)
        return -1;
    return archive_write_close(pack->archive) == ARCHIVE_OK ? 0 : archive_failed(pack, "end", err);
}

int job_file_pack(const char *directory, int *out, int64_t *length, char hash[static SHA256_HEX_SIZE], struct err *err)
{
    AUTO_CLOSE int fd = memfd_create("bundle", MFD_CLOEXEC);
    struct pack pack = {.archive = archive_write_new()};
    if (fd < 0 || !pack.archive)
        return err_set(err, ERR_NO_MEMORY, "no memory for a bundle");
    int outcome = pack_into(&pack, directory, fd, err);
    archive_write_free(pack.archive);
    if (outcome < 0 || hash_file(fd, length, hash, err) < 0)
        return -1;
    *out = TAKE_FD(fd);
    return 0;
}
