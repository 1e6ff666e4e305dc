// libarchive's objects as owned locals.
#pragma once

#include "services/common/base/cleanup.h"

#include <archive.h>
#include <archive_entry.h>

static inline void archive_free_reader(struct archive *archive)
{
    archive_read_free(archive);
}
static inline void archive_free_writer(struct archive *archive)
{
    archive_write_free(archive);
}
DEFINE_CLEANUP(struct archive *, archive_free_reader);
DEFINE_CLEANUP(struct archive *, archive_free_writer);
DEFINE_CLEANUP(struct archive_entry *, archive_entry_free);
#define AUTO_ARCHIVE_READER CLEANUP(cleanup_archive_free_reader)
#define AUTO_ARCHIVE_WRITER CLEANUP(cleanup_archive_free_writer)
#define AUTO_ARCHIVE_ENTRY CLEANUP(cleanup_archive_entry_free)
