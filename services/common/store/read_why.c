// Gathers the facts that why_decide_*() want, in one snapshot, and writes their answer.
#include "services/common/base/arena.h"
#include "services/common/model/states.h"
#include "services/common/model/why.h"
#include "services/common/store/read_common.h"

#include <inttypes.h>
#include <string.h>

// What was asked.
struct asked {
    int64_t job;
    const char *stage; // of the task; NULL: none was asked about
    int64_t index;
    const char *service; // NULL: none was asked about
};

struct gathering {
    struct db *db;
    int64_t job;
    struct arena *arena;
    struct result about, stage, services, fleet, task;
    struct why_view view;
};

static void gathering_release(struct gathering *gathering)
{
    arena_free(gathering->arena);
    result_release(&gathering->about);
    result_release(&gathering->stage);
    result_release(&gathering->services);
    result_release(&gathering->fleet);
    result_release(&gathering->task);
}
#define AUTO_GATHERING CLEANUP(gathering_release)

static int gather_job(struct gathering *gathering, struct err *err)
{
    struct result *row = &gathering->about;
    if (read_of_job(gathering->db, STATEMENT_WHY_JOB, gathering->job, row, err) < 0)
        return -1;
    if (result_rows(row) == 0)
        return read_no_such_job(gathering->job, err);
    gathering->view = (struct why_view){
        .now_us = result_time_us(row, 0, 0),
        .outcome = (int)result_i64_or(row, 0, 1, OUTCOME_NONE),
        .cleanup = result_i32(row, 0, 2),
        .closed = result_bool(row, 0, 3),
        .paused = result_bool(row, 0, 4),
        .keep_until_us = row_time(row, 0, 5),
        .ready = result_i64(row, 0, 6),
        .leased = result_i64(row, 0, 7),
        .delayed = result_i64(row, 0, 8),
        .held = result_i64(row, 0, 9),
        .due_us = row_time(row, 0, 10),
        .suspect_worker = result_text_or_null(row, 0, 11),
        .reason = result_text_or_null(row, 0, 13),
        .fleet = {.queue = "", .runtime = "", .labels = "{}"},
    };
    return result_ok(row, err);
}

static int gather_stage(struct gathering *gathering, struct err *err)
{
    struct result *row = &gathering->stage;
    if (read_of_job(gathering->db, STATEMENT_WHY_STAGE, gathering->job, row, err) < 0)
        return -1;
    if (result_rows(row) > 0) {
        gathering->view.waiting_stage = result_text(row, 0, 0);
        gathering->view.waited_stage = result_text(row, 0, 1);
    }
    return result_ok(row, err);
}

static void read_service(struct result *rows, int row, struct why_service *service)
{
    *service = (struct why_service){
        .name = result_text(rows, row, 0),
        .epoch = (int)result_i64_or(rows, row, 1, 0),
        .state = (int)result_i64_or(rows, row, 2, -1),
        .worker = result_text_or_null(rows, row, 3),
        .worker_lost = !result_is_null(rows, row, 4) && result_bool(rows, row, 4),
        .since_us = row_time(rows, row, 5),
        .not_before_us = row_time(rows, row, 6),
        .ready_by_us = row_time(rows, row, 7),
        .depends_on = result_text_or_null(rows, row, 9),
        .dependent = result_text_or_null(rows, row, 10),
        .failed = !result_is_null(rows, row, 11) && result_bool(rows, row, 11),
        .error = result_text_or_null(rows, row, 12),
        .stop_reason = result_text_or_null(rows, row, 13),
        .exit_code = (int)result_i64_or(rows, row, 14, -1),
        .exit_signal = (int)result_i64_or(rows, row, 15, -1),
        .grade = (int)result_i64_or(rows, row, 16, -1),
        .ignored = result_i32(rows, row, 17) == SERVICE_IGNORE,
        .fleet = {.queue = "", .runtime = "", .labels = "{}"},
    };
}

static int gather_services(struct gathering *gathering, struct err *err)
{
    struct result *rows = &gathering->services;
    if (read_of_job(gathering->db, STATEMENT_WHY_SERVICES, gathering->job, rows, err) < 0)
        return -1;
    size_t count = (size_t)result_rows(rows);
    struct why_service *services = arena_alloc_zero(gathering->arena, count + 1, sizeof *services);
    if (!services)
        return err_set(err, ERR_NO_MEMORY, "facts about %zu services", count);
    for (size_t i = 0; i < count; i++)
        read_service(rows, (int)i, &services[i]);
    gathering->view.services = services;
    gathering->view.service_count = count;
    return result_ok(rows, err);
}

// The demand's row of the fleet, or -1.
static int find_demand(struct result *fleet, int64_t demand)
{
    for (int row = 0; row < result_rows(fleet); row++)
        if (result_i32(fleet, row, 0) == demand)
            return row;
    return -1;
}

static void read_fleet(struct result *rows, int64_t demand, struct why_fleet *fleet)
{
    int row = find_demand(rows, demand);
    if (row < 0)
        return;
    *fleet = (struct why_fleet){
        .queue = result_text(rows, row, 1),
        .runtime = result_text(rows, row, 2),
        .labels = result_text(rows, row, 3),
        .workers = result_i64(rows, row, 4),
        .with_queue = result_i64(rows, row, 5),
        .with_runtime = result_i64(rows, row, 6),
        .with_labels = result_i64(rows, row, 7),
        .accepting = result_i64(rows, row, 8),
        .trouble = result_text_or_null(rows, row, 9),
    };
}

// `tasks` is the demand of the tasks; 0: none.
static int gather_fleet(struct gathering *gathering, int64_t tasks, struct err *err)
{
    AUTO_PARAMS struct params params = PARAMS_INIT;
    struct result *rows = &gathering->fleet;
    params_array_begin(&params, PARAM_I32);
    params_add_i32(&params, (int32_t)tasks);
    for (int row = 0; row < result_rows(&gathering->services); row++)
        params_add_i32(&params, result_i32(&gathering->services, row, 8));
    params_array_end(&params);
    if (db_query(gathering->db, STATEMENT_WHY_FLEET, &params, RESULT_BINARY, rows, err) < 0)
        return -1;
    read_fleet(rows, tasks, &gathering->view.fleet);
    struct why_service *services = (struct why_service *)gathering->view.services; // of our arena
    for (size_t i = 0; i < gathering->view.service_count; i++)
        read_fleet(rows, result_i32(&gathering->services, (int)i, 8), &services[i].fleet);
    return result_ok(rows, err);
}

static int write_why(const struct why *why, struct strbuf *out, struct err *err)
{
    if (strbuf_ok(&why->evidence, err) < 0)
        return -1;
    json_open(out, NULL, '{');
    json_text(out, "code", why_code_name(why->code));
    json_text(out, "message", why->message);
    json_raw(out, "evidence", strbuf_text(&why->evidence));
    json_text(out, "advice", *why->advice ? why->advice : NULL);
    json_close(out, '}');
    return strbuf_ok(out, err);
}

// ---- a task

static int gather_task(struct gathering *gathering, const struct asked *asked, struct why_task *task, struct err *err)
{
    AUTO_PARAMS struct params params = PARAMS_INIT;
    struct result *row = &gathering->task;
    params_i64(&params, asked->job);
    params_text(&params, asked->stage);
    params_i64(&params, asked->index);
    if (db_query(gathering->db, STATEMENT_WHY_TASK, &params, RESULT_BINARY, row, err) < 0)
        return -1;
    if (result_rows(row) == 0)
        return err_set(err, ERR_NOT_FOUND, "the job has no task '%.63s/%" PRId64 "'", asked->stage, asked->index);
    *task = (struct why_task){
        .stage = result_text(row, 0, 14),
        .index = asked->index,
        .state = result_i32(row, 0, 0),
        .attempt = result_i32(row, 0, 1),
        .failures = result_i32(row, 0, 2),
        .retries_max = result_i32(row, 0, 3),
        .max_parallel = result_i64(row, 0, 4),
        .worker = result_text_or_null(row, 0, 5),
        .worker_lost = !result_is_null(row, 0, 6) && result_bool(row, 0, 6),
        .cancel = result_bool(row, 0, 7),
        .waited_stage = result_text_or_null(row, 0, 8),
        .leased_us = row_time(row, 0, 9),
        .due_us = row_time(row, 0, 10),
        .error = result_text_or_null(row, 0, 11),
        .exit = (int)result_i64_or(row, 0, 12, -1),
    };
    return result_ok(row, err);
}

static int decide_task(struct gathering *gathering, const struct asked *asked, struct why *why, struct err *err)
{
    struct why_task task;
    if (gather_task(gathering, asked, &task, err) < 0 ||
        gather_fleet(gathering, result_i64(&gathering->task, 0, 13), err) < 0)
        return -1;
    why_decide_task(&gathering->view, &task, why);
    return 0;
}

// ---- a service

// The first row of a service is an older instance that may still exist, or the latest one.
static int decide_service(struct gathering *gathering, const struct asked *asked, struct why *why, struct err *err)
{
    if (gather_fleet(gathering, 0, err) < 0)
        return -1;
    const struct why_view *view = &gathering->view;
    for (size_t i = 0; i < view->service_count; i++)
        if (strcmp(view->services[i].name, asked->service) == 0) {
            why_decide_service(view, &view->services[i], why);
            return 0;
        }
    return err_set(err, ERR_NOT_FOUND, "the job has no service '%.63s'", asked->service);
}

// ---- the job, and what of it was asked about

static int decide_job(struct gathering *gathering, struct why *why, struct err *err)
{
    if (gather_fleet(gathering, result_i64_or(&gathering->about, 0, 12, 0), err) < 0)
        return -1;
    why_decide_job(&gathering->view, why);
    return 0;
}

static int decide(struct gathering *gathering, const struct asked *asked, struct why *why, struct err *err)
{
    if (asked->stage)
        return decide_task(gathering, asked, why, err);
    return asked->service ? decide_service(gathering, asked, why, err) : decide_job(gathering, why, err);
}

static int gather_and_write(struct db *db, void *context, struct strbuf *out, struct err *err)
{
    const struct asked *asked = context;
    AUTO_WHY struct why why = WHY_INIT;
    AUTO_GATHERING struct gathering gathering = {.db = db, .job = asked->job, .arena = arena_new(4096)};
    if (!gathering.arena)
        return err_set(err, ERR_NO_MEMORY, "facts about a job");
    if (gather_job(&gathering, err) < 0 || gather_stage(&gathering, err) < 0 || gather_services(&gathering, err) < 0 ||
        decide(&gathering, asked, &why, err) < 0)
        return -1;
    return write_why(&why, out, err);
}

int read_why(struct db *db, int64_t job, struct strbuf *out, struct err *err)
{
    struct asked asked = {.job = job};
    return snapshot_run(db, gather_and_write, &asked, out, err);
}

int read_why_task(struct db *db, int64_t job, const char *stage, int64_t index, struct strbuf *out, struct err *err)
{
    struct asked asked = {.job = job, .stage = stage, .index = index};
    return snapshot_run(db, gather_and_write, &asked, out, err);
}

int read_why_service(struct db *db, int64_t job, const char *service, struct strbuf *out, struct err *err)
{
    struct asked asked = {.job = job, .service = service};
    return snapshot_run(db, gather_and_write, &asked, out, err);
}

// ---- a worker

// What waits that the worker could take, or else the demand that it comes nearest to.
static void read_demand(struct result *rows, struct why_worker *worker)
{
    if (result_rows(rows) == 0)
        return;
    bool queue = result_bool(rows, 0, 0), runtime = result_bool(rows, 0, 1), labels = result_bool(rows, 0, 2);
    worker->something_for_it = queue && runtime && labels;
    if (!worker->something_for_it) {
        worker->other_demand = result_text(rows, 0, 3);
        worker->other_demand_is = !queue ? "queue" : !runtime ? "runtime" : "labels";
    }
}

static int worker_and_write(struct db *db, void *context, struct strbuf *out, struct err *err)
{
    const int64_t *id = context;
    AUTO_WHY struct why why = WHY_INIT;
    AUTO_RESULT struct result row = RESULT_INIT;
    AUTO_RESULT struct result demands = RESULT_INIT;
    if (read_of_job(db, STATEMENT_WHY_WORKER, *id, &row, err) < 0 ||
        read_of_job(db, STATEMENT_WHY_WORKER_DEMANDS, *id, &demands, err) < 0)
        return -1;
    if (result_rows(&row) == 0)
        return err_set(err, ERR_NOT_FOUND, "worker %" PRId64 " does not exist", *id);
    struct why_worker worker = {
        .now_us = result_time_us(&row, 0, 0),
        .name = result_text(&row, 0, 1),
        .state = result_i32(&row, 0, 2),
        .drain = result_bool(&row, 0, 3),
        .note = result_text_or_null(&row, 0, 4),
        .trouble = result_text_or_null(&row, 0, 5),
        .lease_until_us = row_time(&row, 0, 6),
        .slots = result_i64(&row, 0, 7),
        .running = result_i64(&row, 0, 8),
        .services = result_i64(&row, 0, 9),
    };
    read_demand(&demands, &worker);
    if (result_ok(&row, err) < 0 || result_ok(&demands, err) < 0)
        return -1;
    why_decide_worker(&worker, &why);
    return write_why(&why, out, err);
}

int read_why_worker(struct db *db, int64_t worker, struct strbuf *out, struct err *err)
{
    return snapshot_run(db, worker_and_write, &worker, out, err);
}
