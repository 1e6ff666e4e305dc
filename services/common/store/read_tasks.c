// The tasks of a job: slices as they are stored, or task by task. The cursor is "<stage number>.<first task>".
#include "services/common/base/cleanup.h"
#include "services/common/base/id.h"
#include "services/common/model/job_spec.h"
#include "services/common/model/states.h"
#include "services/common/store/read_common.h"

#include <inttypes.h>
#include <stdio.h>

struct position {
    int stage;
    int64_t task;
};

struct tasks_read {
    int64_t job;
    const struct task_filter *filter;
    struct position from;
};

enum slice_column { STAGE, STAGE_NAME, FIRST, COUNT, STATE, ATTEMPT, FAILURES, WORKER, DUE_AT };

static int parse_cursor(const char *cursor, struct position *out, struct err *err)
{
    int length = 0;
    *out = (struct position){0};
    if (!cursor)
        return 0;
    if (sscanf(cursor, "%2d.%18" SCNd64 "%n", &out->stage, &out->task, &length) != 2 || cursor[length] != '\0' ||
        out->stage < 0 || out->task < 0)
        return err_set(err, ERR_INVALID, "cursor '%.40s' is not one of ours", cursor);
    return 0;
}

static int load_slices(struct db *db, const struct tasks_read *read, struct result *rows, struct err *err)
{
    AUTO_PARAMS struct params params = PARAMS_INIT;
    params_i64(&params, read->job);
    params_i16(&params, (int16_t)read->from.stage);
    params_i64(&params, read->from.task);
    params_text(&params, read->filter->stage);
    if (read->filter->state >= 0)
        params_i16(&params, (int16_t)read->filter->state);
    else
        params_null(&params);
    params_i64(&params, read->filter->limit + 1);
    return db_query(db, STATEMENT_READ_SLICES, &params, RESULT_BINARY, rows, err);
}

static int check_job(struct db *db, int64_t job, struct err *err)
{
    AUTO_RESULT struct result row = RESULT_INIT;
    if (read_of_job(db, STATEMENT_READ_JOB_EXISTS, job, &row, err) < 0)
        return -1;
    return result_rows(&row) == 1 ? 0 : read_no_such_job(job, err);
}

static void write_next(struct strbuf *out, const struct position *next)
{
    char cursor[READ_CURSOR_SIZE];
    json_close(out, ']');
    if (next) {
        snprintf(cursor, sizeof cursor, "%d.%" PRId64, next->stage, next->task);
        json_text(out, "next", cursor);
    } else {
        json_null(out, "next");
    }
    json_close(out, '}');
}

// ---- slices

static void write_slice(struct strbuf *out, struct result *rows, int row)
{
    json_open(out, NULL, '{');
    row_text(out, "stage", rows, row, STAGE_NAME);
    row_i64(out, "first", rows, row, FIRST);
    row_i64(out, "count", rows, row, COUNT);
    json_text(out, "state", slice_state_name(result_i32(rows, row, STATE)));
    row_i64(out, "attempt", rows, row, ATTEMPT);
    row_i64(out, "failures", rows, row, FAILURES);
    row_text(out, "worker", rows, row, WORKER);
    row_when(out, "due_at", rows, row, DUE_AT);
    json_close(out, '}');
}

static void write_slices(const struct tasks_read *read, struct result *rows, struct strbuf *out)
{
    struct position next = {0};
    bool more = result_rows(rows) > read->filter->limit;
    json_open(out, NULL, '{');
    json_open(out, "slices", '[');
    for (int row = 0; row < result_rows(rows) && row < read->filter->limit; row++)
        write_slice(out, rows, row);
    if (more) {
        next.stage = result_i32(rows, read->filter->limit, STAGE);
        next.task = result_i64(rows, read->filter->limit, FIRST);
    }
    write_next(out, more ? &next : NULL);
}

// ---- single tasks

static void write_error(struct strbuf *out, struct result *errors, int row)
{
    json_open(out, "error", '{');
    row_i64(out, "attempt", errors, row, 1);
    row_text(out, "error", errors, row, 2);
    row_i64(out, "exit", errors, row, 3);
    row_when(out, "at", errors, row, 4);
    json_close(out, '}');
}

static void write_task_name(struct strbuf *out, int64_t job, const char *stage, int64_t index)
{
    char id[ID_TEXT_SIZE], name[ID_TEXT_SIZE + SPEC_NAME_MAX + 24];
    id_format('j', job, id);
    snprintf(name, sizeof name, "%s/%s/%" PRId64, id, stage, index);
    json_text(out, "task", name);
    json_text(out, "stage", stage);
    json_i64(out, "index", index);
}

// The tasks [from, to) of one slice, with their errors.
static int write_tasks(struct db *db, const struct tasks_read *read, struct result *rows, int row, int64_t from,
                       int64_t to, struct strbuf *out, struct err *err)
{
    AUTO_PARAMS struct params params = PARAMS_INIT;
    AUTO_RESULT struct result errors = RESULT_INIT;
    params_i64(&params, read->job);
    params_i16(&params, (int16_t)result_i32(rows, row, STAGE));
    params_i64(&params, from);
    params_i64(&params, to - 1);
    if (db_query(db, STATEMENT_READ_TASK_ERRORS, &params, RESULT_BINARY, &errors, err) < 0)
        return -1;
    int failure = 0;
    for (int64_t task = from; task < to; task++) {
        json_open(out, NULL, '{');
        write_task_name(out, read->job, result_text(rows, row, STAGE_NAME), task);
        json_text(out, "state", slice_state_name(result_i32(rows, row, STATE)));
        row_i64(out, "attempt", rows, row, ATTEMPT);
        row_text(out, "worker", rows, row, WORKER);
        if (failure < result_rows(&errors) && result_i64(&errors, failure, 0) == task)
            write_error(out, &errors, failure++);
        else
            json_null(out, "error");
        json_close(out, '}');
    }
    return result_ok(&errors, err);
}

static int write_singles(struct db *db, const struct tasks_read *read, struct result *rows, struct strbuf *out,
                         struct err *err)
{
    int64_t left = read->filter->limit;
    struct position next = {0};
    bool more = false;
    json_open(out, NULL, '{');
    json_open(out, "tasks", '[');
    for (int row = 0; row < result_rows(rows) && !more; row++) {
        int stage = result_i32(rows, row, STAGE);
        int64_t from = result_i64(rows, row, FIRST), to = from + result_i64(rows, row, COUNT);
        if (stage == read->from.stage && from < read->from.task)
            from = read->from.task;
        int64_t end = MIN(to, from + left);
        if (end > from && write_tasks(db, read, rows, row, from, end, out, err) < 0)
            return -1;
        left -= end - from;
        next = (struct position){.stage = stage, .task = end};
        more = end < to;
    }
    write_next(out, more ? &next : NULL);
    return 0;
}

static int read_page(struct db *db, void *context, struct strbuf *out, struct err *err)
{
    const struct tasks_read *read = context;
    AUTO_RESULT struct result rows = RESULT_INIT;
    if (check_job(db, read->job, err) < 0 || load_slices(db, read, &rows, err) < 0)
        return -1;
    if (!read->filter->single)
        write_slices(read, &rows, out);
    else if (write_singles(db, read, &rows, out, err) < 0)
        return -1;
    return read_done(&rows, out, err);
}

int read_tasks(struct db *db, int64_t job, const struct task_filter *filter, struct strbuf *out, struct err *err)
{
    struct tasks_read read = {.job = job, .filter = filter};
    if (parse_cursor(filter->cursor, &read.from, err) < 0)
        return -1;
    return snapshot_run(db, read_page, &read, out, err);
}

// ---- one task

static void write_task(struct result *row, int64_t job, const char *stage, int64_t index, struct strbuf *out)
{
    json_open(out, NULL, '{');
    write_task_name(out, job, stage, index);
    json_text(out, "state", slice_state_name(result_i32(row, 0, 0)));
    row_i64(out, "attempt", row, 0, 1);
    row_i64(out, "failures", row, 0, 2);
    row_text(out, "worker", row, 0, 3);
    row_when(out, "due_at", row, 0, 4);
    if (result_is_null(row, 0, 5)) {
        json_null(out, "error");
    } else {
        json_open(out, "error", '{');
        row_i64(out, "attempt", row, 0, 5);
        row_text(out, "error", row, 0, 6);
        row_i64(out, "exit", row, 0, 7);
        row_when(out, "at", row, 0, 8);
        json_close(out, '}');
    }
    row_raw(out, "item", row, 0, 9, "null");
    json_close(out, '}');
}

int read_task(struct db *db, int64_t job, const char *stage, int64_t index, struct strbuf *out, struct err *err)
{
    AUTO_PARAMS struct params params = PARAMS_INIT;
    AUTO_RESULT struct result row = RESULT_INIT;
    params_i64(&params, job);
    params_text(&params, stage);
    params_i64(&params, index);
    if (db_query(db, STATEMENT_READ_TASK, &params, RESULT_BINARY, &row, err) < 0)
        return -1;
    if (result_rows(&row) == 0)
        return check_job(db, job, err) < 0
                   ? -1
                   : err_set(err, ERR_NOT_FOUND, "the job has no task '%.63s/%" PRId64 "'", stage, index);
    write_task(&row, job, stage, index, out);
    return read_done(&row, out, err);
}
