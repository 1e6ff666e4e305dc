// Creates and upgrades the schema `curfew` from embedded migrations.
//
// Each migration runs in a transaction of its own together with its row in curfew.migration, under an advisory lock, so
// that any number of programs may migrate at once and a crash leaves whole migrations only.
#pragma once

#include "services/common/db/db.h"

#include <stddef.h>

// Applies what is missing, in order. Waits for another migrating program for at most lock_timeout_ms, and about as long
// for who uses the tables that are changed (a dump of the database, say), then ERR_TIMEOUT: nothing that comes behind
// it meanwhile waits for more than a few seconds. A migration that was applied with another text, and a schema that is
// newer than `migrations`: ERR_CONFLICT, nothing is changed. Returns how many were applied.
int migrate_run(struct db *db, const struct db_migration *migrations, size_t count, int64_t lock_timeout_ms,
                struct err *err) WARN_UNUSED;
// The schema's version; 0 when there is none yet.
int migrate_version(struct db *db, int *version, struct err *err) WARN_UNUSED;
// For programs that only use the schema: ERR_CONFLICT with what to do when it is older than `migrations`, newer is fine
// (a rolling upgrade migrates first).
int migrate_check(struct db *db, const struct db_migration *migrations, size_t count, struct err *err) WARN_UNUSED;

#define MIGRATE_CHECKSUM_SIZE 17
// The checksum that is recorded: FNV-1a of the text, 64 bits, as 16 hexadecimal digits.
void migrate_checksum(const char *sql, char out[static MIGRATE_CHECKSUM_SIZE]);
