// The list of jobs, newest first; the cursor is the id of the last one that was looked at.
#include "services/common/base/cleanup.h"
#include "services/common/base/id.h"
#include "services/common/model/states.h"
#include "services/common/store/read_job_view.h"

#include <stdlib.h>
#include <string.h>

struct jobs_read {
    const struct job_filter *filter;
    int64_t before; // ids below this one
};

static void add_label(struct params *params, const struct job_filter *filter)
{
    AUTO_STRBUF struct strbuf labels = STRBUF_INIT;
    if (!filter->label) {
        params_null(params);
        return;
    }
    json_open(&labels, NULL, '{');
    strbuf_add_json(&labels, filter->label, strlen(filter->label));
    strbuf_add_char(&labels, ':');
    json_text(&labels, NULL, filter->value ? filter->value : "");
    json_close(&labels, '}');
    params_json(params, strbuf_text(&labels), labels.length);
}

static int load_page(struct db *db, const struct jobs_read *read, struct result *ids, struct err *err)
{
    const struct job_filter *filter = read->filter;
    bool open = filter->state >= 0 && filter->state < JOB_SUCCEEDED;
    AUTO_PARAMS struct params params = PARAMS_INIT;
    params_i64(&params, read->before);
    params_text(&params, filter->name);
    add_label(&params, filter);
    params_i64(&params, filter->since_us);
    if (open)
        params_bool(&params, filter->state == JOB_PAUSED);
    else if (filter->state >= JOB_SUCCEEDED)
        params_i16(&params, (int16_t)(filter->state - JOB_SUCCEEDED));
    else
        params_null(&params);
    params_i64(&params, filter->limit);
    params_text(&params, filter->space);
    return db_query(db, open ? STATEMENT_READ_PAGE_OPEN : STATEMENT_READ_PAGE, &params, RESULT_BINARY, ids, err);
}

static int write_page(struct db *db, const struct jobs_read *read, struct result *page, struct strbuf *out,
                      struct err *err)
{
    size_t count = (size_t)result_rows(page);
    AUTO_JOB_VIEWS struct job_views views = JOB_VIEWS_INIT;
    AUTO_FREE int64_t *ids = malloc((count + 1) * sizeof *ids);
    if (!ids)
        return err_set(err, ERR_NO_MEMORY, "a list of %zu jobs", count);
    for (size_t i = 0; i < count; i++)
        ids[i] = result_i64(page, (int)i, 0);
    if (job_views_load(&views, db, ids, count, err) < 0)
        return -1;
    json_open(out, NULL, '{');
    json_open(out, "jobs", '[');
    for (int row = 0; row < job_views_count(&views); row++)
        job_views_write(&views, row, read->filter->state, NULL, out);
    json_close(out, ']');
    if (count < (size_t)read->filter->limit)
        json_null(out, "next");
    else
        row_job(out, "next", ids[count - 1]);
    json_close(out, '}');
    return job_views_done(&views, out, err);
}

static int read_list(struct db *db, void *context, struct strbuf *out, struct err *err)
{
    const struct jobs_read *read = context;
    AUTO_RESULT struct result page = RESULT_INIT;
    if (load_page(db, read, &page, err) < 0)
        return -1;
    return write_page(db, read, &page, out, err) < 0 ? -1 : result_ok(&page, err);
}

int read_jobs(struct db *db, const struct job_filter *filter, struct strbuf *out, struct err *err)
{
    struct jobs_read read = {.filter = filter, .before = INT64_MAX};
    if (filter->cursor && id_parse('j', filter->cursor, &read.before) < 0)
        return err_set(err, ERR_INVALID, "cursor '%.40s' is not one of ours", filter->cursor);
    return snapshot_run(db, read_list, &read, out, err);
}
