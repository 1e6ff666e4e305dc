#include "services/common/store/installation.h"

#include "services/common/db/db.h"
#include "services/common/store/embedded.h"

#include <stdio.h>

int installation_read(struct db *db, struct installation *out, struct err *err)
{
    AUTO_RESULT struct result row = RESULT_INIT;
    if (db_query(db, STATEMENT_INSTALLATION_READ, NULL, RESULT_BINARY, &row, err) < 0)
        return -1;
    snprintf(out->deployment, sizeof(out->deployment), "%s", result_text(&row, 0, 0));
    out->fsync = result_bool(&row, 0, 1);
    out->synchronous_commit = result_bool(&row, 0, 2);
    out->full_page_writes = result_bool(&row, 0, 3);
    return result_ok(&row, err);
}
