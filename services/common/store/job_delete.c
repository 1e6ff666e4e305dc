#include "services/common/store/job_delete.h"

#include "services/common/db/db.h"
#include "services/common/store/embedded.h"

// Deletes rows of the tables that can have many. JOB_DELETE_MORE when one of them had as many as allowed.
static int delete_parts(struct db *db, const int64_t *jobs, size_t count, int64_t rows, struct err *err)
{
    static const enum statement parts[] = {
        STATEMENT_DELETE_LOGS,    STATEMENT_DELETE_EVENTS, STATEMENT_DELETE_TASK_ERRORS, STATEMENT_DELETE_TASK_RUNS,
        STATEMENT_DELETE_RESULTS, STATEMENT_DELETE_ITEMS,  STATEMENT_DELETE_SLICES,      STATEMENT_DELETE_INSTANCES,
    };
    AUTO_PARAMS struct params params = PARAMS_INIT;
    int outcome = JOB_DELETE_DONE;
    params_i64_array(&params, jobs, count);
    params_i64(&params, rows);
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        int64_t deleted = 0;
        if (db_execute(db, parts[i], &params, &deleted, err) < 0)
            return -1;
        if (deleted >= rows)
            outcome = JOB_DELETE_MORE;
    }
    return outcome;
}

int job_delete_all(struct db *db, const int64_t *jobs, size_t count, int64_t rows, struct err *err)
{
    if (count == 0)
        return JOB_DELETE_DONE;
    AUTO_PARAMS struct params ids = PARAMS_INIT;
    int outcome = delete_parts(db, jobs, count, rows, err);
    if (outcome != JOB_DELETE_DONE)
        return outcome;
    params_i64_array(&ids, jobs, count);
    return db_execute(db, STATEMENT_DELETE_JOBS, &ids, NULL, err) < 0 ? -1 : JOB_DELETE_DONE;
}
