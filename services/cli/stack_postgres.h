// The private PostgreSQL of an embedded stack: which binaries, whom it runs as, and a cluster that is made once.
#pragma once

#include "services/cli/stack_paths.h"
#include "services/cli/stack_program.h"

struct stack_postgres {
    char initdb[PATH_MAX], server[PATH_MAX]; // newest that is installed
    uid_t uid;                               // PostgreSQL refuses root: the user postgres then
    gid_t gid;
};

// ERR_UNSUPPORTED: no PostgreSQL of version 13 or newer, or no user for it.
int stack_postgres_find(struct stack_postgres *postgres, struct err *err) WARN_UNUSED;
// Makes the directories and the cluster unless they are there. A cluster that was cut off while it was made is made
// again.
int stack_postgres_prepare(const struct stack_postgres *postgres, const struct stack_paths *paths,
                           struct err *err) WARN_UNUSED;
