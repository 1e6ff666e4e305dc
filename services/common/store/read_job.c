// One job, and how far jobs are.
#include "services/common/model/states.h"
#include "services/common/store/read_job_view.h"

#include <stdio.h>
#include <string.h>

int read_progress(struct db *db, const int64_t *jobs, size_t count, struct job_progress *out, struct err *err)
{
    AUTO_PARAMS struct params params = PARAMS_INIT;
    AUTO_RESULT struct result rows = RESULT_INIT;
    memset(out, 0, count * sizeof *out);
    if (count == 0)
        return 0;
    params_i64_array(&params, jobs, count);
    if (db_query(db, STATEMENT_READ_PROGRESS, &params, RESULT_BINARY, &rows, err) < 0)
        return -1;
    for (int row = 0; row < result_rows(&rows); row++) {
        size_t index = (size_t)(result_i64(&rows, row, 0) - 1);
        if (index >= count)
            break;
        out[index] = (struct job_progress){
            .found = true,
            .outcome = (int)result_i64_or(&rows, row, 1, OUTCOME_NONE),
            .cleanup = result_i32(&rows, row, 2),
            .closed = result_bool(&rows, row, 3),
            .event_count = result_i32(&rows, row, 4),
            .log_bytes = result_i64(&rows, row, 5),
        };
        snprintf(out[index].space, sizeof(out[index].space), "%s", result_text(&rows, row, 6));
    }
    return result_ok(&rows, err);
}

struct job_read {
    int64_t job;
    struct job_progress *progress;
};

static int read_one(struct db *db, void *context, struct strbuf *out, struct err *err)
{
    const struct job_read *read = context;
    AUTO_JOB_VIEWS struct job_views views = JOB_VIEWS_INIT;
    if (job_views_load(&views, db, &read->job, 1, err) < 0)
        return -1;
    if (job_views_count(&views) == 0)
        return read_no_such_job(read->job, err);
    job_views_write(&views, 0, -1, read->progress, out);
    return job_views_done(&views, out, err);
}

int read_job(struct db *db, int64_t job, struct job_progress *progress, struct strbuf *out, struct err *err)
{
    struct job_read read = {.job = job, .progress = progress};
    return snapshot_run(db, read_one, &read, out, err);
}

int read_spec(struct db *db, int64_t job, struct strbuf *out, struct err *err)
{
    AUTO_RESULT struct result row = RESULT_INIT;
    if (read_of_job(db, STATEMENT_READ_SPEC, job, &row, err) < 0)
        return -1;
    if (result_rows(&row) == 0)
        return read_no_such_job(job, err);
    strbuf_add_text(out, result_text(&row, 0, 0));
    return read_done(&row, out, err);
}
