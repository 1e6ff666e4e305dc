#include "services/common/store/embedded.h"

#include "services/common/base/macros.h"

#define STATEMENTS_TABLES
#include <statements.h>

const size_t store_migration_count = ARRAY_LEN(store_migrations) - 1;
