// A job file: YAML or JSON in, checked JSON out, with faults shown where they stand in the file; and the bundle, the
// files beside it.
#pragma once

#include "services/cli/cli.h"
#include "services/common/base/sha256.h"
#include "services/common/base/strbuf.h"

struct job_file {
    struct strbuf json; // what is submitted
    char *directory;    // of the file; NULL for stdin
    bool needs_bundle;  // a command names a file of that directory
};
void job_file_release(struct job_file *file);
#define AUTO_JOB_FILE CLEANUP(job_file_release)

// Reads and checks `path`, "-" for stdin. Each fault is printed to stderr as "FILE:LINE:COLUMN: /pointer: what".
// ERR_INVALID says how many there were.
int job_file_read(const char *path, struct job_file *out, struct err *err) WARN_UNUSED;

// Packs the directory as tar and zstd into an unlinked file: *fd is its descriptor at the beginning, of `length` bytes.
// The same files give the same bytes. ERR_TOO_LARGE over 64 MiB or 20,000 files.
int job_file_pack(const char *directory, int *fd, int64_t *length, char hash[static SHA256_HEX_SIZE],
                  struct err *err) WARN_UNUSED;
// Uploads it unless the manager has it, and names it in the job; needs_bundle is false then. A failure changes nothing.
int job_file_bundle(struct cli *cli, struct job_file *file, struct err *err) WARN_UNUSED;
