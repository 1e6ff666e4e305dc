// The spec of one command, as the worker wrote it into the inherited memory file.
#pragma once

#include "services/common/base/err.h"
#include "services/worker/shim/protocol.h"

#include <stddef.h>

struct shim_spec {
    struct shim_spec_header header;
    const char *directory;
    const char *cgroup; // "" when there is none
    char **argv;        // ends with NULL
    char **env;         // ends with NULL
    char *bytes;        // owns the strings
};

// Reads the whole of `fd` from its beginning. ERR_INVALID when it is not a well-formed spec.
int shim_spec_read(int fd, struct shim_spec *out, struct err *err) WARN_UNUSED;
void shim_spec_release(struct shim_spec *spec);
