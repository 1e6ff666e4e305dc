// The statements and migrations of store/sql and store/migrations, embedded at build time by embed_sql.sh.
#pragma once

#include "services/common/db/statement.h"

#include <statements.h> // generated: enum statement
#include <stddef.h>

extern const struct db_statement
    store_statements[STATEMENT_COUNT + 1];           // by enum statement; the last one is {NULL, NULL}
extern const struct db_migration store_migrations[]; // by version
extern const size_t store_migration_count;
