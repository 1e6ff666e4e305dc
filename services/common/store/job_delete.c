#include "services/common/store/job_delete.h"

#include "services/common/db/db.h"
#include "services/common/store/embedded.h"

int job_delete_all(struct db *db, const int64_t *jobs, size_t count, struct err *err)
{
    static const enum statement statements[] = {
        STATEMENT_DELETE_LOGS,     STATEMENT_DELETE_EVENTS, STATEMENT_DELETE_TASK_ERRORS, STATEMENT_DELETE_RESULTS,
        STATEMENT_DELETE_ITEMS,    STATEMENT_DELETE_SLICES, STATEMENT_DELETE_STAGES,      STATEMENT_DELETE_INSTANCES,
        STATEMENT_DELETE_SERVICES, STATEMENT_DELETE_JOBS,
    };
    if (count == 0)
        return 0;
    AUTO_PARAMS struct params ids = PARAMS_INIT;
    params_i64_array(&ids, jobs, count);
    for (size_t i = 0; i < ARRAY_LEN(statements); i++)
        if (db_execute(db, statements[i], &ids, NULL, err) < 0)
            return -1;
    return 0;
}
