// What is true of an installation as a whole: its name, and whether its database keeps what it acknowledges.
#pragma once

#include "services/common/base/err.h"

#include <stdbool.h>

struct db;

#define INSTALLATION_NAME_SIZE 64

struct installation {
    char deployment[INSTALLATION_NAME_SIZE]; // part of the names of all objects that it creates
    bool fsync, synchronous_commit, full_page_writes;
};

int installation_read(struct db *db, struct installation *out, struct err *err) WARN_UNUSED;
